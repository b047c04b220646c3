//! Which write each read saw.
//!
//! A value that is written once to its key, and is not what the key holds at
//! first, names its write. A read of any other value does not tell what it saw
//! and is left out, as is a cas that failed on some other value than its old
//! one: what is refuted without them is refuted with them.

use std::ops::Range;

use super::acts::{Act, Acts, Does};

/// One read or one write; a cas is one of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) act: u32,
    pub(super) session: u32,
    /// Its place among the nodes of its session.
    pub(super) place: u32,
    pub(super) key: u32,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Write,
    /// Of what this node wrote; of what was there at first, if none.
    Read(Option<u32>),
}

/// All reads and writes that are known to have happened, session by session.
pub(super) struct Sources {
    pub(super) nodes: Vec<Node>,
    /// By session, its nodes in order.
    pub(super) sessions: Vec<Range<u32>>,
    pub(super) keys: usize,
    /// How many operations do not tell what they saw.
    pub(super) left_out: usize,
    /// An operation that saw what nobody wrote.
    pub(super) unexplained: Option<u32>,
}

/// No act.
const NONE: u32 = u32::MAX;

/// By slot, who may have written it.
struct Writers {
    count: Vec<u32>,
    /// Two of them, of which a cas that writes what it saw is not its own.
    some: Vec<[u32; 2]>,
    is_initial: Vec<bool>,
}

/// What an operation that saw a slot tells.
enum Source {
    Nobody,
    Initial,
    Act(u32),
    Ambiguous,
}

impl Writers {
    fn of(acts: &Acts<'_>) -> Self {
        let slots = acts.key_of.len();
        let mut writers = Writers {
            count: vec![0; slots],
            some: vec![[NONE; 2]; slots],
            is_initial: vec![false; slots],
        };
        for &slot in &acts.initial {
            writers.is_initial[slot as usize] = true;
        }
        for (number, act) in (0..).zip(&acts.list) {
            let Some(slot) = act.writes() else { continue };
            let count = &mut writers.count[slot as usize];
            if let Some(free) = writers.some[slot as usize].get_mut(*count as usize) {
                *free = number;
            }
            *count += 1;
        }
        writers
    }

    fn source(&self, number: u32, act: &Act) -> Option<Source> {
        let slot = act.saw()? as usize;
        let is_own = act.writes() == act.saw();
        let others = self.count[slot] - u32::from(is_own);
        Some(match (others, self.is_initial[slot]) {
            (0, true) => Source::Initial,
            (0, false) => Source::Nobody,
            (1, false) => {
                let [one, other] = self.some[slot];
                Source::Act(if one == number { other } else { one })
            }
            _ => Source::Ambiguous,
        })
    }
}

impl Sources {
    pub(super) fn of(acts: &Acts<'_>) -> Self {
        let writers = Writers::of(acts);
        // What happened: what completed, and what somebody saw who happened.
        let mut happened = vec![false; acts.list.len()];
        let sure = (0..).zip(&acts.list).filter(|(_, act)| act.is_sure());
        let mut open: Vec<u32> = sure.map(|(number, _)| number).collect();
        for &number in &open {
            happened[number as usize] = true;
        }
        let mut left_out = 0;
        let mut unexplained = None;
        while let Some(number) = open.pop() {
            let act = &acts.list[number as usize];
            if let Does::ReadOther(_) = act.does {
                left_out += 1;
            }
            match writers.source(number, act) {
                Some(Source::Nobody) => {
                    unexplained = Some(unexplained.map_or(number, |it: u32| it.min(number)));
                }
                Some(Source::Ambiguous) => left_out += 1,
                Some(Source::Act(write)) if !happened[write as usize] => {
                    happened[write as usize] = true;
                    open.push(write);
                }
                _ => {}
            }
        }
        let mut sources = Sources {
            nodes: Vec::new(),
            sessions: Vec::new(),
            keys: acts.keys(),
            left_out,
            unexplained,
        };
        sources.fill(acts, &writers, &happened);
        sources
    }

    fn fill(&mut self, acts: &Acts<'_>, writers: &Writers, happened: &[bool]) {
        let mut written_by = vec![NONE; acts.list.len()];
        for (session, list) in (0..).zip(&acts.sessions) {
            let first = self.nodes.len() as u32;
            for &number in list.iter().filter(|&&act| happened[act as usize]) {
                let act = &acts.list[number as usize];
                let read = match writers.source(number, act) {
                    Some(Source::Initial) => Some(Kind::Read(None)),
                    // The act for now: its node may not be there yet.
                    Some(Source::Act(write)) => Some(Kind::Read(Some(write))),
                    _ => None,
                };
                let write = act.writes().map(|_| Kind::Write);
                for kind in read.into_iter().chain(write) {
                    if kind == Kind::Write {
                        written_by[number as usize] = self.nodes.len() as u32;
                    }
                    self.nodes.push(Node {
                        act: number,
                        session,
                        place: self.nodes.len() as u32 - first,
                        key: act.key,
                        kind,
                    });
                }
            }
            self.sessions.push(first..self.nodes.len() as u32);
        }
        for node in &mut self.nodes {
            if let Kind::Read(Some(write)) = &mut node.kind {
                *write = written_by[*write as usize];
            }
        }
    }

    /// All reads, with what they saw.
    pub(super) fn reads(&self) -> impl Iterator<Item = (u32, Option<u32>)> {
        (0..)
            .zip(&self.nodes)
            .filter_map(|(number, node)| match node.kind {
                Kind::Read(source) => Some((number, source)),
                Kind::Write => None,
            })
    }

    pub(super) fn node(&self, number: u32) -> Node {
        self.nodes[number as usize]
    }
}

/// By key, which sessions have nodes of one sort on it, and at which places.
pub(super) struct Places {
    keys: Vec<Vec<(u32, Vec<u32>)>>,
}

impl Places {
    /// Of these nodes, given session by session.
    pub(super) fn of(sources: &Sources, of: impl Fn(&Node) -> bool) -> Self {
        let mut keys: Vec<Vec<(u32, Vec<u32>)>> = vec![Vec::new(); sources.keys];
        for node in sources.nodes.iter().filter(|node| of(node)) {
            let sessions = &mut keys[node.key as usize];
            match sessions.last_mut().filter(|last| last.0 == node.session) {
                Some((_, places)) => places.push(node.place),
                None => sessions.push((node.session, vec![node.place])),
            }
        }
        Places { keys }
    }

    /// The sessions with such nodes of a key, and the places of those.
    pub(super) fn of_key(&self, key: u32) -> impl Iterator<Item = (u32, &[u32])> {
        let sessions = self.keys[key as usize].iter();
        sessions.map(|(session, places)| (*session, places.as_slice()))
    }
}
