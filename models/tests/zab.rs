//! Zab, exhaustively: the shipped bounds, two nodes that lose and find each
//! other, and every wrong version.

mod catalogue;

use catalogue::{counts, with};
use tribunal_models::zab::ZabSystem;
use tribunal_models::{Bounds, Limit};

#[test]
fn every_wrong_version_breaks_its_property() {
    catalogue::every_wrong_version_breaks_its_property::<ZabSystem>();
}

#[test]
fn the_correct_machine_is_valid_with_the_same_arguments() {
    catalogue::the_correct_machine_is_valid_with_the_same_arguments::<ZabSystem>();
}

#[test]
fn what_is_sent_before_it_is_durable_is_seen_only_where_persists_take_time() {
    catalogue::what_is_sent_too_early_is_seen_only_where_persists_take_time::<ZabSystem>();
}

#[test]
fn two_nodes_have_this_many_states_and_keep_what_they_promise() {
    let bounds = Bounds::of(2)
        .with(Limit::Elections, 1)
        .with(Limit::Operations, 2)
        .with(Limit::Crashes, 2);
    let bounds = with::<ZabSystem>(bounds, "rounds", 3);
    assert_eq!(
        counts::<ZabSystem>(bounds),
        [(164_187, 101_853), (292_185, 174_643)]
    );
}
