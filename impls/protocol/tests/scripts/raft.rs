//! What scripts of Raft say beside the commands that all have.
//!
//! | command | |
//! |---|---|
//! | `cluster` | `pre-vote`, `check-quorum`, `batch N`, `chunk N`, `spares N`, `sessions N`, `bug NAME`; the last nodes, the spares, are no members |
//! | `timeout` | `election`, `heartbeat`, `quorum`, `transfer` |
//! | `request` | `register`, `read KEY`, `write KEY VALUE`, `cas KEY OLD NEW`; as an operator does, `compact`, `add PEER`, `promote PEER`, `remove PEER`, `transfer PEER` |

use tribunal_protocol::NodeId;
use tribunal_protocol::object::{Call, Ticket};
use tribunal_protocol::raft::{Change, Config, Durable, Raft, Request, Wrong};

use crate::cluster::{Scripted, Words, node, number, operation};

impl Scripted for Raft {
    const TIMERS: &'static [&'static str] = &["election", "heartbeat", "quorum", "transfer"];

    fn configs(nodes: &[NodeId], mut options: Words<'_>) -> Vec<Config> {
        let mut common = Config::new(nodes[0], nodes.iter().copied());
        (common.pre_vote, common.check_quorum) = (false, false);
        while let Some(option) = options.next() {
            match option {
                "pre-vote" => common.pre_vote = true,
                "check-quorum" => common.check_quorum = true,
                "chunk" => common.chunk_max = options.number() as usize,
                "spares" => {
                    let members = nodes.len() as u64 - options.number();
                    common.voters.retain(|voter| u64::from(voter.0) <= members);
                }
                "batch" => common.batch_max = options.number() as usize,
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
            ["add", peer] => Request::Reconfigure(Change::AddLearner(node(peer))),
            ["promote", peer] => Request::Reconfigure(Change::Promote(node(peer))),
            ["remove", peer] => Request::Reconfigure(Change::Remove(node(peer))),
            ["transfer", peer] => Request::Transfer(node(peer)),
            ["read", key] => Request::Read { key: number(key) },
            _ => Request::Call(Call::Execute {
                ticket,
                operation: operation(words),
            }),
        }
    }

    fn shown(&self, config: &Config, durable: &Durable) -> String {
        let terms: Vec<u64> = self.log().entries().iter().map(|e| e.term).collect();
        let (role, term, commit) = (self.role(), self.term(), self.commit());
        let durable = durable.log.last_index();
        let base = match self.log().base().index {
            0 => String::new(),
            index => format!("behind {index} "),
        };
        let membership = self.membership();
        let founding = membership.voters == config.voters;
        let members = if founding && membership.learners.is_empty() {
            String::new()
        } else {
            let (voters, learners) = (&membership.voters, &membership.learners);
            format!(", voters {voters:?}, learners {learners:?}")
        };
        format!(
            "{role} of term {term}, log {base}{terms:?}, durable {durable}, commit {commit}{members}"
        )
    }
}
