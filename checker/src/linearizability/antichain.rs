//! Configurations of which none dominates another.

use rustc_hash::FxHashMap;

use super::crashed::UsedSets;
use super::frontier::{Configuration, Open};
use super::mask::Mask;
use super::object::State;
use crate::bytes;

/// Up to so many configurations are looked through one by one.
const SCANNED_MAX: usize = 24;

/// Configurations of which none dominates another.
pub(super) struct Antichain<M> {
    list: Vec<Configuration<M>>,
    alive: Vec<bool>,
    living: usize,
    /// Where there are many, by state, those in which it can be seen.
    by_state: FxHashMap<State, Vec<u32>>,
    /// And those whose state cannot be seen.
    unseen: Vec<u32>,
    /// How often two were compared.
    compared: u64,
}

impl<M> Default for Antichain<M> {
    fn default() -> Self {
        Antichain {
            list: Vec::new(),
            alive: Vec::new(),
            living: 0,
            by_state: FxHashMap::default(),
            unseen: Vec::new(),
            compared: 0,
        }
    }
}

impl<M: Mask> Antichain<M> {
    pub(super) fn clear(&mut self) {
        if self.list.len() >= SCANNED_MAX {
            self.by_state.clear();
            self.unseen.clear();
        }
        self.list.clear();
        self.alive.clear();
        self.living = 0;
    }

    /// How often two were compared since this was asked last.
    pub(super) fn take_compared(&mut self) -> u64 {
        std::mem::take(&mut self.compared)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.living == 0
    }

    /// How many were not dominated.
    pub(super) fn len(&self) -> usize {
        self.living
    }

    /// How many bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        let Self { list, by_state, .. } = self;
        let each = size_of::<Configuration<M>>() + size_of::<bool>();
        // Each state has a list of its own, with room for four places or twice
        // as many as there are.
        let places = size_of::<u32>();
        list.capacity() * each
            + bytes::table::<(State, Vec<u32>)>(by_state.capacity(), by_state.len())
            + by_state.len() * bytes::allocated(4 * places)
            + 2 * list.len() * places
    }

    pub(super) fn is_alive(&self, place: usize) -> bool {
        self.alive[place]
    }

    pub(super) fn get(&self, place: usize) -> Configuration<M> {
        self.list[place]
    }

    /// Moves what was not dominated to the end of `into`.
    pub(super) fn move_into(&mut self, into: &mut Vec<Configuration<M>>) {
        let all = self.list.iter().zip(&self.alive);
        into.extend(all.filter_map(|(it, alive)| alive.then_some(*it)));
        self.clear();
    }

    /// Adds a configuration unless another dominates it; its place.
    pub(super) fn add(
        &mut self,
        configuration: Configuration<M>,
        open: &Open<M>,
        used_sets: &UsedSets,
    ) -> Option<usize> {
        let len = self.list.len();
        if len == SCANNED_MAX {
            for place in 0..len {
                self.index(place);
            }
        }
        if len < SCANNED_MAX {
            for place in 0..len {
                if self.is_alike(place, &configuration)
                    && !self.compare(place, &configuration, open, used_sets)
                {
                    return None;
                }
            }
        } else {
            let mut places = std::mem::take(self.alike(&configuration));
            let alive = &mut self.alive;
            places.retain(|&place| alive[place as usize]);
            let is_new = places
                .iter()
                .all(|&place| self.compare(place as usize, &configuration, open, used_sets));
            *self.alike(&configuration) = places;
            if !is_new {
                return None;
            }
        }
        self.list.push(configuration);
        self.alive.push(true);
        self.living += 1;
        if len >= SCANNED_MAX {
            self.index(len);
        }
        Some(len)
    }

    fn index(&mut self, place: usize) {
        let configuration = self.list[place];
        self.alike(&configuration).push(place as u32);
    }

    fn alike(&mut self, configuration: &Configuration<M>) -> &mut Vec<u32> {
        match configuration.seen_until {
            0 => &mut self.unseen,
            _ => self.by_state.entry(configuration.state).or_default(),
        }
    }

    /// Whether one is in the same state as another; all that cannot be seen are
    /// alike, whatever they were.
    fn is_alike(&self, place: usize, configuration: &Configuration<M>) -> bool {
        let other = &self.list[place];
        match (other.seen_until, configuration.seen_until) {
            (0, 0) => true,
            (0, _) | (_, 0) => false,
            _ => other.state == configuration.state,
        }
    }

    /// Whether the one at `place` leaves the other a reason to be; drops the
    /// one at `place` if it has none itself.
    fn compare(
        &mut self,
        place: usize,
        configuration: &Configuration<M>,
        open: &Open<M>,
        used_sets: &UsedSets,
    ) -> bool {
        if !self.alive[place] {
            return true;
        }
        self.compared += 1;
        let other = &self.list[place];
        if open.dominates(other, configuration, used_sets) {
            return false;
        }
        if open.dominates(configuration, other, used_sets) {
            self.alive[place] = false;
            self.living -= 1;
        }
        true
    }
}
