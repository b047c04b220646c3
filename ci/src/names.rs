//! Names that the user types: found, or refused with the ones that exist and
//! the nearest of them.

use tribunal_protocol::bugs::Bug;

use crate::exit::usage;

/// The one of `known` that is called `name`; otherwise a usage error that
/// lists them all and suggests the nearest.
pub fn find<'a, T>(
    what: &str,
    name: &str,
    known: &'a [T],
    name_of: impl Fn(&T) -> &str,
) -> anyhow::Result<&'a T> {
    if let Some(found) = known.iter().find(|item| name_of(item) == name) {
        return Ok(found);
    }
    let names: Vec<&str> = known.iter().map(name_of).collect();
    Err(usage(unknown(what, name, &names)))
}

/// The sentence for a name that nothing has.
pub fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let mut sentence = format!("no {what} is called `{name}`");
    if let Some(near) = nearest(name, known) {
        sentence += &format!("; did you mean `{near}`?");
    }
    match known.len() {
        0 => sentence + "\nthere are none",
        _ => format!("{sentence}\nknown: {}", known.join(", ")),
    }
}

/// The known name with the fewest edits, if that is few enough to be meant.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let (edits, near) = known.iter().map(|k| (edits(name, k), *k)).min()?;
    (edits <= near.len().max(3) / 3).then_some(near)
}

/// Levenshtein's distance.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// A system's wrong version of that name; a usage error for one that the
/// catalogue only describes, since nothing is built of it.
pub fn bug<'a>(system: &str, bugs: &'a [Bug], name: &str) -> anyhow::Result<&'a Bug> {
    let is_built = |bug: &&Bug| !bug.hosts.is_empty();
    let described = bugs.iter().find(|bug| bug.name == name && !is_built(bug));
    if let Some(Bug { about, .. }) = described {
        return Err(usage(format!(
            "{name} is described in the catalogue and not built: {about}"
        )));
    }
    let built: Vec<&Bug> = bugs.iter().filter(is_built).collect();
    let what = format!("wrong version of {system}");
    find(&what, name, &built, |bug| bug.name).copied()
}

/// Says on stderr if a wrong version is asked of a host that the catalogue
/// does not expect to show it: a verdict of valid would otherwise look like
/// praise.
pub fn note_where_shown(bug: &Bug, host: &str) {
    if bug.hosts.contains(&host) {
        return;
    }
    let (name, hosts) = (bug.name, bug.hosts.join(", "));
    eprintln!("note: {name} is known to show with: {hosts}; not with {host}");
}

/// Says on stderr which command is known to show a wrong version with a host,
/// if one is, after one that did not.
pub fn note_what_shows(command: &str, system: &str, bug: &Bug, host: &str, args: &[&str]) {
    if !bug.hosts.contains(&host) {
        return;
    }
    let quoted = |word: &&str| match word.contains(' ') {
        true => format!(" '{word}'"),
        false => format!(" {word}"),
    };
    let args: String = args.iter().map(quoted).collect();
    let name = bug.name;
    eprintln!(
        "note: {name} went unnoticed; known to show it: tribunal {command} {system} --bug {name}{args}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_described_is_refused_with_the_reason() {
        let bugs = tribunal_protocol::raft::BUGS;
        assert!(bug("raft", bugs, "vote-not-persisted").is_ok());
        let error = bug("raft", bugs, "rejoin-empty-under-same-id").unwrap_err();
        assert!(error.to_string().contains("not shown"), "{error}");
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        let known = ["kill", "pause", "partition"];
        assert!(unknown("fault", "partitoin", &known).contains("did you mean `partition`?"));
        let far = unknown("fault", "flood", &known);
        assert!(!far.contains("did you mean"));
        assert!(far.contains("known: kill, pause, partition"));
    }

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
    }
}
