//! Makes what led to a violation shorter, and walks along it again before it
//! is shown.
//!
//! What was drawn is a list of choices. Of a part of it, those choices are
//! taken that are still possible; what breaks the same property by fewer
//! choices is kept. A liveness phase is not shortened: it is run again, from
//! its own stream of the seed, behind whatever is left of the safety phase.

use std::mem::discriminant;

use crate::action::{Action, Deed};
use crate::path::{Walk, without_needless};
use crate::report::PathStep;
use crate::shared::content_hash;
use crate::system::{Broken, ModelSystem};

use super::seed::{End, Lived, Liveness, Outcome, PROGRESS, stalled};
use super::world::{Choice, Mark, World};

/// A violation, with a path that was walked again.
pub(super) struct Shown {
    pub(super) broken: Broken,
    pub(super) path: Vec<PathStep>,
    /// How many choices were drawn.
    pub(super) drawn: usize,
}

/// How many actions are taken at most to shorten a path in one way. A count, not a time,
/// so that the same seed ends in the same path everywhere.
const ACTIONS_MAX: u64 = 1_500_000;

/// Shortens what a seed drew, and shows it. Nothing if it cannot be walked
/// again, which would be our own failure.
pub(super) fn shown<S: ModelSystem>(
    outcome: Outcome<S>,
    seed: u64,
    bug: Option<&'static str>,
    stopped: &dyn Fn() -> bool,
) -> Option<Shown> {
    let property = outcome.broken.as_ref()?.property;
    let drawn = outcome.taken.len();
    let liveness = Liveness {
        seed,
        conditions: &outcome.conditions,
        core: &outcome.core,
        tell: false,
    };
    let world = || World::new(&outcome.conditions.bounds, bug);
    let mut trial = Trial::new(world, liveness, property);
    // Which is the better way depends on the path.
    let ways = [true, false].map(|groups_first| {
        trial.cost = 0;
        shortened(outcome.taken.clone(), groups_first, &mut |rest| {
            let spent = trial.cost > ACTIONS_MAX || stopped();
            if spent { None } else { trial.kept(rest) }
        })
    });
    let best = ways.into_iter().min_by_key(Vec::len)?;
    trial.show(&best).map(|(broken, path)| Shown {
        broken,
        path,
        drawn,
    })
}

/// What of a candidate was made use of, if it still breaks the property.
type Kept<'a, T> = dyn FnMut(&[T]) -> Option<Vec<T>> + 'a;

/// Leaves out what is not needed: neighbours, then everything of one kind or
/// of one node (at once, if they come first), then pairs; as long as that
/// helps.
fn shortened<S: ModelSystem>(
    list: Vec<Choice<S>>,
    groups_first: bool,
    kept: &mut Kept<'_, Choice<S>>,
) -> Vec<Choice<S>> {
    let mut best = match groups_first {
        true => without_any_group(list, kept),
        false => list,
    };
    loop {
        let before = best.len();
        best = without_needless(best, &mut *kept);
        if best.len() == before {
            best = without_any_group(best, kept);
        }
        if best.len() == before {
            best = without_pairs(best, &mut *kept);
        }
        if best.len() == before {
            return best;
        }
    }
}

/// Leaves out everything of one kind, of one node, of both, or of one way.
fn without_any_group<S: ModelSystem>(
    list: Vec<Choice<S>>,
    kept: &mut Kept<'_, Choice<S>>,
) -> Vec<Choice<S>> {
    (0..GROUPS).fold(list, |best, group| {
        without_groups(best, |choice| groups::<S>(choice)[group], kept)
    })
}

/// In how many ways choices belong together.
const GROUPS: usize = 4;

/// The groups that a choice belongs to: those of its kind; of its node; of
/// both; and messages of one kind on one way.
fn groups<S: ModelSystem>((deed, _): &Choice<S>) -> [u64; GROUPS] {
    let (kind, node, way) = match deed {
        Deed::Deliver(envelope, copy) => {
            let message = discriminant(&envelope.message);
            let way = content_hash(0, &(envelope.from, envelope.to, message));
            (content_hash(0, &(0, *copy)), Some(envelope.to), way)
        }
        Deed::Lose(envelope) => (content_hash(0, &1), Some(envelope.to), 1),
        Deed::Step(step) => {
            let kind = content_hash(0, &(2, discriminant(step)));
            (kind, Action::<S>::new(*step).node(), kind)
        }
    };
    [
        kind,
        content_hash(0, &node),
        content_hash(0, &(kind, node)),
        way,
    ]
}

/// Leaves out all choices of one group at a time.
fn without_groups<T: Clone>(
    list: Vec<T>,
    group: impl Fn(&T) -> u64,
    kept: &mut Kept<'_, T>,
) -> Vec<T> {
    let mut groups: Vec<u64> = list.iter().map(&group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.into_iter().fold(list, |best, left_out| {
        let others = best.iter().filter(|each| group(each) != left_out);
        let rest: Vec<T> = others.cloned().collect();
        if rest.len() == best.len() {
            return best;
        }
        kept(&rest).unwrap_or(best)
    })
}

/// Leaves out two choices at a time, wherever they stand: a question and its
/// answer, a write and what reads it.
fn without_pairs<T: Clone>(list: Vec<T>, mut kept: impl FnMut(&[T]) -> Option<Vec<T>>) -> Vec<T> {
    let mut best = list;
    let mut first = 0;
    while first < best.len() {
        let shorter = (first + 1..best.len()).find_map(|second| {
            let mut rest = best.clone();
            rest.remove(second);
            rest.remove(first);
            kept(&rest).filter(|kept| kept.len() < best.len())
        });
        match shorter {
            Some(shorter) => best = shorter,
            None => first += 1,
        }
    }
    best
}

/// What is tried again and again. What two candidates have in common at their
/// begin is taken only once.
struct Trial<'a, S: ModelSystem, W> {
    fresh: W,
    liveness: Liveness<'a>,
    property: &'static str,
    world: World<S>,
    /// Where the world stood before each choice of the last candidate, and
    /// behind them all.
    marks: Vec<Mark<S>>,
    /// Each choice of the last candidate, and what became of it.
    tried: Vec<(Choice<S>, Option<Choice<S>>)>,
    /// How many actions were taken.
    cost: u64,
}

impl<'a, S: ModelSystem, W: Fn() -> World<S>> Trial<'a, S, W> {
    fn new(fresh: W, liveness: Liveness<'a>, property: &'static str) -> Self {
        let world = fresh();
        Trial {
            marks: vec![world.mark()],
            world,
            fresh,
            liveness,
            property,
            tried: Vec::new(),
            cost: 0,
        }
    }

    /// Which of the choices were taken, if they still break the property.
    fn kept(&mut self, choices: &[Choice<S>]) -> Option<Vec<Choice<S>>> {
        self.follow(choices);
        let broken = self.world.broken.as_ref().map(|broken| broken.property);
        let still = match broken {
            None if self.property == PROGRESS => self.stalls(),
            broken => broken == Some(self.property),
        };
        let taken = self.tried.iter().filter_map(|(_, taken)| taken.clone());
        still.then(|| taken.collect())
    }

    /// Takes the choices as far as they are possible, until something breaks.
    fn follow(&mut self, choices: &[Choice<S>]) {
        let pairs = self.tried.iter().zip(choices);
        let common = pairs.take_while(|((tried, _), choice)| tried == *choice);
        let common = common.count();
        self.tried.truncate(common);
        self.marks.truncate(common + 1);
        self.world.rewind(&self.marks[common]);
        for choice in &choices[common..] {
            if self.world.broken.is_some() {
                return;
            }
            let taken = self.world.take_near(choice);
            self.cost += 1;
            self.tried.push((choice.clone(), taken));
            self.marks.push(self.world.mark());
        }
    }

    fn stalls(&mut self) -> bool {
        let mut world = (self.fresh)();
        world.rewind(&self.world.mark());
        let lived = self.liveness.run(world, &|| false);
        self.cost += lived.as_ref().map_or(0, Lived::steps);
        lived.is_some_and(|lived| matches!(lived.end, End::None))
    }

    fn show(&self, choices: &[Choice<S>]) -> Option<(Broken, Vec<PathStep>)> {
        let mut world = (self.fresh)();
        let walk = world.walk(choices)?;
        let mut path = world.model.tell(&walk, 1, false);
        if let Some(broken) = &walk.broken {
            return (broken.property == self.property).then(|| (broken.clone(), path));
        }
        let lived = self.liveness.run(world, &|| false)?;
        if !matches!(lived.end, End::None) || self.property != PROGRESS {
            return None;
        }
        let broken = stalled(self.liveness.conditions, self.liveness.core);
        path.push(last(&lived.world, &walk, path.len() + 1, &broken));
        Some((broken, path))
    }
}

/// The whole liveness phase as one step: who stands where at its end.
fn last<S: ModelSystem>(
    world: &World<S>,
    walk: &Walk<S>,
    number: usize,
    broken: &Broken,
) -> PathStep {
    let nodes = world.state.nodes();
    let now = |node| format!("{node}: {}", world.model.tell_node(&world.state, node));
    let same = |node| {
        let then = world.model.tell_node(&walk.end, node);
        then == world.model.tell_node(&world.state, node)
    };
    PathStep {
        number,
        prefix: false,
        action: broken.why.clone(),
        changes: nodes.filter(|node| !same(*node)).map(now).collect(),
    }
}
