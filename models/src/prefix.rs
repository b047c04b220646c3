//! Scripted ways to states worth starting from.
//!
//! A prefix is made of real steps, taken one after the other by the model
//! itself; only the budgets do not count, and a message may be lost. So
//! whatever is found behind it can happen, and the prefix is part of its path.

use tribunal_protocol::machine::{Machine, NodeId};

use crate::action::{Action, Step};
use crate::bounds::{Bounds, Limit};
use crate::check::CheckError;
use crate::cluster::{ALL, Cluster};
use crate::model::{Model, Settings};
use crate::path::Walk;
use crate::system::{Cue, ModelSystem, Prefix};

/// More steps than any settling takes.
const SETTLE_MAX: usize = 10_000;

/// A cluster that is led along cues.
struct Scene<S: ModelSystem> {
    model: Model<S>,
    walk: Walk<S>,
}

/// Takes the steps of a prefix, as far as nothing breaks of what is judged;
/// the model that they were taken in tells them.
pub(crate) fn play<S: ModelSystem>(
    system: &S,
    settings: Settings,
    salt: u64,
    prefix: &Prefix<S>,
    only: Option<&'static str>,
) -> Result<(Model<S>, Walk<S>), CheckError> {
    require(settings.bounds, prefix)?;
    let mut generous = settings;
    generous.bounds = unlimited(settings.bounds);
    generous.reductions.loss = false;
    // Scripts name no persist that need not be an action of its own.
    generous.reductions.at_once = true;
    let mut model = Model::salted(system.clone(), generous, salt);
    model.only = only;
    let walk = Walk {
        steps: Vec::new(),
        broken: model.judge(&model.start),
        end: model.start.clone(),
    };
    let mut scene = Scene { model, walk };
    for (number, cue) in prefix.cues.iter().enumerate() {
        if scene.walk.broken.is_some() {
            break;
        }
        scene
            .follow(cue)
            .ok_or_else(|| CheckError::PrefixDoesNotFit {
                prefix: prefix.name,
                number: number + 1,
                cue: format!("{cue:?}"),
            })?;
    }
    scene.walk.end.refill(&settings.bounds);
    scene.walk.end.touched = ALL;
    Ok((scene.model, scene.walk))
}

fn require<S: ModelSystem>(bounds: Bounds, prefix: &Prefix<S>) -> Result<(), CheckError> {
    let too_few = |what: String| CheckError::PrefixNeeds {
        prefix: prefix.name,
        what,
    };
    if bounds.nodes < prefix.nodes {
        return Err(too_few(format!("{} nodes", prefix.nodes)));
    }
    match prefix
        .needs
        .iter()
        .find(|(limit, amount)| bounds.get(*limit) < *amount)
    {
        Some((limit, amount)) => Err(too_few(format!("{amount} {limit}"))),
        None => Ok(()),
    }
}

/// The same cluster with as much as there can be of whatever is counted.
pub(crate) fn unlimited(bounds: Bounds) -> Bounds {
    let counted = [
        Limit::Elections,
        Limit::Timers,
        Limit::Retries,
        Limit::Crashes,
        Limit::Duplicates,
        Limit::Ticks,
        Limit::Breaks,
        Limit::Compactions,
        Limit::Changes,
        Limit::Transfers,
        Limit::Halts,
    ];
    let all = counted
        .into_iter()
        .fold(bounds, |bounds, limit| bounds.with(limit, u8::MAX));
    all.with(Limit::InFlight, 0)
}

impl<S: ModelSystem> Scene<S> {
    /// Does what a cue says; nothing if that is not possible.
    fn follow(&mut self, cue: &Cue<S::Machine>) -> Option<()> {
        match cue {
            Cue::Expire(id, name) => self.take(|_, action| {
                matches!(action.step, Step::Expire { node, timer, .. } if node == *id && timer == *name)
            }),
            Cue::Deliver(from, to, fits) => self.take(|state, action| match action.step {
                Step::Deliver { slot, copy: false, .. } => is_between(state, slot, *from, *to, *fits),
                _ => false,
            }),
            Cue::Lose(from, to, fits) => self.take_all(|state, action| match action.step {
                Step::Lose { slot } => is_between(state, slot, *from, *to, *fits),
                _ => false,
            }),
            Cue::LoseAll => self.take_all(|_, action| matches!(action.step, Step::Lose { .. })),
            Cue::Persist(id) => {
                let all = self.walk.end.node(*id).outstanding();
                if all == 0 {
                    return Some(());
                }
                self.take(|_, action| {
                    matches!(action.step, Step::Persist { node, count }
                        if node == *id && usize::from(count) == all)
                })
            }
            Cue::Crash(id, keep) => self.take(|_, action| {
                matches!(action.step, Step::Crash { node, kept }
                    if node == *id && usize::from(kept) == *keep)
            }),
            Cue::Break(one, other) => self.take(|_, action| {
                matches!(action.step, Step::Break { a, b }
                    if (a, b) == (*one.min(other), *one.max(other)))
            }),
            Cue::Tell(id, other) => self.take(|_, action| {
                matches!(action.step, Step::Tell { node, peer, .. }
                    if node == *id && peer == *other)
            }),
            Cue::Request(index, id) => self.take(|_, action| {
                matches!(action.step, Step::Request { operation, node, .. }
                    if node == *id && usize::from(operation) == *index)
            }),
            Cue::Administer(id, request) => {
                let mut list = self.model.administration.iter();
                let asked = list.position(|each| each.request == *request)?;
                self.take(|_, action| {
                    matches!(action.step, Step::Administer { node, place, .. }
                        if node == *id && usize::from(place) == asked)
                })
            }
            Cue::Settle(nodes) => self.settle(nodes, |_| false),
            Cue::SettleBefore(nodes, stays) => self.settle(nodes, stays),
        }
    }

    fn settle(
        &mut self,
        nodes: &[NodeId],
        stays: impl Fn(&<S::Machine as Machine>::Message) -> bool,
    ) -> Option<()> {
        self.take_all(|state, action| match action.step {
            Step::Deliver {
                slot,
                to,
                copy: false,
            } => {
                let envelope = state.network.at(slot);
                nodes.contains(&envelope.from) && nodes.contains(&to) && !stays(&envelope.message)
            }
            Step::Persist { node, .. } => nodes.contains(&node),
            Step::Tell { node, peer, .. } => nodes.contains(&node) && nodes.contains(&peer),
            _ => false,
        })
    }

    fn take_all(&mut self, fits: impl Fn(&Cluster<S>, &Action<S>) -> bool) -> Option<()> {
        for _ in 0..SETTLE_MAX {
            if self.walk.broken.is_some() || self.take(&fits).is_none() {
                return Some(());
            }
        }
        None
    }

    /// Takes the first action that fits.
    fn take(&mut self, fits: impl Fn(&Cluster<S>, &Action<S>) -> bool) -> Option<()> {
        let state = &self.walk.end;
        let mut actions = Vec::new();
        self.model.enabled(state, &mut actions);
        let action = actions
            .into_iter()
            .find(|action| !action.unheard && fits(state, action))?;
        let next = self.model.perform(state, &action);
        let before = std::mem::replace(&mut self.walk.end, next);
        self.walk.steps.push((before, action));
        self.walk.broken = self.model.judge(&self.walk.end);
        Some(())
    }
}

fn is_between<S: ModelSystem>(
    state: &Cluster<S>,
    slot: u16,
    from: NodeId,
    to: NodeId,
    fits: fn(&<S::Machine as Machine>::Message) -> bool,
) -> bool {
    let envelope = state.network.at(slot);
    envelope.from == from && envelope.to == to && fits(&envelope.message)
}
