//! Clients at work: during the load, and for the final reads.

use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tribunal_impls::adapter::{Client, Completion, Invocation};

use super::trial::Trial;
use crate::workload::REST_AFTER_FAILURE;

/// How far a worker may fall behind its pace before the lost time is let go;
/// otherwise a long fault would be followed by a burst.
const LAG_MAX: Duration = Duration::from_millis(500);

/// How many operations of one worker may be left to finish by themselves.
const STRAYS_MAX: usize = 8;

/// When a worker asks next: at random, with the mean that the campaign's rate
/// gives it, so that workers do not march in step.
pub struct Pace {
    stream: ChaCha8Rng,
    mean: Duration,
    next: Instant,
}

impl Pace {
    /// The pace of one of `workers` that share a rate of operations a second.
    pub fn new(seed: u64, worker: usize, workers: usize, rate: f64) -> Pace {
        let mut stream = ChaCha8Rng::seed_from_u64(seed);
        stream.set_stream(worker as u64);
        Pace {
            stream,
            mean: Duration::from_secs_f64((workers as f64 / rate).min(3600.0)),
            next: Instant::now(),
        }
    }

    fn next(&mut self, now: Instant) -> Instant {
        let factor = self.stream.random_range(0.0..2.0);
        let earliest = now.checked_sub(LAG_MAX).unwrap_or(self.next);
        self.next = self.next.max(earliest) + self.mean.mul_f64(factor);
        self.next
    }
}

/// One worker: asks until it is told to stop. Operations in flight are
/// finished first. A process that saw `info` is retired, and a new one takes
/// its place at the same node.
///
/// An operation that stays open for longer than `patience` is left to finish
/// by itself, while a new process asks on. Otherwise every worker would soon
/// hang on a paused or cut off leader, and nobody would be left to ask its
/// successor, or to ask the old one again when it wakes.
pub async fn work(
    trial: Arc<Trial>,
    worker: usize,
    mut pace: Pace,
    patience: Duration,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut strays = JoinSet::new();
    let mut free = None;
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            () = sleep_until(pace.next(Instant::now())) => {}
        }
        let client = free.take().unwrap_or_else(|| trial.client(worker));
        let invocation = trial.workload().next(worker);
        let mut asking = Box::pin(ask(Arc::clone(&trial), client, invocation.clone()));
        let may_stray = strays.len() < STRAYS_MAX;
        let (client, completion) = tokio::select! {
            asked = &mut asking => asked?,
            () = sleep(patience), if may_stray => {
                strays.spawn(asking);
                continue;
            }
        };
        match completion {
            Completion::Ok(_) | Completion::Refused(_) => free = Some(client),
            Completion::Fail(_) => {
                free = Some(client);
                rest(&trial, &mut stop, &invocation).await;
            }
            Completion::Info(_) => {}
        }
        while let Some(finished) = strays.try_join_next() {
            finished??;
        }
    }
    while let Some(finished) = strays.join_next().await {
        finished??;
    }
    Ok(())
}

/// A process and its client.
type Asker = (u64, Box<dyn Client>);

/// Performs one operation, and lets the workload learn from it.
async fn ask(
    trial: Arc<Trial>,
    (process, mut client): Asker,
    invocation: Invocation,
) -> anyhow::Result<(Asker, Completion)> {
    let completion = trial.perform(process, client.as_mut(), &invocation).await?;
    trial.workload().observe(&invocation, &completion);
    Ok(((process, client), completion))
}

/// After a failure that a system in good health would not have given.
async fn rest(trial: &Trial, stop: &mut watch::Receiver<bool>, invocation: &Invocation) {
    if !trial.entry.refusable.contains(&invocation.f.as_str()) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = sleep(REST_AFTER_FAILURE) => {}
        }
    }
}

/// Reads everything once more through a client of every node. A node that
/// leaves one read unanswered for longer than `limit` is asked no more. For as
/// long as `settles` a read is asked again whose answer shows that the system
/// has not come to rest. The number of reads that stayed unanswered.
pub async fn final_reads(
    trial: &Arc<Trial>,
    limit: Duration,
    settles: Duration,
) -> anyhow::Result<usize> {
    let rests_by = Instant::now() + settles;
    let reads: Arc<[Invocation]> = trial.workload().final_reads().into();
    trial.progress.count_up_to(reads.len() * trial.plans.len());
    let mut nodes = JoinSet::new();
    for place in 0..trial.plans.len() {
        let reads = Arc::clone(&reads);
        let limits = (limit, rests_by);
        nodes.spawn(read_all(Arc::clone(trial), place, reads, limits));
    }
    let mut unanswered = 0;
    while let Some(done) = nodes.join_next().await {
        unanswered += done??;
    }
    Ok(unanswered)
}

async fn read_all(
    trial: Arc<Trial>,
    place: usize,
    reads: Arc<[Invocation]>,
    (limit, rests_by): (Duration, Instant),
) -> anyhow::Result<usize> {
    let (mut process, mut client) = trial.client(place);
    let mut unanswered = reads.len();
    for read in reads.iter() {
        let deadline = Instant::now() + limit;
        loop {
            if Instant::now() >= deadline {
                return Ok(unanswered);
            }
            match trial.perform(process, client.as_mut(), read).await? {
                done @ Completion::Ok(_) => {
                    if trial.workload().is_at_rest(&done) || Instant::now() >= rests_by {
                        break;
                    }
                    sleep(REST_AFTER_FAILURE).await;
                }
                Completion::Fail(_) | Completion::Refused(_) => sleep(REST_AFTER_FAILURE).await,
                Completion::Info(_) => (process, client) = trial.client(place),
            }
        }
        unanswered -= 1;
        trial.progress.count();
    }
    Ok(unanswered)
}

/// Asks for something without effect, off the record, until some node serves.
/// Whether one did before the deadline.
pub async fn serves(trial: &Trial, deadline: Instant) -> bool {
    let probe = trial.workload().probe();
    let mut place = 0;
    loop {
        let (_, mut client) = trial.client(place);
        match timeout_at(deadline, client.invoke(&probe)).await {
            Ok(Completion::Ok(_)) => return true,
            // One that answers at once is not kept from it by the deadline.
            Ok(_) if Instant::now() < deadline => sleep(Duration::from_millis(10)).await,
            Ok(_) | Err(_) => return false,
        }
        place += 1;
    }
}

/// Lets the keys hold what the history's header says, off the record. Why not,
/// if that did not work: then nothing can be said of what clients read.
pub async fn set_up(trial: &Trial, deadline: Instant) -> Result<(), String> {
    let Some(invocation) = trial.workload().set_up() else {
        return Ok(());
    };
    loop {
        let (_, mut client) = trial.client(0);
        let done = timeout_at(deadline, client.invoke(&invocation)).await;
        let why = match done {
            Ok(Completion::Ok(_)) => return Ok(()),
            Ok(Completion::Fail(why) | Completion::Refused(why)) => why,
            // It may still take effect, and so must not be asked for again.
            Ok(Completion::Info(why)) => {
                return Err(format!("whether the keys were set up is not known: {why}"));
            }
            Err(_) => "no answer in time".to_owned(),
        };
        if Instant::now() + REST_AFTER_FAILURE >= deadline {
            return Err(format!("the keys could not be set up: {why}"));
        }
        sleep(REST_AFTER_FAILURE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_keeps_the_rate_of_all_workers_together() {
        let mut pace = Pace::new(1, 0, 10, 500.0);
        let began = Instant::now();
        let last = (0..1_000).fold(began, |last, _| pace.next(last));
        let each = (last - began) / 1_000;
        assert!((Duration::from_millis(19)..Duration::from_millis(21)).contains(&each));
    }

    #[test]
    fn lost_time_is_not_made_up_by_a_burst() {
        let mut pace = Pace::new(1, 0, 1, 100.0);
        let much_later = Instant::now() + Duration::from_secs(60);
        assert!(pace.next(much_later) + LAG_MAX >= much_later);
    }
}
