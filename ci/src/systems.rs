//! The systems, by name: what can be checked, what can be run, and the wrong
//! versions of each.
//!
//! Joins what `tribunal-models` can check and what `tribunal-impls` can run.

use std::sync::Arc;

use anyhow::Context;
use tribunal_impls::adapter::System;
use tribunal_impls::systems::{BUILT_IN, BuiltIn, Local, Tuning};
use tribunal_models::bounds::Setting;
use tribunal_models::registry::AboutProperty;
use tribunal_protocol::bugs::Bug;

use crate::exit::usage;
use crate::names;

/// A system by its name.
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// The system that it is a part of, if it is.
    pub part_of: Option<&'static str>,
    /// Its wrong versions.
    pub bugs: &'static [Bug],
    /// What its model is checked for; empty if it has none.
    pub properties: Vec<AboutProperty>,
    /// What can be chosen of its model.
    pub settings: &'static [Setting],
    /// Whether it has a model.
    pub checks: bool,
    /// How it is run; none if it cannot be.
    pub runs: Option<&'static BuiltIn>,
}

/// Every system there is: those with a model first, then those that can only
/// be run.
pub fn all() -> Vec<Entry> {
    let models = tribunal_models::systems();
    let mut entries: Vec<Entry> = models
        .iter()
        .map(|model| Entry {
            name: model.name(),
            about: model.about(),
            part_of: model.part_of(),
            bugs: model.bugs(),
            properties: model.properties(),
            settings: model.settings(),
            checks: true,
            runs: BuiltIn::named(model.name()),
        })
        .collect();
    for system in BUILT_IN {
        if !entries.iter().any(|entry| entry.name == system.name) {
            entries.push(Entry {
                name: system.name,
                about: system.about,
                part_of: None,
                bugs: system.bugs,
                properties: Vec::new(),
                settings: &[],
                checks: false,
                runs: Some(system),
            });
        }
    }
    entries
}

/// A system that can be run as processes, or a usage error.
pub fn runnable(name: &str) -> anyhow::Result<Entry> {
    let mut entries = all();
    let is_part = |entry: &&Entry| entry.name == name && entry.runs.is_none();
    let whole = entries.iter().find(is_part).and_then(|entry| entry.part_of);
    entries.retain(|entry| entry.runs.is_some());
    if let Some(whole) = whole.filter(|whole| entries.iter().any(|entry| entry.name == *whole)) {
        return Err(usage(format!(
            "`{name}` is a part of {whole}, to be checked and simulated; its server is that of \
             the whole: tribunal run {whole}"
        )));
    }
    names::find("system to run", name, &entries, |entry| entry.name)?;
    let place = entries.iter().position(|entry| entry.name == name);
    place
        .map(|place| entries.swap_remove(place))
        .ok_or_else(|| usage(name))
}

/// What serves a system, or a usage error.
pub fn served(name: &str) -> anyhow::Result<&'static BuiltIn> {
    runnable(name)?
        .runs
        .ok_or_else(|| usage(format!("{name} cannot be run")))
}

/// Makes a system ready to be run: right, or with the rule broken that `bug`
/// names.
pub fn start(name: &str, bug: Option<&str>, tuning: Tuning) -> anyhow::Result<Arc<dyn System>> {
    let local = Local::new(served(name)?).context("find this program")?;
    Ok(Arc::new(
        local.with_bug(bug.map(str::to_owned)).with_tuning(tuning),
    ))
}

impl Entry {
    /// One of its wrong versions, or a usage error.
    pub fn bug(&self, name: &str) -> anyhow::Result<&'static Bug> {
        names::bug(self.name, self.bugs, name)
    }
}
