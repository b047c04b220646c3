//! Sequential consistency: whether there is one order of all operations that
//! respects every session and in which every read sees the last write before
//! it (Lamport 1979).
//!
//! NP-complete, even of one key where values repeat (Gibbons and Korach 1997;
//! Cantin, Lipasti and Smith 2003). What can be inferred is inferred first
//! (`saturation`); that alone decides one key whose values are distinct. Then
//! orders are tried, session by session, and no state is visited twice: how
//! far each session has come and what the keys hold. Three rules keep it
//! short:
//!
//! - a read that is possible now is placed at once: it changes nothing;
//! - a value that somebody still has to read is overwritten only if somebody
//!   will write it again;
//! - the write that completed first is tried first.

use super::acts::{Act, Acts, Does, Slot};
use super::budget::Budget;
use super::clocks::Clocks;
use super::saturation::{first_of, saturate};
use super::sources::Sources;
use super::states::States;
use super::{Found, Property, witness};

/// Of all keys together.
pub(super) fn judge(acts: &Acts<'_>, property: Property, budget: &Budget<'_>) -> Found {
    let sources = Sources::of(acts);
    if let Some(read) = sources.unexplained {
        return Found::Invalid(witness::thin_air(acts, property, read));
    }
    let clocks = match saturate(&sources, budget) {
        None => return Found::GaveUp,
        Some(Err(broken)) => {
            return Found::Invalid(witness::broken(acts, &sources, property, &broken));
        }
        Some(Ok(clocks)) => clocks,
    };
    let mut search = Search::new(acts, Needs::of(acts, &sources, &clocks));
    match search.run(budget) {
        None => Found::GaveUp,
        Some(true) => Found::Valid,
        Some(false) => {
            let sure = acts.list.iter().filter(|act| act.is_sure()).count();
            let key = match property {
                Property::PerKeySequential => " of the key",
                _ => "",
            };
            let of = format!("the {sure} operations{key}");
            let stuck = witness::stuck(acts, property, &of, search.furthest, &search.stuck);
            Found::Invalid(stuck)
        }
    }
}

/// Of each key apart.
pub(super) fn per_key(acts: &Acts<'_>, budget: &Budget<'_>) -> Found {
    let property = Property::PerKeySequential;
    let mut found = Found::Valid;
    for acts in &acts.by_key() {
        match judge(acts, property, budget) {
            Found::Valid => {}
            Found::Invalid(witness) => return Found::Invalid(witness),
            gave_up => found = gave_up,
        }
    }
    found
}

/// What must be placed before an act.
struct Needs<'a> {
    clocks: &'a Clocks,
    /// By act, its first node; none if nothing is known of it.
    nodes: Vec<Option<u32>>,
    /// By session and number of nodes, how many acts hold these.
    acts: Vec<Vec<u32>>,
}

impl<'a> Needs<'a> {
    fn of(acts: &Acts<'_>, sources: &Sources, clocks: &'a Clocks) -> Self {
        let mut nodes = vec![None; acts.list.len()];
        let mut held = vec![vec![0]; acts.sessions.len()];
        let mut place = vec![0; acts.list.len()];
        for list in &acts.sessions {
            for (at, &act) in (0..).zip(list) {
                place[act as usize] = at;
            }
        }
        for (number, node) in (0..).zip(&sources.nodes) {
            nodes[node.act as usize] = Some(first_of(sources, number));
            held[node.session as usize].push(place[node.act as usize] + 1);
        }
        Needs {
            clocks,
            nodes,
            acts: held,
        }
    }

    fn are_met(&self, number: u32, session: u32, positions: &[u32]) -> bool {
        let Some(node) = self.nodes[number as usize] else {
            return true;
        };
        let clock = self.clocks.before(node).iter().zip(&self.acts);
        let mut others = clock.zip(positions).zip(0..);
        others.all(|(((&count, acts), &position), other)| {
            other == session || acts[count as usize] <= position
        })
    }
}

/// Visits states one after the other, the deepest first.
struct Search<'a> {
    acts: &'a Acts<'a>,
    needs: Needs<'a>,
    /// By session, how many of its acts are placed.
    positions: Vec<u32>,
    /// By key, what it holds.
    current: Vec<Slot>,
    /// By slot, how many that are not placed must see it.
    readers: Vec<u32>,
    /// By slot, how many that are not placed may write it.
    writers: Vec<u32>,
    /// How many must still be placed.
    left: usize,
    /// What was placed, and what its key held before.
    placed: Vec<(u32, Slot)>,
    seen: States,
    /// How many were placed at most, and what could not follow then.
    furthest: usize,
    stuck: Vec<u32>,
}

/// What may come next after so many that were placed.
struct Frame {
    placed: usize,
    next: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(acts: &'a Acts<'a>, needs: Needs<'a>) -> Self {
        let slots = acts.key_of.len();
        let mut search = Search {
            acts,
            needs,
            positions: vec![0; acts.sessions.len()],
            current: acts.initial.clone(),
            readers: vec![0; slots],
            writers: vec![0; slots],
            left: acts.list.iter().filter(|act| act.is_sure()).count(),
            placed: Vec::new(),
            seen: States::default(),
            furthest: 0,
            stuck: Vec::new(),
        };
        for act in &acts.list {
            if let Some(slot) = act.saw().filter(|_| act.is_sure()) {
                search.readers[slot as usize] += 1;
            }
            if let Some(slot) = act.writes() {
                search.writers[slot as usize] += 1;
            }
        }
        search
    }

    /// Whether there is an order; nothing if a limit was met.
    fn run(&mut self, budget: &Budget<'_>) -> Option<bool> {
        let mut frames = Vec::new();
        frames.extend(self.frame());
        while self.left > 0 {
            let Some(frame) = frames.last_mut() else {
                return Some(false);
            };
            let next = frame.next.pop();
            self.undo(frame.placed);
            let Some(act) = next else {
                frames.pop();
                continue;
            };
            if !budget.allows_move(|| self.bytes(&frames)) {
                return None;
            }
            self.place(act);
            frames.extend(self.frame());
        }
        Some(true)
    }

    /// How many bytes it holds, the acts apart.
    fn bytes(&self, frames: &[Frame]) -> usize {
        let next = frames.last().map_or(0, |frame| frame.next.capacity());
        self.needs.clocks.bytes()
            + self.seen.bytes()
            + frames.len() * (size_of::<Frame>() + next * size_of::<u32>())
    }

    /// Places what changes nothing, and says what may come next, the first
    /// choice last; nothing if all this was tried before.
    fn frame(&mut self) -> Option<Frame> {
        self.place_reads();
        let state = self.positions.iter().chain(&self.current);
        if !self.seen.insert(|row| row.extend(state)) {
            return None;
        }
        let mut next: Vec<u32> = self.next().filter(|&act| self.may_write(act)).collect();
        next.sort_unstable_by_key(|&act| {
            let Act { completed, .. } = self.acts.list[act as usize];
            std::cmp::Reverse((completed.is_none(), completed, act))
        });
        if self.placed.len() >= self.furthest && self.left > 0 {
            self.furthest = self.placed.len();
            self.stuck = self.next().filter(|&act| self.act(act).is_sure()).collect();
        }
        let placed = self.placed.len();
        Some(Frame { placed, next })
    }

    fn act(&self, number: u32) -> Act {
        self.acts.list[number as usize]
    }

    /// The next act of every session that has one.
    fn next(&self) -> impl Iterator<Item = u32> {
        let sessions = self.acts.sessions.iter().zip(&self.positions);
        sessions.filter_map(|(list, &position)| list.get(position as usize).copied())
    }

    fn place_reads(&mut self) {
        loop {
            let before = self.placed.len();
            for session in 0..self.positions.len() {
                while let Some(act) = self.read_of(session) {
                    self.place(act);
                }
            }
            if self.placed.len() == before {
                return;
            }
        }
    }

    /// The next act of a session, if it is a read that is possible now.
    fn read_of(&self, session: usize) -> Option<u32> {
        let position = self.positions[session] as usize;
        let number = *self.acts.sessions[session].get(position)?;
        let act = self.act(number);
        let held = self.current[act.key as usize];
        let fits = match act.does {
            Does::Read(slot) => held == slot,
            Does::ReadOther(slot) => held != slot,
            Does::Write(_) | Does::Cas { .. } => false,
        };
        let fits = fits && self.needs.are_met(number, act.session, &self.positions);
        fits.then_some(number)
    }

    fn may_write(&self, number: u32) -> bool {
        let act = self.act(number);
        let held = self.current[act.key as usize];
        let Some(slot) = act.writes() else {
            return false;
        };
        if act.saw().is_some_and(|from| from != held) || (slot == held && !act.is_sure()) {
            return false;
        }
        let own = u32::from(act.is_sure() && act.saw() == Some(held));
        let may_go =
            slot == held || self.readers[held as usize] == own || self.writers[held as usize] > 0;
        may_go && self.needs.are_met(number, act.session, &self.positions)
    }

    fn place(&mut self, number: u32) {
        let act = self.act(number);
        self.placed.push((number, self.current[act.key as usize]));
        self.positions[act.session as usize] += 1;
        self.left -= usize::from(act.is_sure());
        if let Some(slot) = act.saw().filter(|_| act.is_sure()) {
            self.readers[slot as usize] -= 1;
        }
        if let Some(slot) = act.writes() {
            self.writers[slot as usize] -= 1;
            self.current[act.key as usize] = slot;
        }
    }

    fn undo(&mut self, placed: usize) {
        while self.placed.len() > placed {
            let Some((number, held)) = self.placed.pop() else {
                return;
            };
            let act = self.act(number);
            self.positions[act.session as usize] -= 1;
            self.left += usize::from(act.is_sure());
            if let Some(slot) = act.saw().filter(|_| act.is_sure()) {
                self.readers[slot as usize] += 1;
            }
            if let Some(slot) = act.writes() {
                self.writers[slot as usize] += 1;
            }
            self.current[act.key as usize] = held;
        }
    }
}
