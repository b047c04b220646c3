//! A node whose machine panics ends at once, with a code of its own; it must
//! not stay behind and look alive.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use tribunal_impls::Compaction;
use tribunal_impls::runtime::{
    CHECKPOINT_BYTES, ClockOptions, EXIT_PANIC, Options, SlowDisk, Spans, serve,
};
use tribunal_impls::service::{Body, Refusal, Service};
use tribunal_protocol::{Channel, ClockUse, Context, Input, Machine, NodeId, Outputs, Span, View};

/// Panics when its first timer expires.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Doomed;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Nothing;

impl Machine for Doomed {
    const NAME: &'static str = "doomed";
    const FORMAT: u32 = 1;
    const CHANNEL: Channel = Channel::Unordered;
    const CLOCK: ClockUse = ClockUse::Untimed;
    type Config = ();
    type Message = ();
    type Timer = ();
    type Request = ();
    type Response = ();
    type Record = ();
    type Durable = Nothing;

    fn apply(_: &mut Nothing, (): &()) {}

    fn recover(_: Context<'_, Self>, _: &Nothing, outputs: &mut Outputs<Self>) -> Self {
        outputs.set_timer((), Span::Heartbeat);
        Doomed
    }

    fn step(&mut self, _: Context<'_, Self>, _: Input<Self>, _: &mut Outputs<Self>) {
        panic!("the invariant is gone");
    }

    fn view(&self, (): &()) -> View {
        View::default()
    }
}

impl Service for Doomed {
    fn request(_: &str, _: &Body) -> Result<(), Refusal> {
        Ok(())
    }

    fn reply(_: &str, (): ()) -> Result<Body, Refusal> {
        Ok(Body::new())
    }
}

/// Set in the process that plays the node: its data folder.
const DATA: &str = "DOOMED_NODE_DATA";

#[test]
fn a_machine_that_panics_ends_its_process() {
    if let Some(data) = std::env::var_os(DATA) {
        std::process::exit(play(data.into()).into());
    }
    let folder = tempfile::tempdir().unwrap();
    // This very test, in a process of its own.
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_machine_that_panics_ends_its_process",
            "--nocapture",
        ])
        .env(DATA, folder.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(EXIT_PANIC.into()), "{said}");
    assert!(said.contains("n1 ready: doomed incarnation 1"), "{said}");
    assert!(said.contains("the invariant is gone"), "{said}");
}

fn play(data: std::path::PathBuf) -> u8 {
    let options = Options {
        node: NodeId(1),
        cluster: "blue".into(),
        peer_listen: "127.0.0.1:0".parse().unwrap(),
        client_listen: "127.0.0.1:0".parse().unwrap(),
        peers: BTreeMap::new(),
        data,
        spans: Spans::default(),
        seed: 1,
        checkpoint_bytes: CHECKPOINT_BYTES,
        disk: SlowDisk::default(),
        crashable: false,
        clock: ClockOptions::default(),
        trace: None,
        bug: None,
        compaction: Compaction::default(),
        settings: Default::default(),
        mutant: None,
    };
    serve::<Doomed>(options, (), false)
}
