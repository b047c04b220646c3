//! What scripts of Zab say beside the commands that all have.
//!
//! | command | |
//! |---|---|
//! | `cluster` | `settles-late`, `check-quorum`, `observers N`, `counter-max N`, `batch N`, `chunk N`, `compact-after N KEEP`, `sessions N`, `bug NAME`; the last nodes are the observers |
//! | `timeout` | `election`, `settle`, `heartbeat`, `quorum` |
//! | `request` | `register`, `write KEY VALUE`, `cas KEY OLD NEW`, `read KEY` by a transaction; `local KEY [EPOCH.COUNTER]` reads what the node has, if that is not before what the client has seen; as an operator does, `compact` |
//!
//! `show` gives a node's role, its epoch and the one that it has promised to
//! whom, its history and how far that is on disk, what it knows to be
//! committed, and what the object holds.

use tribunal_protocol::NodeId;
use tribunal_protocol::object::{Call, Part, Ticket};
use tribunal_protocol::zab::{Config, Durable, Request, Wrong, Zab, Zxid};

use crate::cluster::{Scripted, Words, number, operation};

impl Scripted for Zab {
    const TIMERS: &'static [&'static str] = &["election", "settle", "heartbeat", "quorum"];

    fn configs(nodes: &[NodeId], mut options: Words<'_>) -> Vec<Config> {
        let mut common = Config::new(nodes[0], nodes.iter().copied());
        (common.settles_late, common.check_quorum) = (false, false);
        while let Some(option) = options.next() {
            match option {
                "settles-late" => common.settles_late = true,
                "check-quorum" => common.check_quorum = true,
                "observers" => {
                    let voters = nodes.len() - options.number() as usize;
                    common.voters = nodes[..voters].iter().copied().collect();
                    common.observers = nodes[voters..].iter().copied().collect();
                }
                "counter-max" => common.counter_max = options.number() as u32,
                "batch" => common.batch_max = options.number() as usize,
                "chunk" => common.chunk_max = options.number() as usize,
                "compact-after" => {
                    common.compact_after = Some(options.number());
                    common.compact_keep = options.number();
                }
                "sessions" => common.sessions_founding = options.number(),
                "bug" => common.bug = Some(Wrong::named(options.word()).expect("a known bug")),
                _ => panic!("no such option: {option}"),
            }
        }
        let config = |id: &NodeId| Config {
            id: *id,
            ..common.clone()
        };
        nodes.iter().map(config).collect()
    }

    fn request(words: &[&str], ticket: Option<Ticket>) -> Request {
        match *words {
            ["register"] => Request::Call(Call::Register),
            ["compact"] => Request::Compact,
            ["local", key] => Request::Read {
                key: number(key),
                seen: Zxid::default(),
            },
            ["local", key, seen] => Request::Read {
                key: number(key),
                seen: zxid(seen),
            },
            _ => Request::Call(Call::Execute {
                ticket,
                operation: operation(words),
            }),
        }
    }

    fn shown(&self, _config: &Config, durable: &Durable) -> String {
        let (role, current, accepted) = (self.role(), self.current(), self.accepted());
        let promised = if accepted.epoch == 0 {
            String::new()
        } else {
            format!(" (promised {} to {})", accepted.epoch, accepted.to)
        };
        let zxids = |durable: &tribunal_protocol::zab::History| {
            let zxids: Vec<Zxid> = durable.txns().iter().map(|txn| txn.zxid).collect();
            match durable.base() {
                base if base == Zxid::default() => format!("{zxids:?}"),
                base => format!("behind {base} {zxids:?}"),
            }
        };
        let lags = durable.history != *self.history()
            || durable.current != current
            || durable.accepted != accepted;
        let disk = if lags {
            let (epoch, history) = (durable.current, zxids(&durable.history));
            let promised = durable.accepted.epoch;
            format!(", on disk epoch {epoch} (promised {promised}) {history}")
        } else {
            String::new()
        };
        let (history, committed) = (zxids(self.history()), self.committed());
        let parts = self.store().parts().into_iter();
        let values = parts.filter_map(|part| match part {
            Part::Value(key, value) => Some(format!("{key}: {value}")),
            Part::Session(..) => None,
        });
        let values: Vec<String> = values.collect();
        let values = values.join(", ");
        format!(
            "{role}, epoch {current}{promised} {history}{disk}, committed {committed}, object {{{values}}}"
        )
    }
}

fn zxid(word: &str) -> Zxid {
    let (epoch, counter) = word.split_once('.').expect("EPOCH.COUNTER");
    Zxid {
        epoch: number(epoch) as u32,
        counter: number(counter) as u32,
    }
}
