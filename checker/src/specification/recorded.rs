//! Specifications of the operations that histories record by name.
//!
//! A history names what is done (`f`) and has values for what is asked and
//! answered. [`Recorded`] says what those are to a specification.

use tribunal_histories::Value;

use super::Specification;

/// Who asks what, as a history records it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The client.
    pub process: u64,
    /// What is done.
    pub f: &'a str,
    /// With which value.
    pub argument: &'a Value,
}

/// A specification for the operations of recorded histories.
pub trait Recorded: Specification {
    /// The operations that it allows.
    const FUNCTIONS: &'static [&'static str];

    /// An object that at first holds `initial`; null stands for what such an
    /// object holds when nothing was done to it.
    ///
    /// # Errors
    ///
    /// What was expected instead, if it cannot hold that.
    fn holding(initial: &Value) -> Result<Self, String>;

    /// What an operation asks; its `f` is one of [`Self::FUNCTIONS`].
    ///
    /// # Errors
    ///
    /// What value was expected instead.
    fn call(&self, asked: Asked<'_>) -> Result<Self::Call, String>;

    /// What a call that took effect answered, by the value of its completion;
    /// none if that is not known.
    ///
    /// # Errors
    ///
    /// What value was expected instead.
    fn returned(&self, call: &Self::Call, value: &Value) -> Result<Option<Self::Return>, String>;

    /// What a call answers that found its condition not to hold, if it has one
    /// and then changes nothing, as a cas does.
    fn refused(&self, call: &Self::Call) -> Option<Self::Return> {
        let _ = call;
        None
    }

    /// The part of the object that a call is about, where no call is about two
    /// and none of them influences another: each part is then judged by itself,
    /// as an object that at first holds what this one does.
    fn part(&self, call: &Self::Call) -> Option<Value> {
        let _ = call;
        None
    }

    /// The object as it is where nothing is asked but of one of its parts. It
    /// is in fewer states then, and more can be said of a call for all of them.
    #[must_use]
    fn of_part(&self, part: &Value) -> Self {
        let _ = part;
        self.clone()
    }

    /// What a call that took effect answered, as [`Self::returned`], where a
    /// value of null is said to be one that is not known.
    ///
    /// # Errors
    ///
    /// What value was expected instead; or that null cannot be that, since it
    /// says that there was nothing.
    fn returned_or_unknown(
        &self,
        call: &Self::Call,
        value: &Value,
    ) -> Result<Option<Self::Return>, String> {
        self.returned(call, value)
    }

    /// What the object holds, to be shown.
    fn show(&self, state: &Self::State) -> Value;
}
