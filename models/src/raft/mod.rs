//! Raft as a system to check: who the nodes are, what clients ask, what must
//! hold.
//!
//! | file | holds |
//! |---|---|
//! | `aspect.rs` | what of it is looked at: all, or elections alone |
//! | `describe.rs` | nodes and messages in words |
//! | `ghost.rs` | what is remembered of the past, and the properties of steps |
//! | `properties.rs` | the properties of states, and the goals |
//! | `prefixes.rs` | ways to states worth starting from |

mod aspect;
mod describe;
mod ghost;
mod prefixes;
mod properties;

use std::collections::BTreeSet;
use std::marker::PhantomData;

use tribunal_protocol::NodeId;
use tribunal_protocol::bugs::Bug;
use tribunal_protocol::machine::Outcome;
use tribunal_protocol::object::Operation;
use tribunal_protocol::raft::{
    Change, Command, Config, Durable, Entry, Membership, Message, Raft, Request, Timer, Wrong,
};

pub use self::aspect::{Aspect, Elections, Whole};
use self::ghost::Ghost;
use crate::bounds::{Bounds, Limit, Setting};
use crate::cluster::Cluster;
use crate::register;
use crate::system::{
    Administration, Broken, Draft, Draws, Goal, ModelSystem, Planned, Prefix, Property, Response,
    Seen,
};

/// Raft within bounds, seen under an aspect.
#[derive(Clone, Debug)]
pub struct RaftModel<A: Aspect> {
    bounds: Bounds,
    bug: Option<Wrong>,
    aspect: PhantomData<A>,
}

/// All of Raft.
pub type RaftSystem = RaftModel<Whole>;
/// Raft's elections.
pub type RaftElectionSystem = RaftModel<Elections>;

const PRE_VOTE: Setting = Setting {
    name: "pre-vote",
    about: "ask before standing for election, 0 or 1",
    default: 0,
    least: 0,
    most: 1,
};
const CHECK_QUORUM: Setting = Setting {
    name: "check-quorum",
    about: "leaders step down that hear no majority, 0 or 1",
    default: 0,
    least: 0,
    most: 1,
};
const BATCH: Setting = Setting {
    name: "batch",
    about: "entries in one append",
    default: 2,
    least: 1,
    most: u8::MAX,
};

const SPARES: Setting = Setting {
    name: "spares",
    about: "nodes, the last ones, that are no members at first",
    default: 0,
    least: 0,
    most: 15,
};
const CHUNK: Setting = Setting {
    name: "chunk",
    about: "parts of a snapshot in one message",
    default: 2,
    least: 1,
    most: u8::MAX,
};
const COMPACT_AFTER: Setting = Setting {
    name: "compact-after",
    about: "committed entries after which a node compacts its log by itself, 0 for never",
    default: 0,
    least: 0,
    most: u8::MAX,
};
const KEEP: Setting = Setting {
    name: "keep",
    about: "committed entries that such a compaction leaves in the log",
    default: 0,
    least: 0,
    most: u8::MAX,
};
const SESSIONS: Setting = Setting {
    name: "sessions",
    about: "sessions that are open from the start and that nobody uses",
    default: 0,
    least: 0,
    most: u8::MAX,
};

impl<A: Aspect> RaftModel<A> {
    fn setting(&self, setting: &Setting) -> u8 {
        self.bounds.setting(Self::settings(), setting.name)
    }

    fn nodes(&self) -> impl Iterator<Item = NodeId> + use<A> {
        (1..=self.bounds.nodes).map(NodeId)
    }

    /// The voters of the founding membership.
    fn founding(&self) -> BTreeSet<NodeId> {
        let spares = self.setting(&SPARES).min(self.bounds.nodes - 1);
        let count = self.bounds.nodes - spares;
        self.nodes().take(usize::from(count)).collect()
    }
}

impl<A: Aspect> ModelSystem for RaftModel<A> {
    type Machine = Raft;
    type Operation = Operation;
    type Object = register::OneKey;
    type Ghost = Ghost;

    const NAME: &'static str = A::NAME;
    const ABOUT: &'static str = A::ABOUT;
    const PART_OF: Option<&'static str> = A::PART_OF;

    fn default_bounds() -> Bounds {
        A::default_bounds()
    }

    fn wide_bounds() -> Bounds {
        A::wide_bounds()
    }

    fn settings() -> &'static [Setting] {
        &[
            PRE_VOTE,
            CHECK_QUORUM,
            BATCH,
            SPARES,
            CHUNK,
            SESSIONS,
            COMPACT_AFTER,
            KEEP,
        ]
    }

    fn bugs() -> &'static [Bug] {
        A::BUGS
    }

    fn refuses(bounds: &Bounds) -> Option<String> {
        let set = |setting: &Setting| bounds.setting(Self::settings(), setting.name);
        register::refuses_compaction(set(&COMPACT_AFTER), set(&KEEP))
    }

    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self {
        RaftModel {
            bounds: *bounds,
            bug: bug.and_then(Wrong::named),
            aspect: PhantomData,
        }
    }

    fn config(&self, node: NodeId) -> Config {
        Config {
            pre_vote: self.setting(&PRE_VOTE) > 0,
            check_quorum: self.setting(&CHECK_QUORUM) > 0,
            batch_max: self.setting(&BATCH) as usize,
            chunk_max: self.setting(&CHUNK) as usize,
            compact_after: match self.setting(&COMPACT_AFTER) {
                0 => None,
                entries => Some(entries.into()),
            },
            compact_keep: self.setting(&KEEP).into(),
            sessions_founding: register::sessions_used(&self.bounds)
                + u64::from(self.setting(&SESSIONS)),
            bug: self.bug,
            ..Config::new(node, self.founding())
        }
    }

    fn plan(&self) -> Vec<Planned<Operation>> {
        register::plan(&self.bounds)
    }

    fn request(&self, index: usize, operation: &Operation) -> Request {
        match *operation {
            Operation::Read { key } => Request::Read { key },
            _ => Request::Call(register::call(&self.bounds, index, operation)),
        }
    }

    fn administration(&self) -> Vec<Administration<Raft>> {
        let ask = |limit, request, about| Administration {
            limit,
            request,
            about,
        };
        let compact = ask(
            Limit::Compactions,
            Request::Compact,
            "compact your log".to_owned(),
        );
        let of_node = |node| {
            let change = |change, about| ask(Limit::Changes, Request::Reconfigure(change), about);
            [
                change(Change::AddLearner(node), format!("add {node} as a learner")),
                change(Change::Promote(node), format!("let {node} vote")),
                change(Change::Remove(node), format!("remove {node}")),
                ask(
                    Limit::Transfers,
                    Request::Transfer(node),
                    format!("make way for {node}"),
                ),
            ]
        };
        let of_nodes = self.nodes().flat_map(of_node);
        [compact].into_iter().chain(of_nodes).collect()
    }

    fn outcome(&self, _: &Operation, outcome: Outcome<Response<Self>>) -> Outcome<Response<Self>> {
        register::outcome(outcome)
    }

    fn timer_limit(&self, timer: Timer) -> Limit {
        match timer {
            Timer::Election => Limit::Elections,
            Timer::Heartbeat | Timer::Quorum | Timer::Transfer => Limit::Timers,
        }
    }

    fn observe(
        &self,
        ghost: &mut Draft<'_, Ghost>,
        seen: Seen<'_, Raft>,
        broken: &mut Vec<Broken>,
    ) {
        ghost::observe(self, ghost, seen, broken);
    }

    fn properties(&self) -> Vec<Property<Self>> {
        A::properties()
    }

    fn goals(&self) -> Vec<Goal<Self>> {
        let mut goals = A::goals();
        if self.bounds.nodes == 1 {
            // Nobody else is there: to make way for, to be added or removed, or
            // to commit what a crashed leader left.
            let takes_two = |(limit, _): &(Limit, u8)| {
                matches!(limit, Limit::Changes | Limit::Transfers | Limit::Crashes)
            };
            goals.retain(|goal| !goal.needs.iter().any(takes_two));
        }
        goals
    }

    /// Members have no part of their own, and names are never compared.
    fn is_symmetric(&self) -> bool {
        self.setting(&SPARES) == 0
    }

    /// Replies of an earlier term are ignored, and terms never go back.
    fn is_dead(&self, message: &Message, durable: &Durable) -> bool {
        match *message {
            Message::VoteReply { term, .. } => {
                term < durable.term && self.bug != Some(Wrong::StaleVoteReplyCounted)
            }
            Message::AppendReply { term, .. }
            | Message::InstallReply { term, .. }
            | Message::TimeoutNow { term } => term < durable.term,
            Message::PreVoteReply { term, asked, .. } => {
                term <= durable.term && asked < durable.term
            }
            Message::PreVote { .. }
            | Message::Vote { .. }
            | Message::Append { .. }
            | Message::Install { .. } => false,
        }
    }

    fn draws() -> Draws {
        Draws {
            settings: &[
                ("pre-vote", &[0, 1]),
                ("check-quorum", &[0, 1]),
                ("batch", &[1, 1, 2, 8]),
                ("spares", &[0, 0, 0, 1]),
                ("chunk", &[1, 2]),
                ("sessions", &[0, 0, 3]),
            ],
            ..Draws::USUAL
        }
    }

    /// A majority of every membership that anybody knows of, or may yet hear
    /// of: an entry that is not committed may be taken over or be lost.
    fn must_progress(&self, cluster: &Cluster<Self>, core: &[NodeId]) -> bool {
        // A snapshot that was never taken names nobody.
        let suffices = |membership: &Membership| {
            membership.voters.is_empty() || membership.is_majority(core.iter().copied())
        };
        let configured = |entries: &[Entry]| {
            entries.iter().all(|entry| match &entry.command {
                Command::Configure(membership) => suffices(membership),
                _ => true,
            })
        };
        let knows = |node: NodeId| {
            let (machine, durable) = (cluster.believed(node), cluster.durable(node));
            suffices(machine.membership())
                && configured(machine.log().entries())
                && configured(durable.log.entries())
                && suffices(&durable.snapshot.head.membership)
        };
        let tells = |message: &Message| match message {
            Message::Append { entries, .. } => configured(entries),
            Message::Install { chunk, .. } => suffices(&chunk.head.membership),
            _ => true,
        };
        suffices(&Membership::of_voters(&self.founding()))
            && cluster.nodes().all(knows)
            && cluster.messages().all(|envelope| tells(&envelope.message))
    }

    fn prefixes() -> Vec<Prefix<Self>> {
        prefixes::prefixes()
    }

    fn describe(&self, _: NodeId, machine: &Raft, durable: &Durable) -> String {
        describe::node(&self.founding(), machine, durable)
    }

    fn describe_message(&self, message: &Message) -> String {
        describe::message(message)
    }
}
