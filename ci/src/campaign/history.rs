//! Judges the recorded history by an oracle.
//!
//! It is read back from its file, so that what is judged is what
//! `tribunal verify` would judge.

use anyhow::Context;
use tribunal_checker::Limits;
use tribunal_histories::History;

use super::config::Campaign;
use super::folder::Folder;
use super::report::Check;
use crate::oracle::Oracle;

/// Judges the history of a run. An error is a harness failure: our own
/// recorder wrote something that is no history.
pub async fn check(oracle: Oracle, campaign: &Campaign, folder: &Folder) -> anyhow::Result<Check> {
    let limits = Limits {
        time: Some(campaign.check_timeout.0),
        memory: Some(usize::try_from(campaign.check_memory.0).unwrap_or(usize::MAX)),
        ..Limits::default()
    };
    let path = folder.history();
    let judging = tokio::task::spawn_blocking(move || {
        let history = History::open(&path)?;
        oracle.judge(&history, None, limits)
    });
    let judged = judging
        .await
        .context("a checker panicked")?
        .context("read back the history")?;
    let (name, about) = (oracle.checker(), judged.about);
    Ok(match (judged.witness, judged.reason) {
        (Some((witness, shown)), _) => Check::invalid(name, about, witness, shown),
        (None, Some(reason)) => Check::unknown(name, about, reason),
        // That nothing took effect is for the checker `activity` to say.
        (None, None) => Check::valid(name, about),
    })
}
