//! Transfers between accounts, of which the total never changes (Jepsen's
//! bank).
//!
//! `transfer` moves money, its value `{"from": account, "to": account,
//! "amount": n}`. `read` asks for all accounts at once; completed, its value is
//! `{account: balance, …}`. What every account holds at first is the header's
//! `initial`, in the same form.
//!
//! Every read that completed must have each account and no other, the total
//! that there was at first, and, unless that is allowed, no negative balance.
//! Whether some order of the transfers explains all reads is another question,
//! which [`super::check`] answers where transactions are recorded as such.
//!
//! Linear in the history.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use tribunal_histories::{History, HistoryError, Operation, Outcome, Value};

use crate::Verdict;

/// The operation that moves money.
pub const TRANSFER: &str = "transfer";
/// The operation that reads all accounts.
pub const READ: &str = "read";

/// How to judge a history.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether an account may be overdrawn.
    pub negative_balances: bool,
    /// What the accounts hold at first, if not what the header says.
    pub initial: Option<BTreeMap<String, i64>>,
}

/// What was judged, and how.
#[derive(Clone, Debug)]
pub struct Report {
    /// Valid or invalid: the check never gives up.
    pub verdict: Verdict<Witness>,
    /// Operations of clients.
    pub operations: usize,
    /// How many of them took effect for certain.
    pub completed_ok: usize,
    /// Reads that completed.
    pub reads: usize,
    /// Accounts.
    pub accounts: usize,
    /// What they hold together.
    pub total: i64,
    /// How many reads there were of each other total.
    pub wrong_totals: BTreeMap<i64, usize>,
}

/// What is wrong with a read. Names are those of Jepsen's bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wrong {
    /// It has an account that there is not.
    UnexpectedKey,
    /// It lacks an account, or its balance.
    NilBalance,
    /// The balances do not make up the total.
    WrongTotal,
    /// An account is overdrawn.
    NegativeValue,
}

impl Wrong {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Wrong::UnexpectedKey => "unexpected-key",
            Wrong::NilBalance => "nil-balance",
            Wrong::WrongTotal => "wrong-total",
            Wrong::NegativeValue => "negative-value",
        }
    }
}

/// A read that cannot be right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Witness {
    /// What is wrong with it.
    pub anomaly: Wrong,
    /// The same in a sentence.
    pub why: String,
    /// The read, and the transfers that it may have seen in part: those that
    /// overlap it, did not fail, and lead from an account to another whose
    /// amount, alone, would make up for the difference; of other anomalies
    /// none. By the indices of the events that began them.
    pub operations: Vec<u64>,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indices: Vec<String> = self.operations.iter().map(u64::to_string).collect();
        write!(
            f,
            "{}: {} (operations that began at index {})",
            self.anomaly.name(),
            self.why,
            indices.join(", ")
        )
    }
}

/// Judges a history of a bank. The witness is the first wrong read, by when it
/// completed.
///
/// # Errors
///
/// If an operation is none of those described, its value is not as described,
/// or nothing says what the accounts hold at first.
pub fn check(history: &History, options: &Options) -> Result<Report, HistoryError> {
    let operations = history.operations()?;
    let initial = initial(history, options)?;
    let mut transfers = Vec::new();
    let mut reads = Vec::new();
    for operation in &operations {
        let expected = "`transfer` with {\"from\", \"to\", \"amount\"}, between accounts that there \
                        are, or `read`, with {account: balance} where ok";
        match Act::of(operation, &initial) {
            Some(Act::Transfer(transfer)) => transfers.push(transfer),
            Some(Act::Read(read)) => reads.extend(read),
            None => return Err(history.malformed(operation.invoked, expected.to_owned())),
        }
    }
    let mut bank = Bank {
        total: total(initial.values().copied()),
        initial,
        negative_balances: options.negative_balances,
        wrong_totals: BTreeMap::new(),
    };
    reads.sort_by_key(|read| read.operation.completed);
    let mut first: Option<(Finding, &Read<'_>)> = None;
    for read in &reads {
        let found = bank.wrong(read);
        first = first.or(found.map(|found| (found, read)));
    }
    let witness = first.map(|(found, read)| found.witness(read, &transfers));
    let is_ok = |operation: &&Operation| matches!(operation.outcome, Outcome::Ok(_));
    Ok(Report {
        verdict: witness.map_or(Verdict::Valid, Verdict::Invalid),
        operations: operations.len(),
        completed_ok: operations.iter().filter(is_ok).count(),
        reads: reads.len(),
        accounts: bank.initial.len(),
        total: bank.total,
        wrong_totals: bank.wrong_totals,
    })
}

/// What the accounts hold at first.
fn initial(history: &History, options: &Options) -> Result<BTreeMap<String, i64>, HistoryError> {
    if let Some(initial) = &options.initial {
        return Ok(initial.clone());
    }
    let balances = match &history.header.initial {
        Value::Map(accounts) => accounts
            .iter()
            .map(|(account, balance)| Some((account.clone(), number(balance)?)))
            .collect(),
        _ => None,
    };
    balances.ok_or_else(|| {
        let expected = "a header whose `initial` is {account: balance}".to_owned();
        history.malformed_header(expected)
    })
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

/// What balances make together; those that no number holds are as wrong as the
/// greatest one.
fn total(balances: impl Iterator<Item = i64>) -> i64 {
    balances.fold(0, i64::saturating_add)
}

/// An operation as this checker sees it.
enum Act<'a> {
    Transfer(Transfer<'a>),
    /// A read, if it completed.
    Read(Option<Read<'a>>),
}

struct Transfer<'a> {
    operation: &'a Operation,
    amount: i64,
}

struct Read<'a> {
    operation: &'a Operation,
    balances: &'a BTreeMap<String, Value>,
}

impl<'a> Act<'a> {
    fn of(operation: &'a Operation, accounts: &BTreeMap<String, i64>) -> Option<Self> {
        match (
            operation.f.as_str(),
            &operation.argument,
            &operation.outcome,
        ) {
            (TRANSFER, Value::Map(parts), _) => {
                let is_account = |end: &str| {
                    let name = parts.get(end).map(name_of);
                    name.is_some_and(|name| accounts.contains_key(&name))
                };
                let amount = number(parts.get("amount")?)?;
                (is_account("from") && is_account("to"))
                    .then_some(Act::Transfer(Transfer { operation, amount }))
            }
            (READ, _, Outcome::Ok(Value::Map(balances))) => {
                let is_balance = |it: &Value| matches!(it, Value::Int(_) | Value::Null);
                let read = Read {
                    operation,
                    balances,
                };
                balances
                    .values()
                    .all(is_balance)
                    .then_some(Act::Read(Some(read)))
            }
            (READ, _, Outcome::Fail | Outcome::Info) => Some(Act::Read(None)),
            _ => None,
        }
    }
}

/// An account as it stands in a map.
fn name_of(account: &Value) -> String {
    match account {
        Value::Text(name) => name.clone(),
        other => other.to_string(),
    }
}

struct Bank {
    initial: BTreeMap<String, i64>,
    total: i64,
    negative_balances: bool,
    wrong_totals: BTreeMap<i64, usize>,
}

struct Finding {
    anomaly: Wrong,
    why: String,
    /// By how much the total is wrong.
    difference: i64,
}

impl Bank {
    /// What is wrong with a read, if something is.
    fn wrong(&mut self, read: &Read<'_>) -> Option<Finding> {
        let finding = |anomaly, why| {
            Some(Finding {
                anomaly,
                why,
                difference: 0,
            })
        };
        let names: BTreeSet<&String> = read.balances.keys().collect();
        if let Some(name) = names.iter().find(|it| !self.initial.contains_key(**it)) {
            return finding(Wrong::UnexpectedKey, format!("there is no account {name}"));
        }
        let balance = |name: &String| read.balances.get(name).and_then(number);
        if let Some(name) = self.initial.keys().find(|it| balance(it).is_none()) {
            return finding(Wrong::NilBalance, format!("account {name} has no balance"));
        }
        let total = total(read.balances.values().filter_map(number));
        if total != self.total {
            *self.wrong_totals.entry(total).or_default() += 1;
            let why = format!("the accounts hold {total} together, not {}", self.total);
            return Some(Finding {
                anomaly: Wrong::WrongTotal,
                why,
                difference: total - self.total,
            });
        }
        let overdrawn = read
            .balances
            .iter()
            .find(|(_, it)| number(it).is_some_and(|it| it < 0));
        match overdrawn {
            Some((name, balance)) if !self.negative_balances => finding(
                Wrong::NegativeValue,
                format!("account {name} holds {balance}"),
            ),
            _ => None,
        }
    }
}

impl Finding {
    fn witness(self, read: &Read<'_>, transfers: &[Transfer<'_>]) -> Witness {
        let mut operations = vec![read.operation.invoked];
        let torn = transfers
            .iter()
            .filter(|transfer| self.may_explain(transfer, read));
        operations.extend(torn.map(|transfer| transfer.operation.invoked));
        Witness {
            anomaly: self.anomaly,
            why: self.why,
            operations,
        }
    }

    /// Whether a read that saw one end of a transfer and not the other would be
    /// wrong by as much.
    fn may_explain(&self, transfer: &Transfer<'_>, read: &Read<'_>) -> bool {
        let Transfer { operation, amount } = transfer;
        let began = Some(operation.invoked) < read.operation.completed;
        let is_over = matches!(operation.outcome, Outcome::Ok(_))
            && operation.completed < Some(read.operation.invoked);
        let is_as_much = self.difference != 0 && amount.abs() == self.difference.abs();
        is_as_much && began && !is_over && operation.outcome != Outcome::Fail
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use tribunal_histories::{Event, Header, Kind, Process};

    use super::*;

    fn map(entries: &[(&str, i64)]) -> Value {
        let entry = |(name, value): &(&str, i64)| ((*name).to_owned(), Value::Int(*value));
        Value::Map(entries.iter().map(entry).collect())
    }

    fn event(process: u64, kind: Kind, f: &str, value: Value) -> Event {
        Event {
            index: 0,
            time: 0,
            process: Process::Client(process),
            kind,
            f: f.to_owned(),
            key: None,
            value,
            error: None,
            node: None,
            fault: None,
        }
    }

    /// Two accounts of 10 each, a transfer of 3 from the first to the second
    /// that ends as it may, and a read beside it.
    fn bank(kind: Kind, seen: Value) -> History {
        let transfer = map(&[("from", 0), ("to", 1), ("amount", 3)]);
        let mut header = Header::new("bank");
        header.initial = map(&[("0", 10), ("1", 10)]);
        let mut events = vec![
            event(0, Kind::Invoke, TRANSFER, transfer.clone()),
            event(1, Kind::Invoke, READ, Value::Null),
            event(1, Kind::Ok, READ, seen),
            event(0, kind, TRANSFER, transfer),
        ];
        for (index, event) in (0..).zip(&mut events) {
            event.index = index;
        }
        History::new(header, events)
    }

    fn said(seen: &[(&str, i64)], expected: &Expect) {
        let report = check(&bank(Kind::Ok, map(seen)), &Options::default()).expect("a bank");
        let said = match report.verdict {
            Verdict::Invalid(witness) => witness.to_string(),
            other => format!("{other:?}"),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn reads_before_and_after_a_transfer_are_right() {
        said(&[("0", 10), ("1", 10)], &expect!["Valid"]);
        said(&[("0", 7), ("1", 13)], &expect!["Valid"]);
    }

    #[test]
    fn each_anomaly_is_named() {
        said(
            &[("0", 7), ("1", 10)],
            &expect![
                "wrong-total: the accounts hold 17 together, not 20 (operations that began at index 1, 0)"
            ],
        );
        said(
            &[("0", 10), ("1", 11)],
            &expect![
                "wrong-total: the accounts hold 21 together, not 20 (operations that began at index 1)"
            ],
        );
        said(
            &[("0", 23), ("1", -3)],
            &expect!["negative-value: account 1 holds -3 (operations that began at index 1)"],
        );
        said(
            &[("0", 20)],
            &expect!["nil-balance: account 1 has no balance (operations that began at index 1)"],
        );
        said(
            &[("0", 10), ("1", 10), ("2", 0)],
            &expect!["unexpected-key: there is no account 2 (operations that began at index 1)"],
        );
    }

    #[test]
    fn a_transfer_that_failed_explains_nothing() {
        let torn = map(&[("0", 7), ("1", 10)]);
        let operations = |kind| match check(&bank(kind, torn.clone()), &Options::default()) {
            Ok(Report {
                verdict: Verdict::Invalid(witness),
                wrong_totals,
                ..
            }) => {
                assert_eq!(wrong_totals, BTreeMap::from([(17, 1)]));
                witness.operations
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(operations(Kind::Info), [1, 0]);
        assert_eq!(operations(Kind::Fail), [1]);
    }

    #[test]
    fn what_accounts_hold_and_may_hold_can_be_said() {
        let overdrawn = bank(Kind::Ok, map(&[("0", 23), ("1", -3)]));
        let verdict = |options| check(&overdrawn, &options).expect("a bank").verdict;
        let allowed = Options {
            negative_balances: true,
            ..Options::default()
        };
        assert_eq!(verdict(allowed.clone()), Verdict::Valid);
        let richer = Options {
            initial: Some(BTreeMap::from([("0".to_owned(), 11), ("1".to_owned(), 10)])),
            ..allowed
        };
        assert_ne!(verdict(richer), Verdict::Valid);
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        let refused = |history: History, expected: Expect| {
            let error = check(&history, &Options::default()).expect_err("refused");
            expected.assert_eq(&error.to_string());
        };
        let mut poor = bank(Kind::Ok, map(&[]));
        poor.header.initial = Value::Null;
        refused(
            poor,
            expect!["history:1:1: expected a header whose `initial` is {account: balance}"],
        );
        refused(
            bank(Kind::Ok, 5.into()),
            expect![[
                r#"history:3:1: expected `transfer` with {"from", "to", "amount"}, between accounts that there are, or `read`, with {account: balance} where ok"#
            ]],
        );
    }
}
