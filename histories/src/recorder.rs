//! Writes a history while it happens.
//!
//! The order of the lines is the evidence, so it must be sound: an
//! invocation's line is with the kernel before [`Recorder::invoke`] returns,
//! and only then may the first byte of the request leave; a completion gets
//! its index when [`Recorder::complete`] is called, after the last byte of the
//! reply arrived. One lock covers the index, the clock and the write, so that
//! the order of the lines is the order of the indices and of the times.
//!
//! Each line is one write to the file and nothing is kept back: a harness
//! that is killed loses no line that was acknowledged. (A machine that loses
//! power may; a campaign does not outlive its machine anyway.) Buffering
//! would be faster and is not needed: the kernel takes several hundred
//! thousand lines a second.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

use crate::{Event, Header, Kind, Process, Value};

/// Writes a history while it happens; a clone writes to the same one.
#[derive(Clone, Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
}

/// An operation whose invocation is on record. [`Recorder::complete`] takes
/// it; one that is dropped stays open in the history, as if it were `info`.
#[derive(Debug)]
#[must_use = "an operation that is never completed stays open for ever"]
pub struct Invoked {
    process: u64,
    f: String,
    key: Option<Value>,
}

#[derive(Debug)]
struct Shared {
    started: Instant,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    index: u64,
    line: Vec<u8>,
    /// Who is told of every event that is on record.
    watcher: Option<Sender<Event>>,
    /// Set by the first write that failed: part of a line may be in the file,
    /// and what would follow it could not be read back.
    broken: Option<io::ErrorKind>,
}

/// An event as it is written; [`crate::Event`] is what is read.
#[derive(Serialize)]
struct Line<'a> {
    index: u64,
    time: u64,
    process: Process,
    #[serde(rename = "type")]
    kind: Kind,
    f: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Value>,
    value: &'a Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<u64>,
}

impl Line<'_> {
    fn event(&self) -> Event {
        Event {
            index: self.index,
            time: self.time,
            process: self.process,
            kind: self.kind,
            f: self.f.to_owned(),
            key: self.key.cloned(),
            value: self.value.clone(),
            error: self.error.map(str::to_owned),
            node: self.node.map(str::to_owned),
            fault: self.fault,
        }
    }
}

impl Recorder {
    /// Begins a history in a new file, with its header. Refuses a file that
    /// is there: it may be the only evidence of an earlier run.
    pub fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        let mut writer = Writer {
            file,
            index: 0,
            line: Vec::with_capacity(256),
            watcher: None,
            broken: None,
        };
        writer.write(header)?;
        Ok(Recorder {
            shared: Arc::new(Shared {
                started: Instant::now(),
                writer: Mutex::new(writer),
            }),
        })
    }

    /// Every event from now on, in order, once it is on record. The last one that
    /// asks is told; the channel ends with the recorder.
    pub fn watch(&self) -> Receiver<Event> {
        let (sender, receiver) = channel();
        self.lock().watcher = Some(sender);
        receiver
    }

    /// The moment from which the times in the history count.
    pub fn started(&self) -> Instant {
        self.shared.started
    }

    /// Records that `process` asks for an operation. Send the request after
    /// this has returned, never before.
    pub fn invoke(
        &self,
        process: u64,
        f: &str,
        key: Option<&Value>,
        value: &Value,
        node: Option<&str>,
    ) -> io::Result<Invoked> {
        self.record(|index, time| Line {
            index,
            time,
            process: Process::Client(process),
            kind: Kind::Invoke,
            f,
            key,
            value,
            error: None,
            node,
            fault: None,
        })?;
        Ok(Invoked {
            process,
            f: f.to_owned(),
            key: key.cloned(),
        })
    }

    /// Records what became of an operation. Call this after the whole reply
    /// has arrived, never before. After [`Kind::Info`] the process must not
    /// be used again.
    ///
    /// # Panics
    ///
    /// If `kind` is [`Kind::Invoke`], which is no completion.
    pub fn complete(
        &self,
        invoked: Invoked,
        kind: Kind,
        value: &Value,
        error: Option<&str>,
        node: Option<&str>,
    ) -> io::Result<()> {
        assert!(
            kind != Kind::Invoke,
            "an operation completes as ok, fail or info"
        );
        self.record(|index, time| Line {
            index,
            time,
            process: Process::Client(invoked.process),
            kind,
            f: &invoked.f,
            key: invoked.key.as_ref(),
            value,
            error,
            node,
            fault: None,
        })
    }

    /// Records one end of a fault: what was done (`f`), to what (`value`).
    /// Both ends of a fault carry the same number.
    pub fn nemesis(&self, fault: u64, f: &str, value: &Value) -> io::Result<()> {
        self.record(|index, time| Line {
            index,
            time,
            process: Process::Nemesis,
            kind: Kind::Info,
            f,
            key: None,
            value,
            error: None,
            node: None,
            fault: Some(fault),
        })
    }

    fn record<'a>(&self, line: impl FnOnce(u64, u64) -> Line<'a>) -> io::Result<()> {
        let mut writer = self.lock();
        let elapsed = self.shared.started.elapsed().as_nanos();
        let time = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let line = line(writer.index, time);
        writer.write(&line)?;
        writer.index += 1;
        if let Some(watcher) = &writer.watcher {
            // Who has gone does not want to know.
            let _ = watcher.send(line.event());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Writer> {
        // Nothing panics between the first and the last byte of a line, so a
        // writer left by a panicking thread is whole.
        let writer = &self.shared.writer;
        writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn write(&mut self, line: &impl Serialize) -> io::Result<()> {
        if let Some(kind) = self.broken {
            return Err(io::Error::new(
                kind,
                "an earlier write to the history failed",
            ));
        }
        self.line.clear();
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.file
            .write_all(&self.line)
            .inspect_err(|error| self.broken = Some(error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{History, Outcome};

    fn recorder() -> (tempfile::TempDir, std::path::PathBuf, Recorder) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("history.jsonl");
        let recorder = Recorder::create(&path, &Header::new("register")).expect("a recorder");
        (folder, path, recorder)
    }

    #[test]
    fn what_was_recorded_is_read_back() {
        let (_folder, path, recorder) = recorder();
        let write = recorder
            .invoke(0, "write", Some(&3.into()), &5.into(), Some("n1"))
            .expect("recorded");
        recorder.nemesis(7, "kill", &"n1".into()).expect("recorded");
        recorder
            .complete(write, Kind::Info, &5.into(), Some("timed out"), Some("n1"))
            .expect("recorded");
        let history = History::open(&path).expect("a history");
        let operations = history.operations().expect("operations");
        assert_eq!(operations.len(), 1);
        assert_eq!(operations[0].key, Some(Value::Int(3)));
        assert_eq!(operations[0].argument, Value::Int(5));
        assert_eq!(operations[0].outcome, Outcome::Info);
        assert_eq!(history.nemesis().count(), 1);
    }

    #[test]
    fn who_watches_is_told_what_is_on_record() {
        let (_folder, path, recorder) = recorder();
        let watched = recorder.watch();
        let read = recorder.invoke(0, "read", Some(&1.into()), &Value::Null, None);
        let read = read.expect("recorded");
        recorder.nemesis(7, "kill", &"n1".into()).expect("recorded");
        recorder
            .complete(read, Kind::Ok, &5.into(), None, Some("n2"))
            .expect("recorded");
        drop(recorder);
        let told: Vec<Event> = watched.iter().collect();
        assert_eq!(told, History::open(&path).expect("a history").events);
    }

    #[test]
    fn an_invocation_is_in_the_file_before_it_returns() {
        let (_folder, path, recorder) = recorder();
        for lines in 2..10 {
            let _open = recorder
                .invoke(lines, "read", None, &Value::Null, None)
                .expect("recorded");
            let text = fs::read_to_string(&path).expect("text");
            assert_eq!(text.lines().count() as u64, lines);
            assert!(text.ends_with('\n'));
        }
    }

    #[test]
    fn the_order_of_the_lines_is_the_order_of_indices_and_times() {
        let (_folder, path, recorder) = recorder();
        std::thread::scope(|scope| {
            for process in 0..4 {
                let recorder = recorder.clone();
                scope.spawn(move || {
                    for value in 0..200 {
                        let write = recorder
                            .invoke(process, "write", None, &value.into(), None)
                            .expect("recorded");
                        recorder
                            .complete(write, Kind::Ok, &value.into(), None, None)
                            .expect("recorded");
                    }
                });
            }
        });
        let history = History::open(&path).expect("a history");
        assert_eq!(history.events.len(), 1600);
        for (place, pair) in history.events.windows(2).enumerate() {
            assert_eq!(pair[0].index, place as u64);
            assert!(pair[0].time <= pair[1].time);
        }
        assert_eq!(history.operations().expect("operations").len(), 800);
    }

    #[test]
    fn an_existing_history_is_not_overwritten() {
        let (_folder, path, _recorder) = recorder();
        let again = Recorder::create(&path, &Header::new("register"));
        assert_eq!(
            again.expect_err("refused").kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn a_write_that_fails_is_told_and_ends_the_history() {
        let full = Path::new("/dev/full");
        if !full.exists() {
            return;
        }
        let file = OpenOptions::new().append(true).open(full).expect("a file");
        let mut writer = Writer {
            file,
            index: 0,
            line: Vec::new(),
            watcher: None,
            broken: None,
        };
        let first = writer.write(&1).expect_err("no space");
        let second = writer.write(&2).expect_err("still refused");
        assert_eq!(first.kind(), second.kind());
        assert!(second.to_string().contains("earlier write"));
    }
}
