//! One object's calls as numbers.
//!
//! Every engine works on these: a state and a call are four bytes each, however
//! large the values are, and what a call does to a state is looked up rather
//! than carried out again.
//!
//! Calls that ask the same and are answered the same are of one *class*.

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tribunal_histories::Value;

use super::anywhere::Anywhere;
use super::bounded::Counting;
use super::guard::Guard;
use super::monitored::Exchange;
use crate::bytes;
use crate::monitors::{Decided, Interval};
use crate::specification::{Effect, Specification, TimedCallOf};

/// The number of a state.
pub(crate) type State = u32;

/// A state that no call names; all such are alike.
pub(crate) const ELSEWHERE: State = State::MAX - 1;

/// The completion of what does not complete.
pub(crate) const NEVER: u32 = u32::MAX;

/// One call of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// What is asked and answered.
    pub(crate) class: u32,
    /// When it was asked: a place in the order of all events. Two ends in one
    /// place overlap.
    pub(crate) invoked: u32,
    /// When it completed; [`NEVER`] if its outcome is not known.
    pub(crate) completed: u32,
}

impl Call {
    /// Whether it may have taken effect, may still, and may never.
    pub(crate) fn is_unknown(&self) -> bool {
        self.completed == NEVER
    }
}

/// Calls that ask the same and are answered the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    /// What it does, for all states at once.
    pub(crate) effect: Effect<State>,
    /// Whether the answer is known.
    pub(crate) is_known: bool,
    /// The class of the same call where the answer is not known.
    pub(crate) unknown: u32,
}

impl Class {
    /// What an object holds after a call of this class, whose number is `class`.
    #[inline]
    pub(crate) fn step(
        &self,
        class: u32,
        state: State,
        steps: &(impl Steps + ?Sized),
    ) -> Option<State> {
        match self.effect {
            Effect::Observe(Some(wanted)) => (wanted == state).then_some(state),
            Effect::Avoid(avoided) => (avoided != state).then_some(state),
            Effect::Replace(to) => Some(to),
            Effect::Change { from, to } if from == state => Some(to),
            Effect::Change { .. } => (!self.is_known).then_some(state),
            Effect::Observe(None) | Effect::Total | Effect::Other => steps.step(state, class),
        }
    }
}

/// Which element a call is about, of an object that holds elements: all calls about
/// one of them can be left out of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum About<T> {
    /// It puts this element in, takes it out, or sees it.
    Element(T),
    /// It sees which elements are there, these, and changes nothing. Of some elements
    /// it sees which of them are.
    Listed(Vec<T>),
    /// It takes out some element, if it does.
    Any,
    /// It sees no element, and changes nothing.
    None,
    /// What it sees says nothing of some elements, and it changes nothing.
    Whole,
}

impl<T> About<T> {
    /// The same of other names for the elements.
    fn map<U>(self, mut name: impl FnMut(T) -> U) -> About<U> {
        match self {
            About::Element(element) => About::Element(name(element)),
            About::Listed(listed) => About::Listed(listed.into_iter().map(name).collect()),
            About::Any => About::Any,
            About::None => About::None,
            About::Whole => About::Whole,
        }
    }
}

/// The elements that an object holds, and what is said of them.
pub(crate) struct Held {
    /// Whether answers tell of all of them, and less of some.
    pub(crate) is_seen_whole: bool,
    /// By number.
    pub(crate) elements: Vec<Value>,
    /// By class, what calls are about.
    pub(crate) about: Vec<About<u32>>,
}

/// What a specification does, in numbers.
pub(crate) trait Steps: Debug + Send + Sync {
    /// What the object holds after a call of `class` in `state`; none if it is
    /// not possible there. [`ELSEWHERE`] if from there on no call can tell it from
    /// any other such state.
    fn step(&self, state: State, class: u32) -> Option<State>;
    /// The same, whether a call can tell it or not.
    fn step_exactly(&self, state: State, class: u32) -> Option<State> {
        self.step(state, class)
    }
    /// What the object holds after calls of `classes` in `state`, one after the
    /// other, if they are possible. What it holds between them is not kept.
    fn carry_out(&self, state: State, classes: &mut dyn Iterator<Item = u32>) -> Option<State> {
        let mut held = state;
        for class in classes {
            held = self.step_exactly(held, class)?;
        }
        Some(held)
    }
    /// What a state is.
    fn show(&self, state: State) -> Value;
    /// How many bytes are held of states that no call names, and of steps.
    fn bytes(&self) -> usize;
    /// Forgets these states; nobody may know one of their numbers any more.
    fn forget(&self);
    /// Decides without a search, if there is a monitor and the calls allow that,
    /// and as long as `guard` allows it.
    fn monitor(&self, calls: &[Call], guard: &mut Guard<'_>) -> Option<Decided> {
        let _ = (calls, guard);
        None
    }
    /// What `lasts` says of states, up to which moment each is of interest, is to hold
    /// for those as well from which calls that are possible everywhere lead to
    /// them. Whether it does: it does not where these are not known.
    fn spread(&self, lasts: &mut Vec<u32>) -> bool {
        let _ = lasts;
        false
    }
    /// The elements that it holds; nothing if each cannot be left out, or `guard` does
    /// not allow to name them.
    fn elements(&self, guard: &mut Guard<'_>) -> Option<Held> {
        let _ = guard;
        None
    }
    /// The same object of these `elements` alone, with calls of these `classes`, and
    /// what each of them is to it. `keeps` says of what a class lists which places are
    /// kept.
    fn alone(
        &self,
        classes: &[u32],
        elements: &[&Value],
        keeps: &dyn Fn(u32, usize) -> bool,
    ) -> Option<(Object, Vec<u32>)> {
        let _ = (classes, elements, keeps);
        None
    }
    /// What there is of states before any step.
    fn named(&self) -> Known {
        Known::default()
    }
    /// Of what use the same object is of which nothing is known at first.
    fn use_of_anywhere(&self) -> Anywhere {
        Anywhere::Untold
    }
    /// That object, with classes of the same numbers, if it is of any.
    fn anywhere(&self) -> Option<Object> {
        None
    }
    /// Whether a call of the class `second` may take effect after one of the class
    /// `first`, which both are known to have, and others between.
    fn may_follow(&self, first: u32, second: u32) -> bool {
        let _ = (first, second);
        true
    }
    /// Whether none of all calls leads to what a call of this class tells.
    fn is_foreign(&self, class: u32) -> bool {
        let _ = class;
        false
    }
    /// What calls do to a number that it counts, if it does.
    fn counting(&self) -> Option<Counting> {
        None
    }
    /// Whether [`ELSEWHERE`] can be stepped from that was not stepped to.
    fn knows_elsewhere(&self) -> bool {
        false
    }
}

/// What calls do, by their classes.
pub(crate) trait Does {
    /// For all states at once.
    fn effect(&self, class: u32) -> Effect<State>;
    /// What the object holds after a call of `class`, if it is possible in
    /// `state`.
    fn step(&self, class: u32, state: State) -> Option<State>;
}

impl Does for Object {
    #[inline]
    fn effect(&self, class: u32) -> Effect<State> {
        self.effect(class)
    }

    #[inline]
    fn step(&self, class: u32, state: State) -> Option<State> {
        self.step(class, state)
    }
}

/// One object: what it does with the classes of calls that are asked of it.
#[derive(Debug)]
pub(crate) struct Object {
    /// What it holds at first.
    pub(crate) initial: State,
    /// Whether that stands for all states.
    pub(crate) is_anywhere: bool,
    pub(crate) classes: Vec<Class>,
    pub(crate) steps: Box<dyn Steps>,
}

impl Object {
    /// An object with this specification, and its calls.
    pub(crate) fn of_calls<S: Specification>(
        specification: S,
        calls: &[TimedCallOf<S>],
    ) -> (Object, Vec<Call>) {
        let mut naming = Naming::new(specification, Hooks::none());
        let calls = calls.iter().map(|timed| Call {
            class: naming.class(Asked {
                call: timed.call.clone(),
                returned: timed.returned().cloned(),
                completes: timed.completed.is_some(),
            }),
            invoked: timed.invoked,
            completed: timed.completed.as_ref().map_or(NEVER, |(at, _)| *at),
        });
        let calls = calls.collect();
        (naming.object(), calls)
    }

    /// What calls of `class` do, for all states at once.
    #[inline]
    pub(crate) fn effect(&self, class: u32) -> Effect<State> {
        self.classes[class as usize].effect
    }

    /// Whether it is known of a call that it took effect, and how.
    pub(crate) fn owes(&self, call: &Call) -> bool {
        !call.is_unknown() && self.classes[call.class as usize].is_known
    }

    /// What the object holds after a call of `class`, if it is possible in
    /// `state`.
    #[inline]
    pub(crate) fn step(&self, class: u32, state: State) -> Option<State> {
        self.classes[class as usize].step(class, state, &*self.steps)
    }

    /// The same by the specification alone, whatever it says of its effects;
    /// those tell only what becomes of a state that no call names.
    pub(crate) fn step_as_specified(&self, class: u32, state: State) -> Option<State> {
        match state == ELSEWHERE && !self.steps.knows_elsewhere() {
            true => self.step(class, state),
            false => self.steps.step_exactly(state, class),
        }
    }

    /// Whether `order` is whole, respects what completed before what was
    /// invoked, and is as specified. This is all that a valid verdict rests on;
    /// it knows nothing of what found the order.
    pub(crate) fn replays(&self, calls: &[Call], order: &[u32]) -> bool {
        let mut left = vec![true; calls.len()];
        let mut invoked_last = 0;
        for &place in order {
            let call = &calls[place as usize];
            if call.completed < invoked_last || !std::mem::take(&mut left[place as usize]) {
                return false;
            }
            invoked_last = invoked_last.max(call.invoked);
        }
        let mut left = left.into_iter().zip(calls);
        let is_whole = left.all(|(left, call)| !left || call.is_unknown());
        is_whole && self.left_by(calls, order).is_some()
    }

    /// What the object holds after these of the `calls`, one after the other, if
    /// they are possible.
    pub(crate) fn left_by(&self, calls: &[Call], order: &[u32]) -> Option<State> {
        let mut classes = order.iter().map(|&place| calls[place as usize].class);
        self.steps.carry_out(self.initial, &mut classes)
    }
}

/// A call, as far as its class goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked<C, R> {
    pub(crate) call: C,
    /// What was answered, if that is known.
    pub(crate) returned: Option<R>,
    /// Whether it took effect for certain.
    pub(crate) completes: bool,
}

pub(crate) type AskedOf<S> = Asked<<S as Specification>::Call, <S as Specification>::Return>;

/// Numbers of classes and of states.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Numbers<T> {
    pub(crate) classes: T,
    pub(crate) states: T,
}

/// What names some calls and states alone that another has names for as well.
pub(crate) struct Again<T> {
    pub(crate) named: T,
    /// What each of them is to it, in the order in which they were given.
    pub(crate) numbers: Numbers<Vec<u32>>,
}

/// Gives the calls and states of a specification their numbers.
#[derive(Debug)]
pub(crate) struct Naming<S: Specification> {
    numbers: FxHashMap<AskedOf<S>, u32>,
    classes: Vec<Class>,
    named: Named<S>,
}

/// A specification whose states and calls have numbers.
#[derive(Debug)]
struct Named<S: Specification> {
    specification: S,
    /// By class.
    asked: Vec<AskedOf<S>>,
    states: Mutex<States<S::State>>,
    /// What there is of states before any step.
    named: Known,
    /// How many bytes all states and steps take.
    bytes: AtomicUsize,
    hooks: Hooks<S>,
}

/// What can be asked of a specification beside what its calls do.
#[derive(Debug)]
pub(crate) struct Hooks<S: Specification> {
    /// What a state is.
    pub(crate) show: fn(&S, &S::State) -> Value,
    /// Decides without a search, if the calls allow that.
    pub(crate) monitor: Monitor<S>,
    /// Which element a call is about, if each can be left out.
    pub(crate) about: AboutCall<S>,
    /// The same object, of which nothing is known at first, if that is of use.
    pub(crate) anywhere: Unknown<S>,
    /// Of what use that is.
    pub(crate) use_of_anywhere: Anywhere,
    /// Whether one call may take effect after another, and others between.
    pub(crate) may_follow: fn(&S, &AskedOf<S>, &AskedOf<S>) -> bool,
    /// Whether none of all calls leads to what one of them tells.
    pub(crate) is_foreign: fn(&S, &AskedOf<S>, &[AskedOf<S>]) -> bool,
    /// What calls do to a number that it counts, if it does.
    pub(crate) counting: fn(&S, &[AskedOf<S>]) -> Option<Counting>,
    /// Whether answers tell of all elements.
    pub(crate) is_seen_whole: bool,
    /// The same of these elements alone.
    pub(crate) of_these: fn(&S, &[&Value]) -> S,
    /// What was answered, as far as it goes for some elements: those at the places
    /// that are kept of what was listed.
    pub(crate) of_elements: OfElements<S>,
}

type Unknown<S> = fn(&S, &[AskedOf<S>]) -> Option<Object>;

type OfElements<S> =
    fn(&S, &<S as Specification>::Return, &dyn Fn(usize) -> bool) -> <S as Specification>::Return;

impl<S: Specification> Hooks<S> {
    /// Those of a specification of which no more is known.
    pub(crate) fn none() -> Self {
        Hooks {
            show: |_, state| Value::Text(format!("{state:?}")),
            monitor: |_, _, _| None,
            about: |_, _, _| None,
            anywhere: |_, _| None,
            use_of_anywhere: Anywhere::Untold,
            may_follow: |_, _, _| true,
            is_foreign: |_, _, _| false,
            counting: |_, _| None,
            is_seen_whole: false,
            of_these: |specification: &S, _| specification.clone(),
            of_elements: |_, returned: &S::Return, _| returned.clone(),
        }
    }
}

type AboutCall<S> = fn(
    &S,
    &<S as Specification>::Call,
    Option<&<S as Specification>::Return>,
) -> Option<About<Value>>;

impl<S: Specification> Clone for Hooks<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Specification> Copy for Hooks<S> {}

/// The states that calls name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known {
    pub(crate) states: usize,
    /// How many bytes they take themselves.
    held: usize,
    /// The same with what is kept of each.
    pub(crate) bytes: usize,
}

type Monitor<S> = fn(&S, &[Interval<Exchange<'_, S>>], &mut Guard<'_>) -> Option<Decided>;

impl<S: Specification> Naming<S> {
    /// Names the calls of an object.
    pub(crate) fn new(specification: S, hooks: Hooks<S>) -> Self {
        let mut states = States::default();
        states.number(&specification, &specification.initial());
        Naming {
            numbers: FxHashMap::default(),
            classes: Vec::new(),
            named: Named {
                specification,
                asked: Vec::new(),
                states: Mutex::new(states),
                named: Known::default(),
                bytes: AtomicUsize::new(0),
                hooks,
            },
        }
    }

    pub(crate) fn specification(&self) -> &S {
        &self.named.specification
    }

    /// Names these calls and states alone, of an object with this specification.
    pub(crate) fn again(&self, specification: S, numbers: Numbers<&[u32]>) -> Again<Naming<S>> {
        let mut naming = Naming::new(specification, self.named.hooks);
        let asked = numbers
            .classes
            .iter()
            .map(|&class| &self.named.asked[class as usize]);
        let classes = asked.map(|asked| naming.class(asked.clone())).collect();
        let known = self.named.states();
        let named = &mut naming.named;
        let states = named.states.get_mut();
        let states = states.unwrap_or_else(PoisonError::into_inner);
        let number = |&state: &State| {
            let state = &*known.list[state as usize];
            states.number(&named.specification, state)
        };
        let states = numbers.states.iter().map(number).collect();
        Again {
            named: naming,
            numbers: Numbers { classes, states },
        }
    }

    /// How many classes there are.
    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    /// How many bytes the names take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.named.states().bytes()
            + bytes::table::<(AskedOf<S>, u32)>(self.numbers.capacity(), self.numbers.len())
            + self.classes.capacity() * size_of::<Class>()
            + self.named.asked.capacity() * size_of::<AskedOf<S>>()
    }

    /// The class of a call.
    pub(crate) fn class(&mut self, asked: AskedOf<S>) -> u32 {
        if let Some(&class) = self.numbers.get(&asked) {
            return class;
        }
        let unknown = match asked.completes {
            true => self.class(Asked {
                call: asked.call.clone(),
                returned: None,
                completes: false,
            }),
            false => self.classes.len() as u32,
        };
        let named = &mut self.named;
        let returned = asked.returned.as_ref();
        let effect = named.specification.effect(&asked.call, returned);
        let states = named.states.get_mut();
        let states = states.unwrap_or_else(PoisonError::into_inner);
        let is_known = returned.is_some();
        let number = |state| states.number(&named.specification, &state);
        let effect = match effect.map(number) {
            // It changes nothing in another state, and yet owes its place.
            Effect::Change { .. } if asked.completes && !is_known => Effect::Other,
            effect => effect,
        };
        let class = self.classes.len() as u32;
        self.classes.push(Class {
            effect,
            is_known,
            unknown,
        });
        named.asked.push(asked.clone());
        self.numbers.insert(asked, class);
        class
    }

    /// The object, once all its calls have their classes.
    pub(crate) fn object(mut self) -> Object {
        let named = &mut self.named;
        let states = named.states.get_mut();
        let states = states.unwrap_or_else(PoisonError::into_inner);
        named.named = Known {
            states: states.list.len(),
            held: states.held,
            bytes: states.bytes(),
        };
        named.bytes = AtomicUsize::new(states.bytes());
        Object {
            initial: 0,
            is_anywhere: false,
            classes: self.classes,
            steps: Box::new(self.named),
        }
    }
}

impl<S: Specification> Does for Naming<S> {
    fn effect(&self, class: u32) -> Effect<State> {
        self.classes[class as usize].effect
    }

    fn step(&self, class: u32, state: State) -> Option<State> {
        self.classes[class as usize].step(class, state, &self.named)
    }
}

/// The states that were met, and the steps between them.
#[derive(Debug)]
struct States<T> {
    list: Vec<Arc<T>>,
    numbers: FxHashMap<Arc<T>, State>,
    /// By state and class.
    steps: FxHashMap<(State, u32), Option<State>>,
    /// How many bytes the states themselves take.
    held: usize,
}

impl<T> Default for States<T> {
    fn default() -> Self {
        States {
            list: Vec::new(),
            numbers: FxHashMap::default(),
            steps: FxHashMap::default(),
            held: 0,
        }
    }
}

impl<T: Clone + Eq + std::hash::Hash> States<T> {
    fn number<S: Specification<State = T>>(&mut self, specification: &S, state: &T) -> State {
        if let Some(&number) = self.numbers.get(state) {
            return number;
        }
        let number = self.list.len() as State;
        // A clone has no room to grow, as what a step makes may have.
        let state = Arc::new(state.clone());
        self.held += bytes_of(specification, &state);
        self.list.push(Arc::clone(&state));
        self.numbers.insert(state, number);
        number
    }

    /// How many bytes the states and steps take.
    fn bytes(&self) -> usize {
        let Self {
            list,
            numbers,
            steps,
            held,
        } = self;
        list.capacity() * size_of::<Arc<T>>()
            + bytes::table::<(Arc<T>, State)>(numbers.capacity(), numbers.len())
            + bytes::table::<((State, u32), Option<State>)>(steps.capacity(), steps.len())
            + held
    }

    /// Keeps the states alone that calls name, and no steps.
    fn keep_only(&mut self, known: Known) {
        self.steps = FxHashMap::default();
        self.numbers
            .retain(|_, number| (*number as usize) < known.states);
        self.numbers.shrink_to_fit();
        self.list.truncate(known.states);
        self.list.shrink_to_fit();
        self.held = known.held;
    }
}

/// How many bytes a state takes that is shared.
fn bytes_of<S: Specification>(specification: &S, state: &S::State) -> usize {
    let counts = 2 * size_of::<usize>();
    bytes::allocated(counts + size_of::<S::State>()) + specification.heap(state)
}

impl<S: Specification> Named<S> {
    fn states(&self) -> MutexGuard<'_, States<S::State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Specification> Steps for Named<S> {
    fn step(&self, state: State, class: u32) -> Option<State> {
        let mut states = self.states();
        if let Some(&next) = states.steps.get(&(state, class)) {
            return next;
        }
        let Asked { call, returned, .. } = &self.asked[class as usize];
        let before = &states.list[state as usize];
        let next = self.specification.step(before, call, returned.as_ref());
        let next = next.map(|next| states.number(&self.specification, &next));
        states.steps.insert((state, class), next);
        self.bytes.store(states.bytes(), Ordering::Relaxed);
        next
    }

    fn carry_out(&self, state: State, classes: &mut dyn Iterator<Item = u32>) -> Option<State> {
        let mut states = self.states();
        let held = S::State::clone(&states.list[state as usize]);
        let mut calls = classes.map(|class| {
            let Asked { call, returned, .. } = &self.asked[class as usize];
            (call, returned.as_ref())
        });
        let held = self.specification.carry_out(held, &mut calls)?;
        let left = states.number(&self.specification, &held);
        self.bytes.store(states.bytes(), Ordering::Relaxed);
        Some(left)
    }

    fn bytes(&self) -> usize {
        self.bytes
            .load(Ordering::Relaxed)
            .saturating_sub(self.named.bytes)
    }

    fn forget(&self) {
        let mut states = self.states();
        states.keep_only(self.named);
        self.bytes.store(states.bytes(), Ordering::Relaxed);
    }

    fn monitor(&self, calls: &[Call], guard: &mut Guard<'_>) -> Option<Decided> {
        let interval = |call: &Call| {
            let asked = &self.asked[call.class as usize];
            Interval {
                operation: (&asked.call, asked.returned.as_ref()),
                invoked: call.invoked,
                completed: (!call.is_unknown()).then_some(call.completed),
            }
        };
        let each = size_of::<Interval<Exchange<'_, S>>>();
        if !guard.holds(calls.len() * each) {
            return None;
        }
        let intervals: Vec<_> = calls.iter().map(interval).collect();
        (self.hooks.monitor)(&self.specification, &intervals, guard)
    }

    fn elements(&self, guard: &mut Guard<'_>) -> Option<Held> {
        let mut numbers: FxHashMap<Value, u32> = FxHashMap::default();
        let mut elements = Vec::new();
        let mut bytes = 0;
        let mut number = |element: Value| {
            let next = elements.len() as u32;
            *numbers.entry(element).or_insert_with_key(|element| {
                elements.push(element.clone());
                next
            })
        };
        let each = self.asked.iter().map(|asked| {
            let about = self.hooks.about;
            let about = about(&self.specification, &asked.call, asked.returned.as_ref())?;
            bytes += match &about {
                About::Listed(listed) => bytes::allocated(listed.len() * size_of::<u32>()),
                About::Element(element) => 2 * (size_of::<Value>() + bytes::value(element)),
                About::Any | About::None | About::Whole => 0,
            };
            guard.allows(|| bytes).then(|| about.map(&mut number))
        });
        let about = each.collect::<Option<Vec<_>>>()?;
        Some(Held {
            is_seen_whole: self.hooks.is_seen_whole,
            elements,
            about,
        })
    }

    fn alone(
        &self,
        classes: &[u32],
        elements: &[&Value],
        keeps: &dyn Fn(u32, usize) -> bool,
    ) -> Option<(Object, Vec<u32>)> {
        let of_these = (self.hooks.of_these)(&self.specification, elements);
        let mut naming = Naming::new(of_these, self.hooks);
        let mut known: FxHashMap<u32, u32> = FxHashMap::default();
        let class = |&class: &u32| {
            *known.entry(class).or_insert_with(|| {
                let Asked {
                    call,
                    returned,
                    completes,
                } = &self.asked[class as usize];
                let of_elements = self.hooks.of_elements;
                let of_elements = |returned| {
                    let keeps = |place: usize| keeps(class, place);
                    of_elements(&self.specification, returned, &keeps)
                };
                naming.class(Asked {
                    call: call.clone(),
                    returned: returned.as_ref().map(of_elements),
                    completes: *completes,
                })
            })
        };
        let classes = classes.iter().map(class).collect();
        Some((naming.object(), classes))
    }

    fn named(&self) -> Known {
        self.named
    }

    fn use_of_anywhere(&self) -> Anywhere {
        self.hooks.use_of_anywhere
    }

    fn anywhere(&self) -> Option<Object> {
        (self.hooks.anywhere)(&self.specification, &self.asked)
    }

    fn may_follow(&self, first: u32, second: u32) -> bool {
        let asked = |class: u32| &self.asked[class as usize];
        (self.hooks.may_follow)(&self.specification, asked(first), asked(second))
    }

    fn is_foreign(&self, class: u32) -> bool {
        let asked = &self.asked[class as usize];
        (self.hooks.is_foreign)(&self.specification, asked, &self.asked)
    }

    fn counting(&self) -> Option<Counting> {
        (self.hooks.counting)(&self.specification, &self.asked)
    }

    fn show(&self, state: State) -> Value {
        let states = self.states();
        (self.hooks.show)(&self.specification, &states.list[state as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specification::sequence::{End, SequenceCall};
    use crate::specification::{Recorded, Stack, TimedCall};

    /// A stack to which one of three values is pushed, and the classes of that.
    fn stack() -> (Object, Vec<u32>) {
        let stack = Stack::holding(&Value::Null).expect("an empty stack");
        let push = |value: i64| TimedCall {
            call: SequenceCall::Put(End::Back, value.into()),
            invoked: 0,
            completed: None,
        };
        let calls: Vec<_> = (0..3).map(push).collect();
        let (object, calls) = Object::of_calls(stack, &calls);
        (object, calls.iter().map(|call| call.class).collect())
    }

    #[test]
    fn the_states_that_are_met_are_counted_until_they_are_forgotten() {
        let (object, classes) = stack();
        assert_eq!(object.steps.bytes(), 0);
        let push = |state: State, class: u32| object.step(class, state).expect("a push");
        let deepest = |depth: usize| {
            let pushed = classes.iter().cycle().take(depth);
            pushed.fold(object.initial, |state, &class| push(state, class))
        };
        let most = 1000;
        let state = deepest(most);
        // Stacks of 1 to 1000 values, and a tenth for what is kept of each.
        let values = most * (most + 1) / 2 * size_of::<Value>();
        let bytes = object.steps.bytes();
        assert!((values..values * 11 / 10).contains(&bytes), "{bytes}");
        let shown = object.steps.show(state);
        // Steps that were taken before make no more of it.
        assert_eq!((deepest(most), object.steps.bytes()), (state, bytes));
        object.steps.forget();
        assert_eq!(object.steps.bytes(), 0);
        assert_eq!(object.steps.show(deepest(most)), shown);
    }

    #[test]
    fn what_is_carried_out_leaves_nothing_but_its_end() {
        let (object, classes) = stack();
        let mut pushed = classes.iter().copied().cycle().take(1000);
        let left = object.steps.carry_out(object.initial, &mut pushed);
        let left = left.expect("a push is always possible");
        let bytes = object.steps.bytes();
        assert!(bytes < 1100 * size_of::<Value>(), "{bytes}");
        let mut pushed = classes.iter().cycle().take(1000);
        let stepped = pushed.try_fold(object.initial, |state, &class| object.step(class, state));
        assert_eq!(stepped, Some(left));
    }
}
