//! Runs a script on the simulated disk and looks at every crash of it.
//!
//! ```text
//!   script ── every moment ──┬─ power loss: every image ──> recovery ── every moment ─┐
//!                            └─ kill: the kernel lives ───> recovery ── every moment ─┤
//!                                                                                     │
//!                             recovery, and one more frame  <── power loss: every image
//! ```

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::disk::{Failure, Handle, Simulated, State};
use super::images::after_power_loss;
use super::machine::{Lists, Record, fold};
use crate::runtime::Mutant;
use crate::runtime::journal::{Identity, Journal, JournalError, Settings};
use tribunal_protocol::NodeId;

/// Deep enough that folders above it are made, too.
const DATA: &str = "/srv/nodes/n1";

/// One persist.
type Persist = Vec<Record>;

/// What a script does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// One group commit; what waits for it leaves.
    Commit(Vec<Persist>),
    /// The next generation.
    Checkpoint,
    /// The process ends and starts again.
    Restart,
}

/// What a node has let others see by some moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Said {
    /// Every persist that was handed over, oldest first.
    handed: Vec<Persist>,
    /// How many of them must survive: an output relied on them.
    released: usize,
    /// The incarnation under which it spoke.
    incarnation: u64,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looked {
    pub(super) crashes: usize,
    pub(super) recoveries: usize,
}

/// A crash after which the journal broke its word.
#[derive(Debug)]
pub(super) struct Broken(pub(super) String);

/// Why a node went no further.
#[derive(Debug)]
pub(super) enum Stop {
    /// The disk failed it, or it refused to go on.
    Ended(JournalError),
    /// It broke its word.
    Broken(String),
}

impl From<JournalError> for Stop {
    fn from(error: JournalError) -> Stop {
        Stop::Ended(error)
    }
}

impl From<Stop> for Broken {
    fn from(stop: Stop) -> Broken {
        Broken(match stop {
            Stop::Ended(error) => format!("the node does not go on: {error}"),
            Stop::Broken(why) => why,
        })
    }
}

pub(super) type Disk = Arc<Simulated<Said>>;

/// Explores scripts, with the right journal or a wrong one.
#[derive(Default)]
pub(super) struct Explorer {
    mutant: Option<Mutant>,
    looked: Looked,
    /// What was looked at, so that it is once.
    seen: HashSet<(State, Said, u8)>,
}

impl Explorer {
    pub(super) fn of(mutant: Option<Mutant>) -> Explorer {
        Explorer {
            mutant,
            ..Explorer::default()
        }
    }

    /// Every crash of a script.
    pub(super) fn crashes(&mut self, script: &[Step]) -> Result<Looked, Broken> {
        let disk = self.perform(script, None)?;
        for moment in disk.moments() {
            self.crash(&moment.state, &moment.said, 2)?;
        }
        Ok(self.looked)
    }

    /// Every crash of a script in which one operation fails, for each
    /// operation and each way to fail.
    pub(super) fn failures(&mut self, script: &[Step]) -> Result<Looked, Broken> {
        let operations = self.perform(script, None)?.operations();
        for failing in 0..operations {
            for how in [Failure::Eio, Failure::Enospc] {
                let disk = self.perform(script, Some((failing, how)))?;
                for moment in disk.moments().into_iter().skip(failing) {
                    self.crash(&moment.state, &moment.said, 2)
                        .map_err(|broken| {
                            Broken(format!(
                                "operation {failing} fails by {how:?}: {}",
                                broken.0
                            ))
                        })?;
                }
            }
        }
        Ok(self.looked)
    }

    /// Carries a script out on an empty disk, up to the first error.
    fn perform(&self, script: &[Step], failing: Option<(usize, Failure)>) -> Result<Disk, Broken> {
        let disk = Simulated::new(State::empty(), Said::default());
        if let Some((operation, how)) = failing {
            disk.fail(operation, how);
        }
        match self.perform_on(&disk, script, Said::default()) {
            // What fails ends the process; what follows is the crash's business.
            Err(Stop::Ended(_)) if failing.is_some() => Ok(disk),
            Err(stop) => Err(stop.into()),
            Ok(()) => Ok(disk),
        }
    }

    /// Starts a node that has said this much, and carries a script out.
    pub(super) fn perform_on(
        &self,
        disk: &Disk,
        script: &[Step],
        mut said: Said,
    ) -> Result<(), Stop> {
        let mut journal = self.start(disk, &mut said)?;
        for step in script {
            match step {
                Step::Commit(persists) => self.commit(&mut journal, disk, &mut said, persists)?,
                Step::Checkpoint => journal.checkpoint()?,
                Step::Restart => journal = self.start(disk, &mut said)?,
            }
        }
        Ok(())
    }

    /// Starts the node and holds it to its word: what is found is a prefix of
    /// what was handed over, no persist split, and holds all that an output
    /// relied on; the incarnation is one that never spoke. From then on it
    /// speaks of what it has found.
    fn start(&self, disk: &Disk, said: &mut Said) -> Result<Journal<Lists>, Stop> {
        let journal = self.open(disk)?;
        let found = journal.durable();
        let prefixes = said.released..=said.handed.len();
        let Some(kept) = prefixes
            .clone()
            .find(|n| fold(&said.handed[..*n]) == *found)
        else {
            let handed = &said.handed;
            return Err(Stop::Broken(format!(
                "{found:?} is found, none of the prefixes {prefixes:?} of {handed:?}"
            )));
        };
        let (incarnation, before) = (journal.recovery().incarnation, said.incarnation);
        if incarnation <= before {
            return Err(Stop::Broken(format!(
                "incarnation {incarnation} starts, though {before} has spoken"
            )));
        }
        said.handed.truncate(kept);
        (said.released, said.incarnation) = (kept, incarnation);
        disk.say(said.clone());
        Ok(journal)
    }

    fn commit(
        &self,
        journal: &mut Journal<Lists>,
        disk: &Disk,
        said: &mut Said,
        persists: &[Persist],
    ) -> Result<(), Stop> {
        said.handed.extend_from_slice(persists);
        disk.say(said.clone());
        journal.append(persists)?;
        said.released = said.handed.len();
        disk.say(said.clone());
        Ok(())
    }

    fn open(&self, disk: &Disk) -> Result<Journal<Lists>, JournalError> {
        let identity = Identity::new::<Lists>("blue", NodeId(1));
        let settings = Settings {
            checkpoint_bytes: u64::MAX,
            mutant: self.mutant,
        };
        Journal::open_on(
            Arc::new(Handle(Arc::clone(disk))),
            Path::new(DATA),
            &identity,
            settings,
        )
    }

    /// The node starts from this state, keeps its word and goes on.
    pub(super) fn resumes(&self, disk: &Disk, said: &Said) -> Result<(), Broken> {
        let more = vec![vec![Record::Push(99)], vec![Record::Push(98)]];
        Ok(self.perform_on(disk, &[Step::Commit(more)], said.clone())?)
    }

    /// Crashes here in every way, and recovers; with `depth` left, crashes in
    /// the recovery as well.
    pub(super) fn crash(&mut self, state: &State, said: &Said, depth: u8) -> Result<(), Broken> {
        if !self.seen.insert((state.clone(), said.clone(), depth)) {
            return Ok(());
        }
        self.looked.crashes += 1;
        for image in after_power_loss(state) {
            self.recover(image, said, depth)
                .map_err(|broken| Broken(format!("after a power loss {}", broken.0)))?;
        }
        // A kill: the kernel still knows what was written.
        self.recover(state.clone(), said, depth)
            .map_err(|broken| Broken(format!("after a kill {}", broken.0)))
    }

    fn recover(&mut self, state: State, said: &Said, depth: u8) -> Result<(), Broken> {
        if !self.seen.insert((state.clone(), said.clone(), depth + 100)) {
            return Ok(());
        }
        self.looked.recoveries += 1;
        if state.is_read_only() {
            // The node cannot start, and so says nothing.
            return Ok(());
        }
        let disk = Simulated::new(state, said.clone());
        self.resumes(&disk, said)?;
        if depth > 1 {
            for moment in disk.moments() {
                self.crash(&moment.state, &moment.said, depth - 1)
                    .map_err(|broken| Broken(format!("and a recovery, {}", broken.0)))?;
            }
        }
        Ok(())
    }
}
