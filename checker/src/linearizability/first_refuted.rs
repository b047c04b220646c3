//! The first prefix of a key's history that has no order.
//!
//! Every prefix of a linearizable history is linearizable (what completes
//! later is open in it), so there is a shortest one that is not. The search
//! of the whole history says where to look: no order of it accounts for one
//! completion, and up to there the prefix is fine. Mostly the prefix that
//! ends with that completion is refuted; only where an operation fails later,
//! and is open in the prefix, the shortest one is longer.
//!
//! Where the object holds elements, each prefix would be a search of its own, and
//! [`super::elements`] finds a few that have no order; the first prefix in which they
//! have none is mostly the shortest of all.

use super::dialect::KeyHistory;
use super::elements::{Elements, Part};
use super::judge::Judge;
use super::object::NEVER;
use super::rounds::{Job, Meter};
use super::search::Progress;
use crate::spec::Spec;

/// How much is tried.
pub(super) struct Moves {
    /// A prefix is taken for not refuted if so many do not refute it.
    pub(super) to_refute: u64,
    /// So many are spent on all orders to show, where only an easier search refutes.
    pub(super) to_show: u64,
    /// So many on one of them.
    pub(super) to_show_one: u64,
}

/// How much is tried to explain a refutation of so many calls. Where the object holds
/// many things every move makes a state of all of them.
pub(super) fn moves_for(spec: Spec, calls: usize) -> Moves {
    const MANY: u64 = 1 << 14;
    let few = (1 << 20) / calls.max(1 << 6) as u64;
    let (to_refute, to_show, to_show_one) = match spec {
        Spec::Log | Spec::Set | Spec::Multiset => (few, few / 4, few),
        _ if spec.is_container() => (MANY, MANY, MANY),
        _ => (1 << 22, 1 << 18, 1 << 18),
    };
    Moves {
        to_refute,
        to_show,
        to_show_one,
    }
}

/// The first prefix of a key's history that is refuted, as far as is known.
pub(super) struct FirstRefuted<'a> {
    /// The event that ends it.
    pub(super) until: u32,
    /// Whether it is known that no shorter one is.
    pub(super) is_shortest: bool,
    /// The elements that are enough to refute it.
    pub(super) enough: Option<(Elements<'a>, Part)>,
}

/// The first prefix that is refuted. None that ends before the furthest completion
/// of the `job` is.
pub(super) fn first_refuted<'a>(
    key: &'a KeyHistory,
    job: &Job<'_>,
    meter: &'a Meter<'a>,
) -> FirstRefuted<'a> {
    let from = key.reached(job.furthest, true);
    let completed = key.operations.iter().map(|it| it.completed);
    let later = completed.filter(|&place| place != NEVER && place >= from);
    let mut places: Vec<u32> = later.collect();
    places.sort_unstable();
    if places.is_empty() {
        return FirstRefuted {
            until: from,
            is_shortest: false,
            enough: None,
        };
    }
    let moves = moves_for(key.spec, key.operations.len());
    let mut all = Elements::of(&key.object, meter);
    if let Some(elements) = &mut all
        && let calls = key.all_calls().collect::<Vec<_>>()
        && let Some(part) = elements.find(&calls, &job.blame)
    {
        let first = elements.first_refuted(key, &part, &places);
        let before = first.checked_sub(1).map(|before| places[before]);
        let refuted = before.map(|until| is_refuted(key, until, moves.to_refute, meter));
        if refuted != Some(Some(true)) {
            return FirstRefuted {
                until: places[first],
                is_shortest: refuted.is_none_or(|refuted| refuted == Some(false)),
                enough: all.map(|elements| (elements, part)),
            };
        }
        // Other elements have no order sooner.
        places.truncate(first);
    }
    let (until, is_shortest) = shortest_refuted(key, job, &places, moves.to_refute, meter);
    let (calls, _) = key.calls(until);
    let last = calls.iter().position(|call| call.completed == until);
    let blame: Vec<u32> = last.into_iter().map(|call| call as u32).collect();
    let enough = all.and_then(|mut elements| {
        let part = elements.find(&calls, &blame)?;
        Some((elements, part))
    });
    FirstRefuted {
        until,
        is_shortest,
        enough,
    }
}

/// Which of the prefixes that end at these places is the first that is refuted, and
/// whether it is known for that.
fn shortest_refuted(
    key: &KeyHistory,
    job: &Job<'_>,
    places: &[u32],
    moves: u64,
    meter: &Meter<'_>,
) -> (u32, bool) {
    let last = places.len() - 1;
    let mut sure = true;
    // The whole history is refuted; mostly the prefix up to the call that is
    // to blame is the first.
    let (mut low, mut high) = (0, last);
    let blamed = key.reached(job.blamed(), true);
    let mut place = places.partition_point(|&it| it < blamed);
    let mut first = None;
    let mut step = Some(1);
    while low < high {
        let judged = place.clamp(low, high - 1);
        let refuted = is_refuted(key, places[judged], moves, meter);
        match refuted {
            Some(true) => high = judged,
            decided => {
                sure &= decided.is_some();
                low = judged + 1;
            }
        }
        // From there in steps that double, until the other side is reached.
        let is_refuted = refuted == Some(true);
        step = step.filter(|_| *first.get_or_insert(is_refuted) == is_refuted);
        place = match step {
            Some(step) if is_refuted => high.saturating_sub(step),
            Some(step) => low + step - 1,
            None => low + (high - low) / 2,
        };
        step = step.map(|step| step * 2);
    }
    (places[high], sure)
}

/// Whether the prefix up to the event `until` is refuted, if so many moves can tell.
fn is_refuted(key: &KeyHistory, until: u32, moves: u64, meter: &Meter<'_>) -> Option<bool> {
    if !meter.goes_on() {
        return None;
    }
    let (calls, _) = key.calls(until);
    let mut share = meter.share();
    let mut judge = Judge::new(&key.object, calls, None);
    let progress = judge.decide(moves, |bytes| share.goes_on(bytes));
    drop(judge);
    key.object.steps.forget();
    match progress {
        Progress::Refuted => Some(true),
        Progress::Explained => Some(false),
        Progress::Paused => None,
    }
}
