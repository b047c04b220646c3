//! An object of which nothing is known at first.
//!
//! Beside its states there is one that stands for all of them. A call that tells what
//! is held after it leads from there to that; any other may leave anything. So there
//! is an order from there wherever there is one from any state: what has none from
//! there has none whatever was held before.
//!
//! Its steps break one law of a [`Specification`]: where an answer tells more, more is
//! known after it. So what it judges must not be judged again as of unknown outcome.

use std::fmt::Debug;

use super::monitored::Monitored;
use super::object::{AskedOf, Hooks, Naming, Object};
use crate::specification::{Effect, Specification};

/// What an object has to do with what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anywhere {
    /// States tell enough, or nothing is known from any.
    Untold,
    /// Where there is an order if nothing is known at first, there may be none from
    /// any one state.
    Roughly,
    /// As [`Anywhere::Roughly`], but its states are so large that all else is tried before.
    AtLast,
    /// Where there is one, there is one from some state.
    Exactly,
}

/// What is held after a call, whatever was before, if that is known.
type Leaves<S> = fn(
    &S,
    &<S as Specification>::Call,
    Option<&<S as Specification>::Return>,
) -> Option<<S as Specification>::State>;

/// An object of which nothing is known at first.
#[derive(Clone, Debug)]
struct FromAnywhere<S: Specification> {
    specification: S,
    leaves: Leaves<S>,
}

/// An object of which nothing is known at first, with classes in this order; none if
/// that is not of use.
pub(crate) fn object<S: Monitored>(specification: &S, classes: &[AskedOf<S>]) -> Option<Object> {
    if S::ANYWHERE == Anywhere::Untold {
        return None;
    }
    let specification = FromAnywhere {
        specification: specification.clone(),
        leaves: S::leaves,
    };
    let mut naming = Naming::new(specification, Hooks::none());
    for asked in classes {
        naming.class(asked.clone());
    }
    Some(Object {
        is_anywhere: true,
        ..naming.object()
    })
}

/// What a call says itself of the state that it leaves.
pub(crate) fn leaves<S: Specification>(
    specification: &S,
    call: &S::Call,
    returned: Option<&S::Return>,
) -> Option<S::State> {
    match (specification.effect(call, returned), returned) {
        (Effect::Replace(to), _) => Some(to),
        (Effect::Observe(Some(state)) | Effect::Change { to: state, .. }, Some(_)) => Some(state),
        _ => None,
    }
}

impl<S: Specification> Specification for FromAnywhere<S> {
    /// None stands for all.
    type State = Option<S::State>;
    type Call = S::Call;
    type Return = S::Return;

    fn initial(&self) -> Option<S::State> {
        None
    }

    fn step(
        &self,
        state: &Option<S::State>,
        call: &S::Call,
        returned: Option<&S::Return>,
    ) -> Option<Option<S::State>> {
        match state {
            Some(state) => self.specification.step(state, call, returned).map(Some),
            None => Some((self.leaves)(&self.specification, call, returned)),
        }
    }

    fn effect(&self, call: &S::Call, returned: Option<&S::Return>) -> Effect<Option<S::State>> {
        match self.specification.effect(call, returned) {
            Effect::Avoid(state) => Effect::Avoid(Some(state)),
            Effect::Replace(to) => Effect::Replace(Some(to)),
            Effect::Observe(None) => Effect::Observe(None),
            Effect::Total => Effect::Total,
            Effect::Observe(Some(_)) | Effect::Change { .. } | Effect::Other => Effect::Other,
        }
    }

    fn heap(&self, state: &Option<S::State>) -> usize {
        let held = state.as_ref();
        held.map_or(0, |state| self.specification.heap(state))
    }
}
