//! One phase of a run: takes what happens from the agenda, and plans what
//! comes of it.
//!
//! | event | when |
//! |---|---|
//! | a message arrives, or is lost | a drawn delay after it was sent |
//! | a timer expires | after its span, with jitter; setting it anew moves that |
//! | a persist completes | a drawn delay of the disk, several together |
//! | a client or an operator asks, a fault strikes | at drawn intervals |
//! | a clock advances | at about equal intervals, within the drift |

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tribunal_protocol::Span;
use tribunal_protocol::machine::{ClockUse, Machine, NodeId};

use crate::action::{Action, Deed, Step, Timer};
use crate::shared::content_hash;
use crate::system::ModelSystem;

use super::agenda::{Agenda, Event};
use super::counts::Counts;
use super::dice::Dice;
use super::swarm::{Conditions, Micros};
use super::trouble::Trouble;
use super::world::{Choice, Message, Possible, World};

/// A cluster under way through virtual time.
pub(super) struct Run<S: ModelSystem> {
    pub(super) world: World<S>,
    pub(super) conditions: Conditions,
    pub(super) dice: Dice,
    pub(super) now: Micros,
    pub(super) agenda: Agenda<S>,
    pub(super) trouble: Trouble<S>,
    /// Who asks for what.
    pub(super) load: Load,
    /// The latest setting of each timer that is set.
    settings: BTreeMap<(NodeId, Timer<S>), u64>,
    settings_made: u64,
    /// Whose disk is at work.
    writing: BTreeSet<NodeId>,
    /// The news of sessions that are on their way.
    news: BTreeSet<(NodeId, NodeId, bool)>,
    /// What was done.
    pub(super) taken: Vec<Choice<S>>,
    pub(super) counts: Counts,
    /// A digest of every action's time, its kind, and its node behind it.
    pub(super) digest: u64,
    /// What happened, a line each, where somebody wants to read it.
    pub(super) lines: Option<Vec<String>>,
}

/// What clients want.
pub(super) enum Load {
    /// All operations but so many at the end of the plan, in any order.
    Drawn { reserved: usize },
    /// Any operation that is asked for now and answered; those at the end of
    /// the plan first.
    One {
        reserved: usize,
        /// What was asked for.
        asked: BTreeSet<usize>,
        /// When something was asked for last.
        at: Micros,
    },
}

impl<S: ModelSystem> Run<S> {
    /// The cluster as it stands goes on; whatever is under way, set or being
    /// written is planned anew.
    pub(super) fn new(world: World<S>, conditions: Conditions, dice: Dice, load: Load) -> Self {
        let nodes = world.state.size();
        let mut run = Run {
            world,
            conditions,
            dice,
            now: 0,
            agenda: Agenda::new(),
            trouble: Trouble::none(nodes),
            load,
            settings: BTreeMap::new(),
            settings_made: 0,
            writing: BTreeSet::new(),
            news: BTreeSet::new(),
            taken: Vec::new(),
            counts: Counts::default(),
            digest: 0,
            lines: None,
        };
        run.plan_everything();
        run
    }

    fn plan_everything(&mut self) {
        let nodes: Vec<NodeId> = self.world.state.nodes().collect();
        for node in nodes {
            let timers = self.world.state.node(node).timers().clone();
            for timer in timers {
                let span = self.world.spans.get(&(node, timer)).copied();
                self.set_timer(node, timer, Some(span.unwrap_or(Span::Election)));
            }
            self.plan_disk(node);
            if matches!(S::Machine::CLOCK, ClockUse::BoundedDrift { .. }) {
                self.plan_tick(node);
            }
        }
        for envelope in self.world.under_way() {
            self.plan_message(envelope);
        }
        self.plan_news();
        self.agenda.plan(self.now, Event::Ask);
        if self.conditions.administered > 0 {
            self.agenda.plan(self.now, Event::Administer);
        }
        if !self.conditions.faults.is_empty() {
            // The first may strike at once: much is decided in the beginning.
            let first = self.dice.between(0, self.conditions.fault_every);
            self.agenda.plan(self.now + first, Event::Strike);
        }
    }

    /// Goes on until the phase is over: its time or its steps are spent,
    /// something broke, or what was wanted is done. Says whether it came to
    /// its end; not if `stopped`.
    pub(super) fn go_on(&mut self, stopped: &dyn Fn() -> bool) -> bool {
        while self.world.broken.is_none()
            && self.counts.steps < self.conditions.steps
            && !self.is_done()
        {
            if self.counts.steps.is_multiple_of(64) && stopped() {
                return false;
            }
            match self.agenda.next() {
                Some((at, event)) if at <= self.conditions.lasts => {
                    self.now = at;
                    self.happen(event);
                }
                _ => break,
            }
        }
        self.counts.virtual_micros += self.now;
        true
    }

    fn happen(&mut self, event: Event<S>) {
        let Some(event) = self.get_through(event) else {
            return;
        };
        match event {
            Event::Arrive(envelope) => self.arrive(envelope),
            Event::Lose(envelope) => {
                self.take(Deed::Lose(envelope));
            }
            Event::Lane { from, to } => self.arrive_in_order(from, to),
            Event::Tell { node, peer, up } => {
                self.news.remove(&(node, peer, up));
                self.take(Deed::Step(Step::Tell { node, peer, up }));
            }
            Event::Expire {
                node,
                timer,
                setting,
            } => {
                if self.settings.get(&(node, timer)) == Some(&setting) {
                    self.expire(node, timer, setting);
                }
            }
            Event::Disk(node) => self.complete(node),
            Event::Tick(node) => {
                self.plan_tick(node);
                self.take(Deed::Step(Step::Tick { node }));
            }
            Event::Ask => self.ask(),
            Event::Administer => self.administer(),
            Event::Strike => {
                self.plan_strike();
                self.strike();
            }
            Event::Thaw(node) => self.thaw(node),
            Event::Rejoin => self.rejoin(),
        }
    }

    /// Takes an action, if it is possible, and plans what follows from it.
    /// Says whether it did anything to a node.
    pub(super) fn take(&mut self, deed: Deed<S>) -> bool {
        let choice = (deed, false);
        let Some(mut possible) = self.world.possible(&choice) else {
            return false;
        };
        let unheard = self.conditions.unheard > 0
            && self.world.may_go_unheard(&possible.action)
            && self.dice.chance(self.conditions.unheard);
        possible.action.unheard = unheard;
        let before = self.world.take(&possible);
        if let Some(lines) = &mut self.lines {
            let told = self.world.model.tell_action(&before, &possible.action);
            lines.push(format!("{:?}: {told}", Duration::from_micros(self.now)));
        }
        self.taken.push((choice.0, unheard));
        self.counts.took(&possible.action, &self.world);
        let state = &self.world.state;
        let node = possible.action.node().map(|node| state.node(node));
        let seen = (self.now, possible.action.kind() as u8, node);
        self.digest = content_hash(self.digest, &seen);
        self.plan_consequences(&possible);
        !possible.is_idle()
    }

    fn plan_consequences(&mut self, possible: &Possible<S>) {
        if let Some(node) = possible.action.node() {
            if matches!(possible.action.step, Step::Crash { .. }) {
                self.settings.retain(|(other, _), _| *other != node);
            }
            for (timer, span) in &possible.timers {
                self.set_timer(node, *timer, *span);
            }
            self.plan_disk(node);
            self.strike_while_writing(node);
        }
        for envelope in possible.sent() {
            self.plan_message(envelope.clone());
        }
        if touches_sessions(&possible.action) {
            self.plan_news();
        }
    }

    /// A timer expires, or is looked at again when it may be due.
    fn expire(&mut self, node: NodeId, timer: Timer<S>, setting: u64) {
        let World { model, state, .. } = &self.world;
        if !model.may_expire(state, node, timer) {
            let expire = Event::Expire {
                node,
                timer,
                setting,
            };
            let soon = self.now + self.conditions.tick / 4 + 1;
            self.agenda.plan(soon, expire);
            return;
        }
        let limit = model.system.timer_limit(timer);
        self.settings.remove(&(node, timer));
        self.take(Deed::Step(Step::Expire { node, timer, limit }));
    }

    fn set_timer(&mut self, node: NodeId, timer: Timer<S>, span: Option<Span>) {
        let Some(span) = span else {
            self.settings.remove(&(node, timer));
            return;
        };
        self.settings_made += 1;
        let setting = self.settings_made;
        self.settings.insert((node, timer), setting);
        let length = self.length(span);
        let expire = Event::Expire {
            node,
            timer,
            setting,
        };
        self.agenda.plan(self.now + length, expire);
    }

    /// A timer may expire at any time after it was set; mostly it does when
    /// a real one would.
    fn length(&mut self, span: Span) -> Micros {
        let conditions = &self.conditions;
        let (least, most) = match span {
            Span::Heartbeat => (conditions.heartbeat, conditions.heartbeat),
            Span::Election => (conditions.election, 2 * conditions.election),
            Span::Retry => (conditions.election / 2, conditions.election),
        };
        if self.dice.chance(self.conditions.hasty) {
            return self.dice.between(1, most);
        }
        self.dice.between(least, most)
    }

    fn plan_message(&mut self, envelope: Message<S>) {
        let delay = self.delay();
        if !self.world.is_bag() {
            let (from, to) = (envelope.from, envelope.to);
            self.agenda.plan(self.now + delay, Event::Lane { from, to });
        } else if self.dice.chance(self.conditions.lost) {
            self.agenda.plan(self.now + delay, Event::Lose(envelope));
        } else {
            self.agenda.plan(self.now + delay, Event::Arrive(envelope));
        }
    }

    /// How long a message is under way.
    pub(super) fn delay(&mut self) -> Micros {
        let longest = if self.dice.chance(self.conditions.slow) {
            5 * self.conditions.election
        } else {
            self.conditions.delay
        };
        self.dice.between(longest / 10, longest) + 1
    }

    fn arrive(&mut self, envelope: Message<S>) {
        if !self.dice.chance(self.conditions.copied) {
            self.take(Deed::Deliver(envelope, false));
            return;
        }
        self.take(Deed::Deliver(envelope.clone(), true));
        let later = self.now + self.delay() + self.dice.between(0, self.conditions.election);
        self.agenda.plan(later, Event::Arrive(envelope));
    }

    fn arrive_in_order(&mut self, from: NodeId, to: NodeId) {
        let network = &self.world.state.network;
        let mut heads = network.deliverable();
        let head = heads.find(|(_, head)| (head.from, head.to) == (from, to));
        let head = head.map(|(_, head)| head.clone());
        drop(heads);
        match head {
            Some(head) => {
                self.take(Deed::Deliver(head, false));
            }
            None if network.messages().any(|e| (e.from, e.to) == (from, to)) => {
                // The receiver has not been told of the session yet.
                let later = self.now + self.delay();
                self.agenda.plan(later, Event::Lane { from, to });
            }
            None => {}
        }
    }

    fn plan_disk(&mut self, node: NodeId) {
        if self.world.state.node(node).outstanding() > 0 && self.writing.insert(node) {
            let delay = self.dice.between(1, self.conditions.disk);
            self.agenda.plan(self.now + delay, Event::Disk(node));
        }
    }

    /// A frame is on disk: mostly all that is outstanding, sometimes only
    /// what was there when the frame began.
    fn complete(&mut self, node: NodeId) {
        self.writing.remove(&node);
        let outstanding = self.world.state.node(node).outstanding() as u64;
        let count = match self.dice.chance(500) {
            true => outstanding,
            false => self.dice.between(1, outstanding),
        };
        let count = count as u8;
        self.take(Deed::Step(Step::Persist { node, count }));
    }

    fn plan_tick(&mut self, node: NodeId) {
        let tick = self.conditions.tick;
        let period = self.dice.between(tick * 3 / 4, tick * 5 / 4);
        self.agenda.plan(self.now + period, Event::Tick(node));
    }

    fn plan_news(&mut self) {
        let all: Vec<_> = self.world.state.network.tellable().collect();
        for (node, peer, up) in all {
            if self.news.insert((node, peer, up)) {
                let delay = self.delay();
                self.agenda
                    .plan(self.now + delay, Event::Tell { node, peer, up });
            }
        }
    }

    /// News that does not reach its node; the next change plans it anew.
    pub(super) fn forget_news(&mut self, node: NodeId, peer: NodeId, up: bool) {
        self.news.remove(&(node, peer, up));
    }

    /// Forgets the write of a node that is down.
    pub(super) fn forget_write(&mut self, node: NodeId) {
        self.writing.remove(&node);
    }

    fn plan_strike(&mut self) {
        let every = self.conditions.fault_every;
        let next = self.now + self.dice.between(every / 2, every * 3 / 2);
        self.agenda.plan(next, Event::Strike);
    }
}

fn touches_sessions<S: ModelSystem>(action: &Action<S>) -> bool {
    matches!(
        action.step,
        Step::Tell { .. } | Step::Break { .. } | Step::Crash { .. }
    )
}
