//! The kinds of a machine's messages and records, by the names of their
//! variants: `VoteReply { .. }` is a `vote-reply`.
//!
//! Nobody lists them: a value tells its own, and a type tells all that it has
//! to whoever asks to read one.

use std::fmt::{self, Debug, Write};

use serde::Deserializer;
use serde::de::value::Error;
use serde::de::{DeserializeOwned, Visitor};

/// Every kind that a type has, in the order in which it declares them; none
/// for a type that is not an enum.
pub fn kinds<T: DeserializeOwned>() -> Vec<String> {
    let mut variants: &'static [&'static str] = &[];
    // Nothing can be read from a listener; it has heard all the same.
    let _ = T::deserialize(Listener(&mut variants));
    variants.iter().copied().map(kebab).collect()
}

/// The kind of a value of such a type.
pub(super) fn kind_of(value: &impl Debug) -> String {
    let mut name = Name(String::new());
    // Cut short on purpose: the name stands first.
    let _ = write!(name, "{value:?}");
    kebab(&name.0)
}

/// Keeps the identifier that a text begins with, and wants no more of it.
struct Name(String);

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
        self.0 += &text[..end.unwrap_or(text.len())];
        end.map_or(Ok(()), |_| Err(fmt::Error))
    }
}

fn kebab(name: &str) -> String {
    let mut kind = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kind.is_empty() {
            kind.push('-');
        }
        kind.extend(letter.to_lowercase());
    }
    kind
}

/// Takes note of the variants that a type says it may have.
struct Listener<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(serde::de::Error::custom("there is nothing to read"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::raft::{Message, Record};

    use super::*;

    #[test]
    fn a_value_is_of_a_kind_that_its_type_has() {
        let reply = Message::VoteReply {
            term: 1,
            granted: true,
        };
        assert_eq!(kind_of(&reply), "vote-reply");
        assert_eq!(kind_of(&Record::TruncateFrom(7)), "truncate-from");
        assert!(kinds::<Message>().contains(&kind_of(&reply)));
        assert_eq!(
            kinds::<Record>(),
            ["vote", "truncate-from", "append", "snapshot"]
        );
    }

    #[test]
    fn what_is_no_enum_has_no_kinds() {
        assert!(kinds::<u64>().is_empty());
        assert!(kinds::<Vec<Record>>().is_empty());
    }
}
