//! The bytes of a file, one after the other, with the place of each.
//!
//! A buffer of a fixed size is all that is held of the text.

use std::io::{self, Read};

/// How deep lists and maps may be nested: as deep as JSON Lines hold them.
pub(super) const DEPTH_MAX: usize = 126;
/// How long a text may be, in bytes.
pub(super) const TEXT_MAX: usize = 1 << 24;
/// How long a number, a name or a symbol may be, in bytes.
pub(super) const TOKEN_MAX: usize = 1 << 10;

/// How much is read at once, in bytes.
const BUFFER: usize = 1 << 16;

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in bytes, from 1.
    pub column: usize,
}

/// Why reading ended.
#[derive(Debug)]
pub(super) enum Fault {
    /// The source could not be read.
    Io(io::Error),
    /// Something else should have stood there.
    At(Place, String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

/// What a step of reading comes to.
pub(super) type Step<T> = Result<T, Fault>;

/// Bytes that are being read.
pub(super) struct Source<R> {
    reader: R,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    /// How many bytes there were before the buffer's first.
    before: usize,
    line: usize,
    /// How many bytes there were before the line's first.
    line_begins: usize,
}

impl Source<io::Empty> {
    /// A part of a line that was read already and begins at `place`.
    pub(super) fn of_line(part: &[u8], place: Place) -> Self {
        Source {
            reader: io::empty(),
            buffer: part.into(),
            at: 0,
            end: part.len(),
            before: place.column - 1,
            line: place.line,
            line_begins: 0,
        }
    }
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Source {
            reader,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            at: 0,
            end: 0,
            before: 0,
            line: 1,
            line_begins: 0,
        }
    }

    /// Where the next byte stands.
    pub(super) fn place(&self) -> Place {
        Place {
            line: self.line,
            column: self.before + self.at - self.line_begins + 1,
        }
    }

    /// The next byte, which stays where it is.
    #[inline]
    pub(super) fn peek(&mut self) -> Step<Option<u8>> {
        if self.at == self.end && !self.fill()? {
            return Ok(None);
        }
        Ok(Some(self.buffer[self.at]))
    }

    /// The byte after the next one.
    pub(super) fn peek_second(&mut self) -> Step<Option<u8>> {
        while self.end - self.at < 2 {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.at + 1]))
    }

    /// Goes past the byte that was seen.
    #[inline]
    pub(super) fn advance(&mut self) {
        if self.buffer[self.at] == b'\n' {
            self.line += 1;
            self.line_begins = self.before + self.at + 1;
        }
        self.at += 1;
    }

    /// The next byte, gone past.
    pub(super) fn next(&mut self) -> Step<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.advance();
        }
        Ok(byte)
    }

    /// Adds the bytes up to the first that is not `wanted` to `into`; none of
    /// the wanted may end a line. At most `max` are there then.
    #[inline]
    pub(super) fn take_while(
        &mut self,
        into: &mut Vec<u8>,
        max: usize,
        what: &str,
        wanted: impl Fn(u8) -> bool,
    ) -> Step<()> {
        loop {
            let rest = &self.buffer[self.at..self.end];
            let count = rest.iter().take_while(|&&byte| wanted(byte)).count();
            if into.len() + count > max {
                return Err(self.expected(format!("{what} of at most {max} bytes")));
            }
            into.extend_from_slice(&rest[..count]);
            self.at += count;
            if self.at < self.end || !self.fill()? {
                return Ok(());
            }
        }
    }

    /// That something should have stood here.
    pub(super) fn expected(&self, expected: impl Into<String>) -> Fault {
        Fault::At(self.place(), expected.into())
    }

    /// Reads more, behind what is still there; whether there was more.
    fn fill(&mut self) -> Step<bool> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.before += self.at;
        self.end -= self.at;
        self.at = 0;
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io(error)),
            }
        }
    }

    /// Reads four hexadecimal digits, and a second unit where the first is
    /// half a character, after `\u`.
    pub(super) fn escaped_unicode(&mut self) -> Step<char> {
        let place = self.place();
        let first = self.unit()?;
        let code = match first {
            0xD800..0xDC00 => {
                let follows = self.next()? == Some(b'\\') && self.next()? == Some(b'u');
                let second = if follows { self.unit()? } else { 0 };
                match second {
                    0xDC00..0xE000 => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    _ => first,
                }
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| Fault::At(place, "a character after \\u".to_owned()))
    }

    fn unit(&mut self) -> Step<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek()?.and_then(|byte| (byte as char).to_digit(16));
            let digit = digit.ok_or_else(|| self.expected("four hexadecimal digits after \\u"))?;
            self.advance();
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }
}

/// The text that bytes are, which begin at `place`.
pub(super) fn utf8(bytes: &[u8], place: Place) -> Step<&str> {
    std::str::from_utf8(bytes).map_err(|_| Fault::At(place, "text in UTF-8".to_owned()))
}

/// The same, kept.
pub(super) fn text(bytes: Vec<u8>, place: Place) -> Step<String> {
    String::from_utf8(bytes).map_err(|_| Fault::At(place, "text in UTF-8".to_owned()))
}
