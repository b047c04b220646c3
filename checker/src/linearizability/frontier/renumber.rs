//! Other numbers for the same classes and states, where those that nothing knows
//! any more are to be forgotten.

use super::{Configuration, Frontier, Held, Mask};
use crate::linearizability::object::{Does, Numbers, State};

impl<M: Mask> Frontier<M> {
    /// All classes and states that it knows by their numbers, the same one perhaps
    /// several times.
    pub(crate) fn numbers(&self) -> Numbers<Vec<u32>> {
        let open = self.open_slots().map(|slot| self.open.calls[slot].class);
        let unknown = self.unknown.list.iter().map(|kind| kind.held.class);
        let states = self.configurations.iter().map(|it| it.state);
        Numbers {
            classes: open.chain(unknown).collect(),
            states: states.collect(),
        }
    }

    /// Gives new numbers to all that [`Self::numbers`] lists; `does` knows what calls
    /// do by their new ones.
    pub(crate) fn renumber<D: Does + ?Sized>(
        &mut self,
        does: &D,
        class: impl Fn(u32) -> u32,
        state: impl Fn(State) -> State,
    ) {
        let renumber = |held: &mut Held| {
            held.class = class(held.class);
            held.effect = does.effect(held.class);
        };
        for slot in self.open_slots().collect::<Vec<_>>() {
            renumber(&mut self.open.calls[slot]);
        }
        for configuration in &mut self.configurations {
            let Configuration { state: held, .. } = configuration;
            *held = state(*held);
        }
        let unknown = &mut self.unknown;
        unknown.kinds = Vec::new();
        unknown.leaving = Vec::new();
        for kind in 0..unknown.list.len() {
            renumber(&mut unknown.list[kind].held);
            unknown.enter(kind as u32);
        }
    }

    fn open_slots(&self) -> impl Iterator<Item = usize> + use<M> {
        let open = &self.open;
        let slots = (open.reads | open.writes | open.others).slots();
        slots.map(|slot| slot as usize)
    }
}
