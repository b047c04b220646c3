//! How clients speak to a machine: JSON bodies after Maelstrom's.
//!
//! A message is one line, `{"src": …, "dest": …, "body": {"type": …,
//! "msg_id": …, …}}`. The reply to a body of type `x` has type `x_ok`, or is
//! an error with one of Maelstrom's codes, and `in_reply_to` the `msg_id`.
//! What a body of each type says is a matter of the system: [`Service`].

use serde_json::{Map, Value as Json};
use tribunal_protocol::{Machine, NodeId};

/// The fields of a message's body.
pub type Body = Map<String, Json>;

/// A machine that clients can speak to.
pub trait Service: Machine {
    /// What a body of this type asks.
    fn request(kind: &str, body: &Body) -> Result<Self::Request, Refusal>;

    /// The fields of the reply to a body of this type, beside those that
    /// every reply has.
    fn reply(kind: &str, response: Self::Response) -> Result<Body, Refusal>;

    /// How a client is told that its request will never take effect, and why.
    fn refusal(why: String) -> Refusal {
        Refusal::new(Code::TEMPORARILY_UNAVAILABLE, why)
    }
}

/// An error code; below 1000 they are Maelstrom's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u64);

impl Code {
    /// The message was meant for another node.
    pub const NODE_NOT_FOUND: Code = Code(1);
    /// The node does not know this type of body.
    pub const NOT_SUPPORTED: Code = Code(10);
    /// The request was not accepted; another time or place may do.
    pub const TEMPORARILY_UNAVAILABLE: Code = Code(11);
    /// The body is not as its type asks.
    pub const MALFORMED_REQUEST: Code = Code(12);
    /// The outcome is not known: it may have taken effect, or may still.
    pub const CRASH: Code = Code(13);
    /// It was given up and will not take effect.
    pub const ABORT: Code = Code(14);
    /// Nothing stands under the key.
    pub const KEY_DOES_NOT_EXIST: Code = Code(20);
    /// A cas found another value.
    pub const PRECONDITION_FAILED: Code = Code(22);
    /// The transaction was aborted, since it conflicts with another.
    pub const TXN_CONFLICT: Code = Code(30);
    /// The session is not known, or no longer: whether an earlier copy of
    /// the command took effect cannot be told.
    pub const SESSION_UNKNOWN: Code = Code(1000);
    /// The session has moved on to a later command: what this one returned
    /// cannot be told.
    pub const SESSION_SUPERSEDED: Code = Code(1001);

    /// Whether the request has not taken effect and never will.
    pub fn is_definite(self) -> bool {
        matches!(self.0, 1 | 10 | 11 | 12 | 14) || self.is_about_the_object()
    }

    /// Whether it tells what the request found, and nothing of the node's
    /// health.
    pub fn is_about_the_object(self) -> bool {
        matches!(self.0, 20 | 21 | 22 | 30)
    }
}

/// An error body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: Code,
    /// In words.
    pub text: String,
    /// Who may accept the request.
    pub leader: Option<NodeId>,
}

impl Refusal {
    /// An error without a hint.
    pub fn new(code: Code, text: impl Into<String>) -> Refusal {
        Refusal {
            code,
            text: text.into(),
            leader: None,
        }
    }

    /// A body that is not as it must be: what was expected, and of what.
    pub fn malformed(expected: &str, field: &str) -> Refusal {
        Refusal::new(
            Code::MALFORMED_REQUEST,
            format!("expected {expected} in `{field}`"),
        )
    }

    /// A request that another node may accept.
    pub fn redirect(leader: NodeId) -> Refusal {
        Refusal {
            leader: Some(leader),
            ..Refusal::new(Code::TEMPORARILY_UNAVAILABLE, format!("{leader} leads"))
        }
    }

    /// The fields of the error.
    pub fn into_body(self) -> Body {
        let mut body = Body::new();
        body.insert("type".into(), "error".into());
        body.insert("code".into(), self.code.0.into());
        body.insert("text".into(), self.text.into());
        if let Some(leader) = self.leader {
            body.insert("leader".into(), leader.to_string().into());
        }
        body
    }
}
