//! Judges the recorded history by the workload's specification.
//!
//! It is read back from its file, so that what is judged is what
//! `tribunal verify` would judge.

use anyhow::{Context, bail};
use tribunal_checker::{Limits, Options, Spec, Verdict};
use tribunal_histories::History;

use super::config::Campaign;
use super::folder::Folder;
use super::report::Check;

/// The checker's name in reports.
pub const NAME: &str = "linearizability";

/// Judges the history of a run. An error is a harness failure: our own
/// recorder wrote something that is no history.
pub async fn check(campaign: &Campaign, folder: &Folder) -> anyhow::Result<Check> {
    let workload = campaign.workload();
    let spec: Spec = match workload.specification.parse() {
        Ok(spec) => spec,
        Err(error) => bail!(
            "find the specification of workload {}: {error}",
            workload.name
        ),
    };
    let options = Options {
        spec,
        nil: None,
        limits: Limits {
            time: Some(campaign.check_timeout.0),
            memory: Some(usize::try_from(campaign.check_memory.0).unwrap_or(usize::MAX)),
            ..Limits::default()
        },
    };
    let path = folder.history();
    let judging = tokio::task::spawn_blocking(move || {
        let history = History::open(&path)?;
        tribunal_checker::check(&history, &options)
    });
    let judged = judging
        .await
        .context("a checker panicked")?
        .context("read back the history")?;
    let about = format!(
        "{} operations on {} keys, {spec}",
        judged.operations, judged.keys
    );
    Ok(match judged.verdict {
        // That nothing took effect is for the checker `activity` to say.
        Verdict::Valid => Check::valid(NAME, about),
        Verdict::Unknown(limit) => Check::unknown(NAME, about, limit.to_string()),
        Verdict::Invalid(witness) => {
            let shown = witness.to_string();
            Check::invalid(NAME, about, serde_json::to_value(&witness)?, shown)
        }
    })
}
