//! Durations and sizes as people type them: `2s`, `500ms`, `5m`, `64MiB`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The units of time, largest last, with their length in nanoseconds.
const TIMES: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// The units of size with their number of bytes.
const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads a duration, such as `2s`, `500ms`, `1.5m` or `1h`; a unit is asked
/// for, since a bare number means seconds to one reader and milliseconds to
/// another.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let nanoseconds = quantity(text, &TIMES, |unit, name| unit == name)
        .ok_or_else(|| format!("expected a duration such as 500ms, 20s, 5m or 1h, not `{text}`"))?;
    Ok(Duration::from_nanos(nanoseconds))
}

/// Reads a size in bytes, such as `64MiB`, `1GiB` or `500MB`; units are taken
/// in any case, and a bare number is one of bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    if let Ok(bytes) = text.trim().parse() {
        return Ok(bytes);
    }
    quantity(text, &SIZES, str::eq_ignore_ascii_case)
        .ok_or_else(|| format!("expected a size such as 64MiB or 1GiB, not `{text}`"))
}

/// A duration as [`parse_duration`] reads it back, in the largest unit that
/// needs no fraction.
pub fn show_duration(duration: Duration) -> String {
    let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let fits = |&&(_, length): &&(&str, u64)| nanoseconds.is_multiple_of(length);
    match TIMES.iter().rev().find(fits) {
        Some((unit, length)) if nanoseconds > 0 => format!("{}{unit}", nanoseconds / length),
        _ => "0s".to_owned(),
    }
}

/// A size as [`parse_size`] reads it back, in the largest unit that needs no
/// fraction.
pub fn show_size(bytes: u64) -> String {
    let fits = |&&(_, length): &&(&str, u64)| bytes > 0 && bytes.is_multiple_of(length);
    match SIZES.iter().filter(fits).max_by_key(|(_, length)| length) {
        Some((unit, length)) => format!("{}{unit}", bytes / length),
        None => "0B".to_owned(),
    }
}

/// Shows a time for people: three digits that matter, with a unit.
pub struct Human(pub Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds {
            s if s < 1e-3 => write!(f, "{:.0} µs", s * 1e6),
            s if s < 0.1 => write!(f, "{:.1} ms", s * 1e3),
            s if s < 1.0 => write!(f, "{:.0} ms", s * 1e3),
            s if s < 120.0 => write!(f, "{s:.1} s"),
            s => write!(f, "{:.0} m {:02.0} s", (s / 60.0).floor(), s % 60.0),
        }
    }
}

/// A duration as flags and campaign files have it: a text such as `20s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

/// A size as flags and campaign files have it: a text such as `1GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Time {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse_duration(text).map(Time)
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        parse_size(text).map(Size)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_duration(self.0))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_size(self.0))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads a whole number within a range, for flags.
pub fn whole<N>(range: RangeInclusive<N>) -> impl Fn(&str) -> Result<N, String> + Clone
where
    N: FromStr + PartialOrd + fmt::Display + Clone,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (least, most) = (range.start(), range.end());
            format!("expected a whole number from {least} to {most}, not `{text}`")
        })
    }
}

/// The number in front of a unit, in the smallest unit; `None` where the text
/// is no such thing, or more than fits.
fn quantity(text: &str, units: &[(&str, u64)], same: fn(&str, &str) -> bool) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(at);
    let (_, length) = units
        .iter()
        .find(|(name, _)| same(unit.trim_start(), name))?;
    match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(*length),
        Err(_) => {
            let product = number.parse::<f64>().ok()? * *length as f64;
            (product < 9e18).then_some(product.round() as u64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_needs_a_number_and_a_unit() {
        let read = |text| parse_duration(text).ok().map(|d| d.as_millis());
        assert_eq!(read("2s"), Some(2_000));
        assert_eq!(read("500ms"), Some(500));
        assert_eq!(read("1.5m"), Some(90_000));
        assert_eq!(read("1h"), Some(3_600_000));
        for wrong in [
            "abc",
            "12",
            "",
            "s",
            "-3s",
            "3 weeks",
            "1e9h",
            "99999999999h",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_number_out_of_its_range_is_refused_with_the_range() {
        let read = whole(1..=64_u8);
        assert_eq!(read("64"), Ok(64));
        for wrong in ["0", "65", "-1", "1.5", "abc", "", "99999999999999999999"] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains("from 1 to 64"), "{error}");
        }
    }

    #[test]
    fn a_size_takes_both_kinds_of_units() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1gib"), Ok(1 << 30));
        assert_eq!(parse_size("1.5GB"), Ok(1_500_000_000));
        assert_eq!(parse_size("4096"), Ok(4096));
        assert!(parse_size("many").unwrap_err().contains("64MiB"));
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in ["20s", "500ms", "5m", "1h", "1500us"] {
            assert_eq!(show_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(show_duration(Duration::ZERO), "0s");
        for text in ["64MiB", "1GiB", "1500B"] {
            assert_eq!(show_size(parse_size(text).unwrap()), text);
        }
    }
}
