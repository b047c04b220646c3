//! The definitions as they are written, decided by trying everything: what the
//! checkers are held against. For histories of a few operations.

use tribunal_histories::{FailedCas, History, Operation, Outcome, Value};

use super::Property;

/// An operation that happened, or may have.
#[derive(Clone, Debug)]
struct Op {
    session: u64,
    key: Option<Value>,
    does: Does,
    invoked: u64,
    /// Never, of what may have happened.
    completed: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Does {
    Read(Value),
    ReadOther(Value),
    Write(Value),
    Cas(Value, Value),
}

fn op(operation: &Operation, failed_cas: FailedCas) -> Option<Op> {
    let is_read = operation.f == "read";
    let mut completed = operation.completed;
    let does = match (&operation.outcome, &operation.argument) {
        (Outcome::Ok(value), _) if is_read => Does::Read(value.clone()),
        (Outcome::Fail, Value::List(pair)) if failed_cas == FailedCas::Observed => {
            Does::ReadOther(pair[0].clone())
        }
        (Outcome::Fail, _) => return None,
        (Outcome::Info, _) if is_read => return None,
        (_, Value::List(pair)) => Does::Cas(pair[0].clone(), pair[1].clone()),
        (_, value) => Does::Write(value.clone()),
    };
    if operation.outcome == Outcome::Info {
        completed = None;
    }
    Some(Op {
        session: operation.process,
        key: operation.key.clone(),
        does,
        invoked: operation.invoked,
        completed,
    })
}

/// Everything that may have happened: all that did, with any of the others.
fn worlds(history: &History) -> Vec<Vec<Op>> {
    let operations = history.operations().expect("operations");
    let failed_cas = history.header.failed_cas;
    let all: Vec<Op> = operations
        .iter()
        .filter_map(|it| op(it, failed_cas))
        .collect();
    let unsure: Vec<usize> = (0..all.len())
        .filter(|&at| all[at].completed.is_none())
        .collect();
    (0..1_u32 << unsure.len())
        .map(|chosen| {
            let is_there = |at: usize| {
                let place = unsure.iter().position(|&it| it == at);
                place.is_none_or(|place| chosen >> place & 1 == 1)
            };
            let there = (0..all.len()).filter(|&at| is_there(at));
            there.map(|at| all[at].clone()).collect()
        })
        .collect()
}

/// Whether a history of null registers has a property.
pub(super) fn has(history: &History, property: Property, k: usize) -> bool {
    match property {
        Property::Regular | Property::Safe => all_reads(history, property),
        Property::KAtomicity => staleness(history).is_some_and(|smallest| smallest <= k),
        _ => worlds(history).iter().any(|ops| is_right(ops, property)),
    }
}

fn is_right(ops: &[Op], property: Property) -> bool {
    match property {
        Property::Sequential => orders(ops, &|one, other| is_session(one, other), &mut |order| {
            stalest(order) == Some(1)
        }),
        Property::PerKeySequential => {
            let keys: std::collections::BTreeSet<_> = ops.iter().map(|op| &op.key).collect();
            keys.into_iter().all(|key| {
                let of_key = ops.iter().filter(|op| op.key == *key).cloned();
                let of_key: Vec<Op> = of_key.collect();
                is_right(&of_key, Property::Sequential)
            })
        }
        Property::Causal | Property::CausalMemory | Property::CausalConvergence => {
            causal(&halves(ops), property)
        }
        _ => guaranteed(&halves(ops), property),
    }
}

/// With each cas as a read and a write that follows it in its session.
fn halves(ops: &[Op]) -> Vec<Op> {
    let of = |op: &Op| match &op.does {
        Does::Cas(from, to) => {
            let half = |does: Does| Op { does, ..op.clone() };
            vec![
                half(Does::Read(from.clone())),
                half(Does::Write(to.clone())),
            ]
        }
        _ => vec![op.clone()],
    };
    ops.iter().flat_map(of).collect()
}

/// Of one session, operations stand in the order in which they are given.
fn is_session(one: &Op, other: &Op) -> bool {
    one.session == other.session && one.invoked < other.invoked
}

fn is_real_time(one: &Op, other: &Op) -> bool {
    one.completed.is_some_and(|at| at < other.invoked)
}

/// Whether some order that has `before` is right.
fn orders(
    ops: &[Op],
    before: &dyn Fn(&Op, &Op) -> bool,
    is_right: &mut dyn FnMut(&[&Op]) -> bool,
) -> bool {
    fn rest<'a>(
        ops: &'a [Op],
        placed: &mut Vec<usize>,
        before: &dyn Fn(&Op, &Op) -> bool,
        is_right: &mut dyn FnMut(&[&'a Op]) -> bool,
    ) -> bool {
        if placed.len() == ops.len() {
            let order: Vec<&Op> = placed.iter().map(|&at| &ops[at]).collect();
            return is_right(&order);
        }
        for next in 0..ops.len() {
            let waits =
                (0..ops.len()).any(|at| !placed.contains(&at) && before(&ops[at], &ops[next]));
            if placed.contains(&next) || waits {
                continue;
            }
            placed.push(next);
            let found = rest(ops, placed, before, is_right);
            placed.pop();
            if found {
                return true;
            }
        }
        false
    }
    rest(ops, &mut Vec::new(), before, is_right)
}

/// How stale the stalest read of an order is; none if one saw what was not
/// there. A cas must find the newest value.
fn stalest(order: &[&Op]) -> Option<usize> {
    let mut stalest = 1;
    for (at, op) in order.iter().enumerate() {
        let before = order[..at].iter().filter(|it| it.key == op.key);
        let written = before.filter_map(|it| match &it.does {
            Does::Write(value) | Does::Cas(_, value) => Some(value),
            _ => None,
        });
        let values: Vec<&Value> = std::iter::once(&Value::Null).chain(written).collect();
        let age = |is: &dyn Fn(&Value) -> bool| values.iter().rev().position(|value| is(value));
        let age = match &op.does {
            Does::Read(seen) => age(&|value| value == seen)?,
            Does::ReadOther(old) => age(&|value| value != old)?,
            Does::Cas(from, _) if values.last() != Some(&from) => return None,
            _ => 0,
        };
        stalest = stalest.max(age + 1);
    }
    Some(stalest)
}

/// The smallest k for which it is k-atomic.
pub(super) fn staleness(history: &History) -> Option<usize> {
    let mut smallest = None::<usize>;
    for ops in worlds(history) {
        orders(&ops, &|one, other| is_real_time(one, other), &mut |order| {
            if let Some(stale) = stalest(order) {
                smallest = Some(smallest.map_or(stale, |it| it.min(stale)));
            }
            false
        });
    }
    smallest
}

/// Whether each read of a regular or safe register is explained by an order in
/// real time of it and all writes.
fn all_reads(history: &History, property: Property) -> bool {
    let worlds = worlds(history);
    let surest = worlds.iter().min_by_key(|ops| ops.len()).expect("a world");
    let most = worlds.iter().max_by_key(|ops| ops.len()).expect("a world");
    surest.iter().all(|read| {
        if matches!(read.does, Does::Write(_)) {
            return true;
        }
        let is_other = |op: &Op| op.key == read.key && op.invoked != read.invoked;
        let is_write = |op: &Op| is_other(op) && matches!(op.does, Does::Write(_) | Does::Cas(..));
        let overlaps = |op: &Op| !is_real_time(op, read) && !is_real_time(read, op);
        if property == Property::Safe && most.iter().any(|op| is_write(op) && overlaps(op)) {
            return true;
        }
        worlds.iter().any(|ops| {
            let writes = ops
                .iter()
                .filter(|op| is_write(op))
                .map(|op| match &op.does {
                    Does::Cas(_, value) => Op {
                        does: Does::Write(value.clone()),
                        ..op.clone()
                    },
                    _ => op.clone(),
                });
            let read = match &read.does {
                Does::Cas(from, _) => Op {
                    does: Does::Read(from.clone()),
                    ..read.clone()
                },
                _ => read.clone(),
            };
            let ops: Vec<Op> = writes.chain([read]).collect();
            orders(&ops, &|one, other| is_real_time(one, other), &mut |order| {
                stalest(order) == Some(1)
            })
        })
    })
}

/// Whether there are an order of all writes, and for each read writes that it
/// sees, as a session guarantee asks.
fn guaranteed(ops: &[Op], guarantee: Property) -> bool {
    let is_read = |op: &Op| matches!(op.does, Does::Read(_) | Does::ReadOther(_));
    let (reads, writes): (Vec<usize>, Vec<usize>) =
        (0..ops.len()).partition(|&at| is_read(&ops[at]));
    let written: Vec<Op> = writes.iter().map(|&at| ops[at].clone()).collect();
    let numbered: Vec<u64> = (0..written.len() as u64).collect();
    let is_own = |one: &Op, other: &Op| is_session(one, other) && one.key == other.key;
    orders(&written, &is_own, &mut |order| {
        let place = |at: &Op| order.iter().position(|it| it.invoked == at.invoked);
        // Each write by its place in the order.
        let places: Vec<usize> = numbered
            .iter()
            .filter_map(|&at| place(&written[at as usize]))
            .collect();
        let fits = |read: usize, seen: u32| {
            let of_key = (0..order.len())
                .rev()
                .find(|&place| seen >> place & 1 == 1 && order[place].key == ops[read].key);
            let found = of_key.map_or(Value::Null, |place| match &order[place].does {
                Does::Write(value) => value.clone(),
                other => panic!("{other:?} is no write"),
            });
            match &ops[read].does {
                Does::Read(value) => *value == found,
                Does::ReadOther(old) => *old != found,
                other => panic!("{other:?} is no read"),
            }
        };
        let choices: Vec<Vec<u32>> = reads
            .iter()
            .map(|&read| {
                // A cas does not see its own write.
                let own = order.iter().position(|it| it.invoked == ops[read].invoked);
                let own = own.map_or(0, |place| 1 << place);
                let all = (0..1_u32 << order.len()).filter(|seen| seen & own == 0);
                all.filter(|&seen| fits(read, seen)).collect()
            })
            .collect();
        let view = View {
            reads: &reads,
            writes: &writes,
            places: &places,
            guarantee,
        };
        view.any(&choices, &mut Vec::new(), ops)
    })
}

struct View<'a> {
    /// The operations that read, and that write.
    reads: &'a [usize],
    writes: &'a [usize],
    /// By write, its place in the order.
    places: &'a [usize],
    guarantee: Property,
}

impl View<'_> {
    /// Whether the guarantee holds for some choice of what each read sees.
    fn any(&self, choices: &[Vec<u32>], seen: &mut Vec<u32>, ops: &[Op]) -> bool {
        let Some(next) = choices.get(seen.len()) else {
            return self.holds(seen, ops);
        };
        next.iter().any(|&choice| {
            seen.push(choice);
            let found = self.any(choices, seen, ops);
            seen.pop();
            found
        })
    }

    fn holds(&self, seen: &[u32], ops: &[Op]) -> bool {
        let follows =
            |one: usize, other: usize| ops[one].session == ops[other].session && one < other;
        let reads = || self.reads.iter().copied().zip(seen.iter().copied());
        let writes = || self.writes.iter().copied().zip(self.places.iter().copied());
        let sees = |seen: u32, place: usize| seen >> place & 1 == 1;
        let forwards = reads().all(|(one, first)| {
            reads().all(|(other, second)| !follows(one, other) || first & !second == 0)
        });
        match self.guarantee {
            Property::ReadYourWrites => reads().all(|(read, seen)| {
                writes().all(|(write, place)| !follows(write, read) || sees(seen, place))
            }),
            Property::MonotonicReads => forwards,
            Property::MonotonicWrites => {
                let in_order = |seen: u32, one: usize, other: usize| {
                    one < other && (!sees(seen, other) || sees(seen, one))
                };
                forwards
                    && writes().all(|(one, first)| {
                        writes().all(|(other, second)| {
                            !follows(one, other)
                                || first < second
                                    && reads().all(|(_, seen)| in_order(seen, first, second))
                        })
                    })
            }
            Property::WritesFollowReads => {
                forwards
                    && reads().all(|(read, before)| {
                        writes().all(|(write, place)| {
                            !follows(read, write)
                                || before >> place == 0
                                    && reads()
                                        .all(|(_, seen)| !sees(seen, place) || before & !seen == 0)
                        })
                    })
            }
            other => panic!("{other} is no session guarantee"),
        }
    }
}

/// Whether there is a causal order, which has that of each session, by which
/// each operation is explained.
fn causal(ops: &[Op], property: Property) -> bool {
    let count = ops.len();
    let follows = |one: usize, other: usize| ops[one].session == ops[other].session && one < other;
    let pairs = (0..count).flat_map(|other| (0..other).map(move |one| (one, other)));
    let (session, open): (Vec<_>, Vec<_>) = pairs.partition(|&(one, other)| follows(one, other));
    let mut before = vec![0_u32; count];
    for (one, other) in session {
        before[other] |= 1 << one;
    }
    causal_orders(&mut before, &open, &mut |before| {
        let comes = |one: usize, other: usize| before[other] >> one & 1 == 1;
        match property {
            Property::CausalConvergence => {
                let numbers: Vec<usize> = (0..count).collect();
                permuted(&numbers, &comes, &mut |order| {
                    (0..count).all(|op| {
                        let seen = order.iter().copied().filter(|&it| comes(it, op));
                        is_legal(ops, seen, op)
                    })
                })
            }
            _ => (0..count).all(|op| {
                let past: Vec<usize> = (0..count).filter(|&it| comes(it, op) || it == op).collect();
                permuted(&past, &comes, &mut |order| {
                    (0..order.len()).all(|at| {
                        let other = order[at];
                        let is_asked = match property {
                            Property::CausalMemory => other == op || follows(other, op),
                            _ => other == op,
                        };
                        !is_asked || is_legal(ops, order[..at].iter().copied(), other)
                    })
                })
            }),
        }
    })
}

/// Whether what an operation saw is the last written before it.
fn is_legal(ops: &[Op], before: impl Iterator<Item = usize>, op: usize) -> bool {
    let written = before.filter(|&it| ops[it].key == ops[op].key);
    let written = written.filter_map(|it| match &ops[it].does {
        Does::Write(value) => Some(value),
        _ => None,
    });
    let last = written.last().unwrap_or(&Value::Null);
    match &ops[op].does {
        Does::Read(value) => value == last,
        Does::ReadOther(old) => old != last,
        _ => true,
    }
}

/// Whether some partial order is right that has at least what is in `before`:
/// for each open pair, one before the other or neither.
fn causal_orders(
    before: &mut [u32],
    open: &[(usize, usize)],
    is_right: &mut dyn FnMut(&[u32]) -> bool,
) -> bool {
    let Some((&(one, other), rest)) = open.split_first() else {
        let is_transitive = (0..before.len()).all(|at| {
            let past = (0..before.len()).filter(|it| before[at] >> it & 1 == 1);
            past.into_iter().all(|it| before[it] & !before[at] == 0)
        });
        return is_transitive && is_right(before);
    };
    if causal_orders(before, rest, is_right) {
        return true;
    }
    for (first, second) in [(one, other), (other, one)] {
        before[second] |= 1 << first;
        let found = causal_orders(before, rest, is_right);
        before[second] &= !(1 << first);
        if found {
            return true;
        }
    }
    false
}

/// Whether some order of `all` is right that has `comes`.
fn permuted(
    all: &[usize],
    comes: &dyn Fn(usize, usize) -> bool,
    is_right: &mut dyn FnMut(&[usize]) -> bool,
) -> bool {
    fn rest(
        all: &[usize],
        placed: &mut Vec<usize>,
        comes: &dyn Fn(usize, usize) -> bool,
        is_right: &mut dyn FnMut(&[usize]) -> bool,
    ) -> bool {
        if placed.len() == all.len() {
            return is_right(placed);
        }
        for &next in all {
            let waits = all
                .iter()
                .any(|&it| !placed.contains(&it) && comes(it, next));
            if placed.contains(&next) || waits {
                continue;
            }
            placed.push(next);
            let found = rest(all, placed, comes, is_right);
            placed.pop();
            if found {
                return true;
            }
        }
        false
    }
    rest(all, &mut Vec::new(), comes, is_right)
}
