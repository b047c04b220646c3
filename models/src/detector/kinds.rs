//! What each detector adds: its settings, and by when it keeps its promises.

use tribunal_protocol::bugs::Bug;
use tribunal_protocol::detector::{
    ACCRUAL_BUGS, Accrual, Config, HEARTBEAT_BUGS, Heartbeat, Likelihood, OBSERVER_BUGS, Observer,
    ObserverConfig, PHI_MAX, Patience, Pulse, Timeouts, Wrong,
};
use tribunal_protocol::machine::NodeId;

use super::{
    DELAY, Detector, DetectorSystem, PERIOD, Promise, STABLE_FROM, Suspicion, Timing, names,
};
use crate::bounds::{Bounds, Limit, Setting};
use crate::system::Goal;

fn nodes(bounds: &Bounds) -> impl Iterator<Item = NodeId> + use<> {
    (1..=bounds.nodes).map(NodeId)
}

fn set<D: Detector>(bounds: &Bounds, setting: &Setting) -> u64 {
    bounds.setting(D::settings(), setting.name).into()
}

/// What every node does that beats, by how long it is patient at most.
fn pulse_promise(timing: Timing, longest: u64, mistakes: u64) -> Promise {
    Promise {
        detects: timing.reach() + longest + timing.period,
        in_turn: false,
        settles: timing.needed(),
        mistakes: u8::try_from(mistakes).unwrap_or(u8::MAX),
    }
}

const WATCHERS: Setting = Setting {
    name: "watchers",
    about: "how many of the nodes, from the first, watch every other one; 0 for all. What one thinks of another depends on no third",
    default: 2,
    least: 0,
    most: 20,
};
/// What a window holds multiplies the states.
const WATCHERS_OF_WINDOWS: Setting = Setting {
    default: 1,
    ..WATCHERS
};

/// A node that watches, or is watched, as far as the bounds ask for it.
fn pulse_config<D: Detector, P>(
    id: NodeId,
    bounds: &Bounds,
    bug: Option<Wrong>,
    patience: P,
) -> Config<P> {
    let mut config = Config::new(id, nodes(bounds), patience);
    config.bug = bug;
    config
        .audience
        .retain(|watcher| watches::<D>(bounds, *watcher));
    if !watches::<D>(bounds, id) {
        config.watched.clear();
    }
    config
}

fn watches<D: Detector>(bounds: &Bounds, node: NodeId) -> bool {
    let watchers = set::<D>(bounds, &WATCHERS);
    watchers == 0 || u64::from(node.0) <= watchers
}

impl<P: Patience> Suspicion for Pulse<P> {
    fn is_suspected(&self, peer: NodeId) -> bool {
        Pulse::is_suspected(self, peer)
    }

    fn beaten(&self) -> u64 {
        Pulse::beaten(self)
    }

    fn describe(&self) -> String {
        format!("suspects {}; {self:?}", names(&self.suspects()))
    }
}

const TIMEOUT: Setting = Setting {
    name: "timeout",
    about: "the first timeout: the longest silence that is not suspicious",
    default: 3,
    least: 1,
    most: 60,
};
const STEP: Setting = Setting {
    name: "step",
    about: "by how much a mistake makes a timeout longer; 0 for fixed timeouts",
    default: 0,
    least: 0,
    most: 20,
};
const MOST: Setting = Setting {
    name: "most",
    about: "the longest timeout; 0 for the first one",
    default: 0,
    least: 0,
    most: 100,
};

fn timeouts(bounds: &Bounds) -> Timeouts {
    let set = |setting| set::<Heartbeat>(bounds, setting);
    let first = set(&TIMEOUT);
    match set(&STEP) {
        0 => Timeouts::fixed(first),
        step => Timeouts {
            first,
            step,
            most: set(&MOST).max(first),
        },
    }
}

impl Detector for Heartbeat {
    const ABOUT: &'static str = "the heartbeat failure detector, with fixed or adaptive timeouts \
                                 (Chandra and Toueg 1996, Figure 10)";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Timers, 200)
            .with(Limit::Ticks, 12)
            .with(Limit::Halts, 1)
    }

    fn settings() -> &'static [Setting] {
        &[PERIOD, DELAY, STABLE_FROM, WATCHERS, TIMEOUT, STEP, MOST]
    }

    fn bugs() -> &'static [Bug] {
        HEARTBEAT_BUGS
    }

    fn config(node: NodeId, bounds: &Bounds, bug: Option<Wrong>) -> Config<Timeouts> {
        pulse_config::<Self, _>(node, bounds, bug, timeouts(bounds))
    }

    fn promise(bounds: &Bounds) -> Promise {
        let timing = Timing::of::<Self>(bounds);
        let Timeouts { first, step, most } = timeouts(bounds);
        let short = timing.needed().min(most).saturating_sub(first);
        pulse_promise(timing, most, short.div_ceil(step.max(1)))
    }

    fn watches(bounds: &Bounds, node: NodeId) -> bool {
        watches::<Self>(bounds, node)
    }

    fn draws() -> &'static [(&'static str, &'static [u8])] {
        &[
            ("stable-from", &[0, 0, 6, 20]),
            ("period", &[1, 1, 2]),
            ("delay", &[0, 1, 2]),
            ("timeout", &[5, 6]),
        ]
    }
}

const THRESHOLD: Setting = Setting {
    name: "threshold",
    about: "the phi beyond which a peer is suspected, in tenths",
    default: 10,
    least: 4,
    most: 150,
};
const WINDOW: Setting = Setting {
    name: "window",
    about: "how many of the latest silences are looked at",
    default: 2,
    least: 1,
    most: 20,
};
const DEVIATION: Setting = Setting {
    name: "deviation",
    about: "the least deviation of silences from their mean",
    default: 3,
    least: 0,
    most: 60,
};
const LONGEST: Setting = Setting {
    name: "longest",
    about: "the longest silence that may not be suspicious",
    default: 4,
    least: 1,
    most: 100,
};

impl Detector for Accrual {
    const ABOUT: &'static str = "the phi accrual failure detector (Hayashibara, Defago, Yared and \
                                 Katayama 2004)";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Timers, 200)
            .with(Limit::Ticks, 13)
            .with(Limit::Halts, 1)
    }

    fn settings() -> &'static [Setting] {
        &[
            PERIOD,
            DELAY,
            STABLE_FROM,
            WATCHERS_OF_WINDOWS,
            THRESHOLD,
            WINDOW,
            DEVIATION,
            LONGEST,
        ]
    }

    fn bugs() -> &'static [Bug] {
        ACCRUAL_BUGS
    }

    fn config(node: NodeId, bounds: &Bounds, bug: Option<Wrong>) -> Config<Likelihood> {
        let set = |setting| set::<Self>(bounds, setting);
        let patience = Likelihood {
            threshold: (100 * set(&THRESHOLD)).min(PHI_MAX - 1),
            window: set(&WINDOW) as usize,
            expected: set(&PERIOD),
            deviation_min: set(&DEVIATION),
            most: set(&LONGEST),
        };
        pulse_config::<Self, _>(node, bounds, bug, patience)
    }

    fn promise(bounds: &Bounds) -> Promise {
        let longest = set::<Self>(bounds, &LONGEST);
        pulse_promise(Timing::of::<Self>(bounds), longest, 0)
    }

    fn watches(bounds: &Bounds, node: NodeId) -> bool {
        watches::<Self>(bounds, node)
    }

    fn draws() -> &'static [(&'static str, &'static [u8])] {
        &[
            ("stable-from", &[0, 0, 6, 20]),
            ("window", &[1, 2, 8]),
            ("deviation", &[3, 4]),
            ("longest", &[4, 9]),
        ]
    }
}

const SUBJECTS: Setting = Setting {
    name: "subjects",
    about: "how many of the nodes, from the first, are observed; 0 for all, which it takes for more than one halt to be noticed",
    default: 2,
    least: 0,
    most: 20,
};

/// The longest that a subject owes a reply, or an observer a poll.
fn observer_needed(timing: Timing) -> u64 {
    let reply = timing.period + 2 * timing.reach();
    reply.max(timing.needed())
}

impl Detector for Observer {
    const ABOUT: &'static str = "the observer failure detector: each node is polled by one other, \
                                 and takes another when that one is silent";

    fn default_bounds() -> Bounds {
        Bounds::of(3)
            .with(Limit::Timers, 200)
            .with(Limit::Ticks, 13)
            .with(Limit::Halts, 1)
    }

    fn settings() -> &'static [Setting] {
        &[PERIOD, DELAY, STABLE_FROM, TIMEOUT, SUBJECTS]
    }

    fn bugs() -> &'static [Bug] {
        OBSERVER_BUGS
    }

    fn config(node: NodeId, bounds: &Bounds, bug: Option<Wrong>) -> ObserverConfig {
        let timeout = set::<Self>(bounds, &TIMEOUT);
        let mut config = ObserverConfig::new(node, nodes(bounds), timeout);
        config.bug = bug;
        let subjects = set::<Self>(bounds, &SUBJECTS);
        config
            .subjects
            .retain(|node| subjects == 0 || u64::from(node.0) <= subjects);
        config
    }

    fn refuses(bounds: &Bounds) -> Option<String> {
        let subjects = set::<Self>(bounds, &SUBJECTS);
        let some = (1..u64::from(bounds.nodes)).contains(&subjects);
        let least = u64::from(bounds.nodes.saturating_sub(1));
        let unnoticed = some && (subjects < least || bounds.get(Limit::Halts) > 1);
        unnoticed.then(|| {
            "expected all nodes to be observed (subjects=0), or all but one where one may halt: \
             nobody would notice"
                .to_owned()
        })
    }

    /// Of those who have stopped, each may have to be taken for an observer
    /// before the next one is.
    fn promise(bounds: &Bounds) -> Promise {
        let timing = Timing::of::<Self>(bounds);
        let others = bounds.nodes.saturating_sub(1);
        let halts = bounds.get(Limit::Halts);
        // A simulation counts none, and all but one may stop.
        let taken = u64::from(if halts == 0 { others } else { halts });
        let patience = set::<Self>(bounds, &TIMEOUT) + timing.period;
        Promise {
            detects: taken * patience + 2 * timing.reach(),
            in_turn: true,
            settles: taken * patience + observer_needed(timing),
            mistakes: 0,
        }
    }

    fn draws() -> &'static [(&'static str, &'static [u8])] {
        &[
            ("stable-from", &[0, 0, 6, 20]),
            ("period", &[1, 1, 2]),
            ("delay", &[0, 1]),
            ("timeout", &[4, 6]),
            ("subjects", &[0]),
        ]
    }

    fn goals(bounds: &Bounds) -> Vec<Goal<DetectorSystem<Self>>> {
        if bounds.nodes < 3 {
            return Vec::new();
        }
        vec![Goal {
            name: "an observer is replaced",
            about: "a node that took another observer is polled by it",
            needs: &[(Limit::Halts, 1)],
            reached: |_, cluster| {
                let mut nodes = cluster.running();
                nodes.any(|node| {
                    let machine = cluster.believed(node);
                    let observer = machine.observer().map(|id| (id, cluster.believed(id)));
                    let observes = |(id, it): (NodeId, &Observer)| {
                        !cluster.is_halted(id) && it.subjects().any(|subject| subject == node)
                    };
                    machine.epoch() > 0 && observer.is_some_and(observes)
                })
            },
        }]
    }
}

impl Suspicion for Observer {
    fn is_suspected(&self, peer: NodeId) -> bool {
        Observer::is_suspected(self, peer)
    }

    fn beaten(&self) -> u64 {
        Observer::beaten(self)
    }

    fn describe(&self) -> String {
        let observer = self.observer().map(|id| id.to_string());
        format!(
            "suspects {}, observed by {} in epoch {}; {self:?}",
            names(&self.suspects()),
            observer.as_deref().unwrap_or("nobody"),
            self.epoch()
        )
    }
}
