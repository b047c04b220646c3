//! Keys to which lists' elements and texts are appended, against brute force:
//! what is appended can be told apart in several ways or in none.

use tribunal_histories::{Event, FailedCas, Header, History, Kind, Process, Value};

use super::history_tests::brute_force;
use super::{Engine, Limits, Options, check};
use crate::monitors::simulation::Random;
use crate::spec::Spec;
use crate::verdict::Verdict;

/// So many histories; `ORACLE_HISTORIES=1000000 cargo test append_tests` tries more.
const HISTORIES: u64 = 30_000;

/// What a key can hold, and what is appended to it.
struct Words {
    written: Vec<Value>,
    appended: Vec<Value>,
}

impl Words {
    fn texts(of: [&str; 3], appended: [&str; 3]) -> Self {
        Words {
            written: of.map(Value::from).to_vec(),
            appended: appended.map(Value::from).to_vec(),
        }
    }

    fn lists() -> Self {
        let list = |values: &[i64]| Value::List(values.iter().map(|&it| it.into()).collect());
        Words {
            written: vec![list(&[]), list(&[0]), list(&[1, 0])],
            appended: vec![0.into(), 1.into(), 2.into()],
        }
    }

    /// One of some that tell more or less of what was appended.
    fn any(random: &mut Random) -> Self {
        match random.below(4) {
            0 => Words::texts(["", "a", "ab"], ["a", "b", "ab"]),
            1 => Words::texts(["x", "xy", "ä"], ["1", "ö", "22"]),
            2 => Words::texts(["", "aa", "a"], ["a", "aa", "aaa"]),
            _ => Words::lists(),
        }
    }
}

fn one_of<'a>(random: &mut Random, of: &'a [Value]) -> &'a Value {
    &of[random.below(of.len() as u64) as usize]
}

/// What appending leaves; none if that cannot be.
fn appended(state: &Value, last: &Value) -> Option<Value> {
    Some(match (state, last) {
        (Value::Null, Value::Text(_)) => last.clone(),
        (Value::Null, _) => Value::List(vec![last.clone()]),
        (Value::Text(front), Value::Text(back)) => Value::Text(format!("{front}{back}")),
        (Value::List(front), _) => {
            let more = front.iter().chain([last]).cloned();
            Value::List(more.collect())
        }
        _ => return None,
    })
}

struct Client {
    process: u64,
    open: Option<Open>,
}

/// An operation that is open.
struct Open {
    f: &'static str,
    argument: Value,
    /// What was answered once it took effect.
    said: Option<(Kind, Value)>,
}

/// A history of one key in which some answers are wrong.
fn any_history(random: &mut Random) -> History {
    let words = Words::any(random);
    let mut header = Header::new("kv");
    if random.one_in(3) {
        header.initial = one_of(random, &words.written).clone();
    }
    if random.one_in(2) {
        header.failed_cas = FailedCas::Observed;
    }
    let clients = 1 + random.below(4);
    let mut doing: Vec<Client> = (0..clients)
        .map(|process| Client {
            process,
            open: None,
        })
        .collect();
    let operations = 2 + random.below(7);
    let wrong_one_in = 1 + random.below(5);
    let asks_cas = random.one_in(3);
    let mut state = header.initial.clone();
    let mut past = vec![state.clone()];
    let mut events: Vec<Event> = Vec::new();
    let mut begun = 0;
    while begun < operations || doing.iter().any(|client| client.open.is_some()) {
        let client = &mut doing[random.below(clients) as usize];
        let mut record = |process, kind, f: &str, value: &Value| {
            events.push(Event {
                index: events.len() as u64,
                time: 0,
                process: Process::Client(process),
                kind,
                f: f.to_owned(),
                key: None,
                value: value.clone(),
                error: None,
                node: None,
                fault: None,
            });
        };
        match client.open.take() {
            None if begun == operations => {}
            None => {
                begun += 1;
                let (f, argument) = match random.below(8 + 2 * u64::from(asks_cas)) {
                    0 | 8 => ("put", one_of(random, &words.written).clone()),
                    1 | 9 if asks_cas => {
                        let from = match random.below(3) {
                            0 => state.clone(),
                            1 => one_of(random, &past).clone(),
                            _ => {
                                let front = one_of(random, &words.written);
                                let last = one_of(random, &words.appended);
                                appended(front, last).expect("all of one kind")
                            }
                        };
                        let to = one_of(random, &words.written).clone();
                        ("cas", Value::List(vec![from, to]))
                    }
                    1..5 => ("append", one_of(random, &words.appended).clone()),
                    _ => ("get", Value::Null),
                };
                record(client.process, Kind::Invoke, f, &argument);
                client.open = Some(Open {
                    f,
                    argument,
                    said: None,
                });
            }
            Some(Open {
                f,
                argument,
                said: None,
            }) => {
                let is_wrong = random.one_in(wrong_one_in);
                let said = match (f, &argument) {
                    ("put", _) => {
                        state = argument.clone();
                        (Kind::Ok, argument.clone())
                    }
                    ("append", _) => {
                        state = appended(&state, &argument).expect("all of one kind");
                        (Kind::Ok, argument.clone())
                    }
                    ("cas", Value::List(pair)) => match (pair[0] == state) != is_wrong {
                        true => {
                            state = pair[1].clone();
                            (Kind::Ok, argument.clone())
                        }
                        false => (Kind::Fail, argument.clone()),
                    },
                    _ if is_wrong && random.one_in(2) => {
                        let last = one_of(random, &words.appended);
                        let more = appended(one_of(random, &past), last);
                        (Kind::Ok, more.expect("all of one kind"))
                    }
                    _ if is_wrong => (Kind::Ok, one_of(random, &past).clone()),
                    _ => (Kind::Ok, state.clone()),
                };
                past.push(state.clone());
                client.open = Some(Open {
                    f,
                    argument,
                    said: Some(said),
                });
            }
            Some(Open {
                f,
                said: Some((kind, value)),
                ..
            }) => match random.one_in(6) {
                true => {
                    record(client.process, Kind::Info, f, &Value::Null);
                    client.process += clients;
                }
                false => record(client.process, kind, f, &value),
            },
        }
    }
    History::new(header, events)
}

/// Only behind the write that nobody reads is what the cas avoids not there.
#[test]
fn a_write_of_use_to_what_is_appended_and_avoided_later_is_placed() {
    let text = |value: &str| Value::from(value);
    let list = |values: &[i64]| Value::List(values.iter().map(|&it| it.into()).collect());
    let texts = [text("a"), text("z"), text("b"), text("ab"), text("q")];
    let lists = [list(&[1]), list(&[9]), 2.into(), list(&[1, 2]), list(&[7])];
    for [first, unread, last, avoided, other] in [texts, lists] {
        let cas = Value::List(vec![avoided, other]);
        let asked = [
            (0, Kind::Invoke, "put", first.clone()),
            (1, Kind::Invoke, "put", unread.clone()),
            (0, Kind::Ok, "put", first),
            (1, Kind::Ok, "put", unread),
            (2, Kind::Invoke, "append", last.clone()),
            (2, Kind::Ok, "append", last),
            (3, Kind::Invoke, "cas", cas.clone()),
            (3, Kind::Fail, "cas", cas),
        ];
        let events = (0..)
            .zip(asked)
            .map(|(index, (process, kind, f, value))| Event {
                index,
                time: index,
                process: Process::Client(process),
                kind,
                f: f.to_owned(),
                key: None,
                value,
                error: None,
                node: None,
                fault: None,
            });
        let mut header = Header::new("kv");
        header.failed_cas = FailedCas::Observed;
        let history = History::new(header, events.collect());
        assert!(brute_force(&history));
        for engine in [None, Some(Engine::Frontier), Some(Engine::DepthFirst)] {
            assert_eq!(says(&history, engine), Some(true), "{engine:?}");
        }
    }
}

/// The verdict by one engine, or by those that are likely to know.
fn says(history: &History, engine: Option<Engine>) -> Option<bool> {
    let options = Options {
        engine,
        limits: Limits {
            threads: 1,
            ..Limits::default()
        },
        ..Options::new(Spec::Kv)
    };
    match check(history, &options).expect("a history").verdict {
        Verdict::Valid => Some(true),
        Verdict::Invalid(_) => Some(false),
        Verdict::Unknown(_) => None,
    }
}

#[test]
fn keys_that_are_appended_to_are_judged_as_by_brute_force() {
    let asked = std::env::var("ORACLE_HISTORIES").ok();
    let histories = asked.and_then(|text| text.parse().ok());
    let histories = histories.unwrap_or(HISTORIES);
    let mut valid = 0;
    for seed in 0..histories {
        let history = any_history(&mut Random(seed + 1));
        let expected = brute_force(&history);
        valid += u64::from(expected);
        for engine in [
            None,
            Some(Engine::Frontier),
            Some(Engine::DepthFirst),
            Some(Engine::Relaxation),
            Some(Engine::Beam),
        ] {
            let says = says(&history, engine);
            let may_not_know = matches!(engine, Some(Engine::Relaxation | Engine::Beam));
            assert!(
                says == Some(expected) || says.is_none() && may_not_know,
                "seed {seed}: {engine:?} says {says:?}, not {expected}: {history:#?}"
            );
        }
    }
    let share = histories / 4..histories * 3 / 4;
    assert!(share.contains(&valid), "{valid} of {histories} are valid");
}
