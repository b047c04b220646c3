//! What became of an operation: the rules, and nothing but the rules.
//!
//! Called by the client after each attempt. Knows no socket and no clock, so
//! that every case can be written down as a table.
//!
//! - `fail` means that the operation never takes effect, in any future. So it
//!   needs two things: this attempt was certainly not accepted, and no earlier
//!   one may have been.
//! - What was lost after the first byte left, and what was refused because
//!   the session is gone, may have taken effect, or may still: `info`.
//! - A read changes nothing, so that a read without an answer is a `fail`.
//! - An operation is sent again after a loss only under the same ticket. A
//!   cas that then does not match is `info` all the same: the earlier attempt
//!   may have taken effect, if the system does not tell the two for one.
//! - A redirect, and any other refusal before acceptance, leaves nothing
//!   behind: the operation may be asked elsewhere, with or without a ticket.

use std::fmt::Debug;

use crate::adapter::{Completion, NodeNumber};
use crate::service::Code;

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// Nothing left this process: no connection could be made.
    NotSent(String),
    /// Something may have left, and no answer came.
    Lost(String),
    /// The system performed the operation.
    Done(T),
    /// The system refused.
    Refused {
        /// Why.
        code: Code,
        /// In words.
        text: String,
        /// Who may accept it.
        leader: Option<NodeNumber>,
    },
}

/// What to do after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<T> {
    /// Nothing: this is the outcome.
    End(Verdict<T>),
    /// Ask that node at once.
    Ask(NodeNumber),
    /// Rest, and ask again, wherever.
    AskAgain,
}

/// The outcome of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// It took effect, or was read.
    Ok(T),
    /// It never will.
    Fail(String),
    /// It never will, for what the system found.
    Refused(String),
    /// Nobody can tell.
    Info(String),
}

impl<T> Verdict<T> {
    /// The completion that a history records.
    pub fn completion(self, value: impl FnOnce(T) -> tribunal_histories::Value) -> Completion {
        match self {
            Verdict::Ok(answer) => Completion::Ok(value(answer)),
            Verdict::Fail(why) => Completion::Fail(why),
            Verdict::Refused(why) => Completion::Refused(why),
            Verdict::Info(why) => Completion::Info(why),
        }
    }
}

/// One operation, from its first attempt to its outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Whether it changes nothing.
    read: bool,
    /// Whether it may be asked again after a loss: it is a read, or carries a
    /// ticket.
    retry: bool,
    /// How many redirects in a row it may follow without a rest.
    redirects_left: u32,
    redirects_max: u32,
    /// Whether some attempt may have been accepted.
    risked: bool,
    /// Why the latest attempt led to nothing.
    latest: String,
}

impl Course {
    /// An operation that was not yet tried.
    pub fn new(read: bool, retry: bool, redirects_max: u32) -> Course {
        Course {
            read,
            retry,
            redirects_left: redirects_max,
            redirects_max,
            risked: false,
            latest: "not tried".to_owned(),
        }
    }

    /// After an attempt.
    pub fn after<T>(&mut self, attempt: Attempt<T>) -> Next<T> {
        match attempt {
            Attempt::Done(answer) => Next::End(Verdict::Ok(answer)),
            Attempt::NotSent(why) => self.not_accepted(why, None),
            Attempt::Lost(why) => {
                self.risked = true;
                self.latest = why;
                self.again_or_give_up()
            }
            Attempt::Refused { code, text, leader } => self.refused(code, text, leader),
        }
    }

    /// When there is no time left.
    pub fn give_up<T>(&self) -> Verdict<T> {
        if self.read || !self.risked {
            Verdict::Fail(self.latest.clone())
        } else {
            Verdict::Info(self.latest.clone())
        }
    }

    fn refused<T>(&mut self, code: Code, text: String, leader: Option<NodeNumber>) -> Next<T> {
        let why = format!("{text} ({})", code.0);
        match code {
            Code::TEMPORARILY_UNAVAILABLE | Code::ABORT => self.not_accepted(why, leader),
            // Asking again would change nothing: a cas did not match, or the
            // request itself is wrong.
            code if code.is_definite() => {
                self.latest = why;
                Next::End(match self.give_up() {
                    Verdict::Fail(why) if code.is_about_the_object() => Verdict::Refused(why),
                    verdict => verdict,
                })
            }
            // The tickets of a session that is gone tell nothing any more.
            Code::SESSION_UNKNOWN | Code::SESSION_SUPERSEDED => {
                self.risked = true;
                self.latest = why;
                Next::End(self.give_up())
            }
            _ => {
                self.risked = true;
                self.latest = why;
                self.again_or_give_up()
            }
        }
    }

    fn not_accepted<T>(&mut self, why: String, leader: Option<NodeNumber>) -> Next<T> {
        self.latest = why;
        if let Some(leader) = leader
            && self.redirects_left > 0
        {
            self.redirects_left -= 1;
            return Next::Ask(leader);
        }
        self.again_or_give_up()
    }

    fn again_or_give_up<T>(&mut self) -> Next<T> {
        if self.retry {
            self.redirects_left = self.redirects_max;
            Next::AskAgain
        } else {
            Next::End(self.give_up())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type A = Attempt<i64>;

    fn not_sent() -> A {
        Attempt::NotSent("no connection".into())
    }

    fn lost() -> A {
        Attempt::Lost("it broke".into())
    }

    fn refused(code: Code) -> A {
        Attempt::Refused {
            code,
            text: "no".into(),
            leader: None,
        }
    }

    fn redirected(leader: NodeNumber) -> A {
        Attempt::Refused {
            code: Code::TEMPORARILY_UNAVAILABLE,
            text: "elsewhere".into(),
            leader: Some(leader),
        }
    }

    /// Each attempt in turn, then the deadline; what happened, in short.
    fn course(read: bool, retry: bool, attempts: Vec<A>) -> String {
        let mut course = Course::new(read, retry, 2);
        let mut steps = Vec::new();
        for attempt in attempts {
            match course.after(attempt) {
                Next::Ask(node) => steps.push(format!("ask n{node}")),
                Next::AskAgain => steps.push("again".to_owned()),
                Next::End(verdict) => {
                    steps.push(word(&verdict));
                    return steps.join(", ");
                }
            }
        }
        steps.push(format!("late: {}", word(&course.give_up::<i64>())));
        steps.join(", ")
    }

    fn word(verdict: &Verdict<i64>) -> String {
        match verdict {
            Verdict::Ok(value) => format!("ok {value}"),
            Verdict::Fail(_) => "fail".to_owned(),
            Verdict::Refused(_) => "refused".to_owned(),
            Verdict::Info(_) => "info".to_owned(),
        }
    }

    fn write(attempts: Vec<A>) -> String {
        course(false, false, attempts)
    }

    fn retried(attempts: Vec<A>) -> String {
        course(false, true, attempts)
    }

    fn read(attempts: Vec<A>) -> String {
        course(true, false, attempts)
    }

    #[test]
    fn a_write_without_a_ticket_is_asked_once() {
        assert_eq!(write(vec![Attempt::Done(1)]), "ok 1");
        assert_eq!(write(vec![not_sent()]), "fail");
        assert_eq!(write(vec![lost()]), "info");
        assert_eq!(write(vec![]), "late: fail");
        assert_eq!(write(vec![refused(Code::TEMPORARILY_UNAVAILABLE)]), "fail");
        assert_eq!(write(vec![refused(Code::ABORT)]), "fail");
        assert_eq!(write(vec![refused(Code::PRECONDITION_FAILED)]), "refused");
        assert_eq!(write(vec![refused(Code::KEY_DOES_NOT_EXIST)]), "refused");
        assert_eq!(write(vec![refused(Code::TXN_CONFLICT)]), "refused");
        assert_eq!(write(vec![refused(Code::MALFORMED_REQUEST)]), "fail");
        assert_eq!(write(vec![refused(Code::CRASH)]), "info");
        assert_eq!(write(vec![refused(Code(0))]), "info");
        assert_eq!(write(vec![refused(Code(4711))]), "info");
    }

    #[test]
    fn a_redirect_is_followed_since_nothing_was_accepted() {
        assert_eq!(write(vec![redirected(2), Attempt::Done(1)]), "ask n2, ok 1");
        assert_eq!(write(vec![redirected(2), lost()]), "ask n2, info");
        assert_eq!(write(vec![redirected(2), not_sent()]), "ask n2, fail");
        assert_eq!(
            write(vec![redirected(2), redirected(1), redirected(2)]),
            "ask n2, ask n1, fail"
        );
    }

    #[test]
    fn a_retried_write_fails_only_if_no_attempt_was_risked() {
        let unavailable = || refused(Code::TEMPORARILY_UNAVAILABLE);
        assert_eq!(
            retried(vec![not_sent(), unavailable()]),
            "again, again, late: fail"
        );
        assert_eq!(
            retried(vec![lost(), unavailable()]),
            "again, again, late: info"
        );
        assert_eq!(
            retried(vec![lost(), not_sent()]),
            "again, again, late: info"
        );
        assert_eq!(
            retried(vec![lost(), redirected(3)]),
            "again, ask n3, late: info"
        );
        assert_eq!(
            retried(vec![lost(), refused(Code::MALFORMED_REQUEST)]),
            "again, info"
        );
        assert_eq!(
            retried(vec![refused(Code::CRASH), Attempt::Done(1)]),
            "again, ok 1"
        );
        assert_eq!(retried(vec![refused(Code::CRASH)]), "again, late: info");
    }

    #[test]
    fn a_mismatch_after_a_lost_attempt_leaves_the_outcome_open() {
        assert_eq!(
            retried(vec![lost(), refused(Code::PRECONDITION_FAILED)]),
            "again, info"
        );
        assert_eq!(
            retried(vec![lost(), refused(Code::KEY_DOES_NOT_EXIST)]),
            "again, info"
        );
    }

    #[test]
    fn a_session_that_is_gone_leaves_the_outcome_open() {
        for code in [Code::SESSION_UNKNOWN, Code::SESSION_SUPERSEDED] {
            assert_eq!(retried(vec![refused(code)]), "info");
            assert_eq!(retried(vec![lost(), refused(code)]), "again, info");
        }
    }

    #[test]
    fn a_read_without_an_answer_is_a_fail() {
        assert_eq!(read(vec![Attempt::Done(1)]), "ok 1");
        assert_eq!(read(vec![lost()]), "fail");
        assert_eq!(read(vec![not_sent()]), "fail");
        assert_eq!(read(vec![refused(Code::CRASH)]), "fail");
        assert_eq!(
            course(true, true, vec![lost(), lost()]),
            "again, again, late: fail"
        );
    }

    #[test]
    fn redirects_are_counted_anew_after_a_rest() {
        let attempts = vec![redirected(2), redirected(1), redirected(2), redirected(1)];
        assert_eq!(
            retried(attempts),
            "ask n2, ask n1, again, ask n1, late: fail"
        );
    }
}
