//! A probe: one connection through a link's own proxy, to see what the link
//! does to connections.
//!
//! The proxy tells it by its local port, which is bound before it dials, and
//! reports what became of it: held, reset, or carried to the node, where it
//! is closed again without a byte.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::PoisonError;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Probe;
use super::gate::Gate;
use crate::fault::Cut;

/// How long a node may take to take a connection.
const CONNECT: Duration = Duration::from_millis(500);

/// Sends a probe to the proxy at `address`.
pub(super) async fn send(gate: &Gate, address: SocketAddr, limit: Duration) -> Probe {
    match timeout(limit, try_send(gate, address)).await {
        Ok(Ok(probe)) => probe,
        // The proxy never saw it, or never said.
        Ok(Err(_)) | Err(_) => Probe::Lost,
    }
}

async fn try_send(gate: &Gate, address: SocketAddr) -> io::Result<Probe> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let (answer, mut answered) = oneshot::channel();
    let port = socket.local_addr()?.port();
    gate.probes
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(port, answer);
    let _entry = Entry { gate, port };
    match socket.connect(address).await {
        Ok(_connection) => answered.await.map_err(io::Error::other),
        // A reset may come before the connection was seen to be made; the
        // proxy answers before it resets.
        Err(error) => answered.try_recv().map_err(|_| error),
    }
}

/// Forgets a probe that the proxy never took.
struct Entry<'a> {
    gate: &'a Gate,
    port: u16,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        drop(self.gate.take_probe(self.port));
    }
}

/// What the proxy does with a connection that is a probe.
pub(super) async fn answer(
    connection: TcpStream,
    target: SocketAddr,
    gate: &Gate,
    answer: oneshot::Sender<Probe>,
) {
    let probe = match gate.mode().cut() {
        Some(Cut::Hold) => Probe::Held,
        Some(Cut::Reset) => {
            let _ = connection.set_zero_linger();
            Probe::Reset
        }
        None => match timeout(CONNECT, TcpStream::connect(target)).await {
            Ok(Ok(_)) => Probe::Passed,
            Ok(Err(_)) => Probe::NodeDown,
            Err(_) => Probe::NodeSilent,
        },
    };
    // Whoever sent it may have stopped waiting.
    let _ = answer.send(probe);
}
