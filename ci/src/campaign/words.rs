//! Words that campaigns are described with, beside those of the nemesis.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tribunal_impls::settings::Chosen;
use tribunal_nemesis::{FaultKind, Target};

use crate::units::Time;

/// A list as flags have it, `kill,pause`, and as files have it, `["kill", "pause"]`;
/// `none` and `[]` are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let words: Vec<String> = self.0.iter().map(T::to_string).collect();
        f.write_str(&words.join(","))
    }
}

impl<T: FromStr<Err: fmt::Display> + PartialEq> FromStr for List<T> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut list = Vec::new();
        if text == "none" {
            return Ok(List(list));
        }
        for word in text.split(',').map(str::trim) {
            let item = word.parse().map_err(|error: T::Err| error.to_string())?;
            if !list.contains(&item) {
                list.push(item);
            }
        }
        Ok(List(list))
    }
}

/// How nodes are linked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Net {
    /// The first kind that can do every fault asked for.
    #[default]
    Auto,
    /// A stream proxy for every ordered pair of nodes; needs no privilege.
    Proxy,
}

/// Whom a kind of fault may hit: `leader`, or for one kind only, `kill:leader`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aim {
    /// Which kind; all that hit processes where not given.
    pub fault: Option<FaultKind>,
    /// Whom.
    pub target: Target,
}

impl Aim {
    /// Which kinds of fault it is about.
    pub fn kinds(&self) -> Vec<FaultKind> {
        let all = || FaultKind::ON_PROCESSES.to_vec();
        self.fault.map_or_else(all, |kind| vec![kind])
    }
}

impl FromStr for Aim {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (fault, target) = match text.split_once(':') {
            Some((fault, target)) => (Some(fault), target),
            None => (None, text),
        };
        let fault = fault
            .map(str::parse)
            .transpose()
            .map_err(|error: <FaultKind as FromStr>::Err| error.to_string())?;
        if fault == Some(FaultKind::Partition) {
            return Err("a partition has shapes, not targets".to_owned());
        }
        let target = target
            .parse()
            .map_err(|error: <Target as FromStr>::Err| error.to_string())?;
        if let Some(kind) = fault.filter(|kind: &FaultKind| !kind.targets().contains(&target)) {
            let allowed = List(kind.targets().to_vec());
            return Err(format!("a {kind} may hit {allowed}, not {target}"));
        }
        Ok(Aim { fault, target })
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Some(fault) => write!(f, "{fault}:{}", self.target),
            None => self.target.fmt(f),
        }
    }
}

/// Something chosen of a system's own, `window=8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    name: String,
    value: String,
}

impl Choice {
    /// All of them; the last counts where a name comes twice.
    pub fn settings(choices: &[Choice]) -> Chosen {
        let pair = |choice: &Choice| (choice.name.clone(), choice.value.clone());
        choices.iter().map(pair).collect()
    }
}

impl FromStr for Choice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Choice {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(format!("expected NAME=VALUE, not `{text}`")),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A length of time, for every kind of fault or for one: `2s`, `partition:5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paced {
    /// For which kind; all that have no own where not given.
    pub fault: Option<FaultKind>,
    /// How long.
    pub time: Time,
}

impl FromStr for Paced {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (fault, time) = match text.split_once(':') {
            Some((fault, time)) => (Some(fault), time),
            None => (None, text),
        };
        let fault = fault
            .map(str::parse)
            .transpose()
            .map_err(|error: <FaultKind as FromStr>::Err| error.to_string())?;
        Ok(Paced {
            fault,
            time: time.parse()?,
        })
    }
}

impl fmt::Display for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Some(fault) => write!(f, "{fault}:{}", self.time),
            None => self.time.fmt(f),
        }
    }
}

/// One or more of them, as flags and files have it: `2s,partition:5s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paces(pub Vec<Paced>);

impl Paces {
    /// The same for all kinds.
    pub fn of_all(time: Duration) -> Paces {
        Paces(vec![Paced {
            fault: None,
            time: Time(time),
        }])
    }

    /// Without what is about other faults than these.
    pub fn about(mut self, faults: &[FaultKind]) -> Paces {
        let is_asked = |paced: &Paced| paced.fault.is_none_or(|kind| faults.contains(&kind));
        self.0.retain(is_asked);
        self
    }
}

impl FromStr for Paces {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut paces: Vec<Paced> = Vec::new();
        for word in text.split(',') {
            let paced: Paced = word.trim().parse()?;
            if paces.iter().any(|other| other.fault == paced.fault) {
                return Err(format!("expected one time for each kind, found {word} too"));
            }
            paces.push(paced);
        }
        Ok(Paces(paces))
    }
}

impl fmt::Display for Paces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(Paced::to_string).collect();
        f.write_str(&words.join(","))
    }
}

impl Serialize for Paces {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Paces {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Aim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Aim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_once_each_and_none_is_empty() {
        let list: List<FaultKind> = "kill, pause,kill".parse().unwrap();
        assert_eq!(list.0, [FaultKind::Kill, FaultKind::Pause]);
        assert_eq!(list.to_string(), "kill,pause");
        assert_eq!("none".parse::<List<FaultKind>>().unwrap().0, []);
        assert!(
            "kill,flood"
                .parse::<List<FaultKind>>()
                .unwrap_err()
                .contains("flood")
        );
    }

    #[test]
    fn a_pace_may_name_its_fault_once() {
        let paces: Paces = "2s,partition:5s".parse().unwrap();
        assert_eq!(paces.to_string(), "2s,partition:5s");
        assert_eq!(paces.about(&[FaultKind::Kill]).to_string(), "2s");
        for wrong in ["2s,3s", "flood:1s", "partition:", ""] {
            assert!(wrong.parse::<Paces>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_aim_may_name_its_fault() {
        for text in ["leader", "kill:majority", "coordinator", "compact:prepared"] {
            assert_eq!(text.parse::<Aim>().unwrap().to_string(), text);
        }
        assert!("partition:one".parse::<Aim>().is_err());
        assert!("membership:leader".parse::<Aim>().is_ok());
        let error = "membership:coordinator".parse::<Aim>().unwrap_err();
        assert_eq!(error, "a membership may hit one,leader, not coordinator");
        let error = "transfer:leader".parse::<Aim>().unwrap_err();
        assert_eq!(error, "a transfer may hit one, not leader");
        assert!(
            "kill:everyone"
                .parse::<Aim>()
                .unwrap_err()
                .contains("majority")
        );
    }
}
