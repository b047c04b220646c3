//! The order of calls that an engine found, as it is told.

use rustc_hash::FxHashMap;

/// The calls in order.
#[derive(Default)]
pub(crate) struct Order {
    /// None where a call that could have stood here was placed later.
    calls: Vec<Option<u32>>,
    optional: FxHashMap<u32, usize>,
}

impl Order {
    /// The next in the order.
    pub(crate) fn placed(&mut self, call: u32) {
        if let Some(place) = self.optional.remove(&call) {
            self.calls[place] = None;
        }
        self.calls.push(Some(call));
    }

    /// Stands before the next in the order, unless it is placed later.
    pub(crate) fn became_optional(&mut self, call: u32) {
        self.optional.insert(call, self.calls.len());
        self.calls.push(Some(call));
    }

    /// The calls, first to last.
    pub(crate) fn calls(self) -> Vec<u32> {
        self.calls.into_iter().flatten().collect()
    }
}
