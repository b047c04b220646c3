//! A lease: a lock that its holder may lose at any time.
//!
//! | operation | argument | answer |
//! |---|---|---|
//! | `acquire` | null | the term, a whole number, larger than every one before; false: somebody holds the lease |
//! | `renew` | the term | null, true, or the term again: the process holds the lease under it; false: it does not, and never will again |
//! | `guarded` | the term | the same, of an operation that only the holder may do |
//! | `release` | the term | null, true, or the term again: nobody holds the lease now; false: as of `renew` |
//!
//! At first nobody holds it, and no term was above 0: null, or the last term,
//! or `[term, process]` if that process holds it.
//!
//! A lease runs out by itself, when no operation shows. What operations show is
//! all that is judged:
//!
//! - an acquire is always possible, and ends whatever lease there was; its term
//!   is larger;
//! - under an old term, or by another process than got it, `renew`, `guarded`
//!   and `release` are refused;
//! - what was refused once is over: of the same term nothing succeeds later.
//!
//! The holder is the process. A client that goes on as another process, as it
//! must after an `info`, holds nothing until it acquires anew.
//!
//! Gray and Cheriton, "Leases" (SOSP 1989); terms are the epochs of etcd's and
//! Chubby's sequencers (Burrows, OSDI 2006, section 2.4). When a lease runs
//! out is a question of clocks, which no history of answers can settle: an
//! early end is no violation here, nor a late one that nobody saw.
//!
//! # Calls of unknown outcome
//!
//! As with [`super::fenced_lock`], an acquire is taken to have got the smallest
//! term there can be; if it was refused, it might as well not have been carried
//! out, and need not be. A `renew` and a `guarded` are taken to have changed
//! nothing: had they been refused, the lease would be over, after which less is
//! possible. Either way all that other processes can see after any answer they
//! can see after none, and the process itself does nothing more.

use tribunal_histories::Value;

use super::fenced_lock::{show_token_and_holder, token_and_holder};
use super::reading::{done_or_refused, unknown, whole};
use super::{Asked, Effect, Recorded, Specification};

/// A lease; see the module.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// What it is at first.
    initial: Term,
}

/// What a lease is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Term {
    /// The last term, or the least that it can be.
    pub term: i128,
    /// The process that holds it, as far as operations show.
    pub holder: Option<u64>,
}

/// What a lease is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseCall {
    /// Let this process hold it.
    Acquire(u64),
    /// Does this process hold it still, under this term?
    Renew(u64, i64),
    /// Let this process, under this term, no longer hold it.
    Release(u64, i64),
}

/// What a lease answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseReturn {
    /// It is held, under this term.
    Term(i64),
    /// It was held, and what was asked was done.
    Done,
    /// Of an acquire: somebody holds it. Otherwise: it is not held under that
    /// term any more.
    Refused,
}

impl Specification for Lease {
    type State = Term;
    type Call = LeaseCall;
    type Return = LeaseReturn;

    fn initial(&self) -> Term {
        self.initial
    }

    fn step(&self, state: &Term, call: &LeaseCall, returned: Option<&LeaseReturn>) -> Option<Term> {
        use LeaseCall::{Acquire, Release, Renew};
        use LeaseReturn::{Done, Refused};
        let over = Term {
            holder: None,
            ..*state
        };
        match (*call, returned) {
            (Acquire(process), None) => Some(Term {
                term: state.term + 1,
                holder: Some(process),
            }),
            (Acquire(process), Some(LeaseReturn::Term(term))) => {
                let term = i128::from(*term);
                let holder = Some(process);
                (term > state.term).then_some(Term { term, holder })
            }
            (Acquire(_), Some(Refused)) => state.holder.is_some().then_some(*state),
            (Renew(..), None) => Some(*state),
            (Renew(process, term), Some(Done)) => (*state == held(process, term)).then_some(*state),
            (Release(process, term), Some(Done)) => (*state == held(process, term)).then_some(over),
            (Release(process, term), None)
            | (Renew(process, term) | Release(process, term), Some(Refused)) => {
                Some(if *state == held(process, term) {
                    over
                } else {
                    *state
                })
            }
            (Acquire(_), Some(Done)) | (Renew(..) | Release(..), Some(LeaseReturn::Term(_))) => {
                None
            }
        }
    }

    fn effect(&self, call: &LeaseCall, returned: Option<&LeaseReturn>) -> Effect<Term> {
        use LeaseCall::{Acquire, Release, Renew};
        use LeaseReturn::{Done, Refused};
        match (*call, returned) {
            (Acquire(_), Some(Refused)) | (Renew(..), None) => Effect::Observe(None),
            (Renew(process, term), Some(Done)) => Effect::Observe(Some(held(process, term))),
            (Release(process, term), None | Some(Done)) => {
                let from = held(process, term);
                let holder = None;
                Effect::Change {
                    from,
                    to: Term { holder, ..from },
                }
            }
            (Acquire(_), None) | (Renew(..) | Release(..), Some(Refused)) => Effect::Total,
            (Acquire(_), Some(_)) | (Renew(..) | Release(..), Some(LeaseReturn::Term(_))) => {
                Effect::Other
            }
        }
    }
}

fn held(process: u64, term: i64) -> Term {
    Term {
        term: term.into(),
        holder: Some(process),
    }
}

impl Recorded for Lease {
    const FUNCTIONS: &'static [&'static str] = &["acquire", "renew", "guarded", "release"];

    fn holding(initial: &Value) -> Result<Self, String> {
        let (term, holder) = token_and_holder(initial)?;
        Ok(Lease {
            initial: Term { term, holder },
        })
    }

    fn call(&self, asked: Asked<'_>) -> Result<LeaseCall, String> {
        let term = || whole(asked.argument, "the term of the lease, a whole number");
        let process = asked.process;
        Ok(match asked.f {
            "acquire" => LeaseCall::Acquire(process),
            "renew" | "guarded" => LeaseCall::Renew(process, term()?),
            "release" => LeaseCall::Release(process, term()?),
            _ => return Err(unknown(asked, Self::FUNCTIONS)),
        })
    }

    fn returned(&self, call: &LeaseCall, value: &Value) -> Result<Option<LeaseReturn>, String> {
        Ok(Some(match *call {
            LeaseCall::Acquire(_) if *value == Value::Bool(false) => LeaseReturn::Refused,
            LeaseCall::Acquire(_) => {
                LeaseReturn::Term(whole(value, "the term, a whole number, or false")?)
            }
            LeaseCall::Renew(_, term) | LeaseCall::Release(_, term) => {
                match done_or_refused(value, &term.into())? {
                    true => LeaseReturn::Done,
                    false => LeaseReturn::Refused,
                }
            }
        }))
    }

    /// Only an acquire that is refused changes nothing.
    fn refused(&self, call: &LeaseCall) -> Option<LeaseReturn> {
        matches!(call, LeaseCall::Acquire(_)).then_some(LeaseReturn::Refused)
    }

    fn show(&self, state: &Term) -> Value {
        show_token_and_holder(state.term, state.holder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::laws::{check_covering, judge, refusals};

    #[test]
    fn a_lease_keeps_the_laws() {
        check_covering::<Lease>(
            &["null", "5", "[5,1]"],
            &[
                (1, "acquire", "null", "[1,2,5,7,false]"),
                (1, "renew", "5", "[null,false]"),
                (1, "renew", "1", "[true,false]"),
                (1, "guarded", "7", "[7,false]"),
                (1, "release", "5", "[null,false]"),
                (2, "acquire", "null", "[1,3,6,false]"),
                (2, "renew", "6", "[null,false]"),
                (2, "release", "3", "[3,false]"),
            ],
            2,
        );
    }

    #[test]
    fn an_old_term_is_worth_nothing() {
        let taken_over = "
            0 acquire null -> 1
            0 renew 1 -> true
            1 acquire null -> 2
            0 guarded 1 -> ";
        assert!(judge::<Lease>("null", &format!("{taken_over}false")));
        assert!(!judge::<Lease>("null", &format!("{taken_over}true")));
        let again = "0 acquire null -> 1\n0 acquire null -> 2\n0 renew 1 -> true";
        assert!(!judge::<Lease>("null", again));
        assert!(!judge::<Lease>(
            "null",
            "0 acquire null -> 3\n1 acquire null -> 3"
        ));
    }

    #[test]
    fn what_has_run_out_stays_so() {
        let expired = "0 acquire null -> 1\n0 renew 1 -> false\n0 guarded 1 -> ";
        assert!(judge::<Lease>("null", &format!("{expired}false")));
        assert!(!judge::<Lease>("null", &format!("{expired}true")));
        let free = "0 acquire null -> 1\n0 release 1 -> 1\n1 acquire null -> ";
        assert!(judge::<Lease>("null", &format!("{free}2")));
        assert!(!judge::<Lease>("null", &format!("{free}false")));
    }

    #[test]
    fn a_renewal_and_a_takeover_may_overlap() {
        let raced = "
            0 acquire null -> 1
            0 invoke renew 1
            1 acquire null -> 2
            0 ok renew true
            1 renew 2 -> ";
        assert!(judge::<Lease>("null", &format!("{raced}true")));
        let late = "0 acquire null -> 1\n1 acquire null -> 2\n0 renew 1 -> 1\n";
        assert!(!judge::<Lease>("null", late));
    }

    #[test]
    fn what_is_no_lease_is_refused() {
        refusals::<Lease>(
            &["renew null", "acquire null -> null", "release 3 -> 4"],
            "
            renew null: expected the term of the lease, a whole number, found null
            acquire null -> null: expected the term, a whole number, or false, found null
            release 3 -> 4: expected false, null, true or 3, found 4",
        );
    }
}
