//! Runs the binary as a user would.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// What came of a command.
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `tribunal` with these arguments.
pub fn tribunal(arguments: &[&str]) -> Done {
    let output = command(arguments).output().expect("the binary runs");
    done(&output)
}

/// Runs it with `--format json`; the object, if there is one.
pub fn json(arguments: &[&str]) -> (i32, Value, String) {
    let done = tribunal(&[arguments, &["--format", "json"]].concat());
    (done.code, object(&done.stdout), done.stderr)
}

/// Starts it with `--format json`, and does not wait.
pub fn start(arguments: &[&str]) -> Child {
    let mut command = command(&[arguments, &["--format", "json"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("the binary runs")
}

/// Starts it as it is typed, and does not wait; stdout and stderr are to be
/// read.
pub fn spawn(arguments: &[&str]) -> Child {
    let mut command = command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// The first line that a stream says and that `wanted` makes something of;
/// none if it ends before.
pub fn said<T>(stream: &mut impl BufRead, mut wanted: impl FnMut(&str) -> Option<T>) -> Option<T> {
    let mut lines = stream.lines().map_while(Result::ok);
    lines.find_map(|line| wanted(&line))
}

/// A process that is killed when its test is over, however that ends.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The same, with a stderr that can be read.
pub fn start_telling(arguments: &[&str]) -> Child {
    let mut command = command(&[arguments, &["--format", "json"]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// Starts it with `--format json`, presses Ctrl-C once it tells of its
/// progress, and waits.
pub fn interrupted(arguments: &[&str]) -> (i32, Value) {
    let mut child = start_telling(arguments);
    let mut told = BufReader::new(child.stderr.take().expect("stderr is read"));
    told.read_line(&mut String::new()).expect("a line");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    let done = done(&output);
    (done.code, object(&done.stdout))
}

/// Exactly one object, or nothing.
pub fn object(stdout: &str) -> Value {
    match stdout.trim().is_empty() {
        true => Value::Null,
        false => serde_json::from_str(stdout).expect("stdout is exactly one object"),
    }
}

pub fn done(output: &Output) -> Done {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// The node processes of the campaigns that keep their runs in `out`.
pub fn node_processes(out: &Path) -> Vec<u32> {
    let out = out.canonicalize().expect("the folder is there");
    let is_mine = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut words = line.split('\0');
        words.nth(1) == Some("node") && line.contains(&*out.to_string_lossy())
    };
    let folders = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(is_mine).collect()
}

/// Waits until the condition holds, at most `limit`; whether it came to hold.
pub fn until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// The history of the only run in a folder, once it has so many lines.
pub fn history_with_lines(out: &Path, lines: usize) -> Option<PathBuf> {
    let path = out.join("latest/history.jsonl");
    let long_enough = || {
        let text = fs::read_to_string(&path).unwrap_or_default();
        text.lines().count() >= lines
    };
    until(Duration::from_secs(60), long_enough).then_some(path)
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribunal"));
    command.args(arguments).stdin(Stdio::null());
    command
}
