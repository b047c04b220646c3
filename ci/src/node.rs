//! `tribunal node SYSTEM …`: one node of a built-in system, as a process.
//!
//! Started by a campaign, for each node one; also by hand, to try a system
//! out. It is the system under trial and judges nothing: see
//! [`tribunal_impls::runtime`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, value_parser};
use tracing_subscriber::EnvFilter;
use tribunal_impls::Compaction;
use tribunal_impls::runtime::{CHECKPOINT_BYTES, ClockOptions, Mutant, Options, SlowDisk, Spans};
use tribunal_impls::systems::{BUILT_IN, BuiltIn, EXAMPLES};
use tribunal_protocol::NodeId;

use crate::campaign::Choice;
use crate::exit::{failed, usage};
use crate::names::{self, find};

/// Plays one node of a built-in system, or of an example machine, until
/// SIGTERM.
#[derive(Args, Clone, Debug)]
pub struct NodeOptions {
    /// Which system
    pub system: String,

    /// Which node this is, from 1
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..))]
    pub node: u8,

    /// Name of the cluster; nodes and data of another one are refused
    #[arg(long, value_name = "NAME", default_value = "tribunal")]
    pub cluster: String,

    /// Where to listen for peers
    #[arg(long, value_name = "ADDR")]
    pub listen: SocketAddr,

    /// Where to listen for clients: lines of JSON with Maelstrom's bodies
    #[arg(long, value_name = "ADDR")]
    pub client: SocketAddr,

    /// Where to dial another node; once for each
    #[arg(long = "peer", value_name = "N=ADDR", value_parser = parse_peer)]
    pub peers: Vec<(u8, SocketAddr)>,

    /// The data folder; made if it does not exist
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,

    /// Break the rule that a wrong version of this name breaks
    #[arg(long, value_name = "NAME")]
    pub bug: Option<String>,

    /// What the jitter of timers is drawn from
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,

    /// How long between two signs of life
    #[arg(long, value_name = "MS", default_value_t = usual_ms(|spans| spans.heartbeat))]
    pub heartbeat_ms: u64,

    /// How long to be patient with a silent leader: drawn each time from
    /// this to twice this
    #[arg(long, value_name = "MS", default_value_t = usual_ms(|spans| spans.election))]
    pub election_ms: u64,

    /// How long before a silent peer is asked again
    #[arg(long, value_name = "MS", default_value_t = usual_ms(|spans| spans.retry))]
    pub retry_ms: u64,

    /// A slower disk: added to each write before it begins
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub disk_delay_ms: u64,

    /// A disk that is slower now and then: added as well, drawn each time
    /// from 0 to this
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub disk_jitter_ms: u64,

    /// How many bytes of journal before a checkpoint replaces it
    #[arg(long, value_name = "BYTES", default_value_t = CHECKPOINT_BYTES)]
    pub checkpoint_bytes: u64,

    /// After how many committed entries the node compacts its log by itself
    /// [default: the system's]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..))]
    pub compact_after: Option<u64>,

    /// How many committed entries it leaves then [default: a tenth of --compact-after]
    #[arg(long, value_name = "N", requires = "compact_after")]
    pub compact_keep: Option<u64>,

    /// Choose something of the system's own (see `tribunal list settings`)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<Choice>,

    /// By how much this node's clock is off, for systems that use clocks
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 0,
        allow_hyphen_values = true
    )]
    pub clock_offset_ms: i64,

    /// Length of one unit of the system's clock
    #[arg(long, value_name = "MS", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    pub clock_unit_ms: u64,

    /// Record what the node does, for `tribunal verify RUN --trace`
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,

    /// Break a rule of the runtime, to see that it is noticed
    #[arg(long, value_name = "NAME", hide = true)]
    pub mutant: Option<Mutant>,

    /// Let clients ask for a crash between two outputs: for a harness
    #[arg(long)]
    pub crashable: bool,

    /// End as soon as the standard input does
    #[arg(long)]
    pub exit_with_parent: bool,
}

/// The length of a timer where none is given.
fn usual_ms(span: fn(Spans) -> Duration) -> u64 {
    u64::try_from(span(Spans::default()).as_millis()).unwrap_or(u64::MAX)
}

/// Runs the node; the exit code is one of [`tribunal_impls::runtime::serve`].
pub fn run(options: &NodeOptions) -> ExitCode {
    // The log is the harness's to keep; what the node must say, it says
    // without the log.
    let filter = EnvFilter::try_from_env("TRIBUNAL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    match start(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error),
    }
}

fn start(options: &NodeOptions) -> anyhow::Result<u8> {
    let systems: Vec<&BuiltIn> = BUILT_IN.iter().chain(EXAMPLES).collect();
    let system = *find("system", &options.system, &systems, |system| system.name)?;
    let runtime_options = runtime_options(options)?;
    if let Some(bug) = options.bug.as_deref() {
        names::bug(system.name, system.bugs, bug)?;
    }
    system
        .serve(runtime_options, options.exit_with_parent)
        .map_err(|error| usage(error.to_string()))
}

fn runtime_options(options: &NodeOptions) -> anyhow::Result<Options> {
    let mut peers = BTreeMap::new();
    for (peer, address) in &options.peers {
        if peers.insert(NodeId(*peer), *address).is_some() {
            return Err(usage(format!("--peer {peer}=… is given twice")));
        }
    }
    Ok(Options {
        node: NodeId(options.node),
        cluster: options.cluster.clone(),
        peer_listen: options.listen,
        client_listen: options.client,
        peers,
        data: options.data.clone(),
        spans: Spans {
            heartbeat: Duration::from_millis(options.heartbeat_ms),
            election: Duration::from_millis(options.election_ms),
            retry: Duration::from_millis(options.retry_ms),
        },
        seed: options.seed,
        checkpoint_bytes: options.checkpoint_bytes,
        disk: SlowDisk {
            delay: Duration::from_millis(options.disk_delay_ms),
            jitter: Duration::from_millis(options.disk_jitter_ms),
        },
        crashable: options.crashable,
        clock: ClockOptions {
            unit: Duration::from_millis(options.clock_unit_ms),
            offset_ms: options.clock_offset_ms,
        },
        trace: options.trace.clone(),
        bug: options.bug.clone(),
        compaction: Compaction {
            after: options.compact_after,
            keep: options.compact_keep,
        },
        settings: Choice::settings(&options.set),
        mutant: options.mutant,
    })
}

fn parse_peer(text: &str) -> Result<(u8, SocketAddr), String> {
    let expected = || format!("expected NODE=ADDRESS such as 2=127.0.0.1:7002, not `{text}`");
    let (node, address) = text.split_once('=').ok_or_else(expected)?;
    let node = node
        .trim_start_matches('n')
        .parse()
        .map_err(|_| expected())?;
    Ok((node, address.parse().map_err(|_| expected())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_number_and_an_address() {
        let address: SocketAddr = "127.0.0.1:7002".parse().unwrap();
        assert_eq!(parse_peer("2=127.0.0.1:7002"), Ok((2, address)));
        assert_eq!(parse_peer("n2=127.0.0.1:7002"), Ok((2, address)));
        for wrong in [
            "2",
            "2=",
            "=127.0.0.1:1",
            "two=127.0.0.1:1",
            "2=localhost",
            "300=[::1]:1",
        ] {
            assert!(
                parse_peer(wrong).unwrap_err().contains("NODE=ADDRESS"),
                "{wrong}"
            );
        }
    }
}
