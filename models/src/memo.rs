//! What a model remembers: the components of its states, and what it computed
//! of them.
//!
//! The millions of steps of a model are a few thousand different ones: the
//! same node meets the same message again and again, in clusters that differ
//! elsewhere. A reaction depends on the node alone, what the ghost makes of it
//! on the ghost and the reaction, a client's history on the history and the
//! answers; so each is computed once. Keys are the numbers of interned
//! components, and thus exact. There are some tens of thousands of them, in two
//! places each, beside states of which one costs a dozen bytes: they are kept
//! small.
//!
//! A path that is shown is walked again with nothing remembered.

use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering};

use tribunal_protocol::machine::{Machine, NodeId, Outcome};

use crate::action::Timer;
use crate::network::Envelope;
use crate::node::Node;
use crate::object::HistoryOf;
use crate::shared::{Entry, Shared};
use crate::store::{Memo, Table};
use crate::system::{Broken, ModelSystem};

/// How a node reacts, ready to be put into a cluster.
#[derive(Debug)]
pub(crate) enum Reaction<M: Machine> {
    /// The node stays as it is and says nothing.
    Nothing,
    /// What becomes of the node, and what leaves it.
    Something {
        /// The node afterwards.
        node: Shared<Node<M>>,
        /// Whether it differs from before.
        changed: bool,
        /// Whether what is durable differs from before, or did in between.
        wrote: bool,
        /// What was durable for a while, then what leaves, in order.
        left: Box<[Left<M>]>,
        /// Whether a client's request is among what leaves.
        answers: bool,
    },
    /// The machine panicked.
    Panic(String),
}

/// What others may notice of a reaction.
#[derive(Debug)]
pub(crate) enum Left<M: Machine> {
    /// Nobody else notices: this was durable until more was.
    Passed(Shared<M::Durable>),
    /// A message to a peer.
    Send(Shared<Envelope<M>>),
    /// An answer to a planned operation.
    Answer {
        /// Which.
        operation: usize,
        /// What it says.
        outcome: Outcome<M::Response>,
    },
}

/// What happens to a node, as a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Event<T> {
    /// The message of that number arrives.
    Message(u32),
    Expire(NodeId, T),
    Persist(NodeId, u8),
    Crash(NodeId, u8),
    Request(NodeId, u8, u8),
    Administer(NodeId, u8),
    Tell(NodeId, NodeId, bool),
    Tick(NodeId),
}

/// What becomes of something that takes note of events, and what they broke.
#[derive(Clone, Debug)]
pub(crate) struct Noted<T> {
    /// What it is now.
    pub(crate) now: T,
    /// What was broken first.
    pub(crate) broken: First,
}

/// The first of several events to break a property, counted from 0, and the
/// broken property. Seldom there, so it takes little room where it is not.
pub(crate) type First = Option<Box<(usize, Shared<Broken>)>>;

impl<T> Noted<Shared<T>> {
    /// The same, as it is remembered.
    fn kept(self) -> Noted<&'static Entry<T>> {
        Noted {
            now: self.now.entry(),
            broken: self.broken,
        }
    }
}

/// A memo of what becomes of something interned.
pub(crate) struct NotedMemo<K: Send, T: Send + Sync + 'static>(Memo<K, Noted<&'static Entry<T>>>);

impl<K: Hash + Eq + Clone + Send, T: Send + Sync> NotedMemo<K, T> {
    /// What belongs to the key, computed if it is not known.
    pub(crate) fn get(
        &self,
        key: K,
        compute: impl FnOnce() -> Noted<Shared<T>>,
    ) -> Noted<Shared<T>> {
        let Noted { now, broken } = self.0.get(key, || compute().kept());
        Noted {
            now: Shared::interned(now),
            broken,
        }
    }
}

/// Everything that the models of one search remember together.
pub(crate) struct Memory<S: ModelSystem> {
    pub(crate) nodes: Table<Node<S::Machine>>,
    pub(crate) durables: Table<<S::Machine as Machine>::Durable>,
    pub(crate) envelopes: Table<Envelope<S::Machine>>,
    pub(crate) histories: Table<HistoryOf<S>>,
    pub(crate) ghosts: Table<S::Ghost>,
    /// The reaction that is none.
    nothing: &'static Entry<Reaction<S::Machine>>,
    /// The number of the next reaction.
    next_reaction: AtomicU32,
    reactions: Memo<ReactionKey<S>, &'static Entry<Reaction<S::Machine>>>,
    pub(crate) observed: NotedMemo<ObservedKey, S::Ghost>,
    pub(crate) heard: NotedMemo<HeardKey, HistoryOf<S>>,
    /// Whether two nodes are right.
    pub(crate) pairs: Memo<PairKey, bool>,
}

/// A node, and what happens to it.
type ReactionKey<S> = (u32, Event<Timer<S>>);
/// A ghost, a reaction, and whether one property alone is judged: as on ways,
/// which remember in the same place and where nothing that is observed counts.
type ObservedKey = (u32, u32, bool);
/// A history, the operation that is asked for, a reaction, whether its answers
/// are lost, and whether one property alone is judged.
type HeardKey = (u32, Option<u8>, u32, bool, bool);
/// The place of a property, and two nodes with their numbers.
type PairKey = (u8, NodeId, NodeId, u32, u32);

impl<S: ModelSystem> Memory<S> {
    /// Nothing yet, for so many threads; hashes are salted.
    pub(crate) fn new(salt: u64, threads: usize) -> Self {
        Memory {
            nodes: Table::new(salt),
            durables: Table::new(salt),
            envelopes: Table::new(salt),
            histories: Table::new(salt),
            ghosts: Table::new(salt),
            nothing: Entry::leaked(0, Reaction::Nothing),
            next_reaction: AtomicU32::new(1),
            reactions: Memo::new(threads),
            observed: NotedMemo(Memo::new(threads)),
            heard: NotedMemo(Memo::new(threads)),
            pairs: Memo::unshared(),
        }
    }

    /// How a node reacts, computed if it is not known.
    pub(crate) fn reaction(
        &self,
        key: ReactionKey<S>,
        compute: impl FnOnce() -> Reaction<S::Machine>,
    ) -> Shared<Reaction<S::Machine>> {
        let compute = || match compute() {
            Reaction::Nothing => self.nothing,
            reaction => {
                let number = self.next_reaction.fetch_add(1, Ordering::Relaxed);
                Entry::leaked(number, reaction)
            }
        };
        Shared::interned(self.reactions.get(key, compute))
    }
}
