//! Raft with one crash in the interned form and in the plain one, side by
//! side: `cargo bench -p tribunal-models`, behind `--` with `atomic` or
//! `staged` for one granularity, and `interned` or `plain` for one form. (With
//! the two crashes that are shipped the plain form takes gigabytes.)
//!
//! Each row is a process of its own, so that none inherits another's memory.
//! It first explores a few hundred states: what the program itself takes, such
//! as its code, is there before anything is measured. CPU time is that of all
//! threads; bytes for each unique state are the most that the process ever
//! held beyond what it held then.

use std::ops::ControlFlow;
use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tribunal_models::raft::RaftSystem;
use tribunal_models::report::Verdict;
use tribunal_models::search::Order;
use tribunal_models::watch::resident;
use tribunal_models::{CheckOptions, Granularity, Limit, ModelSystem, check};

/// What a row explores with.
#[derive(Clone, Copy, PartialEq)]
struct Row {
    interned: bool,
    order: Order,
    threads: usize,
}

const PLAIN_BREADTH_FIRST: Row = Row {
    interned: false,
    order: Order::BreadthFirst,
    threads: 1,
};

/// The reference first.
const ROWS: [Row; 5] = [
    PLAIN_BREADTH_FIRST,
    Row {
        order: Order::DepthFirst,
        ..PLAIN_BREADTH_FIRST
    },
    Row {
        interned: true,
        ..PLAIN_BREADTH_FIRST
    },
    Row {
        interned: true,
        order: Order::DepthFirst,
        threads: 1,
    },
    Row {
        interned: true,
        order: Order::DepthFirst,
        threads: 2,
    },
];

const GRANULARITIES: [Granularity; 2] = [Granularity::Atomic, Granularity::Staged];

/// What a process says of its row, in words on one line.
#[derive(Clone, Copy)]
struct Figures {
    generated: u64,
    unique: u64,
    cpu: Duration,
    elapsed: Duration,
    bytes: u64,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let given = |word: &str| words.iter().any(|given| given == word);
    if let Some(place) = words.iter().position(|word| word == "--row") {
        let place = |offset: usize| words[place + offset].parse::<usize>().expect("a place");
        explore(GRANULARITIES[place(1)], ROWS[place(2)]);
        return ExitCode::SUCCESS;
    }
    let mut agree = true;
    for (at, granularity) in GRANULARITIES.into_iter().enumerate() {
        let others = GRANULARITIES.iter().filter(|other| **other != granularity);
        if others.into_iter().any(|other| given(other.name())) && !given(granularity.name()) {
            continue;
        }
        println!(
            "\nraft, 2 elections, 1 operation, 1 crash, {}",
            granularity.name()
        );
        println!(
            "{:9} {:14} {:>7} {:>11} {:>11} {:>8} {:>8} {:>12} {:>8} {:>13}",
            "form",
            "order",
            "threads",
            "generated",
            "unique",
            "CPU s",
            "wall s",
            "unique/CPU s",
            "relative",
            "bytes/unique"
        );
        let mut reference = None;
        for (place, row) in ROWS.into_iter().enumerate() {
            let form = if row.interned { "interned" } else { "plain" };
            if (given("interned") || given("plain")) && !given(form) {
                continue;
            }
            let figures = apart(at, place);
            let first = *reference.get_or_insert(figures);
            agree &= (first.generated, first.unique) == (figures.generated, figures.unique);
            println!("{}", line(row, form, figures, first));
        }
    }
    if agree {
        return ExitCode::SUCCESS;
    }
    eprintln!("the forms do not agree on the states");
    ExitCode::FAILURE
}

/// Explores, and prints the figures.
fn explore(granularity: Granularity, row: Row) {
    let bounds = RaftSystem::default_bounds().with(Limit::Crashes, 1);
    let explore = |bounds| {
        let options = CheckOptions {
            granularity,
            order: row.order,
            threads: row.threads,
            interned: row.interned,
            ..CheckOptions::new(bounds)
        };
        let report = check::check::<RaftSystem>(&options, &mut |_| ControlFlow::Continue(()))
            .expect("a check");
        assert_eq!(report.verdict, Verdict::Valid);
        report
    };
    explore(bounds.with(Limit::Elections, 1).with(Limit::Operations, 0));
    let (before, cpu_before) = (resident().unwrap_or_default(), cpu());
    let report = explore(bounds);
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("figures of this process");
    let peak = usage.max_rss() as u64 * 1024;
    println!(
        "{} {} {} {} {}",
        report.states_generated,
        report.states_unique,
        cpu() - cpu_before,
        report.time.as_micros(),
        peak.saturating_sub(before)
    );
}

/// Microseconds of CPU time that this process has taken.
fn cpu() -> i64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("figures of this process");
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

/// The figures of a row, explored by a process of its own.
fn apart(granularity: usize, row: usize) -> Figures {
    let program = std::env::current_exe().expect("the name of this program");
    let output = Command::new(program)
        .args(["--row", &granularity.to_string(), &row.to_string()])
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    let words = said.split_whitespace().map(str::parse::<u64>);
    let figures: Result<Vec<u64>, _> = words.collect();
    let Ok([generated, unique, cpu, elapsed, bytes]) = figures.as_deref() else {
        panic!("no figures: {said}{complaint}");
    };
    Figures {
        generated: *generated,
        unique: *unique,
        cpu: Duration::from_micros(*cpu),
        elapsed: Duration::from_micros(*elapsed),
        bytes: *bytes,
    }
}

fn line(row: Row, form: &str, figures: Figures, reference: Figures) -> String {
    let order = match row.order {
        Order::DepthFirst => "depth-first",
        Order::BreadthFirst => "breadth-first",
    };
    let rate = |figures: Figures| figures.unique as f64 / figures.cpu.as_secs_f64();
    format!(
        "{form:9} {order:14} {:>7} {:>11} {:>11} {:>8.2} {:>8.2} {:>12.0} {:>7.2}x {:>13.1}",
        row.threads,
        figures.generated,
        figures.unique,
        figures.cpu.as_secs_f64(),
        figures.elapsed.as_secs_f64(),
        rate(figures),
        rate(figures) / rate(reference),
        figures.bytes as f64 / figures.unique as f64
    )
}
