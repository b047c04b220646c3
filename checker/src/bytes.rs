//! How many bytes are held, as far as limits go.

use tribunal_histories::Value;

/// The bytes that an allocation of `bytes` takes: allocators keep a word beside
/// it and give out multiples of two.
pub(crate) const fn allocated(bytes: usize) -> usize {
    const WORD: usize = size_of::<usize>();
    match bytes {
        0 => 0,
        _ => (bytes + WORD).next_multiple_of(2 * WORD),
    }
}

/// The bytes of a hash table that holds `len` entries of type `T` and has room
/// for `capacity`.
pub(crate) fn table<T>(capacity: usize, len: usize) -> usize {
    // An eighth of the buckets stays free, and each has a byte beside it.
    let buckets = match capacity {
        0 => 0,
        _ => (capacity * 8).div_ceil(7).next_power_of_two(),
    };
    let bytes = buckets * (size_of::<T>() + 1);
    // A full table is about to be copied to one twice as large.
    let is_full = capacity - len < capacity / 64;
    bytes * if is_full { 3 } else { 1 }
}

/// The bytes of a list that grows.
pub(crate) fn list<T>(list: &Vec<T>) -> usize {
    // A full one is about to be copied to one twice as large.
    let is_full = list.capacity() - list.len() < 64;
    list.capacity() * size_of::<T>() * if is_full { 2 } else { 1 }
}

/// The bytes of a value beside itself.
pub(crate) fn value(it: &Value) -> usize {
    match it {
        Value::Null | Value::Bool(_) | Value::Int(_) => 0,
        Value::Text(text) => allocated(text.len()),
        Value::List(list) => values(list),
        Value::Map(map) => {
            let beside = map
                .iter()
                .map(|(name, it)| allocated(name.len()) + value(it));
            tree::<(String, Value)>(map.len()) + beside.sum::<usize>()
        }
    }
}

/// The bytes of a list of values beside itself.
pub(crate) fn values<'a>(list: impl IntoIterator<Item = &'a Value>) -> usize {
    let (mut count, mut beside) = (0, 0);
    for it in list {
        count += 1;
        beside += value(it);
    }
    allocated(count * size_of::<Value>()) + beside
}

/// The bytes of a tree that holds `len` entries of type `T`, in nodes that have
/// room for eleven each and are two thirds full, about.
pub(crate) fn tree<T>(len: usize) -> usize {
    let nodes = match len {
        0 => 0,
        1..=11 => 1,
        _ => len.div_ceil(7) + 1,
    };
    nodes * allocated(11 * size_of::<T>() + 2 * size_of::<usize>())
}
