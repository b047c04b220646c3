//! A run in progress: what its parts share, and how one operation is
//! performed and put on record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use tribunal_histories::{Kind, Recorder, Value};
use tribunal_impls::adapter::{Client, ClientOptions, Completion, Invocation, NodePlan, System};
use tribunal_nemesis::{Edge, Notice, node_name};

use super::meter::{Meter, Sample};
use super::online::Watch;
use super::progress::Progress;
use crate::workload::{Entry, Workload};

/// How much longer than its own timeout a client is waited for before it is
/// given up as stuck.
const PATIENCE: Duration = Duration::from_secs(2);

/// What operations are counted under while no fault is open.
const NO_FAULT: &str = "no fault";

/// What the parts of a run share.
pub struct Trial {
    /// The system, seen through its adapter alone.
    pub system: Arc<dyn System>,
    /// Its nodes, in order.
    pub plans: Vec<NodePlan>,
    /// How clients behave.
    pub options: ClientOptions,
    /// What happened, on disk.
    pub recorder: Recorder,
    /// Who judges it meanwhile, where an order is asked for.
    pub online: Option<Watch>,
    /// What is shown while it happens.
    pub progress: Arc<Progress>,
    /// What is asked of it.
    pub entry: &'static Entry,
    workload: Mutex<Box<dyn Workload>>,
    meter: Mutex<Meter>,
    phase: Mutex<&'static str>,
    /// The name of each open fault's kind, by its place in the schedule.
    open_faults: Mutex<BTreeMap<u64, &'static str>>,
    next_process: AtomicU64,
}

impl Trial {
    /// A run whose history is written by `recorder`, and judged meanwhile.
    pub fn new(
        system: Arc<dyn System>,
        plans: Vec<NodePlan>,
        options: ClientOptions,
        (recorder, online): (Recorder, Option<Watch>),
        (entry, workload): (&'static Entry, Box<dyn Workload>),
        progress: Arc<Progress>,
    ) -> Trial {
        Trial {
            system,
            plans,
            options,
            recorder,
            online,
            progress,
            entry,
            workload: Mutex::new(workload),
            meter: Mutex::default(),
            phase: Mutex::new("start"),
            open_faults: Mutex::default(),
            next_process: AtomicU64::new(0),
        }
    }

    /// Waits until what is recorded breaks what is asked of it.
    pub async fn violated(&self) {
        match &self.online {
            Some(online) => online.violated().await,
            None => std::future::pending().await,
        }
    }

    /// A client of the node at `place` in the list, and the number of a
    /// process that nobody was before.
    pub fn client(&self, place: usize) -> (u64, Box<dyn Client>) {
        let plan = &self.plans[place % self.plans.len()];
        let client = self.system.client(plan, &self.plans, &self.options);
        (self.next_process.fetch_add(1, Ordering::Relaxed), client)
    }

    /// Performs one operation and records both of its ends. An error is the
    /// recorder's, and a harness failure.
    pub async fn perform(
        &self,
        process: u64,
        client: &mut dyn Client,
        invocation: &Invocation,
    ) -> anyhow::Result<Completion> {
        let conditions = self.conditions();
        let node = node_name(client.node());
        let Invocation { f, key, value } = invocation;
        // What is about several keys names them in its value.
        let key = Some(key).filter(|key| **key != Value::Null);
        let invoked = self
            .recorder
            .invoke(process, f, key, value, Some(&node))
            .context("write the history")?;
        let began = Instant::now();
        let limit = self.options.timeout + PATIENCE;
        let answered = tokio::time::timeout(limit, client.invoke(invocation)).await;
        let completion = answered.unwrap_or_else(|_| {
            Completion::Info(format!("the client gave no answer within {limit:?}"))
        });
        let latency = began.elapsed();
        let (kind, value, error) = match &completion {
            // What a write did is what it was asked to do.
            Completion::Ok(Value::Null) => (Kind::Ok, value, None),
            Completion::Ok(seen) => (Kind::Ok, seen, None),
            Completion::Fail(why) | Completion::Refused(why) => {
                (Kind::Fail, value, Some(why.as_str()))
            }
            Completion::Info(why) => (Kind::Info, value, Some(why.as_str())),
        };
        self.recorder
            .complete(invoked, kind, value, error, Some(&node_name(client.node())))
            .context("write the history")?;
        self.meter().count(&Sample {
            f,
            refusable: self.entry.refusable.contains(&f.as_str())
                || matches!(completion, Completion::Refused(_)),
            phase: *lock(&self.phase),
            conditions: &conditions,
            at: self.recorder.started().elapsed(),
            latency,
            completion: &completion,
        });
        Ok(completion)
    }

    /// Records what the nemesis has to say, and keeps count of open faults.
    pub fn note(&self, notice: &Notice) -> anyhow::Result<()> {
        let Notice {
            fault,
            kind,
            edge,
            value,
            report,
            ..
        } = notice;
        self.recorder
            .nemesis(*fault, kind.name(), value)
            .context("write the history")?;
        match edge {
            Edge::Begin => {
                let shown = format!("{kind} {}", report.targets.join(" "));
                lock(&self.open_faults).insert(*fault, kind.name());
                self.progress.fault_opens(*fault, shown);
            }
            Edge::End => {
                lock(&self.open_faults).remove(fault);
                self.progress.fault_closes(*fault);
            }
        }
        Ok(())
    }

    /// A phase begins.
    pub fn enter(&self, phase: &'static str) {
        *lock(&self.phase) = phase;
        self.progress.phase(phase);
    }

    /// The generator of operations.
    pub fn workload(&self) -> MutexGuard<'_, Box<dyn Workload>> {
        lock(&self.workload)
    }

    /// What was counted so far.
    pub fn meter(&self) -> MutexGuard<'_, Meter> {
        lock(&self.meter)
    }

    /// The kinds of fault that are open, each once.
    fn conditions(&self) -> Vec<String> {
        let open = lock(&self.open_faults);
        if open.is_empty() {
            return vec![NO_FAULT.to_owned()];
        }
        let mut kinds: Vec<String> = open.values().map(|kind| (*kind).to_owned()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }
}

/// What a panicking thread left is whole: every critical section here is one
/// assignment or one count.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
