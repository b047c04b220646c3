//! Jepsen's operations as JSON: objects in a row, or in one array.
//!
//! Read byte by byte like [EDN](super::edn), since a parser that takes a whole
//! array would hold it beside the events. Numbers that are not whole or do not
//! fit 64 bits are no values, and are remembered as such.

use std::collections::BTreeMap;
use std::io::Read;

use super::jepsen::Notation;
use super::source::{DEPTH_MAX, Fault, Place, Source, Step, TEXT_MAX, TOKEN_MAX, text, utf8};
use crate::Value;

/// JSON that is being read.
pub(super) struct Json<R> {
    source: Source<R>,
    token: Vec<u8>,
    depth: usize,
    odd: Option<(Place, String)>,
    outer: Outer,
    /// Whether the operation that is read has had a field.
    has_field: bool,
}

/// What the operations stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outer {
    /// Nothing was read yet.
    Unknown,
    /// They stand in a row.
    Row,
    /// In an array, none of it read yet.
    Begun,
    /// In an array.
    Array,
    /// In an array that has ended.
    Ended,
}

impl<R: Read> Json<R> {
    pub(super) fn new(source: Source<R>) -> Self {
        Json {
            source,
            token: Vec::new(),
            depth: 0,
            odd: None,
            outer: Outer::Unknown,
            has_field: false,
        }
    }

    /// Goes to the next byte that says something.
    fn blank(&mut self) -> Step<Option<u8>> {
        loop {
            match self.source.peek()? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.source.advance(),
                other => return Ok(other),
            }
        }
    }

    fn value_here(&mut self, first: Option<u8>) -> Step<Value> {
        match first {
            Some(b'"') => Ok(Value::Text(self.string()?)),
            Some(b'[') => self.array(),
            Some(b'{') => self.object(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'a'..=b'z') => {
                let place = self.source.place();
                self.token(|byte| byte.is_ascii_alphanumeric())?;
                match self.token.as_slice() {
                    b"null" => Ok(Value::Null),
                    b"true" => Ok(Value::Bool(true)),
                    b"false" => Ok(Value::Bool(false)),
                    _ => Err(Fault::At(place, "a JSON value".to_owned())),
                }
            }
            _ => Err(self.source.expected("a JSON value")),
        }
    }

    fn token(&mut self, is_part: impl Fn(u8) -> bool) -> Step<()> {
        self.token.clear();
        self.source
            .take_while(&mut self.token, TOKEN_MAX, "a number", is_part)
    }

    fn number(&mut self) -> Step<Value> {
        let place = self.source.place();
        self.token(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))?;
        let number = utf8(&self.token, place)?;
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        if let Ok(whole) = number.parse()
            && (unsigned == "0" || !unsigned.starts_with('0'))
        {
            return Ok(Value::Int(whole));
        }
        // What is no number in JSON is none here.
        if serde_json::from_str::<serde_json::Number>(number).is_err() {
            return Err(Fault::At(place, format!("a number, found {number}")));
        }
        if self.odd.is_none() {
            let expected = format!("a whole number of 64 bits, found {number}");
            self.odd = Some((place, expected));
        }
        Ok(Value::Text(number.to_owned()))
    }

    fn string(&mut self) -> Step<String> {
        let begins = self.source.place();
        let mut bytes = Vec::new();
        self.string_into(&mut bytes)?;
        text(bytes, begins)
    }

    fn string_into(&mut self, bytes: &mut Vec<u8>) -> Step<()> {
        self.source.advance();
        loop {
            let plain = |byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
            self.source.take_while(bytes, TEXT_MAX, "a string", plain)?;
            match self.source.peek()? {
                Some(b'"') => {
                    self.source.advance();
                    return Ok(());
                }
                Some(b'\\') => {
                    self.source.advance();
                    let escaped = self.escaped()?;
                    bytes.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(self.source.expected("the end of a string")),
            }
        }
    }

    fn escaped(&mut self) -> Step<char> {
        let place = self.source.place();
        Ok(match self.source.next()? {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/')) => byte.into(),
            Some(b'u') => return self.source.escaped_unicode(),
            _ => {
                let expected = "one of n t r b f u \" \\ / after the backslash";
                return Err(Fault::At(place, expected.to_owned()));
            }
        })
    }

    fn enter(&mut self) -> Step<()> {
        self.source.advance();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let expected = format!("values nested at most {DEPTH_MAX} deep");
            return Err(self.source.expected(expected));
        }
        Ok(())
    }

    /// The byte that the next of several begins with; none if `end` was
    /// there, which it goes past.
    fn until(&mut self, end: u8, is_first: bool) -> Step<Option<u8>> {
        let next = self.blank()?;
        if next == Some(end) {
            self.source.advance();
            return Ok(None);
        }
        if is_first {
            return Ok(next);
        }
        if next != Some(b',') {
            let expected = format!("a comma or the {} that ends it", end as char);
            return Err(self.source.expected(expected));
        }
        self.source.advance();
        match self.blank()? {
            Some(byte) if byte != end => Ok(Some(byte)),
            _ => Err(self.source.expected("another value after the comma")),
        }
    }

    fn array(&mut self) -> Step<Value> {
        self.enter()?;
        let mut values = Vec::new();
        while let Some(first) = self.until(b']', values.is_empty())? {
            values.push(self.value_here(Some(first))?);
        }
        self.depth -= 1;
        Ok(Value::List(values))
    }

    fn object(&mut self) -> Step<Value> {
        self.enter()?;
        let mut map = BTreeMap::new();
        while let Some(first) = self.until(b'}', map.is_empty())? {
            let place = self.source.place();
            let mut name = Vec::new();
            self.field_name(first, &mut name)?;
            let name = text(name, place)?;
            let value = self.value()?;
            if map.contains_key(&name) {
                return Err(Fault::At(
                    place,
                    format!("each field once, found {name} again"),
                ));
            }
            map.insert(name, value);
        }
        self.depth -= 1;
        Ok(Value::Map(map))
    }

    /// A name and its colon.
    fn field_name(&mut self, first: u8, into: &mut Vec<u8>) -> Step<()> {
        if first != b'"' {
            return Err(self.source.expected("a field's name in double quotes"));
        }
        self.string_into(into)?;
        if self.blank()? != Some(b':') {
            return Err(self.source.expected("a colon after the field's name"));
        }
        self.source.advance();
        Ok(())
    }
}

impl<R: Read> Notation for Json<R> {
    const SHOWN: &'static str =
        r#"an object such as {"process":0,"type":"invoke","f":"read","value":null}"#;

    fn operation(&mut self) -> Step<Option<Place>> {
        if self.outer == Outer::Unknown {
            self.outer = match self.blank()? {
                Some(b'[') => {
                    self.source.advance();
                    Outer::Begun
                }
                _ => Outer::Row,
            };
        }
        let next = match self.outer {
            Outer::Begun | Outer::Array => {
                let next = self.until(b']', self.outer == Outer::Begun)?;
                self.outer = match next {
                    Some(_) => Outer::Array,
                    None => Outer::Ended,
                };
                next
            }
            _ => None,
        };
        let next = match next {
            Some(byte) => Some(byte),
            None => self.blank()?,
        };
        match next {
            None if self.outer != Outer::Begun && self.outer != Outer::Array => Ok(None),
            Some(_) if self.outer == Outer::Ended => Err(self
                .source
                .expected("nothing after the array of operations")),
            Some(b'{') => {
                let place = self.source.place();
                self.source.advance();
                self.odd = None;
                self.has_field = false;
                Ok(Some(place))
            }
            _ => Err(self.source.expected(Self::SHOWN)),
        }
    }

    fn field(&mut self, into: &mut Vec<u8>) -> Step<bool> {
        into.clear();
        let Some(first) = self.until(b'}', !self.has_field)? else {
            return Ok(false);
        };
        self.has_field = true;
        self.field_name(first, into)?;
        Ok(true)
    }

    fn value(&mut self) -> Step<Value> {
        let first = self.blank()?;
        self.value_here(first)
    }

    fn skip(&mut self) -> Step<()> {
        let odd = self.odd.take();
        self.value()?;
        self.odd = odd;
        Ok(())
    }

    fn name(&mut self, into: &mut Vec<u8>) -> Step<bool> {
        into.clear();
        if self.blank()? != Some(b'"') {
            return Ok(false);
        }
        self.string_into(into)?;
        Ok(true)
    }

    fn place(&mut self) -> Step<Place> {
        self.blank()?;
        Ok(self.source.place())
    }

    fn odd_mut(&mut self) -> &mut Option<(Place, String)> {
        &mut self.odd
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::value::tests::any_value;

    fn read(text: &str) -> Result<(Value, bool), String> {
        let mut json = Json::new(Source::new(text.as_bytes()));
        match json.value() {
            Ok(value) => Ok((value, json.odd.is_some())),
            Err(Fault::At(place, expected)) => {
                Err(format!("{}:{}: {expected}", place.line, place.column))
            }
            Err(Fault::Io(error)) => Err(error.to_string()),
        }
    }

    #[test]
    fn numbers_that_are_no_values_are_remembered() {
        for text in ["1.5", "1e3", "9223372036854775808"] {
            assert_eq!(read(text), Ok((Value::Text(text.to_owned()), true)));
        }
        assert_eq!(read("-0"), Ok((Value::Int(0), false)));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        let refused = |text: &str, expected: expect_test::Expect| {
            expected.assert_eq(&read(text).expect_err("refused"));
        };
        refused("", expect!["1:1: a JSON value"]);
        refused("nul", expect!["1:1: a JSON value"]);
        refused("01", expect!["1:1: a number, found 01"]);
        refused("[1\n 2]", expect!["2:2: a comma or the ] that ends it"]);
        refused("[1,]", expect!["1:4: another value after the comma"]);
        refused("{1:2}", expect!["1:2: a field's name in double quotes"]);
        refused("{\"a\" 2}", expect!["1:6: a colon after the field's name"]);
        refused(
            "{\"a\":1,\"a\":2}",
            expect!["1:8: each field once, found a again"],
        );
        refused("\"a\nb\"", expect!["1:3: the end of a string"]);
        let deep = "[".repeat(100_000);
        refused(&deep, expect!["1:128: values nested at most 126 deep"]);
    }

    proptest! {
        #[test]
        fn a_value_is_read_as_serde_json_reads_it(value in any_value()) {
            prop_assert_eq!(read(&value.to_string()), Ok((value, false)));
        }
    }
}
