//! Judges the recorded history by an oracle.
//!
//! It is read back from its file, so that what is judged is what
//! `tribunal verify` would judge.

use std::path::{Path, PathBuf};

use anyhow::Context;
use tribunal_checker::Limits;
use tribunal_histories::History;

use super::config::Campaign;
use super::folder::Folder;
use super::report::Check;
use crate::oracle::{Judged, Oracle};
use crate::output::shell_word;
use crate::page::{self, About, Fact, Next, Page};

/// Judges the history of a run; one without an order is drawn on a page too.
/// An error is a harness failure: our own recorder wrote something that is no
/// history.
pub async fn check(oracle: Oracle, campaign: &Campaign, folder: &Folder) -> anyhow::Result<Check> {
    let limits = Limits {
        time: Some(campaign.check_timeout.0),
        memory: Some(usize::try_from(campaign.check_memory.0).unwrap_or(usize::MAX)),
        ..Limits::default()
    };
    let path = folder.history();
    let about = about(campaign, folder.shown());
    let target = folder.page();
    let judging = tokio::task::spawn_blocking(move || {
        let history = History::open(&path)?;
        let judged = oracle.judge(&history, None, None, limits)?;
        let drawn = draw(&history, &judged, about, target);
        anyhow::Ok((judged, drawn))
    });
    let (judged, page) = judging
        .await
        .context("a checker panicked")?
        .context("read back the history")?;
    let (name, about) = (oracle.checker(), judged.about);
    Ok(match (judged.witness, judged.reason) {
        (Some((witness, shown)), _) => Check {
            page,
            ..Check::invalid(name, about, witness, shown)
        },
        (None, Some(reason)) => Check::unknown(name, about, reason),
        // That nothing took effect is for the checker `activity` to say.
        (None, None) => Check::valid(name, about),
    })
}

/// Draws what was refuted, and says where. A page that cannot be written
/// takes nothing from the verdict.
fn draw(history: &History, judged: &Judged, about: About, target: PathBuf) -> Option<PathBuf> {
    let page = Page::new(history, judged.unordered.as_ref()?, about).ok()?;
    match page::write(&target, &page) {
        Ok(()) => Some(target),
        Err(error) => {
            tracing::warn!(%error, "cannot write {}", target.display());
            None
        }
    }
}

/// What a page says of a run beside its history.
pub fn about(campaign: &Campaign, run: &Path) -> About {
    let mut facts = vec![Fact::new("system", &campaign.system)];
    facts.extend(campaign.bug.iter().map(|bug| Fact::new("bug", bug)));
    facts.push(Fact::new("seed", campaign.seed));
    facts.push(Fact::new("nodes", campaign.nodes));
    facts.push(Fact::new("workload", &campaign.workload));
    facts.push(Fact::new("run", run.display()));
    let word = shell_word(run);
    let next = |about, command: String| Next { about, command };
    let mut next = vec![
        next("run it again", format!("tribunal replay {word}")),
        next("judge it again", format!("tribunal verify {word}")),
    ];
    if campaign.trace {
        next.push(Next {
            about: "what the nodes did",
            command: format!("tribunal verify {word} --trace"),
        });
    }
    let bug = campaign.bug.as_ref();
    let bug = bug.map_or_else(String::new, |bug| format!(" with {bug}"));
    About {
        title: format!("{}{bug}, seed {}", campaign.system, campaign.seed),
        facts,
        next,
    }
}
