//! The words in which clients speak of the replicated store, the same for
//! every protocol that replicates it: Maelstrom's `read`, `write` and `cas`.
//!
//! `write` and `cas` take a `session` and a `serial`, so that a repeated one
//! takes effect once; `register` opens a session.

use serde_json::Value as Json;
use tribunal_protocol::object::{Answer, Call, Operation, SessionId, Ticket};

use crate::service::{Body, Code, Refusal};

/// Reads a body.
pub fn asked(kind: &str, body: &Body) -> Result<Call, Refusal> {
    let operation = match kind {
        "register" => return Ok(Call::Register),
        "read" => Operation::Read { key: key(body)? },
        "write" => Operation::Write {
            key: key(body)?,
            value: integer(body, "value")?,
        },
        "cas" => Operation::Cas {
            key: key(body)?,
            from: match body.get("from") {
                Some(Json::Null) => None,
                _ => Some(integer(body, "from")?),
            },
            to: integer(body, "to")?,
        },
        other => {
            let why = format!("`{other}` is none of init, status, register, read, write, cas");
            return Err(Refusal::new(Code::NOT_SUPPORTED, why));
        }
    };
    Ok(Call::Execute {
        ticket: ticket(body)?,
        operation,
    })
}

/// The fields that say what the store answered.
pub fn answered(answer: Answer) -> Result<Body, Refusal> {
    let refuse = |code, text| Err(Refusal::new(code, text));
    let mut body = Body::new();
    match answer {
        Answer::Done => {}
        Answer::Value(Some(value)) => {
            body.insert("value".into(), value.into());
        }
        Answer::Session(SessionId(session)) => {
            body.insert("session".into(), session.into());
        }
        Answer::Value(None) => return refuse(Code::KEY_DOES_NOT_EXIST, "the key holds nothing"),
        Answer::Missing => return refuse(Code::KEY_DOES_NOT_EXIST, "the key holds nothing"),
        Answer::Mismatch => return refuse(Code::PRECONDITION_FAILED, "it holds another value"),
        Answer::NoSession => return refuse(Code::SESSION_UNKNOWN, "the session is not known"),
        Answer::Superseded => {
            return refuse(Code::SESSION_SUPERSEDED, "the session has moved on");
        }
    }
    Ok(body)
}

pub(super) fn key(body: &Body) -> Result<u64, Refusal> {
    let key = body.get("key").and_then(Json::as_u64);
    key.ok_or_else(|| Refusal::malformed("a whole number from 0", "key"))
}

fn integer(body: &Body, field: &str) -> Result<i64, Refusal> {
    let value = body.get(field).and_then(Json::as_i64);
    value.ok_or_else(|| Refusal::malformed("a whole number", field))
}

fn ticket(body: &Body) -> Result<Option<Ticket>, Refusal> {
    let field = |name: &str| match body.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::malformed("a whole number from 0", name)),
        },
    };
    match (field("session")?, field("serial")?) {
        (None, None) => Ok(None),
        (Some(session), Some(serial)) => Ok(Some(Ticket {
            session: SessionId(session),
            serial,
        })),
        (Some(_), None) => Err(Refusal::malformed(
            "a whole number beside `session`",
            "serial",
        )),
        (None, Some(_)) => Err(Refusal::malformed(
            "a whole number beside `serial`",
            "session",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &str) -> Result<Call, Refusal> {
        let body: Body = serde_json::from_str(text).unwrap();
        asked(body["type"].as_str().unwrap(), &body)
    }

    fn execute(ticket: Option<Ticket>, operation: Operation) -> Call {
        Call::Execute { ticket, operation }
    }

    #[test]
    fn each_operation_is_read() {
        let read = execute(None, Operation::Read { key: 3 });
        assert_eq!(ask(r#"{"type": "read", "key": 3}"#), Ok(read));
        let write = Operation::Write { key: 3, value: -4 };
        let ticket = Ticket {
            session: SessionId(7),
            serial: 1,
        };
        assert_eq!(
            ask(r#"{"type": "write", "key": 3, "value": -4, "session": 7, "serial": 1}"#),
            Ok(execute(Some(ticket), write))
        );
        let cas = Operation::Cas {
            key: 3,
            from: None,
            to: 5,
        };
        assert_eq!(
            ask(r#"{"type": "cas", "key": 3, "from": null, "to": 5}"#),
            Ok(execute(None, cas))
        );
        assert_eq!(ask(r#"{"type": "register"}"#), Ok(Call::Register));
    }

    #[test]
    fn what_is_not_understood_is_refused_by_its_field() {
        let cases = [
            (r#"{"type": "read"}"#, Code::MALFORMED_REQUEST, "`key`"),
            (
                r#"{"type": "read", "key": -1}"#,
                Code::MALFORMED_REQUEST,
                "`key`",
            ),
            (
                r#"{"type": "write", "key": 1}"#,
                Code::MALFORMED_REQUEST,
                "`value`",
            ),
            (
                r#"{"type": "write", "key": 1, "value": 1.5}"#,
                Code::MALFORMED_REQUEST,
                "`value`",
            ),
            (
                r#"{"type": "cas", "key": 1, "to": 1}"#,
                Code::MALFORMED_REQUEST,
                "`from`",
            ),
            (
                r#"{"type": "write", "key": 1, "value": 1, "session": 1}"#,
                Code::MALFORMED_REQUEST,
                "`serial`",
            ),
            (
                r#"{"type": "delete", "key": 1}"#,
                Code::NOT_SUPPORTED,
                "`delete`",
            ),
        ];
        for (text, code, field) in cases {
            let refusal = ask(text).unwrap_err();
            assert_eq!(refusal.code, code, "{text}");
            assert!(refusal.text.contains(field), "{text}: {}", refusal.text);
        }
    }

    #[test]
    fn an_answer_that_leaves_the_outcome_open_is_not_definite() {
        let code = |answer| answered(answer).unwrap_err().code;
        for answer in [Answer::NoSession, Answer::Superseded] {
            assert!(!code(answer).is_definite());
        }
        for answer in [Answer::Mismatch, Answer::Missing] {
            assert!(code(answer).is_definite());
        }
    }
}
