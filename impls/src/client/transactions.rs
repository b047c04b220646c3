//! A client that asks for transactions.
//!
//! Beside the transactions that a history of such records (`txn`, whose value
//! lists micro-operations) it knows the two operations of a bank, each of which
//! is a transaction, too:
//!
//! | operation | value | asks |
//! |---|---|---|
//! | `transfer` | `{"from": account, "to": account, "amount": n}` | to move money that there is |
//! | `read` | `{account: null, …}` | what each account holds |

use std::net::SocketAddr;

use serde_json::Value as Json;
use tokio::time::{Instant, timeout_at};
use tribunal_histories::Value;

use super::connection::Connection;
use super::outcome::{Attempt, Course, Next, Verdict};
use super::{in_one_line, json, understood};
use crate::adapter::{Client, ClientOptions, Completion, Invocation, NodeNumber, Pending};
use crate::service::Body;

/// The operation, the type of its body, and the body's field that lists what
/// is to be done.
pub const TXN: &str = "txn";

/// A logical client of a store with transactions. It asks its own node alone,
/// which coordinates what it asks for; so a workload decides who coordinates.
#[derive(Debug)]
pub struct TransactionsClient {
    node: NodeNumber,
    address: SocketAddr,
    options: ClientOptions,
    connection: Option<Connection>,
}

impl TransactionsClient {
    /// A client of the node that serves clients at this address.
    pub fn new(node: NodeNumber, address: SocketAddr, options: ClientOptions) -> Self {
        TransactionsClient {
            node,
            address,
            options,
            connection: None,
        }
    }

    async fn perform(&mut self, invocation: &Invocation) -> Completion {
        let Some(asked) = Asked::of(invocation) else {
            let Invocation { f, value, .. } = invocation;
            return Completion::Fail(format!("this client knows no `{f}` of {value}"));
        };
        let deadline = Instant::now() + self.options.timeout;
        // A transaction has no ticket, so that it is never asked for twice.
        let mut course = Course::new(asked.is_read(), false, 0);
        let attempt = self.attempt(&asked, deadline).await;
        let verdict = match course.after(attempt) {
            Next::End(verdict) => verdict,
            Next::Ask(_) | Next::AskAgain => course.give_up(),
        };
        match verdict {
            Verdict::Ok(reply) => match asked.saw(&reply) {
                Some(value) => Completion::Ok(value),
                None => Completion::Info("the node answered what nobody asked for".to_owned()),
            },
            other => other.completion(|_| Value::Null),
        }
    }

    async fn attempt(&mut self, asked: &Asked, deadline: Instant) -> Attempt<Body> {
        let body = match asked.body() {
            Ok(body) => body,
            Err(why) => return Attempt::NotSent(why),
        };
        let kept = self.connection.take();
        let opened = Connection::kept_or_new(kept, self.node, self.address, deadline);
        let mut connection = match opened.await {
            Ok(connection) => connection,
            Err(why) => return Attempt::NotSent(why),
        };
        let dest = format!("n{}", self.node);
        match timeout_at(deadline, connection.ask(&dest, body.clone())).await {
            Ok(Ok(reply)) => {
                // Only a connection without an open question is used again.
                self.connection = Some(connection);
                understood(&body, reply)
            }
            Ok(Err(error)) => Attempt::Lost(in_one_line(&error)),
            Err(_) => Attempt::Lost(format!("no answer from {dest} in time")),
        }
    }
}

impl Client for TransactionsClient {
    fn invoke<'a>(&'a mut self, invocation: &'a Invocation) -> Pending<'a, Completion> {
        Box::pin(self.perform(invocation))
    }

    fn node(&self) -> NodeNumber {
        self.node
    }
}

/// An operation as a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    /// What is to be done, as the node is asked.
    micros: Vec<Value>,
    tells: Tells,
}

/// What a completed operation tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Tells {
    /// The micro-operations, with what reads saw.
    Micros,
    /// The balance of each account.
    Balances(Vec<String>),
    /// That it was done; this.
    Done(Value),
}

impl Asked {
    fn of(invocation: &Invocation) -> Option<Asked> {
        let (micros, tells) = match (invocation.f.as_str(), &invocation.value) {
            (TXN, Value::List(micros)) => (micros.clone(), Tells::Micros),
            ("transfer", Value::Map(parts)) => {
                let (from, to) = (parts.get("from")?, parts.get("to")?);
                let Value::Int(amount) = parts.get("amount")? else {
                    return None;
                };
                let add = |account: &Value, amount: i64| {
                    vec!["add".into(), account.clone(), Value::Int(amount)]
                };
                let mut take = add(from, amount.checked_neg()?);
                take.push(Value::Int(0));
                let micros = [take, add(to, *amount)].map(Value::List).to_vec();
                (micros, Tells::Done(invocation.value.clone()))
            }
            ("read", Value::Map(balances)) => {
                let read = |account: &String| {
                    let account = account.parse().ok()?;
                    Some(Value::List(vec![
                        "r".into(),
                        Value::Int(account),
                        Value::Null,
                    ]))
                };
                let micros = balances.keys().map(read).collect::<Option<_>>()?;
                (micros, Tells::Balances(balances.keys().cloned().collect()))
            }
            _ => return None,
        };
        Some(Asked { micros, tells })
    }

    fn body(&self) -> Result<Body, String> {
        let operations: Result<Vec<Json>, String> = self.micros.iter().map(json).collect();
        Ok(Body::from_iter([
            ("type".to_owned(), TXN.into()),
            (TXN.to_owned(), operations?.into()),
        ]))
    }

    fn is_read(&self) -> bool {
        self.micros.iter().all(is_read)
    }

    /// What the operation tells when it was answered like this; none if the
    /// answer does not belong to it.
    fn saw(&self, reply: &Body) -> Option<Value> {
        let seen = reply.get("seen")?.as_array()?;
        if seen.len() != self.micros.len() {
            return None;
        }
        let value = |json: &Json| serde_json::from_value::<Value>(json.clone()).ok();
        match &self.tells {
            Tells::Done(value) => Some(value.clone()),
            Tells::Micros => {
                let micros = self.micros.iter().zip(seen);
                let filled = micros.map(|(micro, json)| {
                    let Value::List(parts) = micro else {
                        return None;
                    };
                    let mut parts = parts.clone();
                    if is_read(micro) {
                        parts.truncate(2);
                        parts.push(value(json)?);
                    }
                    Some(Value::List(parts))
                });
                filled.collect::<Option<_>>().map(Value::List)
            }
            Tells::Balances(accounts) => {
                let balances = accounts.iter().zip(seen);
                let balance = |json: &Json| {
                    value(json).filter(|it| matches!(it, Value::Int(_) | Value::Null))
                };
                let balances = balances.map(|(name, json)| Some((name.clone(), balance(json)?)));
                balances.collect::<Option<_>>().map(Value::Map)
            }
        }
    }
}

fn is_read(micro: &Value) -> bool {
    matches!(micro, Value::List(parts) if parts.first() == Some(&"r".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    fn asked(f: &str, text: &str) -> Option<Asked> {
        Asked::of(&Invocation {
            f: f.to_owned(),
            key: Value::Null,
            value: value(text),
        })
    }

    fn saw(asked: &Asked, seen: &str) -> Option<String> {
        let reply: Body = serde_json::from_str(&format!(r#"{{"seen": {seen}}}"#)).unwrap();
        asked.saw(&reply).map(|value| value.to_string())
    }

    #[test]
    fn reads_of_a_transaction_are_filled_with_what_they_saw() {
        let asked = asked(TXN, r#"[["r",1,null],["append",1,2],["r",3,null]]"#).unwrap();
        assert!(!asked.is_read());
        let seen = saw(&asked, "[[5], null, null]").unwrap();
        assert_eq!(seen, r#"[["r",1,[5]],["append",1,2],["r",3,null]]"#);
        assert_eq!(saw(&asked, "[[5], null]"), None);
        assert_eq!(saw(&asked, "[1.5, null, null]"), None);
    }

    #[test]
    fn a_transfer_takes_only_what_there_is() {
        let text = r#"{"amount":3,"from":1,"to":2}"#;
        let asked = asked("transfer", text).unwrap();
        let micros: Vec<String> = asked.micros.iter().map(Value::to_string).collect();
        assert_eq!(micros, [r#"["add",1,-3,0]"#, r#"["add",2,3]"#]);
        assert!(!asked.is_read());
        assert_eq!(saw(&asked, "[null, null]").unwrap(), text);
    }

    #[test]
    fn a_read_of_a_bank_tells_balances_by_account() {
        let asked = asked("read", r#"{"7":null,"10":null}"#).unwrap();
        assert!(asked.is_read());
        let micros: Vec<String> = asked.micros.iter().map(Value::to_string).collect();
        assert_eq!(micros, [r#"["r",10,null]"#, r#"["r",7,null]"#]);
        assert_eq!(saw(&asked, "[4, 5]").unwrap(), r#"{"10":4,"7":5}"#);
        assert_eq!(saw(&asked, "[[4], 5]"), None);
    }

    #[test]
    fn what_is_no_operation_of_this_client_is_none() {
        for (f, text) in [
            ("write", "1"),
            (TXN, "1"),
            ("transfer", r#"{"from":1,"to":2}"#),
            ("read", r#"{"x":null}"#),
        ] {
            assert_eq!(asked(f, text), None, "{f} {text}");
        }
    }
}
