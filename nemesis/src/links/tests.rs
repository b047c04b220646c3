use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::*;
use crate::schedule::stream;

const LIMIT: Duration = Duration::from_secs(10);
const OUT: Link = Link { from: 1, to: 2 };
const BACK: Link = Link { from: 2, to: 1 };

/// Two nodes that echo what they are sent, and the links between them.
struct Pair {
    links: Links,
    /// A node took a connection.
    accepted: mpsc::UnboundedReceiver<Node>,
    _nodes: JoinSet<()>,
}

async fn pair() -> Pair {
    let mut nodes = JoinSet::new();
    let mut addresses = BTreeMap::new();
    let (accepting, accepted) = mpsc::unbounded_channel();
    for node in [1, 2] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.insert(node, listener.local_addr().unwrap());
        nodes.spawn(echo(node, listener, accepting.clone()));
    }
    let links = Links::open(&addresses).await.unwrap();
    Pair {
        links,
        accepted,
        _nodes: nodes,
    }
}

async fn echo(node: Node, listener: TcpListener, accepted: mpsc::UnboundedSender<Node>) {
    let mut connections = JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let _ = accepted.send(node);
        connections.spawn(async move {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        });
    }
}

impl Pair {
    async fn dial(&self, link: Link) -> TcpStream {
        TcpStream::connect(self.links.address(link.from, link.to).unwrap())
            .await
            .unwrap()
    }

    /// A connection through the link that was seen to work.
    async fn connected(&mut self, link: Link) -> TcpStream {
        let mut stream = self.dial(link).await;
        assert_eq!(ask(&mut stream, "hello").await.unwrap(), "hello");
        assert_eq!(self.accepted.recv().await, Some(link.to));
        stream
    }

    /// Waits until the link's counters are as wanted.
    async fn counted(&self, link: Link, wanted: impl Fn(Counters) -> bool) {
        let reached = async {
            while !wanted(self.links.counters(link)) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let seen = tokio::time::timeout(LIMIT, reached).await;
        assert!(seen.is_ok(), "{:?}", self.links.counters(link));
    }

    async fn probe(&self, link: Link) -> Probe {
        self.links.probe(link, LIMIT).await
    }
}

/// Sends a text and reads as much back.
async fn ask(stream: &mut TcpStream, text: &str) -> io::Result<String> {
    stream.write_all(text.as_bytes()).await?;
    read(stream, text.len()).await
}

async fn read(stream: &mut TcpStream, count: usize) -> io::Result<String> {
    let mut bytes = vec![0; count];
    tokio::time::timeout(LIMIT, stream.read_exact(&mut bytes))
        .await
        .expect("in time")?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn assert_reset(result: io::Result<String>) {
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_open_link_carries_both_ways_and_passes_a_probe() {
    let mut pair = pair().await;
    let _stream = pair.connected(OUT).await;
    pair.counted(OUT, |c| c.bytes_forwarded == 10).await;
    assert_eq!(pair.links.counters(BACK), Counters::default());
    assert_eq!(pair.probe(OUT).await, Probe::Passed);
}

#[tokio::test]
async fn held_bytes_wait_and_are_delivered_in_order_after_the_heal() {
    let mut pair = pair().await;
    let mut stream = pair.connected(OUT).await;
    pair.links.cut(OUT, Cut::Hold).unwrap();
    stream.write_all(b"one ").await.unwrap();
    pair.counted(OUT, |c| c.bytes_held_now == 4).await;
    stream.write_all(b"two ").await.unwrap();
    assert_eq!(pair.probe(OUT).await, Probe::Held);
    assert_eq!(pair.links.counters(OUT).bytes_forwarded, 10);
    pair.links.heal(OUT, Cut::Hold).unwrap();
    assert_eq!(pair.links.settled(OUT, LIMIT).await, Settled::Delivered);
    assert_eq!(pair.probe(OUT).await, Probe::Passed);
    assert_eq!(read(&mut stream, 8).await.unwrap(), "one two ");
}

#[tokio::test]
async fn a_cut_one_way_leaves_the_other_way_alone() {
    let mut pair = pair().await;
    let mut out = pair.connected(OUT).await;
    let mut back = pair.connected(BACK).await;
    pair.links.cut(OUT, Cut::Hold).unwrap();
    out.write_all(b"held").await.unwrap();
    assert_eq!(ask(&mut back, "passes").await.unwrap(), "passes");
    assert_eq!(pair.probe(BACK).await, Probe::Passed);
    assert_eq!(pair.probe(OUT).await, Probe::Held);
}

#[tokio::test]
async fn a_connection_made_while_held_is_made_after_the_heal_unless_given_up() {
    let mut pair = pair().await;
    pair.links.cut(OUT, Cut::Hold).unwrap();
    let mut given_up = pair.dial(OUT).await;
    given_up.write_all(b"never mind").await.unwrap();
    pair.counted(OUT, |c| c.bytes_held_now == 10).await;
    drop(given_up);
    pair.counted(OUT, |c| c.bytes_held_now == 0).await;
    let mut stream = pair.dial(OUT).await;
    stream.write_all(b"hello").await.unwrap();
    pair.counted(OUT, |c| c.bytes_held_now == 5).await;
    pair.links.heal(OUT, Cut::Hold).unwrap();
    assert_eq!(read(&mut stream, 5).await.unwrap(), "hello");
    assert_eq!(pair.accepted.recv().await, Some(2));
    assert!(
        pair.accepted.try_recv().is_err(),
        "the connection given up was made"
    );
    assert_eq!(pair.links.counters(OUT).streams_held, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_resets_old_connections_and_new_ones_until_the_heal() {
    let mut pair = pair().await;
    let mut old = pair.connected(OUT).await;
    pair.links.cut(OUT, Cut::Reset).unwrap();
    assert_reset(read(&mut old, 1).await);
    // The reset may come before or after the connection is seen to be made.
    assert_reset(
        match TcpStream::connect(pair.links.address(1, 2).unwrap()).await {
            Ok(mut new) => read(&mut new, 1).await,
            Err(error) => Err(error),
        },
    );
    pair.counted(OUT, |c| c.connections_reset == 2).await;
    for _ in 0..200 {
        assert_eq!(pair.probe(OUT).await, Probe::Reset);
    }
    pair.links.heal(OUT, Cut::Reset).unwrap();
    pair.connected(OUT).await;
}

#[tokio::test]
async fn a_reset_healed_at_once_still_resets_what_was_there() {
    let mut pair = pair().await;
    let mut old = pair.connected(OUT).await;
    pair.links.cut(OUT, Cut::Reset).unwrap();
    pair.links.heal(OUT, Cut::Reset).unwrap();
    assert_reset(read(&mut old, 1).await);
    pair.connected(OUT).await;
}

#[tokio::test]
async fn a_link_cut_twice_carries_only_after_two_heals() {
    let mut pair = pair().await;
    let mut stream = pair.connected(OUT).await;
    pair.links.cut(OUT, Cut::Hold).unwrap();
    pair.links.cut(OUT, Cut::Hold).unwrap();
    stream.write_all(b"held").await.unwrap();
    pair.counted(OUT, |c| c.bytes_held_now == 4).await;
    pair.links.heal(OUT, Cut::Hold).unwrap();
    assert_eq!(
        pair.links.settled(OUT, LIMIT).await,
        Settled::StillCut(Cut::Hold)
    );
    assert_eq!(pair.probe(OUT).await, Probe::Held);
    pair.links.heal(OUT, Cut::Hold).unwrap();
    assert_eq!(read(&mut stream, 4).await.unwrap(), "held");
    let error = pair.links.heal(OUT, Cut::Hold).unwrap_err().to_string();
    assert_eq!(error, "heal the link n1->n2: it is not cut by hold");
}

#[tokio::test]
async fn a_reset_outranks_a_hold_and_its_heal_leaves_the_hold() {
    let mut pair = pair().await;
    let mut stream = pair.connected(OUT).await;
    pair.links.cut(OUT, Cut::Hold).unwrap();
    pair.links.cut(OUT, Cut::Reset).unwrap();
    assert_reset(read(&mut stream, 1).await);
    assert_eq!(pair.links.cut_of(OUT), Some(Cut::Reset));
    pair.links.heal(OUT, Cut::Reset).unwrap();
    assert_eq!(pair.links.cut_of(OUT), Some(Cut::Hold));
    pair.links.heal_all();
    assert_eq!(pair.links.cut_of(OUT), None);
    assert_eq!(pair.probe(OUT).await, Probe::Passed);
}

#[tokio::test]
async fn the_end_of_a_stream_waits_behind_a_hold_too() {
    let mut pair = pair().await;
    let mut stream = pair.connected(OUT).await;
    pair.links.cut(OUT, Cut::Hold).unwrap();
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    pair.counted(OUT, |c| c.bytes_held_now == 10).await;
    pair.links.heal(OUT, Cut::Hold).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "last words");
}

#[tokio::test]
async fn a_heal_is_about_the_link_and_not_about_the_node_at_its_end() {
    // It takes connections and never reads.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [
        (1, gone.local_addr().unwrap()),
        (2, silent.local_addr().unwrap()),
    ];
    drop(gone);
    let links = Links::open(&BTreeMap::from(addresses)).await.unwrap();
    let mut stream = TcpStream::connect(links.address(1, 2).unwrap())
        .await
        .unwrap();
    let (_unread, _) = silent.accept().await.unwrap();
    let flood = tokio::spawn(async move {
        let block = vec![7; 64 * 1024];
        while stream.write_all(&block).await.is_ok() {}
    });
    // Until the kernel takes no more for a node that does not read.
    loop {
        links.cut(OUT, Cut::Hold).unwrap();
        while links.counters(OUT).bytes_held_now == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(
            links.counters(OUT).bytes_held_now <= 64 * 1024,
            "held without bound"
        );
        links.heal(OUT, Cut::Hold).unwrap();
        match links.settled(OUT, LIMIT).await {
            Settled::Delivered => {}
            Settled::WaitsForNode { bytes } => break assert!(bytes > 0),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(links.probe(OUT, LIMIT).await, Probe::Passed);
    assert_eq!(links.probe(BACK, LIMIT).await, Probe::NodeDown);
    flood.abort();
}

#[tokio::test]
async fn no_byte_passes_once_a_cut_has_returned() {
    let mut pair = pair().await;
    for _ in 0..50 {
        let (mut read, mut write) = pair.connected(OUT).await.into_split();
        let writer = tokio::spawn(async move { while write.write_all(&[1; 512]).await.is_ok() {} });
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 4096];
            while matches!(read.read(&mut bytes).await, Ok(1..)) {}
        });
        pair.counted(OUT, |c| c.bytes_forwarded > 0).await;
        pair.links.cut(OUT, Cut::Hold).unwrap();
        let before = pair.links.counters(OUT).bytes_forwarded;
        pair.counted(OUT, |c| c.bytes_held_now > 0).await;
        assert_eq!(pair.links.counters(OUT).bytes_forwarded, before);
        pair.links.heal(OUT, Cut::Hold).unwrap();
        writer.abort();
        reader.abort();
        let _ = (writer.await, reader.await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_under_many_holds_arrives_whole() {
    let mut pair = pair().await;
    let (mut read, mut write) = pair.connected(OUT).await.into_split();
    let size = 8 * 1024 * 1024;
    let sent: Vec<u8> = (0..size).map(|i: usize| (i % 251) as u8).collect();
    let expected = sent.clone();
    let writing = tokio::spawn(async move { write.write_all(&sent).await.unwrap() });
    let reading = tokio::spawn(async move {
        let mut bytes = vec![0; size];
        read.read_exact(&mut bytes).await.unwrap();
        bytes
    });
    while !reading.is_finished() {
        pair.links.cut(OUT, Cut::Hold).unwrap();
        tokio::time::sleep(Duration::from_micros(300)).await;
        pair.links.heal(OUT, Cut::Hold).unwrap();
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    writing.await.unwrap();
    assert!(
        reading.await.unwrap() == expected,
        "bytes were lost or changed"
    );
    assert!(pair.links.counters(OUT).bytes_held > 0);
    assert_eq!(pair.links.counters(OUT).bytes_held_now, 0);
}

#[tokio::test]
async fn cuts_and_heals_in_any_order_end_as_they_are_counted() {
    use rand_chacha::rand_core::Rng;
    let pair = pair().await;
    for seed in 0..200 {
        let mut rng = stream(seed, "links");
        let mut counts = BTreeMap::from([(Cut::Hold, 0), (Cut::Reset, 0)]);
        for _ in 0..20 {
            let how = Cut::ALL[rng.next_u32() as usize % 2];
            let count = counts.entry(how).or_insert(0);
            if rng.next_u32().is_multiple_of(2) {
                pair.links.cut(OUT, how).unwrap();
                *count += 1;
            } else if *count > 0 {
                pair.links.heal(OUT, how).unwrap();
                *count -= 1;
            }
            let expected = Cut::ALL.iter().rev().copied().find(|how| counts[how] > 0);
            assert_eq!(pair.links.cut_of(OUT), expected, "seed {seed}");
        }
        pair.links.heal_all();
    }
}
