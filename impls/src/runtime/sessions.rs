//! Sessions between two nodes, for machines with `Channel::Fifo`.
//!
//! A session is a pair of connections, one for each direction, which begin
//! and end together. The node with the lower number begins it:
//!
//! ```text
//!   lower                                       higher
//!     | ------- hello, session s ----------------> |   a new s ends an old one
//!     | <------ welcome ------------------------- |
//!     | <------ hello, session s (dialled back) -- |   refused if s is over
//!     |  link up                                   |
//!     | ------- welcome -------------------------> |  link up
//!     | <====== messages, both ways =============> |
//! ```
//!
//! Each end tells its machine that the link is up before it reads the first
//! message, and that it is down after the last; whichever connection fails
//! ends both, so that nothing of a session arrives once either end has given
//! it up. Nothing is sent again in a later session: what was not delivered is
//! lost, always a suffix. An end may see a session that the other never saw,
//! but never the other way round for its messages.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncBufReadExt;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tribunal_protocol::{Machine, NodeId};

use super::event::Event;
use super::outbox::Outbox;
use super::peers::{DialError, Hub, Incoming, Link, REDIAL, dial};
use super::wire::{Hello, Reply, SessionName};

/// A peer's connection, checked in but not yet welcome.
pub(super) struct Offer {
    pub(super) hello: Hello,
    pub(super) incoming: Incoming,
}

/// Both connections of a session.
struct Session {
    name: SessionName,
    link: Link,
    incoming: Incoming,
}

/// Keeps up a session with a peer, one after the other.
pub(super) async fn keep<M: Machine>(
    hub: Arc<Hub<M>>,
    peer: NodeId,
    address: SocketAddr,
    outbox: Arc<Outbox>,
    offers: mpsc::Receiver<Offer>,
) {
    let mut keeper = Keeper {
        hub,
        peer,
        address,
        offers,
        next: None,
    };
    for number in 1.. {
        let begins = keeper.hub.card.node < peer;
        let begun = if begins {
            keeper.begin(number).await
        } else {
            keeper.join().await
        };
        match begun {
            Ok(Some(session)) => {
                keeper.run(session, number, &outbox).await;
                // The lower end alone dials unasked; it must not do so in a
                // tight circle.
                if begins {
                    sleep(REDIAL).await;
                }
            }
            Ok(None) => {}
            Err(error) => error.rest(peer).await,
        }
    }
}

struct Keeper<M: Machine> {
    hub: Arc<Hub<M>>,
    peer: NodeId,
    address: SocketAddr,
    offers: mpsc::Receiver<Offer>,
    /// An offer that ended the session before it.
    next: Option<Offer>,
}

impl<M: Machine> Keeper<M> {
    /// The lower end: dials, and waits to be dialled back.
    async fn begin(&mut self, number: u64) -> Result<Option<Session>, DialError> {
        let name = SessionName {
            incarnation: self.hub.card.incarnation,
            number,
        };
        let mut link = dial(&self.hub.card, self.peer, self.address, Some(name)).await?;
        let mut incoming = loop {
            let offer = tokio::select! {
                offer = self.offers.recv() => offer,
                error = link.broken() => return Err(error.into()),
            };
            match offer {
                Some(offer) if offer.hello.session == Some(name) => break offer.incoming,
                Some(offer) => refuse(offer).await,
                None => return pending().await,
            }
        };
        incoming.reply(&Reply::Welcome).await?;
        Ok(Some(Session {
            name,
            link,
            incoming,
        }))
    }

    /// The higher end: waits to be dialled, and dials back. Nothing where the
    /// session was over before it began.
    async fn join(&mut self) -> Result<Option<Session>, DialError> {
        let offer = match self.next.take() {
            Some(offer) => offer,
            None => match self.offers.recv().await {
                Some(offer) => offer,
                None => return pending().await,
            },
        };
        let mut incoming = offer.incoming;
        let Some(name) = offer.hello.session else {
            let why = "a session was expected".to_owned();
            incoming.reply(&Reply::Refused(why)).await?;
            return Ok(None);
        };
        incoming.reply(&Reply::Welcome).await?;
        let link = tokio::select! {
            link = dial_back(&self.hub, self.peer, self.address, name) => link?,
            offer = self.offers.recv() => {
                self.next = offer;
                return Ok(None);
            }
            () = closed(&mut incoming) => return Ok(None),
        };
        Ok(Some(Session {
            name,
            link,
            incoming,
        }))
    }

    /// Lets a session run until something ends it.
    async fn run(&mut self, session: Session, number: u64, outbox: &Outbox) {
        let Session {
            name,
            mut link,
            mut incoming,
        } = session;
        let (peer, events) = (self.peer, self.hub.events.clone());
        outbox.open(number);
        let up = Event::Link {
            peer,
            session: Some(number),
        };
        if events.send(up).await.is_err() {
            return;
        }
        tracing::info!(%peer, number, "session up");
        let why = tokio::select! {
            error = link.carry(outbox) => error.to_string(),
            error = incoming.receive(peer, &events) => {
                error.map_or("closed".to_owned(), |error| error.to_string())
            }
            () = self.superseded(name) => "the peer began another".to_owned(),
        };
        // Both connections end before the machine is told, so that nothing
        // can arrive, here or there, once it was.
        drop((link, incoming));
        outbox.close();
        tracing::info!(%peer, number, why, "session down");
        let _ = events
            .send(Event::Link {
                peer,
                session: None,
            })
            .await;
    }

    /// Waits for an offer of a later session; others are refused.
    async fn superseded(&mut self, current: SessionName) {
        while let Some(offer) = self.offers.recv().await {
            let later = |name: SessionName| {
                (name.incarnation, name.number) > (current.incarnation, current.number)
            };
            if self.hub.card.node > self.peer && offer.hello.session.is_some_and(later) {
                self.next = Some(offer);
                return;
            }
            refuse(offer).await;
        }
        pending().await
    }
}

async fn refuse(mut offer: Offer) {
    let why = "that session is over".to_owned();
    let _ = offer.incoming.reply(&Reply::Refused(why)).await;
}

/// Dials until the peer answers.
async fn dial_back<M: Machine>(
    hub: &Hub<M>,
    peer: NodeId,
    address: SocketAddr,
    name: SessionName,
) -> Result<Link, DialError> {
    loop {
        match dial(&hub.card, peer, address, Some(name)).await {
            Ok(link) => return Ok(link),
            // The session is over; the peer will begin another.
            Err(DialError::Refused(why)) => {
                return Err(DialError::Io(std::io::Error::other(why)));
            }
            Err(error) => error.rest(peer).await,
        }
    }
}

/// Waits until a connection closes, leaving what it carries unread.
async fn closed(incoming: &mut Incoming) {
    match incoming.reader.fill_buf().await {
        Ok(bytes) if !bytes.is_empty() => pending().await,
        _ => {}
    }
}
