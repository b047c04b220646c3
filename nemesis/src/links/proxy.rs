//! One link's proxy: accepts, dials, and passes bytes on while the gate lets
//! it.
//!
//! ```text
//!   accepted --open--> dialled --> both directions pumped --> both ended
//!       |  held: waits; a dialler that gives up meanwhile is forgotten,
//!       |        as if its connection had never been made
//!       '--reset, at any point: both sides see a reset
//! ```

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::gate::{Gate, Ledger};
use super::probe;
use crate::fault::Cut;

/// What one direction of one connection can hold.
const BUFFER_BYTES: usize = 64 * 1024;

/// Accepts connections of one link until it is aborted, and with it all that
/// it accepted.
pub(super) async fn serve(listener: TcpListener, target: SocketAddr, gate: Arc<Gate>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, from)) => {
                    connections.spawn(carry(client, from, target, Arc::clone(&gate)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a link's proxy cannot accept");
                    // Most likely out of file descriptors: trying again at
                    // once would only spin.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut client: TcpStream, from: SocketAddr, target: SocketAddr, gate: Arc<Gate>) {
    if let Some(answer) = gate.take_probe(from.port()) {
        return probe::answer(client, target, &gate, answer).await;
    }
    let since = gate.mode();
    if since.cut() == Some(Cut::Reset) {
        gate.count_reset_connection();
        return reset(&client);
    }
    let mut server = None;
    let ended = tokio::select! {
        biased;
        () = gate.reset_after(since) => {
            gate.count_reset_connection();
            Err(io::ErrorKind::ConnectionReset.into())
        }
        ended = connect_and_pump(&mut client, &mut server, target, &gate) => ended,
    };
    if ended.is_err() {
        reset(&client);
        server.iter().for_each(reset);
    }
}

/// Makes the drop of a stream a reset, as its peer sees it.
fn reset(stream: &TcpStream) {
    // Without it the peer sees an orderly end instead, which is all that can
    // be done for a socket that takes no option any more.
    let _ = stream.set_zero_linger();
}

async fn connect_and_pump(
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
    target: SocketAddr,
    gate: &Arc<Gate>,
) -> io::Result<()> {
    let mut early = Buffer::new(gate);
    let server = server.insert(dial(client, &mut early, target, gate).await?);
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_out, client_in) = client.split();
    let (server_out, server_in) = server.split();
    let pumped = tokio::try_join!(
        pump(client_out, server_in, early, gate),
        pump(server_out, client_in, Buffer::new(gate), gate),
    );
    if pumped.is_err() {
        // That a connection broke is news too, and must not cross a cut.
        gate.opened().await;
    }
    pumped.map(|((), ())| ())
}

/// Connects to the target as soon as the link is open.
async fn dial(
    client: &TcpStream,
    early: &mut Buffer,
    target: SocketAddr,
    gate: &Gate,
) -> io::Result<TcpStream> {
    loop {
        if gate.mode().cut().is_some() {
            early.ledger.hold(early.filled().len());
            tokio::select! {
                biased;
                () = gate.opened() => {}
                given_up = early.fill(client) => return Err(given_up),
            }
            // From here on only the node can keep these bytes waiting.
            early.ledger.block();
        }
        tokio::select! {
            biased;
            () = gate.closed() => {}
            dialled = TcpStream::connect(target) => return dialled,
        }
    }
}

/// Passes bytes on until their end, and then the end.
async fn pump(
    from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut buffer: Buffer,
    gate: &Gate,
) -> io::Result<()> {
    loop {
        if buffer.is_empty() && !buffer.read(&from).await? {
            break;
        }
        match gate.pass(|| to.try_write(buffer.filled())) {
            Some(Ok(written)) => buffer.written(written),
            Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                buffer.ledger.block();
                tokio::select! {
                    ready = to.writable() => ready?,
                    () = gate.closed() => {}
                }
            }
            Some(Err(error)) => return Err(error),
            None => {
                buffer.ledger.hold(buffer.filled().len());
                gate.opened().await;
            }
        }
    }
    gate.opened().await;
    to.shutdown().await
}

/// Bytes between reading and writing.
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    ledger: Ledger,
}

impl Buffer {
    fn new(gate: &Arc<Gate>) -> Self {
        Buffer {
            bytes: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            ledger: Ledger::new(gate),
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn filled(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn written(&mut self, count: usize) {
        self.start += count;
        self.ledger.forward(count);
    }

    /// Reads anew; false at the end of the stream.
    async fn read(&mut self, from: &ReadHalf<'_>) -> io::Result<bool> {
        (self.start, self.end) = (0, 0);
        loop {
            from.readable().await?;
            match from.try_read(&mut self.bytes) {
                Ok(count) => {
                    self.end = count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes in, as held, what a dialler sends; returns only when it gives up.
    async fn fill(&mut self, client: &TcpStream) -> io::Error {
        loop {
            if self.end == self.bytes.len() {
                return pending().await;
            }
            if let Err(error) = client.readable().await {
                return error;
            }
            match client.try_read(&mut self.bytes[self.end..]) {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                Ok(count) => {
                    self.end += count;
                    self.ledger.hold(self.filled().len());
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return error,
            }
        }
    }
}
