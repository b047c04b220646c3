//! What is said on stderr while a command computes: one line that renews
//! itself at a terminal, and a line every few seconds anywhere else.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line at a terminal is renewed.
const REDRAW: Duration = Duration::from_millis(200);

/// How often a line is written where there is no terminal.
const REPORT: Duration = Duration::from_secs(5);

/// The line.
pub struct Line {
    terminal: bool,
    next: Instant,
    shown: bool,
}

impl Line {
    /// Nothing is shown of what is over at once.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let mut line = Line {
            terminal,
            next: Instant::now(),
            shown: false,
        };
        line.next += line.period();
        line
    }

    /// Shows where the command stands, if it is time to.
    pub fn show(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + self.period();
        self.shown = true;
        let text = text();
        // Whether anybody reads it does not matter to the command.
        let _ = match self.terminal {
            true => write!(std::io::stderr(), "\r\x1b[K{text}"),
            false => writeln!(std::io::stderr(), "{text}"),
        };
    }

    /// Takes the line away.
    pub fn finish(&mut self) {
        if self.terminal && self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn period(&self) -> Duration {
        if self.terminal { REDRAW } else { REPORT }
    }
}
