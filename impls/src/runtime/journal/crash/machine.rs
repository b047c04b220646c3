//! A machine that is nothing but its durable state: a list.

use serde::{Deserialize, Serialize};
use tribunal_protocol::{Channel, ClockUse, Context, Input, Machine, Outputs, View};

/// Does nothing; its journal is what is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Lists;

/// The shapes that a protocol's records have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(in super::super) enum Record {
    /// One more entry.
    Push(u64),
    /// The entries from here on are gone.
    TruncateFrom(usize),
    /// All there is: a snapshot that was installed.
    Install(Vec<u64>),
}

/// The entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(in super::super) struct List(pub(in super::super) Vec<u64>);

impl Machine for Lists {
    const NAME: &'static str = "lists";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = ();
    type Message = ();
    type Timer = ();
    type Request = ();
    type Response = ();
    type Record = Record;
    type Durable = List;

    fn apply(durable: &mut List, record: &Record) {
        match record {
            Record::Push(entry) => durable.0.push(*entry),
            Record::TruncateFrom(place) => durable.0.truncate(*place),
            Record::Install(entries) => durable.0.clone_from(entries),
        }
    }

    fn recover(_: Context<'_, Self>, _: &List, _: &mut Outputs<Self>) -> Self {
        Lists
    }

    fn step(&mut self, _: Context<'_, Self>, _: Input<Self>, _: &mut Outputs<Self>) {}

    fn view(&self, (): &()) -> View {
        View::default()
    }
}

/// What is durable once all of these persists are.
pub(in super::super) fn fold(persists: &[Vec<Record>]) -> List {
    let mut list = List::default();
    for record in persists.iter().flatten() {
        Lists::apply(&mut list, record);
    }
    list
}
