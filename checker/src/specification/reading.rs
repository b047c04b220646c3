//! What recorded values say, where several specifications agree on it.
//!
//! Every error is what was expected instead, to stand after `expected`.

use tribunal_histories::Value;

use super::Asked;

/// The error that an operation is not one of `functions`.
pub(super) fn unknown(asked: Asked<'_>, functions: &[&str]) -> String {
    let functions = functions.join(", ");
    format!("an operation ({functions}), found {:?}", asked.f)
}

/// An element: anything but null, which an answer needs to say that there is
/// none.
pub(super) fn element(value: &Value) -> Result<Value, String> {
    match value {
        Value::Null => Err("an element, found null".to_owned()),
        _ => Ok(value.clone()),
    }
}

/// Refuses null, which says that there was nothing, where it is said to be a
/// value that is not known.
pub(super) fn known(value: &Value) -> Result<(), String> {
    match value {
        Value::Null => Err(
            "something other than null, which says that there was nothing, and not (`nil`) that \
             it is not known"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// A list; null is the empty one.
pub(super) fn list(value: &Value) -> Result<&[Value], String> {
    match value {
        Value::Null => Ok(&[]),
        Value::List(values) => Ok(values),
        _ => Err(format!("a list, found {value}")),
    }
}

/// A whole number; `what` says which.
pub(super) fn whole(value: &Value, what: &str) -> Result<i64, String> {
    match value {
        Value::Int(number) => Ok(*number),
        _ => Err(format!("{what}, found {value}")),
    }
}

/// A whole number not below 0; `what` says which.
pub(super) fn natural(value: &Value, what: &str) -> Result<u64, String> {
    let number = whole(value, what)?;
    u64::try_from(number).map_err(|_| format!("{what}, found {value}"))
}

/// The answer of what is only done: null, true, or what was asked again, as
/// many recorders have it.
pub(crate) fn done(value: &Value, asked: &Value) -> Result<(), String> {
    match value {
        Value::Null | Value::Bool(true) => Ok(()),
        _ if value == asked => Ok(()),
        _ if *asked == Value::Null => Err(format!("null or true, found {value}")),
        _ => Err(format!("null, true or {asked}, found {value}")),
    }
}

/// The answer of what is done or refused: as [`done`], or false.
pub(crate) fn done_or_refused(value: &Value, asked: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(false) => Ok(false),
        _ => done(value, asked)
            .map(|()| true)
            .map_err(|expected| format!("false, {expected}")),
    }
}

/// A number, or its digits where it has more than 64 bits.
pub(super) fn number(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Int)
}
