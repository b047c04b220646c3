//! Transactions as a history records them, and what the workloads that ask for
//! them have in common.

use tribunal_checker::transactions::TXN;
use tribunal_histories::Value;
use tribunal_impls::adapter::Invocation;

/// A transaction of these micro-operations.
pub fn txn(micros: Vec<Value>) -> Invocation {
    Invocation {
        f: TXN.to_owned(),
        key: Value::Null,
        value: Value::List(micros),
    }
}

/// `["r", key, null]`.
pub fn read(key: i64) -> Value {
    micro("r", key, Value::Null)
}

/// `["append", key, value]` or another that says what to do with a key.
pub fn micro(f: &str, key: i64, value: Value) -> Value {
    Value::List(vec![f.into(), Value::Int(key), value])
}

/// The first key that a workload may use: those before it are read to see
/// whether every part of a store serves that is shared out among so many nodes
/// by the remainder.
pub fn first_key(nodes: u8) -> i64 {
    i64::from(nodes.max(1))
}

/// Reads a key of each node, none of which the workload touches.
pub fn probe(nodes: u8) -> Invocation {
    txn((0..first_key(nodes)).map(read).collect())
}
