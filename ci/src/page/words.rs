//! Operations and values in few characters.

use tribunal_histories::{Operation, Outcome, Value};

/// So many characters of a value stand in a label.
const BRIEF_MAX: usize = 24;

/// So many characters of a value or an error stand where there is room.
const FULL_MAX: usize = 2_000;

/// What an operation did, in a label: `write 3`, `read -> 1`, `cas 1 -> 2`.
pub fn label(operation: &Operation) -> String {
    let Operation { f, argument, .. } = operation;
    let asked = match argument {
        Value::List(pair) if f == "cas" && pair.len() == 2 => {
            format!("{f} {} -> {}", brief(&pair[0]), brief(&pair[1]))
        }
        Value::Null => f.clone(),
        argument => format!("{f} {}", brief(argument)),
    };
    match seen(operation) {
        Some(value) => format!("{asked} -> {}", brief(value)),
        None => asked,
    }
}

/// What an operation was told, if that says more than what it asked.
pub fn seen(operation: &Operation) -> Option<&Value> {
    let Outcome::Ok(value) = &operation.outcome else {
        return None;
    };
    let f = operation.f.as_str();
    let takes = ["dequeue", "pop", "peek", "poll"];
    let reads = matches!(f, "read" | "get") || takes.iter().any(|word| f.starts_with(word));
    (reads || *value != operation.argument).then_some(value)
}

/// A value for a label.
pub fn brief(value: &Value) -> String {
    let text = match value {
        Value::Null => return "nothing".to_owned(),
        other => other.to_string(),
    };
    let count = text.chars().count();
    if count <= BRIEF_MAX {
        return text;
    }
    // The end of a long list tells more than its beginning.
    let tail: String = text.chars().skip(count - BRIEF_MAX + 2).collect();
    format!("..{tail}")
}

/// A value where there is room for it.
pub fn full(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        other => cut(&other.to_string()),
    }
}

/// A text that may be of any length.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(FULL_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(f: &str, argument: Value, outcome: Outcome) -> Operation {
        Operation {
            process: 0,
            f: f.to_owned(),
            key: None,
            argument,
            outcome,
            invoked: 0,
            completed: Some(1),
            node: None,
        }
    }

    #[test]
    fn labels_say_what_was_asked_and_what_was_told() {
        let pair = Value::List(vec![1.into(), Value::Null]);
        for (f, argument, outcome, wanted) in [
            ("write", 3.into(), Outcome::Ok(3.into()), "write 3"),
            ("read", Value::Null, Outcome::Ok(1.into()), "read -> 1"),
            (
                "get",
                Value::Null,
                Outcome::Ok(Value::Null),
                "get -> nothing",
            ),
            ("read", Value::Null, Outcome::Info, "read"),
            ("cas", pair.clone(), Outcome::Fail, "cas 1 -> nothing"),
            ("cas", pair.clone(), Outcome::Ok(pair), "cas 1 -> nothing"),
            ("pop", Value::Null, Outcome::Ok(7.into()), "pop -> 7"),
        ] {
            assert_eq!(label(&operation(f, argument, outcome)), wanted);
        }
    }

    #[test]
    fn of_a_long_value_the_end_is_shown() {
        let long = Value::Text("é".repeat(100) + "end");
        assert_eq!(brief(&long).chars().count(), BRIEF_MAX);
        assert!(brief(&long).ends_with("end\""));
        assert_eq!(full(&long).chars().count(), 105);
        assert_eq!(cut(&"é".repeat(2 * FULL_MAX)).chars().count(), FULL_MAX + 1);
    }
}
