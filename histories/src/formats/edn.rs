//! EDN, as Clojure prints it: reading value by value, and writing.
//!
//! Our own, because the crates there are take the whole text and make a tree
//! of it beside the events, nest without bound (clojure-reader, edn-format),
//! or read one form (edn-rs).
//!
//! A keyword becomes the text of its name, a set a sorted list. Floats, too
//! large numbers, characters, symbols and tagged literals are no values; they
//! are remembered as such, for what reads the field to refuse or to leave.
//! A map's keys are texts, keywords and whole numbers.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use super::jepsen::Notation;
use super::source::{DEPTH_MAX, Fault, Place, Source, Step, TEXT_MAX, TOKEN_MAX, text, utf8};
use crate::Value;

/// EDN that is being read: maps in a row, or in one list or vector.
pub(super) struct Edn<R> {
    source: Source<R>,
    token: Vec<u8>,
    depth: usize,
    odd: Option<(Place, String)>,
    outer: Outer,
}

/// What the operations stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outer {
    /// Nothing was read yet.
    Unknown,
    /// They stand in a row.
    Row,
    /// In a list that this ends.
    Until(u8),
    /// In a list that has ended.
    Ended,
}

impl<R: Read> Edn<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Edn {
            source,
            token: Vec::new(),
            depth: 0,
            odd: None,
            outer: Outer::Unknown,
        }
    }

    /// The comment that the text begins with, without the semicolons; none if
    /// it is longer than any of ours.
    pub(super) fn first_comment(&mut self) -> Step<Option<String>> {
        if self.source.peek()? != Some(b';') {
            return Ok(None);
        }
        let mut comment = Vec::new();
        while let Some(byte) = self.source.next()?.filter(|&byte| byte != b'\n') {
            if comment.len() < TEXT_MAX {
                comment.push(byte);
            }
        }
        let comment = String::from_utf8_lossy(&comment);
        Ok(Some(comment.trim_start_matches(';').trim().to_owned()))
    }

    /// Whether nothing follows.
    pub(super) fn has_ended(&mut self) -> Step<bool> {
        Ok(self.blank()?.is_none())
    }

    /// Goes to the next byte that says something.
    fn blank(&mut self) -> Step<Option<u8>> {
        loop {
            match self.source.peek()? {
                Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b'\x0c' | b'\x0b') => {
                    self.source.advance()
                }
                Some(b';') => while self.source.next()?.is_some_and(|byte| byte != b'\n') {},
                Some(b'#') if self.source.peek_second()? == Some(b'_') => {
                    self.source.advance();
                    self.source.advance();
                    self.enter()?;
                    self.discard()?;
                    self.depth -= 1;
                }
                other => return Ok(other),
            }
        }
    }

    fn enter(&mut self) -> Step<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let expected = format!("values nested at most {DEPTH_MAX} deep");
            return Err(self.source.expected(expected));
        }
        Ok(())
    }

    /// Remembers the first thing in an operation that is no value.
    fn odd(&mut self, place: Place, found: impl FnOnce() -> String) {
        if self.odd.is_none() {
            let expected = "nil, true, false, a whole number, a string, a keyword, or a list, \
                            set or map of such";
            self.odd = Some((place, format!("{expected}, found {}", found())));
        }
    }

    /// The symbol, keyword or number that begins here, into `token`.
    fn token(&mut self) -> Step<()> {
        self.token.clear();
        self.rest_of_token()
    }

    fn rest_of_token(&mut self) -> Step<()> {
        self.source
            .take_while(&mut self.token, TOKEN_MAX, "a name or number", is_part)
    }

    fn value_here(&mut self, first: u8) -> Step<Value> {
        let place = self.source.place();
        match first {
            b'"' => Ok(Value::Text(self.string()?)),
            b':' => {
                self.token()?;
                let name = utf8(&self.token[1..], place)?;
                if name.is_empty() {
                    return Err(self.source.expected("a keyword's name after the colon"));
                }
                Ok(Value::Text(name.to_owned()))
            }
            b'[' => Ok(Value::List(self.list(b']')?)),
            b'(' => Ok(Value::List(self.list(b')')?)),
            b'{' => self.map(),
            b'#' => self.dispatched(),
            b'\\' => {
                self.source.advance();
                // The character itself may be one that ends other tokens.
                if self.source.next()?.is_some() {
                    self.token()?;
                }
                self.odd(place, || "a character".to_owned());
                Ok(Value::Null)
            }
            b'0'..=b'9' => self.number(),
            b'+' | b'-'
                if self
                    .source
                    .peek_second()?
                    .is_some_and(|it| it.is_ascii_digit()) =>
            {
                self.number()
            }
            _ if is_delimiter(first) => Err(self.source.expected("a value")),
            _ => self.symbol(),
        }
    }

    fn symbol(&mut self) -> Step<Value> {
        let place = self.source.place();
        self.token()?;
        let name = utf8(&self.token, place)?;
        match name {
            "nil" => Ok(Value::Null),
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => {
                let name = name.to_owned();
                self.odd(place, || format!("the symbol {name}"));
                Ok(Value::Text(name))
            }
        }
    }

    fn number(&mut self) -> Step<Value> {
        let place = self.source.place();
        self.token.clear();
        let is_digit = |byte: u8| byte.is_ascii_digit();
        self.source
            .take_while(&mut self.token, TOKEN_MAX, "a name or number", is_digit)?;
        let ends = !self.source.peek()?.is_some_and(is_part);
        if let [first, rest @ ..] = self.token.as_slice()
            && ends
            && rest.len() < 18
            && (*first != b'0' || rest.is_empty())
        {
            let number = |so_far, digit: &u8| so_far * 10 + i64::from(digit - b'0');
            return Ok(Value::Int(self.token.iter().fold(0, number)));
        }
        self.rest_of_token()?;
        let text = utf8(&self.token, place)?;
        // N marks a number that may be large; most are not.
        let digits = text.strip_suffix('N').unwrap_or(text);
        let unsigned = digits.trim_start_matches(['+', '-']);
        let is_whole = unsigned.bytes().all(|byte| byte.is_ascii_digit())
            && (unsigned == "0" || !unsigned.starts_with('0'));
        match digits.parse::<i64>() {
            Ok(number) if is_whole => Ok(Value::Int(number)),
            _ => {
                let text = text.to_owned();
                self.odd(place, || match is_whole {
                    true => format!("{text}, which does not fit 64 bits"),
                    false => format!("the number {text}"),
                });
                Ok(Value::Text(text))
            }
        }
    }

    fn string(&mut self) -> Step<String> {
        let begins = self.source.place();
        let mut bytes = Vec::new();
        self.string_into(&mut bytes)?;
        text(bytes, begins)
    }

    fn string_into(&mut self, bytes: &mut Vec<u8>) -> Step<()> {
        let begins = self.source.place();
        self.source.advance();
        loop {
            let plain = |byte| !matches!(byte, b'"' | b'\\' | b'\n');
            self.source.take_while(bytes, TEXT_MAX, "a string", plain)?;
            match self.source.next()? {
                Some(b'"') => return Ok(()),
                Some(b'\\') => {
                    let place = self.source.place();
                    let escaped = match self.source.next()? {
                        Some(b'n') => '\n',
                        Some(b't') => '\t',
                        Some(b'r') => '\r',
                        Some(b'b') => '\u{8}',
                        Some(b'f') => '\u{c}',
                        Some(byte @ (b'"' | b'\\')) => byte.into(),
                        Some(b'u') => self.source.escaped_unicode()?,
                        _ => {
                            let expected = "one of n t r b f u \" \\ after the backslash";
                            return Err(Fault::At(place, expected.to_owned()));
                        }
                    };
                    bytes.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) => bytes.push(byte),
                None => {
                    let begun = begins.line;
                    let expected = format!("the end of the string that begins on line {begun}");
                    return Err(self.source.expected(expected));
                }
            }
        }
    }

    fn list(&mut self, end: u8) -> Step<Vec<Value>> {
        let begins = self.source.place();
        self.source.advance();
        self.enter()?;
        let mut values = Vec::new();
        while let Some(first) = self.until(end, begins)? {
            values.push(self.value_here(first)?);
        }
        self.depth -= 1;
        Ok(values)
    }

    /// The byte that the next value begins with; none if `end` was there,
    /// which it goes past.
    fn until(&mut self, end: u8, begins: Place) -> Step<Option<u8>> {
        match self.blank()? {
            Some(byte) if byte == end => {
                self.source.advance();
                Ok(None)
            }
            Some(byte) => Ok(Some(byte)),
            None => {
                let (end, line) = (end as char, begins.line);
                let expected = format!("the {end} of what begins on line {line}");
                Err(self.source.expected(expected))
            }
        }
    }

    fn map(&mut self) -> Step<Value> {
        let begins = self.source.place();
        self.source.advance();
        self.enter()?;
        let mut map = BTreeMap::new();
        while let Some(first) = self.until(b'}', begins)? {
            let place = self.source.place();
            let name = match self.value_here(first)? {
                Value::Text(name) => name,
                Value::Int(number) => number.to_string(),
                other => {
                    self.odd(place, || format!("{other} as a key"));
                    other.to_string()
                }
            };
            let Some(first) = self.until(b'}', begins)? else {
                return Err(self.source.expected("a value for the last key of the map"));
            };
            let value = self.value_here(first)?;
            if map.contains_key(&name) {
                self.odd(place, || format!("the key {name} twice"));
            }
            map.insert(name, value);
        }
        self.depth -= 1;
        Ok(Value::Map(map))
    }

    /// A set, or something that is no value: `#tag value`, `##Inf`.
    fn dispatched(&mut self) -> Step<Value> {
        let place = self.source.place();
        self.source.advance();
        match self.source.peek()? {
            Some(b'{') => {
                let mut values = self.list(b'}')?;
                // Clojure prints a set in any order.
                values.sort_unstable();
                Ok(Value::List(values))
            }
            Some(b'#') => {
                self.source.advance();
                self.token()?;
                let name = utf8(&self.token, place)?.to_owned();
                self.odd(place, || format!("##{name}"));
                Ok(Value::Text(name))
            }
            _ => {
                self.token()?;
                let tag = utf8(&self.token, place)?.to_owned();
                self.odd(place, || format!("the tagged literal #{tag}"));
                self.enter()?;
                let value = self.form()?;
                self.depth -= 1;
                Ok(value)
            }
        }
    }

    fn form(&mut self) -> Step<Value> {
        match self.blank()? {
            Some(first) => self.value_here(first),
            None => Err(self.source.expected("a value")),
        }
    }

    /// Reads a value that nobody asks for.
    fn discard(&mut self) -> Step<()> {
        let odd = self.odd.take();
        self.form()?;
        self.odd = odd;
        Ok(())
    }

    /// Past the record's name, `#jepsen.history.Op`, before an operation.
    fn record_name(&mut self) -> Step<Option<u8>> {
        let place = self.source.place();
        self.source.advance();
        self.token()?;
        if !self.token.ends_with(b".Op") {
            let expected = "an operation: a map such as {:process 0, :type :invoke, :f :read}, or \
                            a record #jepsen.history.Op{…}";
            return Err(Fault::At(place, expected.to_owned()));
        }
        self.blank()
    }
}

impl<R: Read> Notation for Edn<R> {
    const SHOWN: &'static str = "a map such as {:process 0, :type :invoke, :f :read, :value nil}";

    fn operation(&mut self) -> Step<Option<Place>> {
        let mut next = self.blank()?;
        if self.outer == Outer::Unknown {
            self.outer = match next {
                Some(b'[') => Outer::Until(b']'),
                Some(b'(') => Outer::Until(b')'),
                _ => Outer::Row,
            };
            if self.outer != Outer::Row {
                self.source.advance();
                next = self.blank()?;
            }
        }
        match (self.outer, next) {
            (Outer::Row | Outer::Ended, None) => return Ok(None),
            (Outer::Ended, Some(_)) => {
                return Err(self.source.expected("nothing after the list of operations"));
            }
            (Outer::Until(end), Some(byte)) if byte == end => {
                self.source.advance();
                self.outer = Outer::Ended;
                return self.operation();
            }
            (Outer::Until(end), None) => {
                let expected = format!("an operation, or the {} of their list", end as char);
                return Err(self.source.expected(expected));
            }
            _ => {}
        }
        let place = self.source.place();
        if next == Some(b'#') {
            next = self.record_name()?;
        }
        if next != Some(b'{') {
            return Err(self.source.expected(Self::SHOWN));
        }
        self.source.advance();
        self.odd = None;
        Ok(Some(place))
    }

    fn field(&mut self, into: &mut Vec<u8>) -> Step<bool> {
        into.clear();
        match self.blank()? {
            Some(b'}') => {
                self.source.advance();
                Ok(false)
            }
            None => Err(self.source.expected("the } of an operation")),
            Some(_) if self.name(into)? => Ok(true),
            Some(first) => {
                // A field of any other name is none of ours.
                let odd = self.odd.take();
                self.value_here(first)?;
                self.odd = odd;
                Ok(true)
            }
        }
    }

    fn value(&mut self) -> Step<Value> {
        self.form()
    }

    fn skip(&mut self) -> Step<()> {
        self.discard()
    }

    fn name(&mut self, into: &mut Vec<u8>) -> Step<bool> {
        into.clear();
        match self.blank()? {
            Some(b':') => {
                self.source.advance();
                self.source.take_while(into, TOKEN_MAX, "a name", is_part)?;
                Ok(true)
            }
            Some(b'"') => {
                self.string_into(into)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn place(&mut self) -> Step<Place> {
        self.blank()?;
        Ok(self.source.place())
    }

    fn odd_mut(&mut self) -> &mut Option<(Place, String)> {
        &mut self.odd
    }
}

/// Whether a symbol, keyword or number goes on with it.
#[inline]
fn is_part(byte: u8) -> bool {
    const PARTS: [bool; 256] = {
        let mut parts = [true; 256];
        let ends = b" \t\n\r\x0b\x0c,()[]{}\";";
        let mut at = 0;
        while at < ends.len() {
            parts[ends[at] as usize] = false;
            at += 1;
        }
        parts
    };
    PARTS[byte as usize]
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'"' | b';')
}

/// Writes a value.
pub(super) fn write(sink: &mut impl Write, value: &Value) -> io::Result<()> {
    match value {
        Value::Null => sink.write_all(b"nil"),
        Value::Bool(value) => write!(sink, "{value}"),
        Value::Int(value) => write!(sink, "{value}"),
        Value::Text(text) => write_text(sink, text),
        Value::List(values) => {
            sink.write_all(b"[")?;
            for (place, value) in values.iter().enumerate() {
                if place > 0 {
                    sink.write_all(b" ")?;
                }
                write(sink, value)?;
            }
            sink.write_all(b"]")
        }
        Value::Map(map) => {
            sink.write_all(b"{")?;
            for (place, (name, value)) in map.iter().enumerate() {
                if place > 0 {
                    sink.write_all(b", ")?;
                }
                // Accounts are called by numbers in Jepsen.
                match name.parse::<i64>() {
                    Ok(number) if number.to_string() == *name => sink.write_all(name.as_bytes())?,
                    _ => write_name(sink, name)?,
                }
                sink.write_all(b" ")?;
                write(sink, value)?;
            }
            sink.write_all(b"}")
        }
    }
}

/// Writes a keyword, or a text where a name cannot be one.
pub(super) fn write_name(sink: &mut impl Write, name: &str) -> io::Result<()> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_?!*+.".contains(&byte);
    let first = name.bytes().next();
    if first.is_some_and(|byte| byte.is_ascii_alphabetic()) && name.bytes().all(is_part) {
        return write!(sink, ":{name}");
    }
    write_text(sink, name)
}

/// Writes a text.
pub(super) fn write_text(sink: &mut impl Write, text: &str) -> io::Result<()> {
    sink.write_all(b"\"")?;
    let mut rest = text;
    while let Some(at) = rest.find(|it: char| it.is_control() || it == '"' || it == '\\') {
        sink.write_all(&rest.as_bytes()[..at])?;
        let special = rest[at..].chars().next().unwrap_or_default();
        match special {
            '"' => sink.write_all(b"\\\"")?,
            '\\' => sink.write_all(b"\\\\")?,
            '\n' => sink.write_all(b"\\n")?,
            '\r' => sink.write_all(b"\\r")?,
            '\t' => sink.write_all(b"\\t")?,
            other => write!(sink, "\\u{:04x}", u32::from(other))?,
        }
        rest = &rest[at + special.len_utf8()..];
    }
    sink.write_all(rest.as_bytes())?;
    sink.write_all(b"\"")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::value::tests::any_value;

    fn edn(text: &str) -> Edn<&[u8]> {
        Edn::new(Source::new(text.as_bytes()))
    }

    /// The value, and what in it is none.
    fn read(text: &str) -> Result<(Value, Option<String>), String> {
        let mut edn = edn(text);
        match edn.value() {
            Ok(value) => Ok((
                value,
                edn.odd
                    .map(|(place, odd)| format!("{}: {odd}", place.column)),
            )),
            Err(Fault::At(place, expected)) => {
                Err(format!("{}:{}: {expected}", place.line, place.column))
            }
            Err(Fault::Io(error)) => Err(error.to_string()),
        }
    }

    fn is(text: &str, json: &str) {
        assert_eq!(read(text), Ok((json_value(json), None)), "{text}");
    }

    fn json_value(json: &str) -> Value {
        serde_json::from_str(json).expect("a value")
    }

    #[test]
    fn values_of_every_kind_are_read() {
        is("nil", "null");
        is(" , true", "true");
        is("-7", "-7");
        is("+7N", "7");
        is("9223372036854775807", "9223372036854775807");
        is(r#""a\"\\\n\u00e9\ud83d\ude00""#, r#""a\"\\\né😀""#);
        is(":append", r#""append""#);
        is(":jepsen/key", r#""jepsen/key""#);
        is("[[:r 1 nil] (:w \"x\" 2)]", r#"[["r",1,null],["w","x",2]]"#);
        is("#{3 1 2}", "[1,2,3]");
        is("{0 10, :b 20 \"c d\" []}", r#"{"0":10,"b":20,"c d":[]}"#);
        is("; a comment\n #_(left #_out) [1 ;2\n 3]", "[1,3]");
    }

    #[test]
    fn what_is_no_value_is_named_with_its_column() {
        let odd = |text: &str| read(text).expect("it can be read").1.expect("it is odd");
        for (text, found) in [
            ("[1 2.5]", "4: the number 2.5"),
            ("1/2", "1: the number 1/2"),
            ("007", "1: the number 007"),
            (
                "99999999999999999999N",
                "1: 99999999999999999999N, which does not fit 64 bits",
            ),
            ("[\\a \\) \\newline]", "2: a character"),
            ("[foo]", "2: the symbol foo"),
            ("[#inst \"2020\"]", "2: the tagged literal #inst"),
            ("##Inf", "1: ##Inf"),
            ("{[1] 2}", "2: [1] as a key"),
            ("{:a 1 \"a\" 2}", "7: the key a twice"),
        ] {
            let said = odd(text);
            let (place, _) = found.split_once(": ").expect("two parts");
            let kept = said.split_once("found ").expect("what was found").1;
            assert_eq!(format!("{place}: {kept}"), found);
            assert!(said.starts_with(place), "{said}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        let refused = |text: &str, expected: expect_test::Expect| {
            expected.assert_eq(&read(text).expect_err("refused"));
        };
        refused("", expect!["1:1: a value"]);
        refused("\n ]", expect!["2:2: a value"]);
        refused("[1\n 2", expect!["2:3: the ] of what begins on line 1"]);
        refused("{:a}", expect!["1:5: a value for the last key of the map"]);
        refused(
            "\"a\nb",
            expect!["2:2: the end of the string that begins on line 1"],
        );
        refused(
            r#""\q""#,
            expect![[r#"1:3: one of n t r b f u " \ after the backslash"#]],
        );
        refused(r#""\ud83d""#, expect![[r"1:4: a character after \u"]]);
        refused(":", expect!["1:2: a keyword's name after the colon"]);
        let deep = "[".repeat(100_000);
        refused(&deep, expect!["1:128: values nested at most 126 deep"]);
        refused(
            &"#_".repeat(100_000),
            expect!["1:255: values nested at most 126 deep"],
        );
        let long = "a".repeat(2_000);
        refused(
            &long,
            expect!["1:1: a name or number of at most 1024 bytes"],
        );
    }

    proptest! {
        #[test]
        fn a_value_that_was_written_is_read_back(value in any_value()) {
            let mut bytes = Vec::new();
            write(&mut bytes, &value).expect("written");
            let text = String::from_utf8(bytes).expect("text");
            prop_assert_eq!(read(&text), Ok((value, None)), "{}", text);
        }
    }
}
