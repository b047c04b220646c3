//! What clients and operators ask, of whom, and when they ask again.

use tribunal_protocol::NodeId;

use crate::action::{Deed, Step};
use crate::bounds::Limit;
use crate::clients::Stage;
use crate::system::ModelSystem;

use super::agenda::Event;
use super::run::{Load, Run};

impl<S: ModelSystem> Run<S> {
    /// A client asks for something, if there is something to ask for.
    pub(super) fn ask(&mut self) {
        let think = self.conditions.think;
        let next = self.now + self.dice.between(think / 2, think * 3 / 2) + 1;
        self.agenda.plan(next, Event::Ask);
        let wish = match &self.load {
            Load::Drawn { reserved } => self.draw(*reserved),
            Load::One { reserved, .. } => self.any_one(*reserved),
        };
        let Some((index, again)) = wish else { return };
        let Some(node) = self.addressee() else { return };
        let request = Step::Request {
            operation: index as u8,
            node,
            again,
        };
        if self.take(Deed::Step(request))
            && let Load::One { asked, at, .. } = &mut self.load
        {
            asked.insert(index);
            *at = self.now;
        }
    }

    /// An operator asks for something that it may ask for in this run.
    pub(super) fn administer(&mut self) {
        let every = self.conditions.administered;
        let next = self.now + self.dice.between(every / 2, every * 3 / 2) + 1;
        self.agenda.plan(next, Event::Administer);
        let model = &self.world.model;
        let may = |limit: &Limit| model.settings.bounds.get(*limit) > 0;
        let mut limits: Vec<Limit> = model.administration.iter().map(|each| each.limit).collect();
        limits.dedup();
        limits.retain(may);
        // Of each kind as much, however many requests there are of it.
        let Some(limit) = self.dice.pick(&limits).copied() else {
            return;
        };
        let all = self.world.model.administration.iter().enumerate();
        let places = all.filter(|(_, each)| each.limit == limit);
        let places: Vec<u8> = places.map(|(place, _)| place as u8).collect();
        let place = self.dice.one(&places);
        if let Some(node) = self.addressee() {
            self.take(Deed::Step(Step::Administer { node, place, limit }));
        }
    }

    /// Whether what was wanted is done.
    pub(super) fn is_done(&self) -> bool {
        let operations = self.world.state.operations();
        let answered = |index: &usize| matches!(operations[*index].stage, Stage::Ok(_));
        match &self.load {
            Load::Drawn { .. } => false,
            Load::One { asked, .. } => asked.iter().any(answered),
        }
    }

    /// An operation of the plan that is not kept for later, for the first
    /// time or again.
    fn draw(&mut self, reserved: usize) -> Option<(usize, bool)> {
        let kept = self.kept(reserved);
        let mine = (0..self.world.state.operations().len()).filter(|index| !kept.contains(index));
        let mine: Vec<usize> = mine.collect();
        let stage = |index: &usize| &self.world.state.operations()[*index].stage;
        let is_open = |index: &&usize| matches!(stage(index), Stage::Open { .. });
        let open = mine.iter().filter(is_open).count();
        let again = self.world.asks_again() && self.dice.chance(self.conditions.again);
        let may = |index: &usize| self.world.may_ask(*index, again);
        let may: Vec<usize> = mine.into_iter().filter(may).collect();
        if !again && open >= self.conditions.open {
            return None;
        }
        // Mostly in order, so that a cas meets the value that it expects.
        let in_order = !again && self.dice.chance(700);
        let index = match in_order {
            true => may.first().copied(),
            false => self.dice.pick(&may).copied(),
        };
        index.map(|index| (index, again))
    }

    /// The operations at the end of the plan that may change something.
    fn kept(&self, reserved: usize) -> Vec<usize> {
        let plan = self.world.model.plan.iter().enumerate().rev();
        let changing = plan.filter(|(_, planned)| !planned.read);
        let mut kept: Vec<usize> = changing.take(reserved).map(|(index, _)| index).collect();
        kept.reverse();
        kept
    }

    /// The first operation that may be asked for: of those that were kept,
    /// then of the others. What a node accepted is waited for first.
    fn any_one(&self, reserved: usize) -> Option<(usize, bool)> {
        let Load::One { asked, at, .. } = &self.load else {
            return None;
        };
        let operations = self.world.state.operations();
        let stage = |index: &usize| &operations[*index].stage;
        let is_patient = self.now - at < PATIENCE * self.conditions.election;
        let waits = |index: &usize| matches!(stage(index), Stage::Open { pending: 1.., .. });
        if is_patient && asked.iter().any(waits) {
            return None;
        }
        let mut wanted = self.kept(reserved).into_iter().chain(0..operations.len());
        wanted.find_map(|index| match stage(&index) {
            Stage::Ok(_) => None,
            stage => {
                let again = !matches!(stage, Stage::Planned);
                self.world.may_ask(index, again).then_some((index, again))
            }
        })
    }

    /// Whom a client asks: a leader, if it knows one, or anybody.
    fn addressee(&mut self) -> Option<NodeId> {
        let informed = self.dice.chance(self.conditions.informed);
        let leader = match informed {
            true => self.leaders().first().copied(),
            false => None,
        };
        let nodes: Vec<NodeId> = self.world.state.nodes().collect();
        let node = leader.or_else(|| self.dice.pick(&nodes).copied())?;
        (!self.trouble.is_still(node)).then_some(node)
    }
}

/// How many election timeouts a client waits for an answer.
const PATIENCE: u64 = 8;
