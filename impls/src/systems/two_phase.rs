//! Two-phase commit as a server.
//!
//! A client asks for a transaction by a body of type `txn`, whose field `txn`
//! lists the operations in the form of Jepsen and Maelstrom:
//!
//! | operation | does |
//! |---|---|
//! | `["r", key, null]` | reads |
//! | `["w", key, value]` | writes a number |
//! | `["append", key, value]` | appends a number to a list |
//! | `["add", key, amount]` | adds to a number |
//! | `["add", key, amount, least]` | the same, unless the sum would be less than `least` |
//!
//! The field `seen` of the reply has an entry for each: of a read what the key
//! held, `null` if nothing; of any other `null`. A transaction that was aborted
//! for what it found is answered with Maelstrom's error `txn-conflict`, one that
//! was since nodes or links failed with `abort`.

use serde_json::Value as Json;
use tribunal_protocol::two_phase::{
    BUGS, Committed, Config, Operation, Reason, Seen, Transaction, TwoPhase, Value, Wrong,
};

use super::{BuiltIn, Playable, Refused, everybody, wrong_version};
use crate::adapter::{Capability, Client, ClientOptions, NodePlan};
use crate::client::{TXN, TransactionsClient};
use crate::service::{Body, Code, Refusal, Service};
use crate::trace::Role;

/// The entry among the built-in systems.
pub(super) const TWO_PHASE: BuiltIn = BuiltIn::new::<TwoPhase>(
    "two-phase",
    "two-phase commit: transactions over keys that are shared out among the nodes, by presumed \
     abort, strict two-phase locking and wait-die",
    BUGS,
);

impl Service for TwoPhase {
    fn request(kind: &str, body: &Body) -> Result<Transaction, Refusal> {
        if kind != TXN {
            let why = format!("`{kind}` is none of init, status, {TXN}");
            return Err(Refusal::new(Code::NOT_SUPPORTED, why));
        }
        let list = body.get(TXN).and_then(Json::as_array);
        let operations: Option<Vec<Operation>> =
            list.and_then(|list| list.iter().map(operation).collect());
        let expected = "a list of [\"r\", key, null], [\"w\", key, value], \
                        [\"append\", key, value] and [\"add\", key, amount, least]";
        operations
            .map(Transaction)
            .ok_or_else(|| Refusal::malformed(expected, TXN))
    }

    fn reply(_kind: &str, Committed(seen): Committed) -> Result<Body, Refusal> {
        let seen = seen.into_iter().map(json).collect();
        Ok(Body::from_iter([("seen".to_owned(), seen)]))
    }

    fn refusal(why: String) -> Refusal {
        let code = match Reason::of(&why) {
            Some(reason) if reason.is_conflict() => Code::TXN_CONFLICT,
            Some(_) => Code::ABORT,
            None => Code::MALFORMED_REQUEST,
        };
        Refusal::new(code, why)
    }
}

fn operation(json: &Json) -> Option<Operation> {
    let parts = json.as_array()?;
    let key = parts.get(1)?.as_u64()?;
    let number = |place: usize| parts.get(place)?.as_i64();
    Some(match (parts[0].as_str()?, parts.len()) {
        ("r", 2 | 3) => Operation::Read { key },
        ("w", 3) => Operation::Write {
            key,
            value: number(2)?,
        },
        ("append", 3) => Operation::Append {
            key,
            value: number(2)?,
        },
        ("add", 3) => Operation::Add {
            key,
            amount: number(2)?,
            at_least: None,
        },
        ("add", 4) => Operation::Add {
            key,
            amount: number(2)?,
            at_least: Some(number(3)?),
        },
        _ => return None,
    })
}

fn json(seen: Seen) -> Json {
    match seen {
        Seen::Done | Seen::Value(None) => Json::Null,
        Seen::Value(Some(Value::Number(number))) => number.into(),
        Seen::Value(Some(Value::List(list))) => list.into(),
    }
}

impl Playable for TwoPhase {
    const CAPABILITIES: &'static [Capability] = &[Capability::Transactions];
    const WORKLOAD: &'static str = "list-append";

    fn config(role: &Role) -> Result<Config, Refused> {
        let bug = role.bug.as_deref();
        Ok(Config {
            bug: bug
                .map(|name| wrong_version(Wrong::named(name), name, BUGS))
                .transpose()?,
            ..Config::new(role.node, everybody(role))
        })
    }

    fn client(plan: &NodePlan, _: &[NodePlan], options: &ClientOptions) -> Box<dyn Client> {
        let client = TransactionsClient::new(plan.node, plan.client_listen, options.clone());
        Box::new(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Result<Transaction, Refusal> {
        let body: Body = serde_json::from_str(text).unwrap();
        TwoPhase::request(body["type"].as_str().unwrap(), &body)
    }

    #[test]
    fn each_operation_is_read() {
        let asked = ask(r#"{"type": "txn", "txn": [["r", 1, null], ["w", 2, -3],
            ["append", 3, 4], ["add", 4, -5], ["add", 5, 6, 0]]}"#);
        let add = |key, amount, at_least| Operation::Add {
            key,
            amount,
            at_least,
        };
        let expected = vec![
            Operation::Read { key: 1 },
            Operation::Write { key: 2, value: -3 },
            Operation::Append { key: 3, value: 4 },
            add(4, -5, None),
            add(5, 6, Some(0)),
        ];
        assert_eq!(asked, Ok(Transaction(expected)));
    }

    #[test]
    fn what_is_no_transaction_is_refused_by_its_field() {
        for text in [
            r#"{"type": "txn"}"#,
            r#"{"type": "txn", "txn": {}}"#,
            r#"{"type": "txn", "txn": [[]]}"#,
            r#"{"type": "txn", "txn": [["r", "x", null]]}"#,
            r#"{"type": "txn", "txn": [["w", 1, null]]}"#,
            r#"{"type": "txn", "txn": [["w", 1, 2, 3]]}"#,
            r#"{"type": "txn", "txn": [["add", 1, 2, "0"]]}"#,
        ] {
            let refusal = ask(text).unwrap_err();
            assert_eq!(refusal.code, Code::MALFORMED_REQUEST, "{text}");
            assert!(refusal.text.ends_with("in `txn`"), "{}", refusal.text);
        }
        let other = ask(r#"{"type": "read", "key": 1}"#).unwrap_err();
        assert_eq!(other.code, Code::NOT_SUPPORTED);
    }

    #[test]
    fn only_what_a_transaction_found_is_a_conflict() {
        let code = |why: String| TwoPhase::refusal(why).code;
        assert_eq!(code(Reason::Younger.told()), Code::TXN_CONFLICT);
        assert_eq!(code(Reason::TooLow.told()), Code::TXN_CONFLICT);
        assert_eq!(code(Reason::Late.told()), Code::ABORT);
        assert_eq!(code("too many".to_owned()), Code::MALFORMED_REQUEST);
    }

    #[test]
    fn the_reply_has_an_entry_for_each_operation() {
        let list = Value::List(vec![1, 2]);
        let seen = vec![
            Seen::Done,
            Seen::Value(None),
            Seen::Value(Some(list)),
            Seen::Value(Some(Value::Number(3))),
        ];
        let body = TwoPhase::reply(TXN, Committed(seen)).unwrap();
        let text = Json::from(body).to_string();
        assert_eq!(text, r#"{"seen":[null,null,[1,2],3]}"#);
    }
}
