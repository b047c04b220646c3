//! Ways from the first state to a violation: found again, made shorter, shown.

use tribunal_protocol::machine::NodeId;

use crate::action::{Action, Deed, Step};
use crate::cluster::{ALL, Cluster};
use crate::memo::{Left, Reaction};
use crate::model::Model;
use crate::report::PathStep;
use crate::system::{Broken, ModelSystem};

/// What is done, step by step; a flag says whether the answers are lost.
pub(crate) type Deeds<S> = Vec<(Deed<S>, bool)>;

/// A path that was walked: every state, and the action that led to the next.
pub(crate) struct Walk<S: ModelSystem> {
    pub(crate) steps: Vec<(Cluster<S>, Action<S>)>,
    pub(crate) end: Cluster<S>,
    /// What is broken at its end.
    pub(crate) broken: Option<Broken>,
}

impl<S: ModelSystem> Model<S> {
    /// Walks along `deeds` as far as they are possible and nothing is broken.
    /// With `strict`, a deed that is not possible ends the walk; otherwise it
    /// is left out.
    pub(crate) fn walk(&self, deeds: &[(Deed<S>, bool)], strict: bool) -> Walk<S> {
        let mut walk = Walk {
            steps: Vec::new(),
            broken: self.judge(&self.start),
            end: self.start.clone(),
        };
        for deed in deeds {
            if walk.broken.is_some() {
                break;
            }
            let Some(action) = self.find(&walk.end, deed) else {
                if strict { break } else { continue }
            };
            let next = self.perform(&walk.end, &action);
            let before = std::mem::replace(&mut walk.end, next);
            walk.steps.push((before, action));
            walk.broken = self.judge(&walk.end);
        }
        walk
    }

    /// The action of a state that is this deed.
    fn find(&self, state: &Cluster<S>, deed: &(Deed<S>, bool)) -> Option<Action<S>> {
        let mut actions = Vec::new();
        self.enabled(state, &mut actions);
        actions
            .into_iter()
            .find(|action| action.deed(state) == *deed)
    }

    /// Leaves out of a path what is not needed to break the same property.
    pub(crate) fn shorten(&self, deeds: Deeds<S>, property: &'static str) -> Deeds<S> {
        without_needless(deeds, |rest| {
            let walk = self.walk(rest, false);
            let broken = walk.broken.as_ref()?;
            (broken.property == property).then(|| walk.deeds())
        })
    }

    /// Walks along a path without a memo and judges its end as a whole: what
    /// is broken there, if every deed was possible.
    pub(crate) fn verified(&self, deeds: &[(Deed<S>, bool)]) -> Option<(Walk<S>, Broken)> {
        let replaying = self.replaying();
        let mut walk = replaying.walk(deeds, true);
        walk.end.touched = ALL;
        let broken = replaying.judge(&walk.end)?;
        (walk.steps.len() == deeds.len()).then_some((walk, broken))
    }

    /// A walk in words, numbered from `first`.
    pub(crate) fn tell(&self, walk: &Walk<S>, first: usize, prefix: bool) -> Vec<PathStep> {
        let mut ends = walk.steps.iter().skip(1).map(|(state, _)| state);
        let mut told = Vec::with_capacity(walk.steps.len());
        for (before, action) in &walk.steps {
            let after = ends.next().unwrap_or(&walk.end);
            told.push(PathStep {
                number: first + told.len(),
                prefix,
                action: self.tell_action(before, action),
                changes: self.tell_changes(before, action, after),
            });
        }
        told
    }

    pub(crate) fn tell_action(&self, state: &Cluster<S>, action: &Action<S>) -> String {
        let system = &self.system;
        let told = match action.step {
            Step::Deliver { slot, copy, .. } => {
                let envelope = state.network.at(slot);
                let message = system.describe_message(&envelope.message);
                let copy = if copy {
                    ", and a copy stays under way"
                } else {
                    ""
                };
                format!("{} -> {}: {message}{copy}", envelope.from, envelope.to)
            }
            Step::Lose { slot } => {
                let envelope = state.network.at(slot);
                let message = system.describe_message(&envelope.message);
                format!("{} -> {}: {message} is lost", envelope.from, envelope.to)
            }
            Step::Expire { node, timer, .. } => format!("{node}: timer {timer:?} expires"),
            Step::Persist { node, count: 1 } => format!("{node}: its oldest persist is durable"),
            Step::Persist { node, count } => {
                format!("{node}: its {count} oldest persists are durable")
            }
            Step::Crash { node, kept } => self.tell_crash(state, node, usize::from(kept)),
            Step::Request {
                operation,
                node,
                again,
            } => {
                let planned = &self.plan[usize::from(operation)];
                let operation = system.describe_operation(&planned.operation);
                let again = if again { " again" } else { "" };
                format!(
                    "client {} asks {node}{again}: {operation}",
                    planned.client + 1
                )
            }
            Step::Tell {
                node,
                peer,
                up: true,
            } => format!("{node}: session with {peer} is up"),
            Step::Administer { node, place, .. } => {
                let asked = &self.administration[usize::from(place)].about;
                format!("an operator asks {node}: {asked}")
            }
            Step::Tell {
                node,
                peer,
                up: false,
            } => format!("{node}: session with {peer} is down"),
            Step::Break { a, b } => format!("the session of {a} and {b} breaks"),
            Step::Tick { node } => format!("{node}: its clock shows {}", state.clock(node).0 + 1),
            Step::Halt { node } => format!("{node} stops for good"),
            Step::Stuck => "nothing can happen any more".to_owned(),
        };
        let unheard = if action.unheard {
            "; the answer is lost"
        } else {
            ""
        };
        format!("{told}{unheard}")
    }

    fn tell_crash(&self, state: &Cluster<S>, node: NodeId, kept: usize) -> String {
        match state.node(node).outstanding() {
            0 => format!("{node} crashes and recovers"),
            all => format!("{node} crashes and recovers with {kept} of {all} outstanding persists"),
        }
    }

    pub(crate) fn tell_changes(
        &self,
        before: &Cluster<S>,
        action: &Action<S>,
        after: &Cluster<S>,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for node in after.nodes() {
            let now = self.tell_node(after, node);
            if now != self.tell_node(before, node) {
                lines.push(format!("{node}: {now}"));
            }
        }
        if let Some(Reaction::Something { left, .. }) = action.reaction.as_deref() {
            lines.extend(left.iter().filter_map(|left| self.tell_left(left)));
        }
        if let Some(broken) = after.broken() {
            lines.push(format!("{}: {}", broken.property, broken.why));
        }
        lines
    }

    pub(crate) fn tell_node(&self, state: &Cluster<S>, id: NodeId) -> String {
        let node = state.node(id);
        let mut told = self.system.describe(id, node.machine(), node.durable());
        if node.outstanding() > 0 {
            told.push_str(&format!("; {} persists outstanding", node.outstanding()));
        }
        if node.held() > 0 {
            told.push_str(&format!("; {} outputs held back", node.held()));
        }
        told
    }

    fn tell_left(&self, left: &Left<S::Machine>) -> Option<String> {
        let told = match left {
            Left::Passed(_) => return None,
            Left::Send(envelope) => {
                let message = self.system.describe_message(&envelope.message);
                format!("{} sends {}: {message}", envelope.from, envelope.to)
            }
            Left::Answer { operation, outcome } => {
                let planned = &self.plan[*operation];
                let operation = self.system.describe_operation(&planned.operation);
                format!(
                    "client {} is told of {operation}: {outcome:?}",
                    planned.client + 1
                )
            }
        };
        Some(told)
    }
}

/// Leaves out of a list what is not needed: large parts first, then smaller
/// ones (after Zeller's delta debugging). `kept` says what of a candidate was
/// made use of, if it still does what the list did.
pub(crate) fn without_needless<T: Clone>(
    list: Vec<T>,
    mut kept: impl FnMut(&[T]) -> Option<Vec<T>>,
) -> Vec<T> {
    let mut best = list;
    let mut chunk = best.len() / 2;
    while chunk > 0 {
        let mut from = best.len();
        while from > 0 {
            from = from.saturating_sub(chunk);
            let until = (from + chunk).min(best.len());
            let rest = [&best[..from], &best[until..]].concat();
            if let Some(kept) = kept(&rest)
                && kept.len() < best.len()
            {
                best = kept;
                from = from.min(best.len());
            }
        }
        chunk /= 2;
    }
    best
}

impl<S: ModelSystem> Walk<S> {
    /// What was done.
    pub(crate) fn deeds(&self) -> Deeds<S> {
        self.steps
            .iter()
            .map(|(state, action)| action.deed(state))
            .collect()
    }
}
