//! Linearizability of a history that is still being made, event by event.
//!
//! A model checker's histories differ from their predecessors by one event. So
//! the judge keeps an order of the operations that explains all answers so far,
//! and changes it as little as an answer asks for:
//!
//! | the operation that completes | is then |
//! |---|---|
//! | stands in the order, since something that had to be explained needed its effect | right where it stands, if with its answer all others behind it still are; else it is taken out |
//! | stands nowhere | put at the end; or there, behind one other open operation, whose effect comes just in time; or further ahead, where it overlaps |
//! | fits nowhere | searched for: [`crate::small`] looks for another order of all operations |
//!
//! Whatever comes of it was carried out from the initial state on, with every
//! answer that is known: an order that is kept is one. And where none is kept
//! the search found that there is none. So after each event the verdict is that
//! of [`crate::is_linearizable_small`] on the history until then.
//!
//! An operation that is open stands in the order only where its effect is
//! needed. It may be answered later, and not as it would have been where it
//! stands; an order, unlike a set of operations and the state behind them, still
//! tells where that was.
//!
//! Why one order, and not the set of all configurations, each the operations
//! that took effect and a state, which are extended just in time at each answer
//! (Lowe 2017, "Testing for linearizability"): a configuration would have to
//! keep what each open operation saw, so that one answer makes of `n` open
//! writes up to `n!` of them, all of which a model would hold in each of its
//! states. One order is a few bytes, and the next answer seldom contradicts it.

use smallvec::SmallVec;

use crate::small::{OPERATIONS_MAX, Placed, Search, bits};
use crate::specification::Specification;

/// Judges the operations on one object while they are invoked and answered.
/// Costs little to clone.
///
/// # Panics
///
/// All methods do where they are given an index of 64 or more.
#[derive(Clone, Debug)]
pub struct Incremental<S: Specification> {
    specification: S,
    /// By their indices; those between that were never invoked, too.
    operations: SmallVec<[Option<Operation<S>>; 4]>,
    /// Those that completed.
    completed: u64,
    /// Those that failed, and are left out.
    failed: u64,
    /// All that completed, and some that are open, if an order explains them.
    order: Option<Placed>,
}

#[derive(Clone, Debug)]
struct Operation<S: Specification> {
    call: S::Call,
    returned: Option<S::Return>,
    /// Those that had completed when it was invoked.
    before: u64,
}

impl<S: Specification> Incremental<S> {
    /// Nothing was asked yet of the object.
    pub fn new(specification: S) -> Self {
        Incremental {
            specification,
            operations: SmallVec::new(),
            completed: 0,
            failed: 0,
            order: Some(Placed::default()),
        }
    }

    /// Whether an operation was invoked.
    pub fn knows(&self, index: usize) -> bool {
        self.operations.get(index).is_some_and(Option::is_some)
    }

    /// Whether what was asked and answered until now is linearizable. What is
    /// open may have taken effect or not.
    pub fn is_linearizable(&self) -> bool {
        self.order.is_some()
    }

    /// An operation is invoked. One that failed may be tried again: it is open
    /// then, and has been since it was invoked first.
    ///
    /// # Panics
    ///
    /// If it is open already, or has completed.
    pub fn invoke(&mut self, index: usize, call: S::Call) {
        assert!(index < OPERATIONS_MAX, "there are {OPERATIONS_MAX} at most");
        if self.failed >> index & 1 == 1 {
            self.failed &= !(1 << index);
            // With what may have taken effect after all there may be an order.
            self.order = self.order.or_else(|| self.searched());
            return;
        }
        assert!(!self.knows(index), "operation {index} is invoked twice");
        if self.operations.len() <= index {
            self.operations.resize(index + 1, None);
        }
        self.operations[index] = Some(Operation {
            call,
            returned: None,
            before: self.completed,
        });
    }

    /// An operation is answered. Says whether the history is linearizable.
    ///
    /// # Panics
    ///
    /// If it is not open.
    pub fn complete(&mut self, index: usize, returned: S::Return) -> bool {
        self.assert_open(index);
        self.operation_mut(index).returned = Some(returned);
        self.completed |= 1 << index;
        self.change(|judge, mut order| {
            if order.places().any(|placed| placed == index) {
                if judge.is_right(&order) {
                    return Some(order);
                }
                order.remove(index);
            }
            judge.with(&order, index)
        })
    }

    /// An operation has failed: it never took effect, and is left out. Says
    /// whether the history is linearizable.
    ///
    /// # Panics
    ///
    /// If it is not open.
    pub fn fail(&mut self, index: usize) -> bool {
        self.assert_open(index);
        self.failed |= 1 << index;
        self.change(|judge, mut order| {
            let stood = order.remove(index);
            (!stood || judge.is_right(&order)).then_some(order)
        })
    }

    /// Makes do with the order as `adapt` changes it, or searches for another one.
    /// So it does where there was none: of a call that does more with its answer
    /// than without, as an acquire of [`crate::specification::Lease`] may, an answer
    /// can explain what nothing explained.
    fn change(&mut self, adapt: impl FnOnce(&Self, Placed) -> Option<Placed>) -> bool {
        let adapted = self.order.and_then(|order| adapt(self, order));
        self.order = adapted.or_else(|| self.searched());
        self.is_linearizable()
    }

    fn assert_open(&self, index: usize) {
        let is_open = self.knows(index) && (self.completed | self.failed) >> index & 1 == 0;
        assert!(is_open, "operation {index} is not open");
    }

    fn operation(&self, index: usize) -> &Operation<S> {
        self.operations[index].as_ref().expect("it was invoked")
    }

    fn operation_mut(&mut self, index: usize) -> &mut Operation<S> {
        self.operations[index].as_mut().expect("it was invoked")
    }

    /// All that may have taken effect.
    fn all(&self) -> u64 {
        let invoked = (0..self.operations.len()).filter(|index| self.knows(*index));
        invoked.fold(0, |all, index| all | 1 << index) & !self.failed
    }

    fn step(&self, state: &S::State, index: usize) -> Option<S::State> {
        let Operation { call, returned, .. } = self.operation(index);
        self.specification.step(state, call, returned.as_ref())
    }

    /// What the operations leave behind, if they can take effect like this.
    fn run(&self, state: S::State, places: impl Iterator<Item = usize>) -> Option<S::State> {
        let mut places = places;
        places.try_fold(state, |state, index| self.step(&state, index))
    }

    fn is_right(&self, order: &Placed) -> bool {
        let initial = self.specification.initial();
        self.run(initial, order.places()).is_some()
    }

    /// The order with one operation more, which has completed.
    fn with(&self, order: &Placed, index: usize) -> Option<Placed> {
        let initial = self.specification.initial();
        let end = self.run(initial, order.places())?;
        self.at_the_end(order, index, &end)
            .or_else(|| self.just_in_time(order, index, &end))
            .or_else(|| self.further_ahead(order, index))
    }

    fn at_the_end(&self, order: &Placed, index: usize, end: &S::State) -> Option<Placed> {
        self.step(end, index)?;
        let mut order = *order;
        order.push(index);
        Some(order)
    }

    /// At the end, behind another one that is open.
    fn just_in_time(&self, order: &Placed, index: usize, end: &S::State) -> Option<Placed> {
        let placed = order.places().fold(0, |placed, index| placed | 1 << index);
        bits(self.all() & !self.completed & !placed).find_map(|open| {
            let end = self.step(end, open)?;
            let mut order = *order;
            order.push(open);
            self.at_the_end(&order, index, &end)
        })
    }

    /// Before others that it overlaps: as few as it may be.
    fn further_ahead(&self, order: &Placed, index: usize) -> Option<Placed> {
        let before = self.operation(index).before;
        let mut state = self.specification.initial();
        let mut found = None;
        // What had completed when it was invoked stands before it.
        let precedes = |other: usize| before >> other & 1 == 1;
        let first = order
            .places()
            .rposition(precedes)
            .map_or(0, |last| last + 1);
        for (place, next) in order.places().enumerate() {
            if place >= first
                && let Some(left) = self.step(&state, index)
                && self.run(left, order.places().skip(place)).is_some()
            {
                found = Some(place);
            }
            state = self.step(&state, next)?;
        }
        let mut order = *order;
        order.insert(found?, index);
        Some(order)
    }

    fn searched(&self) -> Option<Placed> {
        let all = self.all();
        let mut search = Search::new(&self.specification, all, |index| {
            let Operation { call, returned, .. } = self.operation(index);
            (call, returned.as_ref())
        });
        for index in bits(all) {
            search.before[index] = self.operation(index).before;
        }
        search.finds_order().then_some(search.order)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop};
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use tribunal_histories::Value;

    use super::*;
    use crate::is_linearizable_small;
    use crate::specification::{
        Asked, Counter, KeyValue, Lease, Queue, Recorded, Register, RegisterCall, RegisterReturn,
        TimedCall, TimedCallOf,
    };

    const OPERATIONS: usize = 7;

    /// What happens to an operation at its next turn, and a number to draw by.
    type Turn = (usize, u8, usize);

    /// What clients do, judged event by event and each time as a whole.
    struct Told<S: Specification> {
        specification: S,
        judge: Incremental<S>,
        operations: Vec<TimedCallOf<S>>,
        failed: Vec<bool>,
        events: u32,
        /// How often the history was linearizable, and how often not.
        verdicts: [u32; 2],
    }

    impl<S: Specification> Told<S> {
        fn new(specification: S) -> Self {
            Told {
                judge: Incremental::new(specification.clone()),
                specification,
                operations: Vec::new(),
                failed: Vec::new(),
                events: 0,
                verdicts: [0; 2],
            }
        }

        fn invoke(&mut self, call: &S::Call) -> usize {
            let index = self.operations.len();
            self.judge.invoke(index, call.clone());
            self.operations.push(TimedCall {
                call: call.clone(),
                invoked: self.events,
                completed: None,
            });
            self.failed.push(false);
            self.compare();
            index
        }

        fn complete(&mut self, index: usize, returned: &S::Return) {
            self.operations[index].completed = Some((self.events, returned.clone()));
            let said = self.judge.complete(index, returned.clone());
            assert_eq!(said, self.judge.is_linearizable());
            self.compare();
        }

        fn fail(&mut self, index: usize) {
            self.failed[index] = true;
            let said = self.judge.fail(index);
            assert_eq!(said, self.judge.is_linearizable());
            self.compare();
        }

        fn retry(&mut self, index: usize) {
            self.failed[index] = false;
            let call = self.operations[index].call.clone();
            self.judge.invoke(index, call);
            self.compare();
        }

        fn compare(&mut self) {
            let operations = self.operations.iter().zip(&self.failed);
            let left: Vec<_> = operations
                .filter(|(_, failed)| !**failed)
                .map(|(operation, _)| operation.clone())
                .collect();
            let whole = is_linearizable_small(&self.specification, &left);
            assert_eq!(self.judge.is_linearizable(), whole, "{left:?}");
            self.events += 1;
            self.verdicts[usize::from(!whole)] += 1;
        }

        /// Clients with one operation at a time, which are answered at their second
        /// turn: mostly with what the object answers if it is carried out now or
        /// was at the invocation, as far as `answers` has that, at times with any
        /// answer; a few fail and are tried again, and some stay open for ever.
        fn play(&mut self, turns: &[Turn], calls: &[(S::Call, Vec<S::Return>)]) {
            let mut open: Vec<(usize, usize, S::State)> = Vec::new();
            let mut object = self.specification.initial();
            for &(client, luck, drawn) in turns {
                let (call, _) = &calls[drawn % calls.len()];
                let at = open.iter().position(|each| each.0 == client);
                let Some(at) = at else {
                    if self.operations.len() < OPERATIONS {
                        let index = self.invoke(call);
                        open.push((client, index, object.clone()));
                    }
                    continue;
                };
                let (_, index, begun) = open[at].clone();
                if luck >= 240 {
                    open[at].0 = usize::MAX;
                    continue;
                }
                if self.failed[index] {
                    self.retry(index);
                    continue;
                }
                if luck >= 220 {
                    self.fail(index);
                    continue;
                }
                open.remove(at);
                let call = self.operations[index].call.clone();
                let (_, answers) = calls.iter().find(|each| each.0 == call).expect("a call");
                let seen = match luck % 4 {
                    0 => &begun,
                    _ => &object,
                };
                let fits = |answer: &&S::Return| {
                    self.specification.step(seen, &call, Some(answer)).is_some()
                };
                let any = &answers[drawn % answers.len()];
                let answer = answers.iter().find(fits).filter(|_| luck % 3 != 1);
                let answer = answer.unwrap_or(any).clone();
                if let Some(next) = self.specification.step(&object, &call, Some(&answer)) {
                    object = next;
                }
                self.complete(index, &answer);
            }
        }
    }

    /// Thousands of histories, each judged after each event.
    fn agrees_with_the_whole<S: Specification>(
        specification: S,
        calls: &[(S::Call, Vec<S::Return>)],
    ) {
        let mut runner = TestRunner::deterministic();
        let turns = prop::collection::vec((0..3_usize, any::<u8>(), any::<usize>()), 4..30);
        let mut verdicts = [0; 2];
        for _ in 0..4000 {
            let turns = turns.new_tree(&mut runner).expect("turns").current();
            let mut told = Told::new(specification.clone());
            told.play(&turns, calls);
            verdicts = [0, 1].map(|verdict| verdicts[verdict] + told.verdicts[verdict]);
        }
        let all: u32 = verdicts.iter().sum();
        let seldom = verdicts.iter().any(|count| count * 10 < all);
        assert!(
            all > 20_000 && !seldom,
            "of both there are many: {verdicts:?}"
        );
    }

    /// A call of a recorded object, its argument, and a list of answers.
    type Sample<'a> = (&'a str, &'a str, &'a str);

    fn recorded_agrees<S: Recorded>(initial: &str, calls: &[Sample<'_>]) {
        let specification = S::holding(&value(initial)).expect("what it holds");
        let read = |&(f, argument, answers): &Sample<'_>| {
            let argument = value(argument);
            let asked = Asked {
                process: 0,
                f,
                argument: &argument,
            };
            let call = specification.call(asked).expect("a call");
            let Value::List(answers) = value(answers) else {
                panic!("answers are a list")
            };
            let returned = |answer| specification.returned(&call, answer).expect("an answer");
            let mut returns: Vec<_> = answers.iter().filter_map(returned).collect();
            returns.extend(specification.refused(&call));
            (call, returns)
        };
        let calls: Vec<_> = calls.iter().map(read).collect();
        agrees_with_the_whole(specification, &calls);
    }

    fn value(text: &str) -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_register_is_judged_as_its_whole_history_is() {
        use RegisterCall::{Cas, Read, Write};
        use RegisterReturn::{Done, Mismatch, Value};
        let values = || (0..3).map(Value).collect();
        let mut calls = vec![
            (Read, values()),
            (Write(1), vec![Done]),
            (Write(2), vec![Done]),
        ];
        for (from, to) in [(0, 1), (1, 2), (2, 0), (2, 1)] {
            calls.push((Cas { from, to }, vec![Done, Mismatch]));
        }
        agrees_with_the_whole(Register { initial: 0_u8 }, &calls);
    }

    #[test]
    fn recorded_objects_are_judged_as_their_whole_histories_are() {
        let recorded = [
            recorded_agrees::<Counter> as fn(&str, &[Sample<'_>]),
            recorded_agrees::<Queue>,
            recorded_agrees::<KeyValue>,
            recorded_agrees::<Lease>,
        ];
        let calls: [(&str, &[Sample<'_>]); 4] = [
            (
                "0",
                &[
                    ("read", "null", "[0,1,2,3,4,-1]"),
                    ("add", "1", "[null]"),
                    ("add-and-get", "2", "[1,2,3,4]"),
                    ("get-and-add", "-1", "[0,1,2,3]"),
                ],
            ),
            (
                "null",
                &[
                    ("enqueue", "1", "[null]"),
                    ("enqueue", "2", "[null]"),
                    ("dequeue", "null", "[null,1,2]"),
                    ("peek", "null", "[null,1,2]"),
                ],
            ),
            (
                "[]",
                &[
                    ("read", "null", "[[],[1],[2],[1,2],[2,1],[1,1],[2,2]]"),
                    ("append", "1", "[null]"),
                    ("append", "2", "[null]"),
                    ("write", "[1]", "[null]"),
                    ("cas", "[[1],[]]", "[null]"),
                ],
            ),
            (
                "null",
                &[
                    ("acquire", "null", "[1,2,3,false]"),
                    ("renew", "1", "[null,false]"),
                    ("guarded", "2", "[null,false]"),
                    ("release", "1", "[null,false]"),
                ],
            ),
        ];
        for (agrees, (initial, calls)) in recorded.into_iter().zip(calls) {
            agrees(initial, calls);
        }
    }

    #[test]
    fn who_is_answered_otherwise_than_where_it_stood_is_placed_anew() {
        let cas = RegisterCall::Cas { from: 0, to: 1 };
        let (read, one) = (RegisterCall::Read, RegisterReturn::Value(1));
        let begun = || {
            let mut judge = Incremental::new(Register { initial: 0 });
            judge.invoke(0, cas);
            judge.invoke(1, RegisterCall::Write(1));
            judge.invoke(2, read);
            assert!(judge.complete(2, one));
            judge
        };
        let mut refused = begun();
        assert!(refused.complete(0, RegisterReturn::Mismatch));
        let mut both = begun();
        assert!(both.complete(0, RegisterReturn::Done));
        assert!(both.complete(1, RegisterReturn::Done));
        let mut neither = begun();
        assert!(neither.complete(0, RegisterReturn::Mismatch));
        assert!(!neither.fail(1));
    }

    #[test]
    fn what_failed_and_is_tried_again_has_been_open_all_the_time() {
        let mut judge = Incremental::new(Register { initial: 0 });
        judge.invoke(0, RegisterCall::Write(1));
        assert!(judge.fail(0));
        judge.invoke(1, RegisterCall::Read);
        assert!(!judge.complete(1, RegisterReturn::Value(1)));
        judge.invoke(0, RegisterCall::Write(1));
        assert!(judge.is_linearizable());
        assert!(!judge.fail(0));
    }

    #[test]
    #[should_panic(expected = "is not open")]
    fn nothing_is_answered_twice() {
        let mut judge = Incremental::new(Register { initial: 0 });
        judge.invoke(0, RegisterCall::Write(1));
        judge.complete(0, RegisterReturn::Done);
        judge.complete(0, RegisterReturn::Done);
    }
}
