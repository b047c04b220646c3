//! Free ports that stay free until the node that they are for takes them, and
//! across its restarts.
//!
//! A port that was bound, looked at and released again may be anybody's a
//! moment later, most often an outgoing connection's. These ports lie outside
//! the range from which the kernel takes those, and are claimed, for as long
//! as the lease lives, by a name that only one process on the machine can
//! hold (an abstract Unix socket: no file, gone with its process).

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener};

/// Below this, ports belong to well-known services.
const PORT_MIN: u16 = 10_000;
/// Where Linux takes outgoing ports from unless it is told otherwise.
const EPHEMERAL_USUAL: (u16, u16) = (32_768, 60_999);

/// A loopback port that no other lease has; given back when dropped.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    _claim: UnixListener,
}

impl PortLease {
    /// The address to listen on.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// Leases `count` free loopback ports.
pub fn lease(count: usize) -> io::Result<Vec<PortLease>> {
    let (low, high) = ephemeral_range();
    let stable = |port: &u16| !(low..=high).contains(port);
    let mut ports: Vec<u16> = (PORT_MIN..=u16::MAX).filter(stable).collect();
    if ports.len() < 4 * count {
        // The kernel was told to use nearly all ports: better a port that it
        // may take away than none.
        ports = (1_024..=u16::MAX).collect();
    }
    // Each process begins elsewhere, so that several seldom try the same ones.
    let begin = RandomState::new().build_hasher().finish() as usize % ports.len();
    ports.rotate_left(begin);
    let leases: Vec<PortLease> = ports
        .into_iter()
        .filter_map(try_lease)
        .take(count)
        .collect();
    match leases.len() == count {
        true => Ok(leases),
        false => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no {count} loopback ports are free"),
        )),
    }
}

fn try_lease(port: u16) -> Option<PortLease> {
    let name = UnixAddress::from_abstract_name(format!("tribunal-port-{port}")).ok()?;
    let claim = UnixListener::bind_addr(&name).ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    Some(PortLease {
        port,
        _claim: claim,
    })
}

fn ephemeral_range() -> (u16, u16) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = text.split_ascii_whitespace().map(str::parse);
    match (bounds.next(), bounds.next()) {
        (Some(Ok(low)), Some(Ok(high))) => (low, high),
        _ => EPHEMERAL_USUAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leased_ports_are_distinct_free_and_leased_once() {
        let leases = lease(50).unwrap();
        let mut ports: Vec<u16> = leases.iter().map(|lease| lease.port).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
        for lease in &leases {
            assert!(try_lease(lease.port).is_none());
            TcpListener::bind(lease.address()).unwrap();
        }
    }
}
