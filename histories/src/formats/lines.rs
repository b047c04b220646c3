//! The lines of a file, one after the other.

use std::io::{BufRead, Read};

use super::source::{Fault, Place, Step};

/// How long a line may be, in bytes.
const LINE_MAX: usize = 1 << 24;

/// The lines of a source, blank ones left out.
pub(super) struct Lines<R> {
    source: R,
    /// The number of the line, from 1.
    pub(super) number: usize,
    /// What stands on it, with its newline if it has one.
    pub(super) line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Lines {
            source,
            number: 0,
            line: Vec::new(),
        }
    }

    /// Goes to the next line; false at the end.
    pub(super) fn next(&mut self) -> Step<bool> {
        loop {
            self.line.clear();
            let mut limited = (&mut self.source).take(LINE_MAX as u64 + 1);
            let count = limited.read_until(b'\n', &mut self.line)?;
            self.number += 1;
            if count == 0 {
                return Ok(false);
            }
            if count > LINE_MAX {
                return Err(self.expected(1, format!("a line of at most {LINE_MAX} bytes")));
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// What stands on the line, as text.
    pub(super) fn text(&self) -> Step<&str> {
        std::str::from_utf8(&self.line)
            .map_err(|error| self.expected(error.valid_up_to() + 1, "text in UTF-8".to_owned()))
    }

    /// That something should have stood in a column of the line.
    pub(super) fn expected(&self, column: usize, expected: String) -> Fault {
        let line = self.number;
        Fault::At(Place { line, column }, expected)
    }
}

/// The words of a line, each with its column in bytes, from 1.
pub(super) fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split_ascii_whitespace()
        .map(|word| (word.as_ptr() as usize - line.as_ptr() as usize + 1, word))
}
