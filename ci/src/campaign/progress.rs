//! What a campaign says on stderr while it runs: one line that renews itself
//! at a terminal, and a line every few seconds anywhere else.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::meter::Counts;

/// How often the line at a terminal is renewed.
const REDRAW: Duration = Duration::from_millis(200);

/// How often a line is written where there is no terminal.
const REPORT: Duration = Duration::from_secs(5);

/// The live display of one run.
pub struct Progress {
    bar: ProgressBar,
    terminal: bool,
    began: Instant,
    state: Mutex<State>,
}

struct State {
    phase: String,
    /// How many of how many parts of the phase are done, if it has parts.
    done: Option<(usize, usize)>,
    open_faults: BTreeMap<u64, String>,
    shown: Instant,
    shown_counts: Counts,
}

impl Progress {
    /// A display that begins now.
    pub fn new() -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template("{spinner} {msg}");
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        let now = Instant::now();
        Progress {
            bar,
            terminal,
            began: now,
            state: Mutex::new(State::new(now)),
        }
    }

    /// How long to wait between two calls of [`Progress::tick`].
    pub fn period(&self) -> Duration {
        if self.terminal { REDRAW } else { REPORT }
    }

    /// A phase begins.
    pub fn phase(&self, name: &str) {
        self.state().enter(name);
        if self.terminal {
            self.bar.set_message(format!(
                "{:>6.1} s  {name}",
                self.began.elapsed().as_secs_f64()
            ));
            self.bar.tick();
        } else {
            self.say(name);
        }
    }

    /// The phase has so many parts.
    pub fn count_up_to(&self, parts: usize) {
        self.state().done = Some((0, parts));
    }

    /// One of them is done.
    pub fn count(&self) {
        if let Some((done, _)) = &mut self.state().done {
            *done += 1;
        }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        let line = format!("{:>6.1} s  {line}", self.began.elapsed().as_secs_f64());
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// A fault was installed.
    pub fn fault_opens(&self, id: u64, shown: String) {
        self.state().open_faults.insert(id, shown);
    }

    /// A fault was healed.
    pub fn fault_closes(&self, id: u64) {
        self.state().open_faults.remove(&id);
    }

    /// Shows where the run stands, with rates since the last time.
    pub fn tick(&self, counts: Counts) {
        let line = self.state().line(counts, self.began.elapsed());
        if self.terminal {
            self.bar.set_message(line);
            self.bar.tick();
        } else {
            eprintln!("{line}");
        }
    }

    /// The display is taken away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(now: Instant) -> State {
        State {
            phase: String::new(),
            done: None,
            open_faults: BTreeMap::new(),
            shown: now,
            shown_counts: Counts::default(),
        }
    }

    fn enter(&mut self, phase: &str) {
        phase.clone_into(&mut self.phase);
        self.done = None;
    }

    /// The phase, and how far it is: `final reads 250 of 1000`.
    fn place(&self) -> String {
        match self.done {
            Some((done, of)) => format!("{} {done} of {of}", self.phase),
            None => self.phase.clone(),
        }
    }

    fn line(&mut self, counts: Counts, elapsed: Duration) -> String {
        let since = self.shown.elapsed().as_secs_f64().max(1e-3);
        let rate = |now: u64, before: u64| (now.saturating_sub(before)) as f64 / since;
        let before = std::mem::replace(&mut self.shown_counts, counts);
        self.shown = Instant::now();
        let faults = match self.open_faults.is_empty() {
            true => "no fault open".to_owned(),
            false => self
                .open_faults
                .values()
                .cloned()
                .collect::<Vec<_>>()
                .join(", "),
        };
        format!(
            "{:>6.1} s  {}  {} operations  ok {:.0}/s  fail {:.0}/s  info {:.0}/s  {faults}",
            elapsed.as_secs_f64(),
            self.place(),
            counts.total(),
            rate(counts.ok, before.ok),
            rate(counts.fail, before.fail),
            rate(counts.info, before.info),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_of_many_parts_says_how_many_are_done() {
        let mut state = State::new(Instant::now());
        let line = |state: &mut State| state.line(Counts::default(), Duration::ZERO);
        state.enter("final reads");
        assert!(line(&mut state).contains("final reads  0 operations"));
        state.done = Some((250, 1000));
        assert!(line(&mut state).contains("final reads 250 of 1000  "));
        state.enter("digests");
        assert!(line(&mut state).contains("  digests  "));
    }
}
