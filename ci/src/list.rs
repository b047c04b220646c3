//! `tribunal list`: what there is, by the names that flags take.
//!
//! Only what is there is listed; everything comes from the registries that
//! also resolve the flags.

use std::time::Instant;

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tabled::builder::Builder;
use tabled::settings::Style;
use tribunal_checker::Engine;

use crate::exit::Conclusion;
use crate::oracle::Oracle;
use crate::output::{self, Format};
use crate::systems::{self, Entry};
use crate::workload::WORKLOADS;

/// `tribunal list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// What to list; everything, if not given
    #[arg(value_enum)]
    pub what: Option<What>,
}

/// The lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// What can be checked and run
    Systems,
    /// Wrong versions of systems
    Bugs,
    /// What a nemesis can do
    Faults,
    /// What clients ask
    Workloads,
    /// What histories are judged by
    Specs,
    /// What models are checked for
    Properties,
    /// What can be chosen of a system by --set
    Settings,
    /// Isolation levels that histories are judged by
    Levels,
    /// What looks for an order of a history
    Engines,
    /// How systems are attached
    Adapters,
}

/// The result, for `--format json`.
#[derive(Serialize)]
struct Listing {
    command: &'static str,
    verdict: Conclusion,
    seconds: f64,
    items: Vec<Item>,
}

/// One thing: at least its name and a sentence, and more for programs.
#[derive(Serialize)]
struct Item {
    kind: &'static str,
    name: String,
    about: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Lists one kind of thing, or everything.
pub fn run(args: &ListArgs, format: Format) -> anyhow::Result<Conclusion> {
    let began = Instant::now();
    let wanted: Vec<What> = match args.what {
        Some(what) => vec![what],
        None => ALL.to_vec(),
    };
    let lists: Vec<(What, Vec<Item>)> = wanted
        .into_iter()
        .map(|what| (what, what.items()))
        .collect();
    let human = show(&lists, args.what.is_none());
    let listing = Listing {
        command: "list",
        verdict: Conclusion::Valid,
        seconds: began.elapsed().as_secs_f64(),
        items: lists.into_iter().flat_map(|(_, items)| items).collect(),
    };
    output::emit(format, &listing, || human)?;
    Ok(Conclusion::Valid)
}

/// Every list, in the order in which they are shown.
const ALL: [What; 10] = [
    What::Systems,
    What::Bugs,
    What::Faults,
    What::Workloads,
    What::Specs,
    What::Properties,
    What::Settings,
    What::Levels,
    What::Engines,
    What::Adapters,
];

impl What {
    fn title(self) -> &'static str {
        match self {
            What::Systems => "systems",
            What::Bugs => "bugs",
            What::Faults => "faults",
            What::Workloads => "workloads",
            What::Specs => "specs",
            What::Properties => "properties",
            What::Settings => "settings",
            What::Levels => "levels",
            What::Engines => "engines",
            What::Adapters => "adapters",
        }
    }

    fn items(self) -> Vec<Item> {
        match self {
            What::Systems => systems::all().iter().map(system).collect(),
            What::Bugs => systems::all().iter().flat_map(bugs).collect(),
            What::Faults => faults(),
            What::Workloads => workloads(),
            What::Specs => oracles("spec", Oracle::SPECS),
            What::Properties => systems::all().iter().flat_map(properties).collect(),
            What::Settings => systems::all().iter().flat_map(settings).collect(),
            What::Levels => oracles("level", Oracle::LEVELS),
            What::Engines => engines(),
            What::Adapters => adapters(),
        }
    }
}

fn item(kind: &'static str, name: &str, about: &str, more: Value) -> Item {
    let more = match more {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    // Sentences that are wrapped in the source are one line here.
    let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
    Item {
        kind,
        name: name.to_owned(),
        about,
        more,
    }
}

fn system(entry: &Entry) -> Item {
    let more = json!({ "check": entry.checks, "run": entry.runs.is_some() });
    item("system", entry.name, entry.about, more)
}

fn bugs(entry: &Entry) -> Vec<Item> {
    let bugs = entry.bugs.iter();
    bugs.map(|bug| {
        let more = json!({
            "system": entry.name,
            "property": bug.property,
            "source": bug.source.split_whitespace().collect::<Vec<_>>().join(" "),
            "hosts": bug.hosts,
            "check_args": bug.check_args,
            "run_args": bug.run_args,
        });
        item("bug", bug.name, bug.about, more)
    })
    .collect()
}

fn faults() -> Vec<Item> {
    let faults = tribunal_nemesis::faults().iter();
    faults
        .map(|info| {
            let more = json!({
                "install": info.install,
                "evidence": info.evidence,
                "heal": info.heal,
            });
            item("fault", info.fault.name(), info.about, more)
        })
        .collect()
}

fn workloads() -> Vec<Item> {
    let workloads = WORKLOADS.iter();
    workloads
        .map(|workload| {
            let more = json!({
                "operations": workload.operations,
                "spec": workload.judge.name(),
            });
            item("workload", workload.name, workload.about, more)
        })
        .collect()
}

fn oracles(kind: &'static str, oracles: &[Oracle]) -> Vec<Item> {
    let one = |oracle: &Oracle| {
        let source = oracle.source().map(|source| json!({ "source": source }));
        item(
            kind,
            oracle.name(),
            oracle.about(),
            source.unwrap_or_default(),
        )
    };
    oracles.iter().map(one).collect()
}

fn engines() -> Vec<Item> {
    let one = |engine: Engine| item("engine", engine.name(), engine.about(), Value::Null);
    Engine::ALL.into_iter().map(one).collect()
}

/// Those of a model, then those of nodes.
fn settings(entry: &Entry) -> Vec<Item> {
    let one = |command: &str, name: &str, about: &str| {
        let more = json!({ "system": entry.name, "command": command });
        let about = format!("{about} [{command} {}]", entry.name);
        item("setting", name, &about, more)
    };
    let models = entry.settings.iter();
    let models = models.map(|setting| one("check", setting.name, setting.about));
    let nodes = entry.runs.iter().flat_map(|runs| runs.settings);
    let nodes = nodes.map(|setting| one("run", setting.name, setting.about));
    models.chain(nodes).collect()
}

fn properties(entry: &Entry) -> Vec<Item> {
    let properties = entry.properties.iter();
    properties
        .map(|property| {
            let more = json!({ "system": entry.name, "kind": property.kind.word() });
            item("property", property.name, property.about, more)
        })
        .collect()
}

fn adapters() -> Vec<Item> {
    let about = "the project's own servers, through the Rust traits `System` and `Client`";
    vec![item("adapter", "built-in", about, Value::Null)]
}

/// Tables, one under the other.
fn show(lists: &[(What, Vec<Item>)], titled: bool) -> String {
    let mut parts = Vec::new();
    for (what, items) in lists {
        let table = table(items);
        parts.push(match titled {
            true => format!("{}\n{table}", what.title().to_uppercase()),
            false => table,
        });
    }
    parts.join("\n\n")
}

fn table(items: &[Item]) -> String {
    if items.is_empty() {
        return "none yet".to_owned();
    }
    let mut rows = Builder::default();
    for item in items {
        let mut about = item.about.clone();
        if let Some(hosts) = item.more.get("hosts").and_then(Value::as_array) {
            let hosts: Vec<&str> = hosts.iter().filter_map(Value::as_str).collect();
            about = format!("{about} [{}]", hosts.join(", "));
        }
        rows.push_record([item.name.clone(), about]);
    }
    rows.build().with(Style::blank()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_listed_has_a_name_and_says_what_it_is() {
        for what in ALL {
            for item in what.items() {
                assert!(!item.name.is_empty(), "{what:?}");
                assert!(!item.about.is_empty(), "{}", item.name);
            }
        }
    }

    #[test]
    fn a_bug_says_what_shows_it() {
        let bugs = What::Bugs.items();
        assert!(bugs.len() >= 12);
        for bug in bugs {
            for field in [
                "system",
                "property",
                "source",
                "hosts",
                "check_args",
                "run_args",
            ] {
                assert!(bug.more.contains_key(field), "{}: {field}", bug.name);
            }
        }
    }
}
