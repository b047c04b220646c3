//! What was concluded about histories, for people.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use tabled::builder::Builder;
use tabled::settings::Style;
use tribunal_checker::weaker::Property;
use tribunal_histories::Format;

use super::{FileReport, Report};
use crate::exit::Conclusion;
use crate::output::shell_word;
use crate::units::Human;

/// The files, the verdict of all, where their pages are if `html` asked for
/// some, and what to type next.
pub fn report(report: &Report<FileReport>, html: Option<&Path>) -> String {
    let (verdict, of) = (report.verdict, &report.own.files);
    let (files, pages, next) = (files(of), pages(of, html), next(of));
    format!("{files}\nverdict: {verdict}\n{pages}{next}")
}

/// Where the pages are that `html` asked for.
pub fn pages(files: &[FileReport], html: Option<&Path>) -> String {
    if html.is_none() {
        return String::new();
    }
    let mut written = files
        .iter()
        .filter_map(|file| file.page.as_ref())
        .peekable();
    if written.peek().is_none() {
        return "page:    none was written, as nothing was refuted\n".to_owned();
    }
    let mut text = String::new();
    for page in written {
        let _ = writeln!(text, "page:    {}", page.display());
    }
    text
}

/// Each file with what was concluded of it.
pub fn files(files: &[FileReport]) -> String {
    let mut rows = Builder::default();
    let mut titles = vec!["file", "operations", "keys", "spec", "time", "verdict"];
    let are_foreign = files.iter().any(|file| file.format != Format::Jsonl.name());
    if are_foreign {
        titles.insert(1, "read as");
    }
    let are_runs = files.iter().any(|file| file.recorded.is_some());
    titles.extend(are_runs.then_some("in its run"));
    rows.push_record(titles);
    for file in files {
        let recorded = file
            .recorded
            .as_ref()
            .map(|recorded| recorded.verdict.word());
        let mut row = vec![
            file.file.display().to_string(),
            file.operations.to_string(),
            file.keys.to_string(),
            file.spec.to_owned(),
            Human(Duration::from_secs_f64(file.seconds)).to_string(),
            file.verdict.to_string(),
        ];
        if are_foreign {
            row.insert(1, file.format.to_owned());
        }
        row.extend(are_runs.then(|| recorded.unwrap_or("–").to_owned()));
        rows.push_record(row);
    }
    let mut text = format!("{}\n", rows.build().with(Style::blank()));
    for file in files {
        let name = file.file.display();
        if let Some(witness) = &file.shown {
            let broken = match file.checker {
                "linearizability" => "is not linearizable",
                "detection" => "does not keep what it promises",
                "isolation" => "has no order of its transactions",
                "bank" => "has a wrong total",
                "local-reads" => "is not what it says",
                property => property,
            };
            let broken = match Property::ALL.iter().any(|it| it.name() == broken) {
                true => format!("does not have the property {broken}"),
                false => broken.to_owned(),
            };
            let _ = write!(text, "\n{name} {broken}:\n{witness}");
        }
        if let Some(staleness) = file.staleness.filter(|_| file.verdict == Conclusion::Valid) {
            let _ = writeln!(text, "\n{name}: {staleness}");
        }
        if let Some(reason) = &file.reason {
            let _ = writeln!(text, "\n{name}: unknown: {reason}");
        }
        if let Some(warning) = &file.warning {
            let _ = writeln!(text, "\n{name}: {warning}");
        }
        let recorded = file.recorded.as_ref();
        if let Some(differs) = recorded.and_then(|recorded| recorded.differs.as_ref()) {
            let _ = writeln!(text, "\n{name}: {differs}");
        }
    }
    text
}

/// What to type next.
fn next(files: &[FileReport]) -> String {
    let invalid = |file: &&FileReport| file.verdict == Conclusion::Invalid;
    if let Some(file) = files.iter().find(invalid) {
        let (name, typed) = (shell_word(&file.file), &file.typed);
        return format!("again:   tribunal verify {name}{typed} --format json");
    }
    let limited = files
        .iter()
        .find_map(|file| Some((file, file.limited.as_ref()?)));
    let Some((file, more)) = limited else {
        return String::new();
    };
    let name = shell_word(&file.file);
    match file.engine {
        // What one engine cannot, the others may.
        Some(engine) => {
            let typed = file.typed.replace(&format!(" --engine {engine}"), "");
            format!("again:   tribunal verify {name}{typed}")
        }
        None => format!("again:   tribunal verify {name}{}{more}", file.typed),
    }
}
