//! Long lives of a node, drawn from a seed: scripts, failing operations, and
//! crashes at any moment, one upon the other.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::disk::{Failure, Simulated, State};
use super::explore::{Explorer, Said, Step, Stop};
use super::images::after_power_loss;
use super::{Record, long, push};
use crate::runtime::Mutant;

/// How many lives, unless the environment names one seed.
const LIVES: u64 = 300;

/// How many lives it may take to notice a wrong journal: a rule that matters
/// only when one operation of many fails is seldom broken.
const LIVES_MAX: u64 = 4000;

/// About how many operations a start and its script ask for.
const OPERATIONS: usize = 40;

/// How often a node starts in a life.
const STARTS: usize = 8;

fn script(random: &mut ChaCha8Rng) -> Vec<Step> {
    let mut script = Vec::new();
    for _ in 0..random.random_range(0..5) {
        script.push(match random.random_range(0..6) {
            0 => Step::Checkpoint,
            1 => Step::Restart,
            _ => Step::Commit(
                (0..random.random_range(1..4))
                    .map(|_| persist(random))
                    .collect(),
            ),
        });
    }
    script
}

fn persist(random: &mut ChaCha8Rng) -> Vec<Record> {
    let entry = random.random_range(0..1000);
    match random.random_range(0..6) {
        0 => vec![
            Record::TruncateFrom(random.random_range(0..4)),
            Record::Push(entry),
        ],
        1 => long(entry),
        count => push(entry..entry + count),
    }
}

/// Lives a life; what broke, if anything did.
fn live(seed: u64, mutant: Option<Mutant>) -> Result<(), String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let explorer = Explorer::of(mutant);
    let (mut state, mut said) = (State::empty(), Said::default());
    for start in 0..STARTS {
        let disk = Simulated::new(state, said.clone());
        if random.random_range(0..2) == 0 {
            let how = [Failure::Eio, Failure::Enospc][random.random_range(0..2)];
            disk.fail(random.random_range(0..OPERATIONS), how);
        }
        match explorer.perform_on(&disk, &script(&mut random), said) {
            Err(Stop::Ended(error)) if !disk.has_failed() => {
                return Err(format!("start {start}: the node does not go on: {error}"));
            }
            Err(Stop::Broken(why)) => return Err(format!("start {start}: {why}")),
            _ => {}
        }
        let moments = disk.moments();
        let moment = &moments[random.random_range(0..moments.len())];
        said = moment.said.clone();
        let kill = random.random_range(0..3) == 0 && !moment.state.is_read_only();
        state = match kill {
            true => moment.state.clone(),
            false => {
                let images = after_power_loss(&moment.state);
                let place = random.random_range(0..images.len());
                let mut images: Vec<State> = images.into_iter().collect();
                // A hash set's order is no seed's.
                images.sort_unstable();
                images.swap_remove(place)
            }
        };
    }
    Ok(())
}

#[test]
fn random_lives_keep_the_word() {
    let seeds = match std::env::var("JOURNAL_SEED") {
        Ok(seed) => vec![seed.parse().expect("JOURNAL_SEED is a number")],
        Err(_) => (0..LIVES).collect(),
    };
    for seed in seeds {
        live(seed, None).unwrap_or_else(|why| panic!("JOURNAL_SEED={seed}: {why}"));
    }
}

#[test]
fn random_lives_notice_every_wrong_journal() {
    use Mutant::{FolderNotSynced, IncarnationNotRaised, SyncRetried, TornTailKept};
    for mutant in [
        FolderNotSynced,
        IncarnationNotRaised,
        SyncRetried,
        TornTailKept,
    ] {
        let refuted = (0..LIVES_MAX).find(|seed| live(*seed, Some(mutant)).is_err());
        println!("{mutant}: refuted by seed {refuted:?}");
        assert!(refuted.is_some(), "{mutant}");
    }
}
