//! Links to the other nodes.
//!
//! One connection for each direction of a link, dialled by the sender. What
//! cannot be sent waits, up to a bound, and is lost beyond it; a connection
//! that breaks loses what was on its way. That is all that a machine with
//! [`Channel::Unordered`] is promised, and all that this file knows;
//! [`Channel::Fifo`] is built on it in `sessions.rs`.
//!
//! A connection is kept for as long as the other end keeps it: one that
//! carries nothing for seconds may be held up on its way, and delivers the
//! faster when it is let go.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tribunal_protocol::{Channel, Machine, NodeId};

use super::event::Event;
use super::framing::{self, FrameError};
use super::incarnations::Incarnations;
use super::outbox::{Full, Outbox};
use super::sessions::{self, Offer};
use super::wire::{Card, Hello, Reply, SessionName};

/// How long to wait before dialling again: short, since a healed link counts
/// from the first message that passes.
pub(super) const REDIAL: Duration = Duration::from_millis(25);

/// How long to wait before dialling a node again that refused: what it
/// objects to does not change by itself.
pub(super) const REDIAL_REFUSED: Duration = Duration::from_secs(2);

/// What every link of a node shares.
pub(super) struct Hub<M: Machine> {
    pub(super) card: Card,
    pub(super) events: mpsc::Sender<Event<M>>,
    /// Where incoming connections of a peer go; empty without sessions.
    offers: BTreeMap<NodeId, mpsc::Sender<Offer>>,
    peers: BTreeMap<NodeId, SocketAddr>,
    incarnations: Incarnations,
}

/// The links of a node; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Peers {
    /// Whether messages belong to sessions.
    fifo: bool,
    outboxes: BTreeMap<NodeId, Arc<Outbox>>,
    _tasks: JoinSet<()>,
}

impl Peers {
    /// Starts to dial and to listen.
    pub(super) fn start<M: Machine>(
        card: Card,
        peers: BTreeMap<NodeId, SocketAddr>,
        listener: TcpListener,
        events: mpsc::Sender<Event<M>>,
    ) -> Peers {
        let fifo = M::CHANNEL == Channel::Fifo;
        let full = if fifo {
            Full::Breaks
        } else {
            Full::DropsOldest
        };
        let mut tasks = JoinSet::new();
        let mut outboxes = BTreeMap::new();
        let (mut offers, mut inboxes) = (BTreeMap::new(), BTreeMap::new());
        for peer in peers.keys().filter(|_| fifo) {
            let (offer, inbox) = mpsc::channel(8);
            offers.insert(*peer, offer);
            inboxes.insert(*peer, inbox);
        }
        let hub = Arc::new(Hub {
            card,
            events,
            offers,
            peers,
            incarnations: Incarnations::default(),
        });
        for (peer, address) in hub.peers.clone() {
            let outbox = Arc::new(Outbox::new(full));
            outboxes.insert(peer, outbox.clone());
            match inboxes.remove(&peer) {
                Some(inbox) => {
                    tasks.spawn(sessions::keep(hub.clone(), peer, address, outbox, inbox))
                }
                None => tasks.spawn(dial_forever(hub.clone(), peer, address, outbox)),
            };
        }
        tasks.spawn(accept_forever(hub, listener));
        Peers {
            fifo,
            outboxes,
            _tasks: tasks,
        }
    }

    /// The other nodes.
    pub(super) fn numbers(&self) -> impl Iterator<Item = NodeId> {
        self.outboxes.keys().copied()
    }

    /// Waits until the kernel has everything that was put on its way, of all
    /// peers.
    pub(super) async fn drained(&self) {
        for outbox in self.outboxes.values() {
            outbox.drained().await;
        }
    }

    /// Puts a frame on its way. Where messages belong to sessions, one that
    /// was asked for outside of any is lost.
    pub(super) fn send(&self, to: NodeId, session: Option<u64>, frame: Vec<u8>) {
        if self.fifo && session.is_none() {
            return;
        }
        match self.outboxes.get(&to) {
            Some(outbox) => outbox.push(session, frame),
            None => tracing::error!(%to, "the machine sends to a node that is no peer"),
        }
    }
}

async fn dial_forever<M: Machine>(
    hub: Arc<Hub<M>>,
    peer: NodeId,
    address: SocketAddr,
    outbox: Arc<Outbox>,
) {
    loop {
        match dial(&hub.card, peer, address, None).await {
            Ok(mut link) => {
                tracing::info!(%peer, "link up");
                let why = link.carry(&outbox).await;
                tracing::info!(%peer, %why, "link lost");
                sleep(REDIAL).await;
            }
            Err(error) => error.rest(peer).await,
        }
    }
}

/// A connection that this node dialled and may send on.
pub(super) struct Link {
    writer: OwnedWriteHalf,
    reader: OwnedReadHalf,
}

impl Link {
    /// Sends what an outbox gathers, until the connection fails.
    pub(super) async fn carry(&mut self, outbox: &Outbox) -> io::Error {
        tokio::select! {
            error = outbox.write_to(&mut self.writer) => error,
            error = broken(&mut self.reader) => error,
        }
    }

    /// Waits until the connection fails.
    pub(super) async fn broken(&mut self) -> io::Error {
        broken(&mut self.reader).await
    }
}

/// Waits until the other end closes, or fails. It says nothing more.
async fn broken(reader: &mut OwnedReadHalf) -> io::Error {
    match reader.read_u8().await {
        Ok(_) => io::Error::other("the other end spoke out of turn"),
        Err(error) => error,
    }
}

/// Why a peer was not reached.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("reach the peer")]
    Io(#[from] io::Error),
    #[error("understand the peer")]
    Frame(#[from] FrameError),
    #[error("be let in: {0}")]
    Refused(String),
}

impl DialError {
    /// Reports the error and waits as long as it deserves.
    pub(super) async fn rest(&self, peer: NodeId) {
        if let DialError::Refused(why) = self {
            tracing::error!(%peer, why, "the peer refuses this node");
            sleep(REDIAL_REFUSED).await;
        } else {
            tracing::debug!(%peer, error = %self, "not reached");
            sleep(REDIAL).await;
        }
    }
}

/// Connects to a peer and is let in.
pub(super) async fn dial(
    card: &Card,
    peer: NodeId,
    address: SocketAddr,
    session: Option<SessionName>,
) -> Result<Link, DialError> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    writer
        .write_all(&framing::encode(&card.hello(peer, session))?)
        .await?;
    match framing::read(&mut reader, &mut Vec::new()).await? {
        Some(Reply::Welcome) => Ok(Link { writer, reader }),
        Some(Reply::Refused(why)) => Err(DialError::Refused(why)),
        None => Err(DialError::Io(io::ErrorKind::UnexpectedEof.into())),
    }
}

async fn accept_forever<M: Machine>(hub: Arc<Hub<M>>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(welcome(hub.clone(), stream));
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a peer");
                    sleep(REDIAL).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// A connection that another node dialled.
pub(super) struct Incoming {
    pub(super) reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Incoming {
    pub(super) async fn reply(&mut self, reply: &Reply) -> Result<(), FrameError> {
        self.writer.write_all(&framing::encode(reply)?).await?;
        Ok(())
    }

    /// Hands the peer's messages to the host until the connection ends; gives
    /// the reason, if it is not simply closed.
    pub(super) async fn receive<M: Machine>(
        &mut self,
        from: NodeId,
        events: &mpsc::Sender<Event<M>>,
    ) -> Option<FrameError> {
        let mut buffer = Vec::new();
        loop {
            match framing::read(&mut self.reader, &mut buffer).await {
                Ok(Some(message)) => events.send(Event::Message { from, message }).await.ok()?,
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    }
}

async fn welcome<M: Machine>(hub: Arc<Hub<M>>, stream: TcpStream) {
    if let Err(error) = check_in(&hub, stream).await {
        tracing::debug!(%error, "a connection to the peer port failed");
    }
}

async fn check_in<M: Machine>(hub: &Hub<M>, stream: TcpStream) -> Result<(), FrameError> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    let mut incoming = Incoming {
        reader: BufReader::with_capacity(64 << 10, reader),
        writer,
    };
    let Some(hello) = framing::read::<Hello>(&mut incoming.reader, &mut Vec::new()).await? else {
        return Ok(());
    };
    let from = hello.from;
    // A stranger's count is not noted: the card is looked at first.
    let stranger = hub.card.refusal(&hello, hub.peers.contains_key(&from));
    let over = || hub.incarnations.refusal(from, hello.incarnation);
    if let Some(why) = stranger.or_else(over) {
        tracing::error!(%from, why, "refused a peer");
        return incoming.reply(&Reply::Refused(why)).await;
    }
    if let Some(offers) = hub.offers.get(&from) {
        let _ = offers.send(Offer { hello, incoming }).await;
        return Ok(());
    }
    incoming.reply(&Reply::Welcome).await?;
    tracing::info!(peer = %from, incarnation = hello.incarnation, "peer connected");
    match incoming.receive(from, &hub.events).await {
        Some(error) => tracing::warn!(peer = %from, %error, "peer's connection broke"),
        None => tracing::info!(peer = %from, "peer's connection closed"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tribunal_protocol::examples::{coordinator::TwoPhase, single_decree::SingleDecree};

    use super::*;

    /// What a node of machine `M` answers to peers with these incarnations,
    /// one after the other.
    async fn answers<M: Machine>(incarnations: &[u64]) -> Vec<Option<String>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (events, _inbox) = mpsc::channel::<Event<M>>(8);
        let (one, two) = (NodeId(1), NodeId(2));
        let peers = BTreeMap::from([(one, nobody.local_addr().unwrap())]);
        let _links = Peers::start(Card::new::<M>("blue", two, 1), peers, listener, events);
        let mut said = Vec::new();
        for (number, incarnation) in (1..).zip(incarnations.iter().copied()) {
            let session = (M::CHANNEL == Channel::Fifo).then_some(SessionName {
                incarnation,
                number,
            });
            let card = Card::new::<M>("blue", one, incarnation);
            said.push(match dial(&card, two, address, session).await {
                Ok(_) => None,
                Err(DialError::Refused(why)) => Some(why),
                Err(error) => panic!("{error}"),
            });
        }
        said
    }

    #[tokio::test]
    async fn a_lower_incarnation_is_refused_whatever_the_channel() {
        let over = Some("incarnation 3 of n1 is over: incarnation 5 was here".to_owned());
        for said in [
            answers::<SingleDecree>(&[2, 2, 5, 3, 5]).await,
            answers::<TwoPhase>(&[2, 2, 5, 3, 5]).await,
        ] {
            assert_eq!(said, [None, None, None, over.clone(), None]);
        }
    }
}
