//! Random histories: right ones, guessed ones, and those that are spoiled.

use crate::specification::{
    RegisterCall, RegisterReturn, Specification, TimedCall, TimedCallOf, register,
};

/// The registers here.
pub(crate) type Register = register::Register<u16>;

/// A call of one.
pub(crate) type Call = TimedCallOf<Register>;

/// Random numbers that are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds are to have nothing in common.
        Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % bound
    }

    pub(crate) fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// A history of one register with answers drawn at random, so that about half
/// are linearizable if it is short.
pub(crate) fn guessed(random: &mut Random, count: usize, processes: u64, values: u64) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: Vec<Option<usize>> = vec![None; processes as usize];
    let mut place = 0;
    while calls.len() < count || open.iter().any(Option::is_some) {
        place += 1;
        let process = random.below(processes) as usize;
        match open[process].take() {
            None if calls.len() < count => {
                open[process] = Some(calls.len());
                calls.push(Call {
                    call: any_call(random, values),
                    invoked: place,
                    completed: None,
                });
            }
            None => {}
            Some(call) if random.below(6) > 0 => {
                let returned = any_return(random, &calls[call].call, values);
                calls[call].completed = Some((place, returned));
            }
            Some(_) => {}
        }
    }
    calls
}

/// A call on so many values.
pub(crate) fn any_call(random: &mut Random, values: u64) -> RegisterCall<u16> {
    let mut value = || random.below(values) as u16;
    let (from, to) = (value(), value());
    match random.below(5) {
        0 | 1 => RegisterCall::Read,
        2 | 3 => RegisterCall::Write(to),
        _ => RegisterCall::Cas { from, to },
    }
}

fn any_return(random: &mut Random, call: &RegisterCall<u16>, values: u64) -> RegisterReturn<u16> {
    match call {
        RegisterCall::Read => RegisterReturn::Value(random.below(values) as u16),
        RegisterCall::Cas { .. } if random.one_in(2) => RegisterReturn::Mismatch,
        _ => RegisterReturn::Done,
    }
}

/// Whether there are cas, and whether they succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WithCas {
    No,
    AllSucceed,
    HalfFail,
}

/// A history in which no value is written twice; reads see what may have been
/// written before they end, mostly.
pub(crate) fn guessed_distinct(
    random: &mut Random,
    count: usize,
    processes: u64,
    cas: WithCas,
) -> Vec<Call> {
    let mut calls = guessed(random, count, processes, 2);
    let mut written = 0;
    for call in &mut calls {
        call.call = match random.below(if cas == WithCas::No { 2 } else { 3 }) {
            0 => RegisterCall::Read,
            1 => {
                written += 1;
                RegisterCall::Write(written)
            }
            _ => {
                let latest = written;
                written += 1;
                RegisterCall::Cas {
                    from: latest.saturating_sub(random.below(3) as u16 / 2),
                    to: written,
                }
            }
        };
        if let Some((_, returned)) = &mut call.completed {
            *returned = match call.call {
                RegisterCall::Read => {
                    let latest = u64::from(written);
                    let seen = latest.saturating_sub(random.below(3)) + random.below(8) / 7;
                    RegisterReturn::Value(seen as u16)
                }
                RegisterCall::Cas { .. } if cas == WithCas::HalfFail && random.one_in(2) => {
                    RegisterReturn::Mismatch
                }
                _ => RegisterReturn::Done,
            };
        }
    }
    calls
}

/// How many calls, and how they overlap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) operations: usize,
    pub(crate) processes: u64,
    /// One in so many calls is of unknown outcome; none if 0.
    pub(crate) unknown_one_in: u64,
}

/// A history that happened: each call took effect at one moment between its
/// ends, or later if its outcome is not known, or never.
pub(crate) fn happened<S: Specification>(
    random: &mut Random,
    shape: Shape,
    specification: &S,
    mut ask: impl FnMut(&mut Random) -> S::Call,
    answer: impl Fn(&S::State, &S::Call) -> S::Return,
) -> Vec<TimedCallOf<S>> {
    enum Client<R> {
        Idle,
        Asked(usize),
        Answered(usize, R),
    }
    let mut calls: Vec<TimedCallOf<S>> = Vec::new();
    let mut clients: Vec<Client<S::Return>> = Vec::new();
    clients.resize_with(shape.processes as usize, || Client::Idle);
    let mut late: Vec<usize> = Vec::new();
    let mut state = specification.initial();
    let mut place = 0;
    let is_idle = |client: &Client<S::Return>| matches!(client, Client::Idle);
    while calls.len() < shape.operations || !clients.iter().all(is_idle) {
        // Now and then two ends are in one place, and overlap.
        place += u32::from(!random.one_in(4));
        if !late.is_empty() && random.one_in(8) {
            let call = late.swap_remove(random.below(late.len() as u64) as usize);
            state = specification
                .step(&state, &calls[call].call, None)
                .unwrap_or(state);
        }
        let client = &mut clients[random.below(shape.processes) as usize];
        // It is looked at twice: before it takes effect, and after.
        let crashes = shape.unknown_one_in > 0 && random.one_in(2 * shape.unknown_one_in);
        *client = match std::mem::replace(client, Client::Idle) {
            Client::Idle if calls.len() < shape.operations => {
                calls.push(TimedCall {
                    call: ask(random),
                    invoked: place,
                    completed: None,
                });
                Client::Asked(calls.len() - 1)
            }
            Client::Idle => Client::Idle,
            Client::Asked(call) if crashes => {
                late.push(call);
                Client::Idle
            }
            Client::Asked(call) => {
                let returned = answer(&state, &calls[call].call);
                let next = specification.step(&state, &calls[call].call, Some(&returned));
                state = next.expect("the answer is right");
                Client::Answered(call, returned)
            }
            Client::Answered(..) if crashes => Client::Idle,
            Client::Answered(call, returned) => {
                calls[call].completed = Some((place, returned));
                Client::Idle
            }
        };
    }
    calls
}

/// What a register that holds `state` answers.
pub(crate) fn answer(state: &u16, call: &RegisterCall<u16>) -> RegisterReturn<u16> {
    match call {
        RegisterCall::Read => RegisterReturn::Value(*state),
        RegisterCall::Cas { from, .. } if from != state => RegisterReturn::Mismatch,
        RegisterCall::Write(_) | RegisterCall::Cas { .. } => RegisterReturn::Done,
    }
}

/// A history of a register that happened, on so many values; each is written
/// once if that is 0.
pub(crate) fn right(random: &mut Random, shape: Shape, values: u64) -> Vec<Call> {
    let mut written = 0;
    let ask = |random: &mut Random| match values {
        0 if random.one_in(2) => RegisterCall::Read,
        0 => {
            let from = written;
            written += 1;
            match random.one_in(4) {
                true => RegisterCall::Cas { from, to: written },
                false => RegisterCall::Write(written),
            }
        }
        _ => any_call(random, values),
    };
    happened(random, shape, &Register { initial: 0 }, ask, answer)
}

/// Does one thing to a history that may make it wrong: to an answer, an end, or
/// a call.
pub(crate) fn spoil<C: Clone, R: Clone + PartialEq>(
    random: &mut Random,
    calls: &mut Vec<TimedCall<C, R>>,
    is_read: impl Fn(&C) -> bool,
) {
    if calls.is_empty() {
        return;
    }
    let reads: Vec<usize> = (0..calls.len())
        .filter(|&place| is_read(&calls[place].call) && calls[place].completed.is_some())
        .collect();
    let any = |random: &mut Random, len: usize| random.below(len as u64) as usize;
    let place = any(random, calls.len());
    match random.below(6) {
        // Two reads swap their answers, or one has that of the other.
        kind @ 0..3 if reads.len() > 1 => {
            let one = reads[any(random, reads.len())];
            let other = reads[any(random, reads.len())];
            let returned = |place: usize| calls[place].returned().cloned();
            let (first, second) = (returned(one), returned(other));
            let mut set = |place: usize, new: Option<R>| {
                let completed = calls[place].completed.as_mut();
                if let (Some((_, returned)), Some(new)) = (completed, new) {
                    *returned = new;
                }
            };
            set(one, second);
            if kind > 0 {
                set(other, first);
            }
        }
        0..4 => {
            calls.remove(place);
        }
        // An end moves, inwards or outwards.
        4 => {
            let call = &mut calls[place];
            let until = call.completed.as_ref().map_or(u32::MAX, |(at, _)| *at);
            let moved = call
                .invoked
                .saturating_add_signed(random.below(13) as i32 - 6);
            call.invoked = moved.min(until);
        }
        _ => {
            let call = &mut calls[place];
            if let Some((at, _)) = &mut call.completed {
                let moved = at.saturating_add_signed(random.below(13) as i32 - 6);
                *at = moved.max(call.invoked);
            }
        }
    }
}

/// Gives a read of a register another answer.
pub(crate) fn corrupt(random: &mut Random, calls: &mut [Call], values: u64) {
    let mut reads: Vec<&mut Call> = calls
        .iter_mut()
        .filter(|call| call.call == RegisterCall::Read && call.completed.is_some())
        .collect();
    if reads.is_empty() {
        return;
    }
    let read = random.below(reads.len() as u64) as usize;
    if let Some((_, returned)) = &mut reads[read].completed {
        *returned = RegisterReturn::Value(random.below(values) as u16);
    }
}
