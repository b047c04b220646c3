//! PolyLin's histories (Lee and Mathur, OOPSLA 2025), and fptlin's: one
//! operation a line, with the times of its begin and its end.
//!
//! ```text
//! # stack                        # set                     # stack
//! push 3 1 4                     insert 3 1 1 4            0 1 4 PUSH 3
//! pop 3 5 6                      contains 3 0 5 6          1 5 6 POP 3
//! ```
//!
//! The first line names the object. PolyLin writes `[process] method value
//! [result] begin end`, a result for sets; fptlin `process begin end METHOD
//! value [result]`. -1 where something is taken or looked at means that there
//! was nothing. `enq` and `deq` are written out; fptlin's `rmw` is a register
//! that holds 0 and on which every cas succeeded.
//!
//! The times make the order. Intervals are closed: of two operations that
//! touch, neither comes before the other, since clocks of some coarseness do
//! not say which did. PolyLin and fptlin take the opposite view, that an end
//! at t comes before a begin at t, and so can find violations of which the
//! times are no proof. Only of one process, where processes are named, an end
//! comes before the next begin; where that ties two processes to each other
//! in both ways, the ends at t come first. Where no processes are named, each
//! operation gets the first that is idle.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::BufRead;

use super::Draft;
use super::lines::{Lines, words};
use super::source::Step;
use crate::{Event, Header, Kind, Process, Value};

/// The objects, as the first line names them, and as they are called here.
const OBJECTS: &[(&str, &str)] = &[
    ("stack", "stack"),
    ("queue", "queue"),
    ("pqueue", "priority-queue"),
    ("priorityqueue", "priority-queue"),
    ("set", "set"),
    ("deque", "deque"),
    ("rmw", "register"),
];

/// The object that a name stands for, if it is known.
pub(super) fn object(name: &str) -> Option<&'static str> {
    let found = OBJECTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, here)| *here)
}

/// An operation.
struct Operation {
    process: Option<u64>,
    f: &'static str,
    asked: Value,
    told: Value,
    begin: u64,
    end: u64,
    line: usize,
}

/// Reads it.
pub(super) fn read(source: impl BufRead) -> Step<Draft> {
    let mut lines = Lines::new(source);
    let names = || {
        let names: Vec<String> = OBJECTS
            .iter()
            .map(|(name, _)| format!("# {name}"))
            .collect();
        format!("a first line with the object: {}", names.join(", "))
    };
    if !lines.next()? {
        return Err(lines.expected(1, names()));
    }
    let named = lines.text()?.trim().strip_prefix('#').map(str::trim);
    let workload = named
        .and_then(object)
        .ok_or_else(|| lines.expected(1, names()))?;
    let mut operations: Vec<Operation> = Vec::new();
    while lines.next()? {
        let line = lines.text()?;
        if line.trim_start().starts_with('#') {
            continue;
        }
        let operation = operation(line, lines.number, workload)
            .map_err(|(column, expected)| lines.expected(column, expected))?;
        if let Some(first) = operations.first()
            && first.process.is_some() != operation.process.is_some()
        {
            let expected = "a process on every line, or on none";
            return Err(lines.expected(1, expected.to_owned()));
        }
        operations.push(operation);
    }
    operations.sort_by_key(|it| (it.begin, it.end));
    let processes = processes(&operations);
    let mut draft = Draft::default();
    for (operation, kind) in order(&operations, &processes) {
        draft.push(
            operations[operation].event(draft.events.len(), processes[operation], kind),
            operations[operation].line,
        );
    }
    draft.header = Header::new(workload);
    if workload == "register" {
        draft.header.initial = Value::Int(0);
    }
    Ok(draft)
}

/// What stands on a line, or the column and what was expected there.
fn operation(line: &str, number: usize, workload: &str) -> Result<Operation, (usize, String)> {
    let words: Vec<(usize, &str)> = words(line).take(8).collect();
    let is_number = |at: usize| words.get(at).is_some_and(|(_, word)| whole(word).is_some());
    let shown = || {
        let expected = "an operation: `push 3 1 4` (method, value, begin, end), with a result \
                        after the value for a set, or `0 1 4 PUSH 3`";
        (1, expected.to_owned())
    };
    // Places of the process, the method, the values, the begin and the end.
    let is_fptlin = is_number(0) && is_number(1) && is_number(2);
    let has_process = is_number(0);
    let method_at = match (is_fptlin, has_process) {
        (true, _) => 3,
        (false, true) => 1,
        (false, false) => 0,
    };
    let (values, begin_at) = match is_fptlin {
        true => (words.get(4..), 1),
        false => {
            let begin_at = words.len().saturating_sub(2);
            (words.get(method_at + 1..begin_at), begin_at)
        }
    };
    let (Some(&(column, method)), Some(values)) = (words.get(method_at), values) else {
        return Err(shown());
    };
    let value = |at: usize| -> Result<i64, (usize, String)> {
        let &(column, word) = values.get(at).ok_or_else(shown)?;
        let number = whole(word).ok_or((column, "a whole number".to_owned()))?;
        i64::try_from(number).map_err(|_| (column, "a whole number of 64 bits".to_owned()))
    };
    let time = |at: usize| -> Result<u64, (usize, String)> {
        let &(column, word) = words.get(at).ok_or_else(shown)?;
        word.parse()
            .map_err(|_| (column, "a time: a whole number, not below 0".to_owned()))
    };
    let process = match has_process {
        true => Some(time(0)?),
        false => None,
    };
    let (begin, end) = (time(begin_at)?, time(begin_at + 1)?);
    let method = method.to_ascii_lowercase();
    let first = value(0)?;
    let puts = |f| (f, Value::Int(first), Value::Int(first), 1);
    let takes = |f| {
        let told = if first == -1 {
            Value::Null
        } else {
            first.into()
        };
        (f, Value::Null, told, 1)
    };
    let tells = |f| -> Result<_, (usize, String)> {
        let told = match value(1)? {
            0 => false,
            1 => true,
            _ => return Err((values[1].0, "a result: 0 or 1".to_owned())),
        };
        Ok((f, Value::Int(first), Value::Bool(told), 2))
    };
    let (f, asked, told, count) = match method.as_str() {
        "push" => puts("push"),
        "pop" => takes("pop"),
        "peek" => takes("peek"),
        "enq" => puts("enqueue"),
        "deq" => takes("dequeue"),
        "push_front" => puts("push_front"),
        "pop_front" => takes("pop_front"),
        "peek_front" => takes("peek_front"),
        "push_back" => puts("push_back"),
        "pop_back" => takes("pop_back"),
        "peek_back" => takes("peek_back"),
        "insert" if workload != "set" => puts("insert"),
        "poll" => takes("poll"),
        "insert" => tells("insert")?,
        "remove" => tells("remove")?,
        "contains" => tells("contains")?,
        "read_modify_write" => {
            let pair = Value::List(vec![first.into(), value(1)?.into()]);
            ("cas", pair.clone(), pair, 2)
        }
        _ => {
            let expected = "push, pop, peek, enq, deq, insert, poll, remove, contains or \
                            read_modify_write";
            return Err((column, format!("{expected}, found {method:?}")));
        }
    };
    if values.len() != count {
        return Err(shown());
    }
    if end < begin {
        return Err((1, "an end that is not before its begin".to_owned()));
    }
    Ok(Operation {
        process,
        f,
        asked,
        told,
        begin,
        end,
        line: number,
    })
}

fn whole(word: &str) -> Option<i128> {
    word.parse().ok()
}

/// Who does each operation: whom the file names, or the first that is idle.
fn processes(operations: &[Operation]) -> Vec<u64> {
    let mut idle = BinaryHeap::new();
    let mut busy: BinaryHeap<Reverse<(u64, u64)>> = BinaryHeap::new();
    let mut next = 0;
    let mut allot = |operation: &Operation| {
        while let Some(&Reverse((end, process))) = busy.peek()
            && end < operation.begin
        {
            busy.pop();
            idle.push(Reverse(process));
        }
        let process = idle.pop().map_or_else(
            || {
                next += 1;
                next - 1
            },
            |Reverse(process)| process,
        );
        busy.push(Reverse((operation.end, process)));
        process
    };
    let each = operations.iter();
    each.map(|it| it.process.unwrap_or_else(|| allot(it)))
        .collect()
}

/// The ends of operations, in the order of their times. Where times are equal,
/// begins come before ends; but what a process ends it ends before it begins
/// the next.
fn order(operations: &[Operation], processes: &[u64]) -> Vec<(usize, Kind)> {
    let mut ends: Vec<(u64, u64, usize, Kind)> = Vec::with_capacity(2 * operations.len());
    for (place, operation) in operations.iter().enumerate() {
        let process = processes[place];
        ends.push((operation.begin, process, place, Kind::Invoke));
        ends.push((operation.end, process, place, Kind::Ok));
    }
    ends.sort_unstable();
    let mut ordered = Vec::with_capacity(ends.len());
    for moment in ends.chunk_by(|one, other| one.0 == other.0) {
        let of_processes = moment.chunk_by(|one, other| one.1 == other.1);
        let mut active: Vec<_> = of_processes.collect();
        let mut last = Vec::new();
        while !active.is_empty() {
            for rest in &mut active {
                if let [(_, _, place, Kind::Invoke), after @ ..] = *rest {
                    ordered.push((*place, Kind::Invoke));
                    *rest = after;
                }
            }
            active.retain_mut(|rest| match *rest {
                [] => false,
                [(_, _, _, Kind::Invoke), ..] => true,
                [(_, _, place, kind)] => {
                    last.push((*place, *kind));
                    false
                }
                [(_, _, place, kind), after @ ..] => {
                    ordered.push((*place, *kind));
                    *rest = after;
                    true
                }
            });
        }
        ordered.append(&mut last);
    }
    ordered
}

impl Operation {
    fn event(&self, index: usize, process: u64, kind: Kind) -> Event {
        let (time, value) = match kind {
            Kind::Invoke => (self.begin, &self.asked),
            _ => (self.end, &self.told),
        };
        Event {
            index: index as u64,
            time,
            process: Process::Client(process),
            kind,
            f: self.f.to_owned(),
            key: None,
            value: value.clone(),
            error: None,
            node: None,
            fault: None,
        }
    }
}
