//! A model's question at every state, whether the clients' history is
//! linearizable, asked of our checker and of stateright's own
//! `LinearizabilityTester`, side by side: `cargo bench -p tribunal-models --bench
//! tester`.
//!
//! 20,000 random histories of each size on a register of three values, by two
//! clients (four operations) to four, each client with one operation at a time,
//! some of them open in the end; in every fourth a read is corrupted. Each is
//! ready in the form that the one who judges it takes. Processor time, the best
//! of five turns; all must agree.
//!
//! | row | what is timed |
//! |---|---|
//! | at once | one verdict on the whole history, by us and by stateright |
//! | by event | the history once more from its first event on, as a model makes it: before each event what judges it is cloned, after each there is a verdict |
//!
//! The bars are of both rows, each against stateright at the same work. How all
//! verdicts by us compare with stateright's last one alone is told beside it.

use std::hint::black_box;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use tribunal_checker::specification::{Register, RegisterCall, RegisterReturn, TimedCall};
use tribunal_checker::{Incremental, is_linearizable_small};

const HISTORIES: usize = 20_000;
const TURNS: usize = 5;

type Call = RegisterCall<u8>;
type Return = RegisterReturn<u8>;

/// The register, as stateright wants it.
#[derive(Clone, Debug)]
struct Held(u8);

impl SequentialSpec for Held {
    type Op = Call;
    type Ret = Return;

    fn invoke(&mut self, call: &Call) -> Return {
        match *call {
            RegisterCall::Read => RegisterReturn::Value(self.0),
            RegisterCall::Write(value) => {
                self.0 = value;
                RegisterReturn::Done
            }
            RegisterCall::Cas { from, to } if from == self.0 => {
                self.0 = to;
                RegisterReturn::Done
            }
            RegisterCall::Cas { .. } => RegisterReturn::Mismatch,
        }
    }
}

/// One history in all forms.
struct History {
    ours: Vec<TimedCall<Call, Return>>,
    theirs: LinearizabilityTester<u8, Held>,
    events: Vec<Event>,
}

/// What happened, to which operation or by which client.
#[derive(Clone, Copy)]
enum Event {
    Invoked(usize, u8, Call),
    Returned(usize, u8, Return),
}

impl History {
    fn ours_at_once(&self) -> bool {
        is_linearizable_small(&Register { initial: 0 }, &self.ours)
    }

    fn theirs_at_once(&self) -> bool {
        self.theirs.is_consistent()
    }

    fn ours_by_event(&self) -> bool {
        let mut judge = Incremental::new(Register { initial: 0 });
        for event in &self.events {
            judge = black_box(judge.clone());
            match *event {
                Event::Invoked(index, _, call) => judge.invoke(index, call),
                Event::Returned(index, _, returned) => _ = judge.complete(index, returned),
            }
            black_box(judge.is_linearizable());
        }
        judge.is_linearizable()
    }

    fn theirs_by_event(&self) -> bool {
        let mut judge = LinearizabilityTester::new(Held(0));
        let mut verdict = true;
        for event in &self.events {
            judge = black_box(judge.clone());
            match *event {
                Event::Invoked(_, client, call) => judge.on_invoke(client, call).map(|_| ()),
                Event::Returned(_, client, it) => judge.on_return(client, it).map(|_| ()),
            }
            .expect("a client with one operation at a time");
            verdict = black_box(judge.is_consistent());
        }
        verdict
    }
}

fn main() {
    for (operations, clients, bar) in [
        (4, 2, Some(4.5)),
        (6, 3, None),
        (8, 4, None),
        (10, 4, Some(50.0)),
    ] {
        side_by_side(operations, clients, bar);
    }
}

fn side_by_side(operations: usize, clients: u8, bar: Option<f64>) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let histories: Vec<History> = (0..HISTORIES)
        .map(|number| history(&mut random, operations, clients, number % 4 == 0))
        .collect();
    let judges: [fn(&History) -> bool; 4] = [
        History::ours_at_once,
        History::theirs_at_once,
        History::ours_by_event,
        History::theirs_by_event,
    ];
    for history in &histories {
        let verdicts = judges.map(|judge| judge(history));
        assert!(
            verdicts.iter().all(|verdict| *verdict == verdicts[0]),
            "{verdicts:?} of {:?}",
            history.ours
        );
    }
    let mut best = [Duration::MAX; 4];
    let mut valid = 0;
    for _ in 0..TURNS {
        for (best, judge) in best.iter_mut().zip(judges) {
            let begun = processor_time();
            valid = black_box(histories.iter().filter(|it| judge(it)).count());
            *best = processor_time().saturating_sub(begun).min(*best);
        }
    }
    let [ours, theirs, ours_by_event, theirs_by_event] =
        best.map(|best| best.as_nanos() as f64 / HISTORIES as f64);
    let bar = bar.map_or(String::new(), |bar| format!(" (bar {bar})"));
    println!("{operations:>2} operations, {clients} clients; {valid} of {HISTORIES} linearizable");
    println!(
        "   at once:  {ours:.0} ns by us, {theirs:.0} ns by stateright, {:.1} times as fast{bar}",
        theirs / ours
    );
    println!(
        "   by event: {ours_by_event:.0} ns by us, {theirs_by_event:.0} ns by stateright, {:.1} \
         times as fast{bar}; {:.1} times as fast as stateright at once",
        theirs_by_event / ours_by_event,
        theirs / ours_by_event
    );
}

/// Processor time that this process has used.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("a clock");
    Duration::from(time)
}

/// What a client is at.
#[derive(Clone)]
enum Client {
    Idle,
    Asked(usize, Call),
    Answered(usize, Return),
}

/// An atomic register is stepped at a random moment within each operation.
fn history(random: &mut ChaCha8Rng, operations: usize, clients: u8, bad: bool) -> History {
    let mut held = Held(0);
    let mut ours: Vec<TimedCall<Call, Return>> = Vec::new();
    let mut theirs = LinearizabilityTester::new(Held(0));
    let mut events = Vec::new();
    let mut at_work = vec![Client::Idle; usize::from(clients)];
    let mut spoiled = !bad;
    for moment in 0.. {
        let client = random.random_range(0..clients);
        let state = &mut at_work[usize::from(client)];
        *state = match state.clone() {
            Client::Idle if ours.len() == operations => break,
            Client::Idle => {
                let call = draw(random);
                theirs.on_invoke(client, call).expect("an idle client");
                ours.push(TimedCall {
                    call,
                    invoked: moment,
                    completed: None,
                });
                let number = ours.len() - 1;
                events.push(Event::Invoked(number, client, call));
                Client::Asked(number, call)
            }
            Client::Asked(number, call) => Client::Answered(number, held.invoke(&call)),
            Client::Answered(number, mut returned) => {
                if let RegisterReturn::Value(value) = &mut returned
                    && !spoiled
                    && number >= operations / 2
                {
                    *value = (*value + 1) % 3;
                    spoiled = true;
                }
                theirs
                    .on_return(client, returned)
                    .expect("a client at work");
                ours[number].completed = Some((moment, returned));
                events.push(Event::Returned(number, client, returned));
                Client::Idle
            }
        };
    }
    History {
        ours,
        theirs,
        events,
    }
}

fn draw(random: &mut ChaCha8Rng) -> Call {
    let value = random.random_range(0..3);
    match random.random_range(0..3) {
        0 => RegisterCall::Read,
        1 => RegisterCall::Write(value),
        _ => RegisterCall::Cas {
            from: value,
            to: random.random_range(0..3),
        },
    }
}
