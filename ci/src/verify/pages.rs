//! Where `--html` puts the pages of refuted histories.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use super::{Case, VerifyArgs};
use crate::campaign;
use crate::exit::usage;
use crate::input::unreadable;
use crate::oracle::Judged;
use crate::output::shell_word;
use crate::page::{self, About, Fact, Next, Page};

/// The page of each input: `html` itself for a single one, files in that
/// folder for several. Refuses what cannot be written, as far as that shows
/// before a search that may take minutes.
pub fn targets(html: &Path, inputs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let refuse = |path: &Path, why: &dyn std::fmt::Display| {
        usage(format!("cannot write the page {}: {why}", path.display()))
    };
    if inputs.len() == 1 {
        if html.is_dir() {
            return Err(refuse(html, &"it is a folder; name a file"));
        }
        check(html).map_err(|error| refuse(html, &error))?;
        return Ok(vec![html.to_owned()]);
    }
    if html.exists() && !html.is_dir() {
        let why = "it is no folder, and several files need one for their pages";
        return Err(refuse(html, &why));
    }
    let targets: Vec<PathBuf> = names(inputs)
        .iter()
        .map(|name| html.join(format!("{name}.html")))
        .collect();
    for target in targets.iter().filter(|target| target.exists()) {
        check(target).map_err(|error| refuse(target, &error))?;
    }
    Ok(targets)
}

/// Whether a page can be written there. Leaves nothing.
fn check(path: &Path) -> std::io::Result<()> {
    page::check(path)?;
    let is_new = !path.exists();
    OpenOptions::new().append(true).create(true).open(path)?;
    if is_new {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// The inputs' names without what follows their last dot, each once.
fn names(inputs: &[PathBuf]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let named = |input: &PathBuf| {
        let real = input.canonicalize().ok();
        let named = [Some(input), real.as_ref()].into_iter().flatten();
        let mut stems = named.filter_map(|path| match path.is_dir() {
            true => path.file_name(),
            false => path.file_stem(),
        });
        stems
            .next()
            .map_or("history".to_owned(), |stem| stem.to_string_lossy().into())
    };
    let mut free = |name: String| {
        let counted = (2..).map(|count| format!("{name}-{count}"));
        let mut names = std::iter::once(name.clone()).chain(counted);
        let name = names.find(|name| taken.insert(name.clone()));
        name.expect("there is always another number")
    };
    inputs.iter().map(|input| free(named(input))).collect()
}

/// Writes the page of a history that was found to have no order, and says
/// where it is.
pub fn write(case: &Case, judged: &Judged, args: &VerifyArgs) -> anyhow::Result<Option<PathBuf>> {
    let Some((target, witness)) = case.page.as_ref().zip(judged.unordered.as_ref()) else {
        return Ok(None);
    };
    let page = Page::new(&case.history, witness, about(case, args)).map_err(unreadable)?;
    let folder = target.parent().filter(|_| args.files.len() > 1);
    folder
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| page::write(target, &page))
        .map_err(|error| {
            usage(format!(
                "cannot write the page {}: {error}",
                target.display()
            ))
        })?;
    Ok(Some(target.clone()))
}

fn about(case: &Case, args: &VerifyArgs) -> About {
    let word = shell_word(&case.file);
    let again = format!("tribunal verify {word}{} --format json", args.typed());
    let campaign = case.file.is_dir();
    let campaign = campaign.then(|| campaign::recorded(&case.file, "verify").ok());
    if let Some(campaign) = campaign.flatten() {
        let mut about = campaign::history::about(&campaign, &case.file);
        about.next[1].command = again;
        return about;
    }
    About {
        title: case.file.display().to_string(),
        facts: vec![
            Fact::new("file", case.file.display()),
            Fact::new("read as", case.format.name()),
            Fact::new("judged as", case.judge.name()),
            Fact::new("events", case.history.events.len()),
        ],
        next: vec![Next {
            about: "judge it again",
            command: again,
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(paths: &[&str]) -> Vec<PathBuf> {
        paths.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn each_input_has_a_page_of_its_own() {
        let inputs = paths(&["a/history.jsonl", "b/history.edn", "history-2", "..x", "/"]);
        let named = ["history", "history-2", "history-2-2", ".", "history-3"];
        assert_eq!(names(&inputs), named);
    }

    #[test]
    fn what_cannot_be_written_is_refused_beforehand() {
        let folder = tempfile::tempdir().expect("a folder");
        let inputs = paths(&["a.jsonl", "b.jsonl"]);
        let history = folder.path().join("a.jsonl");
        fs::write(&history, "{}").expect("the folder is mine");
        let refused = |html: &Path, inputs: &[PathBuf]| {
            targets(html, inputs)
                .expect_err("it cannot be written")
                .to_string()
        };
        assert!(refused(&history, &inputs[..1]).contains("no page of this program"));
        assert!(refused(folder.path(), &inputs[..1]).contains("name a file"));
        assert!(refused(&history, &inputs).contains("no folder"));
        let nowhere = folder.path().join("none/page.html");
        assert!(refused(&nowhere, &inputs[..1]).contains("No such file"));
        let fresh = folder.path().join("page.html");
        let one = targets(&fresh, &inputs[..1]).expect("it can");
        assert_eq!(one, std::slice::from_ref(&fresh));
        assert!(!fresh.exists());
        let pages = folder.path().join("pages");
        let two = targets(&pages, &inputs).expect("it can be made");
        assert_eq!(two, [pages.join("a.html"), pages.join("b.html")]);
        assert!(!pages.exists());
    }
}
