//! Models that are no clusters of a machine: plain states and actions, as
//! TLA+ has them, searched and reported on by the same driver.
//!
//! They have no messages, disks or clients that a host would keep, so that both
//! granularities are the same, and of the bounds only the number of nodes and
//! settings of their own mean something; others are refused.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stateright::Property as Always;
use tribunal_protocol::bugs::Bug;

use crate::bounds::{Bounds, Limit, Setting};
use crate::check::{CheckError, CheckOptions, NODES_MAX, known_bug, known_property, no_prefix};
use crate::frame::{Frame, always, reached};
use crate::registry::{AboutProperty, System, serve};
use crate::report::{PathStep, PropertyKind, PropertyReport, Report};
use crate::search::{Explored, Found, Progress, search};
use crate::simulate::{self, SimulateOptions};
use crate::system::{Broken, Judgement};
use crate::tally::{GOALS_MAX, Kind, Tally};

/// A model with plain states.
pub trait PlainModel: Clone + Debug + Send + Sync + Sized + 'static {
    /// What a state is.
    type State: Clone + Eq + Hash + Debug + Send + Sync + 'static;
    /// What can happen.
    type Action: Clone + Eq + Debug + Send + Sync + 'static;

    /// The name on the command line.
    const NAME: &'static str;
    /// What it is, in a sentence.
    const ABOUT: &'static str;

    /// How many nodes there are if nobody says.
    const NODES: u8;

    /// What it lets the user choose.
    fn settings() -> &'static [Setting] {
        &[]
    }

    /// The wrong versions.
    fn bugs() -> &'static [Bug];

    /// The model within bounds; `bug` is the name of one of
    /// [`PlainModel::bugs`].
    fn new(bounds: &Bounds, bug: Option<&'static str>) -> Self;

    /// The first state.
    fn initial(&self) -> Self::State;

    /// What can happen in a state.
    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

    /// What an action makes of a state.
    fn next(&self, state: &Self::State, action: &Self::Action) -> Self::State;

    /// A state in words, line by line: always as many. Paths show those that
    /// change.
    fn describe(&self, state: &Self::State) -> Vec<String>;

    /// As what an action is counted.
    fn kind(action: &Self::Action) -> Kind;

    /// What must hold in every state: a name, what it says, and how it is
    /// judged.
    fn properties() -> &'static [PlainProperty<Self>];

    /// What must be reachable.
    fn goals() -> &'static [PlainGoal<Self>];
}

/// Something that must hold in every state.
#[derive(Debug)]
pub struct PlainProperty<P: PlainModel> {
    /// Its published name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// How it is judged.
    pub check: fn(&P::State) -> Judgement,
}

/// Something that must be reachable.
#[derive(Debug)]
pub struct PlainGoal<P: PlainModel> {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub about: &'static str,
    /// Whether it is reached.
    pub reached: fn(&P::State) -> bool,
}

/// A plain model as stateright explores it.
struct Exploring<P: PlainModel> {
    model: P,
    only: Option<&'static str>,
    /// What is put in front of states when they are told apart.
    salt: u64,
    tally: Arc<Tally>,
    stop: Arc<AtomicBool>,
}

/// A state with what its fingerprint is salted with.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Salted<T> {
    salt: u64,
    state: T,
}

impl<T: Debug> Debug for Salted<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state.fmt(f)
    }
}

impl<P: PlainModel> Exploring<P> {
    /// The same with counters of its own.
    fn afresh(&self) -> Self {
        Exploring {
            model: self.model.clone(),
            only: self.only,
            salt: self.salt,
            tally: Arc::new(Tally::new()),
            stop: Arc::new(AtomicBool::new(false)),
        }
    }

    fn judged(&self) -> impl Iterator<Item = &'static PlainProperty<P>> {
        let only = self.only;
        let properties = P::properties().iter();
        properties.filter(move |property| only.is_none_or(|only| only == property.name))
    }

    fn judge(&self, state: &P::State) -> Option<Broken> {
        self.judged().find_map(|property| {
            let why = (property.check)(state).err()?;
            Some(Broken::new(property.name, why))
        })
    }

    fn visit(&self, state: &P::State) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return true;
        }
        self.tally.judged();
        for (index, goal) in P::goals().iter().enumerate() {
            if (goal.reached)(state) {
                self.tally.goal(index);
            }
        }
        self.judge(state).is_none()
    }

    /// Walks along a path, and says what is broken at its end.
    fn walk(&self, actions: &[P::Action]) -> Option<Violation> {
        let mut state = self.model.initial();
        let mut path = Vec::with_capacity(actions.len());
        for action in actions {
            let mut enabled = Vec::new();
            self.model.actions(&state, &mut enabled);
            if !enabled.contains(action) {
                return None;
            }
            let next = self.model.next(&state, action);
            let before = std::mem::replace(&mut state, next);
            let lines = self.model.describe(&state).into_iter();
            let changed = lines.zip(self.model.describe(&before));
            path.push(PathStep {
                number: path.len() + 1,
                prefix: false,
                action: format!("{action:?}"),
                changes: changed
                    .filter(|(now, before)| now != before)
                    .map(|(now, _)| now)
                    .collect(),
            });
        }
        let broken = self.judge(&state)?;
        Some(Violation {
            broken,
            is_shortest: path.is_empty(),
            path,
        })
    }
}

impl<P: PlainModel> stateright::Model for Exploring<P> {
    type State = Salted<P::State>;
    type Action = P::Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![Salted {
            salt: self.salt,
            state: self.model.initial(),
        }]
    }

    fn actions(&self, salted: &Self::State, actions: &mut Vec<P::Action>) {
        if !self.stop.load(Ordering::Relaxed) {
            self.model.actions(&salted.state, actions);
        }
    }

    fn next_state(&self, salted: &Self::State, action: P::Action) -> Option<Self::State> {
        self.tally.action(P::kind(&action));
        Some(Salted {
            salt: salted.salt,
            state: self.model.next(&salted.state, &action),
        })
    }

    fn properties(&self) -> Vec<Always<Self>> {
        vec![Always::always(
            "every property holds",
            |exploring: &Self, salted: &Salted<P::State>| exploring.visit(&salted.state),
        )]
    }
}

impl<P: PlainModel> Explored for Exploring<P> {
    type Deed = P::Action;

    fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    fn stop(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    fn deed(_: &Self::State, action: &P::Action) -> P::Action {
        action.clone()
    }
}

/// A violation, with the path to it.
struct Violation {
    broken: Broken,
    path: Vec<PathStep>,
    is_shortest: bool,
}

/// A plain model made ready to be explored.
struct Case<'a, P: PlainModel> {
    options: &'a CheckOptions,
    bug: Option<&'static str>,
    frame: Frame<'a>,
    exploring: Exploring<P>,
}

impl<'a, P: PlainModel> Case<'a, P> {
    fn new(options: &'a CheckOptions) -> Result<Self, CheckError> {
        assert!(P::goals().len() <= GOALS_MAX, "few enough goals");
        refuse::<P>(&options.bounds)?;
        if let Some(name) = &options.from {
            return Err(no_prefix(name, P::NAME, &[]));
        }
        let frame = Frame::begin(options)?;
        let bug = known_bug(options.bug.as_deref(), P::NAME, P::bugs())?;
        let names: Vec<_> = P::properties().iter().map(|it| it.name).collect();
        let only = known_property(options.property.as_deref(), P::NAME, &names)?;
        let exploring = Exploring {
            model: P::new(&options.bounds, bug),
            only,
            salt: options.salt,
            tally: Arc::new(Tally::new()),
            stop: Arc::new(AtomicBool::new(false)),
        };
        Ok(Case {
            options,
            bug,
            frame,
            exploring,
        })
    }

    fn check(
        self,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report, CheckError> {
        let plan = self.frame.exploring();
        let found = search(self.exploring.afresh(), plan, progress)?;
        let violation = match &found.path {
            Some(path) => Some(self.violation(path, progress)?),
            None => None,
        };
        Ok(self.report(&found, violation.as_ref()))
    }

    /// The violation nearest to the start, if that is found in time.
    fn violation(
        &self,
        path: &[P::Action],
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Violation, CheckError> {
        let broken =
            || CheckError::Search("a path to a violation could not be walked again".into());
        let plan = self.frame.shortening(path.len());
        let nearest = search(self.exploring.afresh(), plan, progress)?;
        let is_shortest = nearest.path.is_some();
        let path = nearest.path.as_deref().unwrap_or(path);
        let violation = self.exploring.walk(path).ok_or_else(broken)?;
        Ok(Violation {
            is_shortest,
            ..violation
        })
    }

    fn report(&self, found: &Found<Exploring<P>>, violation: Option<&Violation>) -> Report {
        let exhausted = found.stop.is_none() && violation.is_none();
        let mut properties: Vec<PropertyReport> = Vec::new();
        for property in self.exploring.judged() {
            let broken = violation.filter(|it| it.broken.property == property.name);
            let mut report = always(property.name, property.about, exhausted);
            if let Some(violation) = broken {
                report.violate(
                    violation.broken.why.clone(),
                    violation.path.clone(),
                    violation.is_shortest,
                );
            }
            properties.push(report);
        }
        let goals = P::goals().iter().zip(&found.coverage.goals);
        properties
            .extend(goals.map(|(goal, count)| reached(goal.name, goal.about, *count, exhausted)));
        Report {
            system: P::NAME,
            bug: self.bug,
            host: self.options.granularity,
            bounds: self.options.bounds.named(P::settings()),
            from: None,
            salt: self.options.salt,
            verdict: self.frame.verdict(found, &properties),
            states_generated: found.states_generated,
            states_unique: found.states_unique,
            states_on_ways: 0,
            depth: found.depth,
            time: self.frame.elapsed(),
            memory_peak: found.memory_peak,
            limits_hit: found.coverage.limits.clone(),
            actions: found.coverage.actions.clone(),
            properties,
        }
    }
}

/// Refuses bounds that mean nothing here.
fn refuse<P: PlainModel>(bounds: &Bounds) -> Result<(), CheckError> {
    let nodes = bounds.nodes;
    let unknown = Limit::ALL.into_iter().find(|limit| bounds.get(*limit) > 0);
    let why = match unknown {
        _ if nodes == 0 || nodes > NODES_MAX => {
            format!("a model has 1 to {NODES_MAX} nodes, not {nodes}")
        }
        Some(limit) => format!(
            "{} is bounded by its nodes alone: it has no {limit}",
            P::NAME
        ),
        None if bounds.drift.is_some() => {
            format!(
                "{} is bounded by its nodes alone: it has no clocks",
                P::NAME
            )
        }
        None => return Ok(()),
    };
    Err(CheckError::Bounds(why))
}

/// A plain model without its types.
pub fn erased<P: PlainModel>() -> Box<dyn System> {
    Box::new(Erased::<P>(PhantomData))
}

struct Erased<P>(PhantomData<fn() -> P>);

impl<P: PlainModel> System for Erased<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn about(&self) -> &'static str {
        P::ABOUT
    }

    fn part_of(&self) -> Option<&'static str> {
        None
    }

    fn default_bounds(&self) -> Bounds {
        Bounds::of(P::NODES)
    }

    fn wide_bounds(&self) -> Bounds {
        self.default_bounds()
    }

    fn settings(&self) -> &'static [Setting] {
        P::settings()
    }

    fn bugs(&self) -> &'static [Bug] {
        P::bugs()
    }

    fn properties(&self) -> Vec<AboutProperty> {
        let properties = P::properties().iter().map(|property| AboutProperty {
            name: property.name,
            about: property.about,
            kind: PropertyKind::Always,
        });
        let goals = P::goals().iter().map(|goal| AboutProperty {
            name: goal.name,
            about: goal.about,
            kind: PropertyKind::Sometimes,
        });
        properties.chain(goals).collect()
    }

    fn prefixes(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    fn usual_start(&self, _: &Bounds) -> Option<&'static str> {
        None
    }

    fn check(
        &self,
        options: &CheckOptions,
        progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Report, CheckError> {
        Case::<P>::new(options)?.check(progress)
    }

    fn simulate(
        &self,
        _: &SimulateOptions,
        _: &mut dyn FnMut(simulate::Progress) -> ControlFlow<()>,
    ) -> Result<simulate::Report, CheckError> {
        Err(CheckError::NotSimulated { system: P::NAME })
    }

    fn explore(
        &self,
        options: &CheckOptions,
        address: &str,
        announce: &mut dyn FnMut(SocketAddr),
    ) -> Result<(), CheckError> {
        let exploring = Case::<P>::new(options)?.exploring;
        serve(exploring, options, address, announce)
    }
}
