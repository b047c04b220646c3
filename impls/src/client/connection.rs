//! A connection to a node's client port.

use std::io;
use std::net::SocketAddr;

use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::adapter::{ClientError, NodeNumber};
use crate::service::Body;

/// One connection; one request at a time.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    line: Vec<u8>,
    message: u64,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream: BufReader::new(stream),
            line: Vec::new(),
            message: 0,
        })
    }

    /// One that was kept, if a request can be risked on it, or a new one to
    /// that node, at most until `limit`; why there is none, in words.
    pub async fn kept_or_new(
        kept: Option<Connection>,
        node: NodeNumber,
        address: SocketAddr,
        limit: Instant,
    ) -> Result<Connection, String> {
        if let Some(mut kept) = kept
            && !kept.is_closed()
        {
            return Ok(kept);
        }
        match timeout_at(limit, Connection::open(address)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(format!("no connection to n{node}: {error}")),
            Err(_) => Err(format!("no connection to n{node} in time")),
        }
    }

    /// Whether the other end has already closed. No request may be risked on
    /// a connection that cannot carry it.
    pub fn is_closed(&mut self) -> bool {
        let mut bytes = [0; 1024];
        loop {
            match self.stream.get_mut().try_read(&mut bytes) {
                Ok(0) => return true,
                // A late reply to a request that was given up, or the middle
                // of one: the rest would be taken for another reply.
                Ok(_) => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Asks, and waits for the reply to this very question.
    pub async fn ask(&mut self, dest: &str, mut body: Body) -> Result<Body, ClientError> {
        self.message += 1;
        body.insert("msg_id".into(), self.message.into());
        let mut envelope = Body::new();
        envelope.insert("src".into(), "c1".into());
        envelope.insert("dest".into(), dest.into());
        envelope.insert("body".into(), body.into());
        let mut line = Json::from(envelope).to_string();
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).await?;
        loop {
            let body = self.reply().await?;
            if body.get("in_reply_to").and_then(Json::as_u64) == Some(self.message) {
                return Ok(body);
            }
        }
    }

    async fn reply(&mut self) -> Result<Body, ClientError> {
        self.line.clear();
        self.stream.read_until(b'\n', &mut self.line).await?;
        if self.line.last() != Some(&b'\n') {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let parsed = serde_json::from_slice(&self.line);
        let envelope: Json = parsed.map_err(|error| ClientError::Protocol(error.to_string()))?;
        match envelope {
            Json::Object(mut envelope) => match envelope.remove("body") {
                Some(Json::Object(body)) => Ok(body),
                _ => Err(ClientError::Protocol("expected a `body`".to_owned())),
            },
            _ => Err(ClientError::Protocol("expected an object".to_owned())),
        }
    }
}
