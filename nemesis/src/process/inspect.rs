//! What `/proc` says of a process group's threads.

use std::fs;

/// How many threads a process group has, and how many of them are stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Census {
    pub processes: usize,
    pub threads: usize,
    pub stopped: usize,
}

/// The living processes of a group, and the state of each.
fn processes(group: u32) -> impl Iterator<Item = (u32, char)> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let living = pids.filter_map(move |pid| {
        let (state, _) = stat(&format!("/proc/{pid}/stat")).filter(|it| it.1 == group)?;
        Some((pid, state))
    });
    living.filter(|&(_, state)| !is_dead(state))
}

/// The processes of a group that are stopped.
pub(super) fn stopped(group: u32) -> Vec<u32> {
    let stopped = processes(group).filter(|&(_, state)| is_stopped(state));
    stopped.map(|(pid, _)| pid).collect()
}

/// Counts the living threads of every process in a group.
pub(super) fn census(group: u32) -> Census {
    let mut census = Census::default();
    for (pid, _) in processes(group) {
        census.processes += 1;
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            match stat(&format!("{}/stat", task.path().display())) {
                Some((state, _)) if is_dead(state) => {}
                Some((state, _)) => {
                    census.threads += 1;
                    census.stopped += usize::from(is_stopped(state));
                }
                None => {}
            }
        }
    }
    census
}

fn is_dead(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

fn is_stopped(state: char) -> bool {
    // `t` is a thread stopped under a debugger: as still as any.
    matches!(state, 'T' | 't')
}

/// State and process group from a `stat` file.
fn stat(path: &str) -> Option<(char, u32)> {
    parse_stat(&fs::read_to_string(path).ok()?)
}

/// The command's name is in parentheses and may hold anything, parentheses and
/// spaces too; only the last one ends it.
fn parse_stat(text: &str) -> Option<(char, u32)> {
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let group = fields.nth(1)?.parse().ok()?;
    Some((state, group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        assert_eq!(parse_stat("12 (a) R (b)) T 1 34 34 0 -1"), Some(('T', 34)));
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn this_process_is_in_its_group_and_runs() {
        let census = census(nix::unistd::getpgrp().as_raw() as u32);
        assert!(census.processes >= 1);
        assert!(census.threads > census.stopped);
    }
}
