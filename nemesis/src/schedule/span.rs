//! Lengths of time as a person writes them: `1.25s`, `300ms`, `2m`.
//!
//! Whole milliseconds only, so that reading back what was written gives the
//! same, and no floating point, so that it does so everywhere.

use std::fmt;
use std::time::Duration;

use serde::{Deserializer, Serializer};

/// Shows a length of time in seconds, to the millisecond.
pub struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, ms) = (self.0.as_secs(), self.0.subsec_millis());
        let shown = match ms {
            0 => format!("{whole}s"),
            _ => format!("{whole}.{ms:03}").trim_end_matches('0').to_owned() + "s",
        };
        f.pad(&shown)
    }
}

/// Reads a length of time: a number with up to three decimals and a unit
/// (`ms`, `s`, `m`, `h`). None if it is anything else, or finer than 1 ms.
pub fn parse_span(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u64.pow(fraction.len() as u32);
    let fraction_ms = fraction.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    if fraction_ms % scale != 0 {
        return None;
    }
    let whole_ms = whole.parse::<u64>().ok()?.checked_mul(unit_ms)?;
    whole_ms
        .checked_add(fraction_ms / scale)
        .map(Duration::from_millis)
}

pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Seconds(*span))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    struct Visitor;
    impl serde::de::Visitor<'_> for Visitor {
        type Value = Duration;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a length of time such as \"1.25s\" or \"300ms\", or milliseconds")
        }
        fn visit_u64<E>(self, ms: u64) -> Result<Duration, E> {
            Ok(Duration::from_millis(ms))
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Duration, E> {
            parse_span(text)
                .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
        }
    }
    deserializer.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        for ms in (0..5_000).chain([59_999, 60_000, 3_600_000, 86_399_999]) {
            let span = Duration::from_millis(ms);
            assert_eq!(parse_span(&Seconds(span).to_string()), Some(span));
        }
        assert_eq!(parse_span("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(parse_span("300ms"), Some(Duration::from_millis(300)));
    }

    #[test]
    fn what_is_not_a_span_is_refused() {
        for wrong in [
            "",
            "s",
            "1",
            "-1s",
            "1.s",
            ".5s",
            "1,5s",
            "1.0005s",
            "1 s",
            "1s2",
            "9e3s",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_span(wrong), None, "{wrong}");
        }
    }
}
