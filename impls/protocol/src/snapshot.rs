//! The object at a place in the order of decisions, and how it travels: in
//! chunks, each of which names the snapshot that it is of.
//!
//! What else a snapshot must tell beside the object, such as where in the log
//! it ends, is the protocol's: its head.

use serde::{Deserialize, Serialize};

use crate::object::{Part, Store};

/// The object as a prefix of the decisions made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Snapshot<H> {
    /// What it is of, beside the object.
    pub head: H,
    /// The object.
    pub parts: Vec<Part>,
}

/// A chunk of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Chunk<H> {
    /// What snapshot it is of.
    pub head: H,
    /// How many parts come before it.
    pub offset: u64,
    /// The parts.
    pub parts: Vec<Part>,
    /// Whether no part follows.
    pub is_last: bool,
}

impl<H> Snapshot<H> {
    /// The object as it is now; `forgets_answers` leaves out what the sessions
    /// were last answered, which is wrong.
    pub fn of(head: H, store: &Store, forgets_answers: bool) -> Self {
        let mut parts = store.parts();
        if forgets_answers {
            parts = parts.into_iter().map(Part::forgetting_answers).collect();
        }
        Snapshot { head, parts }
    }
}

impl<H: Clone> Snapshot<H> {
    /// The chunk behind so many parts, of at most `most` parts.
    pub fn chunk(&self, offset: u64, most: usize) -> Chunk<H> {
        let offset = offset.min(self.parts.len() as u64);
        let rest = &self.parts[offset as usize..];
        let parts = &rest[..rest.len().min(most)];
        Chunk {
            head: self.head.clone(),
            offset,
            parts: parts.to_vec(),
            is_last: parts.len() == rest.len(),
        }
    }
}

/// A snapshot of which the first parts have arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Arriving<H> {
    head: H,
    parts: Vec<Part>,
}

impl<H: Clone + Default + PartialEq> Arriving<H> {
    /// What the snapshot is of.
    pub fn head(&self) -> &H {
        &self.head
    }

    /// How many parts have arrived.
    pub fn count(&self) -> u64 {
        self.parts.len() as u64
    }

    /// Adds a chunk to what has arrived; to nothing, if that was of another
    /// snapshot and `any` is not set. Gives the snapshot once it is whole; what
    /// has arrived of it stays in `slot` until then.
    pub fn gather(slot: &mut Option<Self>, chunk: Chunk<H>, any: bool) -> Option<Snapshot<H>> {
        let same = |arriving: &mut Self| any || arriving.head == chunk.head;
        let mut arriving = slot.take_if(same).unwrap_or_default();
        arriving.head = chunk.head;
        // A chunk before which one is missing is of no use.
        let known = arriving.count().checked_sub(chunk.offset);
        if let Some(known) = known {
            let new = chunk.parts.into_iter().skip(known as usize);
            arriving.parts.extend(new);
        }
        if chunk.is_last && known.is_some() {
            *slot = None;
            let Arriving { head, parts } = arriving;
            return Some(Snapshot { head, parts });
        }
        *slot = Some(arriving);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(head: u8, values: i64) -> Snapshot<u8> {
        let parts = (1..=values).map(|value| Part::Value(value as u64, value));
        Snapshot {
            head,
            parts: parts.collect(),
        }
    }

    #[test]
    fn chunks_in_order_make_the_snapshot_again() {
        let whole = snapshot(1, 5);
        let mut slot = None;
        assert_eq!(Arriving::gather(&mut slot, whole.chunk(0, 2), false), None);
        assert_eq!(slot.as_ref().map(Arriving::count), Some(2));
        // One that comes twice, and one before which a part is missing.
        assert_eq!(Arriving::gather(&mut slot, whole.chunk(0, 2), false), None);
        assert_eq!(Arriving::gather(&mut slot, whole.chunk(4, 2), false), None);
        assert_eq!(slot.as_ref().map(Arriving::count), Some(2));
        assert_eq!(Arriving::gather(&mut slot, whole.chunk(2, 2), false), None);
        assert_eq!(
            Arriving::gather(&mut slot, whole.chunk(4, 2), false),
            Some(whole)
        );
        assert_eq!(slot, None);
    }

    #[test]
    fn another_snapshot_begins_anew() {
        let (one, other) = (snapshot(1, 3), snapshot(2, 3));
        let mut slot = None;
        assert_eq!(Arriving::gather(&mut slot, one.chunk(0, 2), false), None);
        assert_eq!(Arriving::gather(&mut slot, other.chunk(2, 2), false), None);
        assert_eq!(slot.as_ref().map(Arriving::count), Some(0));
        assert_eq!(slot.map(|arriving| *arriving.head()), Some(2));
    }

    #[test]
    fn a_snapshot_of_nothing_is_one_chunk() {
        let nothing = snapshot(1, 0);
        let mut slot = None;
        let chunk = nothing.chunk(0, 2);
        assert!(chunk.is_last);
        assert_eq!(Arriving::gather(&mut slot, chunk, false), Some(nothing));
    }
}
