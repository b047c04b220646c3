//! What can only be seen from inside: that every action that is taken is one
//! of the model's.

use crate::action::Action;
use crate::judge::Reading;
use crate::raft::RaftSystem;
use crate::system::ModelSystem;
use crate::two_phase::TwoPhaseSystem;
use crate::zab::ZabSystem;

use super::seed::{Outcome, Subject, run};
use super::world::World;

fn outcome_of<S: ModelSystem>(seed: u64, bug: Option<&'static str>) -> Outcome<S> {
    let subject = Subject { bug, tell: false };
    run(subject, seed, &|| false).expect("nobody stops it")
}

fn outcome(seed: u64) -> Outcome<RaftSystem> {
    outcome_of(seed, None)
}

#[test]
fn every_action_is_one_that_the_model_offers() {
    let mut actions = 0;
    for seed in 1..=40 {
        let outcome = outcome(seed);
        let mut world: World<RaftSystem> = World::new(&outcome.conditions.bounds, None);
        for choice in outcome.taken.iter().take(400) {
            let possible = world.possible(choice).expect("it was possible before");
            world.state.refill(&world.model.settings.bounds);
            let mut offered: Vec<Action<RaftSystem>> = Vec::new();
            world.model.enabled(&world.state, &mut offered);
            assert!(
                offered.contains(&possible.action),
                "seed {seed}, action {actions}: {:?} is none of {offered:#?}",
                possible.action
            );
            world.take(&possible);
            actions += 1;
        }
    }
    assert!(actions > 5_000, "{actions}");
}

#[test]
fn what_was_taken_leads_to_the_same_end_again() {
    for seed in 1..=20 {
        let outcome = outcome(seed);
        let fresh = || World::<RaftSystem>::new(&outcome.conditions.bounds, None);
        let mut followed = fresh();
        for choice in &outcome.taken {
            assert!(
                followed
                    .take_near(choice)
                    .is_some_and(|taken| taken == *choice)
            );
        }
        let walk = fresh().walk(&outcome.taken).expect("all of it is possible");
        assert!(walk.end == followed.state && walk.broken.is_none());
    }
}

/// How often the clients' history was linearizable after an action, and how often
/// not: judged event by event, and each time as a whole.
fn verdicts<S: ModelSystem>(bug: Option<&'static str>) -> [usize; 2] {
    let mut verdicts = [0; 2];
    for seed in 1..=60 {
        let outcome = outcome_of::<S>(seed, bug);
        let mut world: World<S> = World::new(&outcome.conditions.bounds, bug);
        for choice in &outcome.taken {
            let Some(possible) = world.possible(choice) else {
                break;
            };
            world.take(&possible);
            let history = &world.state.history;
            let whole = world.model.fits(history, Reading::Strict);
            assert_eq!(history.is_linearizable(), whole, "seed {seed}: {history:?}");
            verdicts[usize::from(!whole)] += 1;
        }
    }
    verdicts
}

#[test]
fn histories_are_judged_event_by_event_as_they_are_as_a_whole() {
    let [right, _] = verdicts::<RaftSystem>(None);
    assert!(right > 10_000, "{right}");
    let wrong = [
        verdicts::<RaftSystem>(Some("local-read-at-follower")),
        verdicts::<RaftSystem>(Some("doubt-told-as-failure")),
        verdicts::<ZabSystem>(Some("doubt-told-as-failure")),
        verdicts::<TwoPhaseSystem>(None),
    ];
    assert!(wrong.iter().all(|[right, _]| *right > 1_000), "{wrong:?}");
    let refuted = wrong.iter().filter(|[_, refuted]| *refuted > 0).count();
    assert!(refuted >= 2, "{wrong:?}");
}
