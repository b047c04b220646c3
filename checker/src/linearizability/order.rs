//! The order of calls that an engine found, as it is told.

/// No call, and no place.
const NONE: u32 = u32::MAX;

/// The calls in order.
pub(crate) struct Order {
    /// [`NONE`] where a call that could have stood here was placed later.
    calls: Vec<u32>,
    /// By call, its place if it may still be placed later.
    optional: Vec<u32>,
}

impl Order {
    /// An empty order of so many calls at most.
    pub(crate) fn of(calls: usize) -> Self {
        Order {
            calls: Vec::with_capacity(calls),
            optional: vec![NONE; calls],
        }
    }

    /// The next in the order.
    pub(crate) fn placed(&mut self, call: u32) {
        let optional = std::mem::replace(&mut self.optional[call as usize], NONE);
        if let Some(place) = self.calls.get_mut(optional as usize) {
            *place = NONE;
        }
        self.calls.push(call);
    }

    /// Stands before the next in the order, unless it is placed later.
    pub(crate) fn became_optional(&mut self, call: u32) {
        self.optional[call as usize] = self.calls.len() as u32;
        self.calls.push(call);
    }

    /// The calls, first to last.
    pub(crate) fn calls(mut self) -> Vec<u32> {
        self.calls.retain(|&call| call != NONE);
        self.calls
    }
}
