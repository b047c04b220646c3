//! Faults: what strikes, whom, and what that does until it is healed.
//!
//! A node that is down is one that stands still and then crashes: what
//! happened to it in between it would have lost anyhow. Messages that meet
//! it are lost; those that meet a node that only stands still wait.

use std::collections::BTreeSet;

use tribunal_protocol::NodeId;
use tribunal_protocol::quorum::majority;

use crate::action::{Deed, Step};
use crate::system::ModelSystem;

use super::agenda::Event;
use super::run::Run;
use super::swarm::Fault;

/// What is wrong at the moment.
pub(super) struct Trouble<S: ModelSystem> {
    still: Vec<Option<Still<S>>>,
    /// Links that do not deliver, from and to.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// What the cut links hold; if they hold nothing, they lose.
    held: Option<Vec<Event<S>>>,
    /// Whether the partition kept anything from its way.
    noticed: bool,
}

/// A node at which nothing happens.
enum Still<S: ModelSystem> {
    /// It will crash and recover.
    Down,
    /// It will go on with this.
    Paused(Vec<Event<S>>),
    /// It never comes back.
    Gone,
}

impl<S: ModelSystem> Trouble<S> {
    pub(super) fn none(nodes: usize) -> Self {
        Trouble {
            still: (0..nodes).map(|_| None).collect(),
            cut: BTreeSet::new(),
            held: None,
            noticed: false,
        }
    }

    fn still(&mut self, node: NodeId) -> &mut Option<Still<S>> {
        &mut self.still[usize::from(node.0) - 1]
    }

    pub(super) fn is_still(&self, node: NodeId) -> bool {
        self.still[usize::from(node.0) - 1].is_some()
    }

    /// The node never comes back.
    pub(super) fn remove(&mut self, node: NodeId) {
        *self.still(node) = Some(Still::Gone);
    }
}

impl<S: ModelSystem> Run<S> {
    /// The event, if nothing keeps it from happening now.
    pub(super) fn get_through(&mut self, event: Event<S>) -> Option<Event<S>> {
        let Some(node) = event.node() else {
            return Some(event);
        };
        match self.trouble.still(node) {
            Some(Still::Paused(waiting)) => {
                waiting.push(event);
                return None;
            }
            Some(Still::Down | Still::Gone) => {
                self.miss(event);
                return None;
            }
            None => {}
        }
        let link = event.link();
        if link.is_some_and(|link| self.trouble.cut.contains(&link)) {
            self.meet_cut(event);
            return None;
        }
        Some(event)
    }

    fn miss(&mut self, event: Event<S>) {
        match event {
            Event::Arrive(envelope) => {
                self.take(Deed::Lose(envelope));
            }
            Event::Tell { node, peer, up } => self.forget_news(node, peer, up),
            Event::Disk(node) => self.forget_write(node),
            _ => {}
        }
    }

    fn meet_cut(&mut self, event: Event<S>) {
        if !std::mem::replace(&mut self.trouble.noticed, true) {
            self.counts.took_effect(Fault::Partition);
        }
        match (&mut self.trouble.held, event) {
            (Some(held), event) => held.push(event),
            (None, Event::Arrive(envelope)) => {
                self.take(Deed::Lose(envelope));
            }
            // A stream that loses something is over.
            (None, Event::Lane { from, to }) => {
                let (a, b) = (from.min(to), from.max(to));
                self.take(Deed::Step(Step::Break { a, b }));
            }
            (None, _) => {}
        }
    }

    /// The next fault.
    pub(super) fn strike(&mut self) {
        let fault = self.dice.one(&self.conditions.faults);
        match fault {
            Fault::Kill | Fault::Pause => {
                for node in self.targets() {
                    self.freeze(node, fault);
                }
            }
            Fault::Partition => self.split(),
            Fault::Halt => {
                let running: Vec<_> = self.world.state.running().collect();
                if let Some(node) = self.dice.pick(&running).copied() {
                    self.counts.began(fault);
                    self.take(Deed::Step(Step::Halt { node }));
                    self.counts.took_effect(fault);
                }
            }
            Fault::Break => {
                let pairs: Vec<_> = self.world.state.network.breakable().collect();
                if let Some((a, b)) = self.dice.pick(&pairs).copied() {
                    self.counts.began(fault);
                    self.take(Deed::Step(Step::Break { a, b }));
                    self.counts.took_effect(fault);
                }
            }
        }
    }

    /// Sometimes a node crashes just when what it said or did is not durable.
    pub(super) fn strike_while_writing(&mut self, node: NodeId) {
        let may = self.conditions.faults.contains(&Fault::Kill);
        let writes = self.world.state.node(node).outstanding() > 0;
        if may && writes && self.dice.chance(self.conditions.amid_writes) {
            self.freeze(node, Fault::Kill);
        }
    }

    fn freeze(&mut self, node: NodeId, fault: Fault) {
        if self.trouble.is_still(node) {
            return;
        }
        self.counts.began(fault);
        *self.trouble.still(node) = Some(match fault {
            Fault::Kill => Still::Down,
            _ => Still::Paused(Vec::new()),
        });
        // Some processes are back before anybody notices.
        let at_once = fault == Fault::Kill && self.dice.chance(300);
        let lasts = if at_once {
            0
        } else {
            self.conditions.fault_lasts
        };
        let until = self.now + self.dice.between(0, lasts);
        self.agenda.plan(until, Event::Thaw(node));
    }

    /// A node goes on, or crashes and recovers.
    pub(super) fn thaw(&mut self, node: NodeId) {
        match self.trouble.still(node).take() {
            Some(Still::Down) => {
                let outstanding = self.world.state.node(node).outstanding() as u64;
                let kept = self.dice.between(0, outstanding) as u8;
                self.forget_write(node);
                if self.take(Deed::Step(Step::Crash { node, kept })) {
                    self.counts.took_effect(Fault::Kill);
                }
            }
            Some(Still::Paused(waiting)) => {
                if !waiting.is_empty() {
                    self.counts.took_effect(Fault::Pause);
                }
                for event in waiting {
                    let soon = self.now + self.delay();
                    self.agenda.plan(soon, event);
                }
            }
            Some(Still::Gone) => self.trouble.remove(node),
            None => {}
        }
    }

    /// Whom a fault strikes: a leader, one, a minority, a majority or all.
    fn targets(&mut self) -> Vec<NodeId> {
        let all: Vec<NodeId> = self.world.state.nodes().collect();
        if self.dice.chance(self.conditions.at_leader) {
            return self.leaders().into_iter().take(1).collect();
        }
        let minority = all.len() - majority(all.len());
        let count = match self.dice.between(1, 10) {
            1..=6 => 1,
            7..=8 => minority.max(1),
            9 => majority(all.len()),
            _ => all.len(),
        };
        self.dice.some(all, count)
    }

    /// Whoever holds itself for a leader, in drawn order.
    pub(super) fn leaders(&mut self) -> Vec<NodeId> {
        let nodes = self.world.state.nodes();
        let leaders: Vec<NodeId> = nodes.filter(|node| self.world.leads(*node)).collect();
        let first = self.dice.pick(&leaders).copied();
        let rest = leaders.into_iter().filter(|node| Some(*node) != first);
        first.into_iter().chain(rest).collect()
    }

    /// Cuts every link between two sides, or those from one to the other.
    fn split(&mut self) {
        let all: Vec<NodeId> = self.world.state.nodes().collect();
        if !self.trouble.cut.is_empty() || all.len() < 2 {
            return;
        }
        self.counts.began(Fault::Partition);
        let side = match self.leaders().first() {
            Some(leader) if self.dice.chance(self.conditions.at_leader) => vec![*leader],
            _ => {
                let size = self.dice.between(1, all.len() as u64 / 2) as usize;
                self.dice.some(all.clone(), size)
            }
        };
        let (outward, inward) = match self.dice.between(1, 6) {
            1 => (true, false),
            2 => (false, true),
            _ => (true, true),
        };
        for a in &side {
            for b in all.iter().filter(|b| !side.contains(b)) {
                self.trouble.cut.extend(outward.then_some((*a, *b)));
                self.trouble.cut.extend(inward.then_some((*b, *a)));
            }
        }
        self.trouble.noticed = false;
        let holds = self.dice.chance(500) || self.world.is_lossless();
        self.trouble.held = holds.then(Vec::new);
        let lasts = self.conditions.fault_lasts;
        let until = self.now + self.dice.between(lasts / 4, lasts);
        self.agenda.plan(until, Event::Rejoin);
    }

    /// Every link works again, and delivers what it held.
    pub(super) fn rejoin(&mut self) {
        self.trouble.cut.clear();
        for event in self.trouble.held.take().unwrap_or_default() {
            let soon = self.now + self.delay();
            self.agenda.plan(soon, event);
        }
    }

    /// What is down among these recovers now, and whatever else is wrong is
    /// over.
    pub(super) fn heal(&mut self, nodes: &[NodeId]) {
        self.rejoin();
        for node in nodes {
            self.thaw(*node);
        }
    }
}

impl<S: ModelSystem> Event<S> {
    /// The node that must be awake for it.
    fn node(&self) -> Option<NodeId> {
        match self {
            Event::Arrive(envelope) => Some(envelope.to),
            Event::Lane { to, .. } => Some(*to),
            Event::Tell { node, .. } | Event::Expire { node, .. } | Event::Disk(node) => {
                Some(*node)
            }
            // Clocks go on whatever becomes of their nodes.
            Event::Tick(_)
            | Event::Lose(_)
            | Event::Ask
            | Event::Administer
            | Event::Strike
            | Event::Thaw(_)
            | Event::Rejoin => None,
        }
    }

    /// The link that it comes over.
    fn link(&self) -> Option<(NodeId, NodeId)> {
        match self {
            Event::Arrive(envelope) => Some((envelope.from, envelope.to)),
            Event::Lane { from, to } => Some((*from, *to)),
            _ => None,
        }
    }
}
