//! `tribunal check --explore`: stateright's explorer, with states that a
//! person can read.

mod support;

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use support::{Killed, said, spawn, until};

/// What the explorer answers, as JSON.
fn get(address: &str, path: &str) -> Value {
    let mut stream = None;
    // It says where before stateright has begun to listen there.
    until(Duration::from_secs(20), || {
        stream = TcpStream::connect(address).ok();
        stream.is_some()
    });
    let mut stream = stream.expect("the explorer listens");
    // HTTP/1.0 has no chunks, and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("HTTP");
    assert!(head.contains(" 200 "), "{head}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

#[test]
fn the_explorer_serves_states_and_steps_that_can_be_read() {
    let mut explorer = Killed(spawn(&["check", "raft", "--explore", "127.0.0.1:0"]));
    let mut stderr = BufReader::new(explorer.0.stderr.take().expect("a pipe"));
    let address = said(&mut stderr, |line| {
        let address = line.split("http://").nth(1)?;
        Some(address.split('/').next()?.to_owned())
    });
    let address = address.expect("it says where it listens");
    let status = get(&address, "/.status");
    let properties = status["properties"].to_string();
    assert!(properties.contains("every property holds"), "{properties}");
    let start = get(&address, "/.states/");
    let state = start[0]["state"].as_str().expect("a state as text");
    assert!(
        state.contains("n1") && state.contains("Follower"),
        "{state}"
    );
    // What may happen in the first state, and what comes of it.
    let next = get(&address, "/.states/0");
    let steps = next.as_array().expect("steps");
    let text = |name: &str| -> Vec<&str> {
        let texts = steps.iter().filter_map(|step| step[name].as_str());
        texts.filter(|text| text.contains("n1")).collect()
    };
    assert!(!text("action").is_empty(), "{next}");
    assert!(
        text("outcome")
            .iter()
            .any(|changes| changes.contains("n1: candidate of term 1")),
        "{next}"
    );
    assert!(
        text("state")
            .iter()
            .any(|state| state.contains("Candidate")),
        "{next}"
    );
}
