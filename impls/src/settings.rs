//! What a system lets whoever runs it choose, beside what every system has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A choice that a system offers.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name, as `--set NAME=VALUE` takes it.
    pub name: &'static str,
    /// What it chooses, and which values there are.
    pub about: &'static str,
}

/// What was chosen, by name; the system's own habit where nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chosen(BTreeMap<String, String>);

impl Chosen {
    /// Whether nothing was chosen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that was chosen, if one was.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What was chosen, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let chosen = self.0.iter();
        chosen.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// What a switch of this name is set to; 0 and 1 are taken as well.
    ///
    /// # Errors
    ///
    /// If the value is neither.
    pub fn switch(&self, name: &str) -> Result<Option<bool>, String> {
        match self.get(name) {
            None => Ok(None),
            Some("0" | "false") => Ok(Some(false)),
            Some("1" | "true") => Ok(Some(true)),
            Some(other) => Err(format!("expected {name}=0 or {name}=1, not `{other}`")),
        }
    }

    /// What a number of this name is set to, at least 1.
    ///
    /// # Errors
    ///
    /// If the value is something else.
    pub fn count(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let count = value.parse().ok().filter(|count| *count > 0);
        count
            .map(Some)
            .ok_or_else(|| format!("expected a whole number from 1 in {name}={value}"))
    }
}

impl FromIterator<(String, String)> for Chosen {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(chosen: I) -> Self {
        Chosen(chosen.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_what_it_must_be_or_refused_with_what_it_might_be() {
        let chosen = [("window", "8"), ("check-quorum", "yes"), ("lease", "-1")];
        let owned = chosen.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Chosen::from_iter(owned);
        assert_eq!(settings.count("window"), Ok(Some(8)));
        assert_eq!(settings.count("absent"), Ok(None));
        assert!(settings.count("lease").unwrap_err().contains("lease=-1"));
        assert!(
            settings
                .switch("check-quorum")
                .unwrap_err()
                .contains("`yes`")
        );
    }
}
