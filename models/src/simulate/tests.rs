//! What can only be seen from inside: that every action that is taken is one
//! of the model's.

use crate::action::Action;
use crate::raft::RaftSystem;

use super::seed::{Outcome, Subject, run};
use super::world::World;

fn outcome(seed: u64) -> Outcome<RaftSystem> {
    let subject = Subject {
        bug: None,
        tell: false,
    };
    run(subject, seed, &|| false).expect("nobody stops it")
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
