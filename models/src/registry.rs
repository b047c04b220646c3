//! Every system that can be checked, whatever its types.

use std::marker::PhantomData;
use std::net::{SocketAddr, TcpListener};
use std::ops::ControlFlow;

use tribunal_protocol::bugs::Bug;

use crate::bounds::{Bounds, Setting};
use crate::check::{Case, CheckError, CheckOptions, GENERAL, check};
use crate::detector::{AccrualSystem, HeartbeatSystem, ObserverSystem};
use crate::paxos::PaxosSystem;
use crate::plain;
use crate::raft::{RaftElectionSystem, RaftSystem};
use crate::report::{PropertyKind, Report};
use crate::search::{Explored, Progress};
use crate::simulate::{self, SimulateOptions};
use crate::single_decree::SingleDecreeSystem;
use crate::system::ModelSystem;
use crate::tla::{TCommit, TwoPhase};
use crate::two_phase::TwoPhaseSystem;
use crate::zab::{ZabElectionSystem, ZabSystem};

/// The systems that can be checked.
pub fn systems() -> Vec<Box<dyn System>> {
    vec![
        erased::<RaftSystem>(),
        erased::<PaxosSystem>(),
        erased::<ZabSystem>(),
        erased::<TwoPhaseSystem>(),
        erased::<SingleDecreeSystem>(),
        erased::<HeartbeatSystem>(),
        erased::<ObserverSystem>(),
        erased::<AccrualSystem>(),
        erased::<RaftElectionSystem>(),
        erased::<ZabElectionSystem>(),
        plain::erased::<TCommit>(),
        plain::erased::<TwoPhase>(),
    ]
}

/// A system that can be checked.
pub trait System: Send + Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// What it is, in a sentence.
    fn about(&self) -> &'static str;

    /// The system whose server runs the same machine, where that has another
    /// name.
    fn part_of(&self) -> Option<&'static str>;

    /// The bounds that are used where none are given.
    fn default_bounds(&self) -> Bounds;

    /// Wider bounds, for a check that may take minutes.
    fn wide_bounds(&self) -> Bounds;

    /// What it lets the user choose beside the common bounds.
    fn settings(&self) -> &'static [Setting];

    /// The wrong versions.
    fn bugs(&self) -> &'static [Bug];

    /// What is judged, and the goals.
    fn properties(&self) -> Vec<AboutProperty>;

    /// Where a search may start: names, and what they lead to.
    fn prefixes(&self) -> Vec<(&'static str, &'static str)>;

    /// Behind which of them a check begins if nobody says, if behind any.
    fn usual_start(&self, bounds: &Bounds) -> Option<&'static str>;

    /// Explores every state within bounds and says what that establishes.
    /// Tells of its progress several times a second, and may be broken off
    /// then.
    fn check(
        &self,
        options: &CheckOptions,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report, CheckError>;

    /// Runs seeds, each a cluster of its own in virtual time. Tells of its
    /// progress several times a second, and may be broken off then.
    fn simulate(
        &self,
        options: &SimulateOptions,
        progress: &mut dyn FnMut(simulate::Progress) -> ControlFlow<()>,
    ) -> Result<simulate::Report, CheckError>;

    /// Serves stateright's explorer until the process ends; tells the address,
    /// of which the port may be left to the system (`127.0.0.1:0`), when
    /// nothing is in the way any more. Returns only if there is.
    ///
    /// stateright prefers the files of a folder `ui` in the current directory
    /// to its own.
    fn explore(
        &self,
        options: &CheckOptions,
        address: &str,
        announce: &mut dyn FnMut(SocketAddr),
    ) -> Result<(), CheckError>;
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct AboutProperty {
    /// The published name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Whether it must always hold, or be reached.
    pub kind: PropertyKind,
}

/// A system without its types.
pub fn erased<S: ModelSystem>() -> Box<dyn System> {
    Box::new(Erased::<S>(PhantomData))
}

struct Erased<S>(PhantomData<fn() -> S>);

impl<S: ModelSystem> System for Erased<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn about(&self) -> &'static str {
        S::ABOUT
    }

    fn part_of(&self) -> Option<&'static str> {
        S::PART_OF
    }

    fn default_bounds(&self) -> Bounds {
        S::default_bounds()
    }

    fn wide_bounds(&self) -> Bounds {
        S::wide_bounds()
    }

    fn settings(&self) -> &'static [Setting] {
        S::settings()
    }

    fn bugs(&self) -> &'static [Bug] {
        S::bugs()
    }

    fn properties(&self) -> Vec<AboutProperty> {
        let system = S::new(&S::default_bounds(), None);
        let own = system
            .properties()
            .into_iter()
            .chain(system.weaknesses())
            .map(|property| (property.name, property.about));
        let always = own.chain(GENERAL).map(|(name, about)| AboutProperty {
            name,
            about,
            kind: PropertyKind::Always,
        });
        let goals = system.goals().into_iter().map(|goal| AboutProperty {
            name: goal.name,
            about: goal.about,
            kind: PropertyKind::Sometimes,
        });
        always.chain(goals).collect()
    }

    fn prefixes(&self) -> Vec<(&'static str, &'static str)> {
        S::prefixes()
            .into_iter()
            .map(|prefix| (prefix.name, prefix.about))
            .collect()
    }

    fn usual_start(&self, bounds: &Bounds) -> Option<&'static str> {
        S::usual_start(bounds)
    }

    fn check(
        &self,
        options: &CheckOptions,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report, CheckError> {
        check::<S>(options, progress)
    }

    fn simulate(
        &self,
        options: &SimulateOptions,
        progress: &mut dyn FnMut(simulate::Progress) -> ControlFlow<()>,
    ) -> Result<simulate::Report, CheckError> {
        simulate::simulate::<S>(options, progress)
    }

    fn explore(
        &self,
        options: &CheckOptions,
        address: &str,
        announce: &mut dyn FnMut(SocketAddr),
    ) -> Result<(), CheckError> {
        let mut model = Case::<S>::new(options)?.model;
        model.labels = true;
        serve(model, options, address, announce)
    }
}

/// Serves stateright's explorer of a model, as [`System::explore`] says.
pub(crate) fn serve<M: Explored>(
    model: M,
    options: &CheckOptions,
    address: &str,
    announce: &mut dyn FnMut(SocketAddr),
) -> Result<(), CheckError> {
    let refused = |source| CheckError::Explorer {
        address: address.to_owned(),
        source,
    };
    // stateright panics where it cannot listen; so it is tried first.
    let bound = TcpListener::bind(address).and_then(|listener| listener.local_addr());
    let address = bound.map_err(refused)?;
    announce(address);
    model
        .checker()
        .threads(options.threads.max(1))
        .serve(address);
    Ok(())
}
