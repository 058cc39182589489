//! Packet sockets on the hosts at both ends: they see a frame even if no application does.
//!
//! An application's socket misses a SYN whose answer was dropped, or a segment of a connection
//! that is gone. Such a packet passed the gateway all the same, so it counts as leaked.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use anyhow::Context as _;

use crate::{netns::Netns, sys};

/// Counts incoming frames from or to certain endpoints on some hosts, until dropped.
#[derive(Debug)]
pub struct Witness {
    counts: Arc<Vec<(SocketAddr, AtomicU64)>>,
    stop: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
}

impl Witness {
    /// Begins to count.
    pub fn start(hosts: &[&Netns], endpoints: &[SocketAddr]) -> anyhow::Result<Self> {
        let counts = endpoints
            .iter()
            .map(|endpoint| (*endpoint, AtomicU64::new(0)))
            .collect();
        let (counts, stop) = (Arc::new(counts), Arc::new(AtomicBool::new(false)));
        let mut witness = Self {
            counts,
            stop,
            readers: Vec::new(),
        };
        for host in hosts {
            let socket = host.run(sys::packet_socket)?;
            let socket = socket.with_context(|| format!("packet socket in {}", host.name()))?;
            let (counts, stop) = (Arc::clone(&witness.counts), Arc::clone(&witness.stop));
            witness
                .readers
                .push(thread::spawn(move || read(&socket, &counts, &stop)));
        }
        Ok(witness)
    }

    /// Frames seen so far with `endpoint` as source or destination.
    pub fn seen(&self, endpoint: SocketAddr) -> u64 {
        let found = self.counts.iter().find(|(watched, _)| *watched == endpoint);
        found.map_or(0, |(_, count)| count.load(Ordering::Relaxed))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for reader in self.readers.drain(..) {
            let _a_panic_was_printed = reader.join();
        }
    }
}

fn read(socket: &OwnedFd, counts: &[(SocketAddr, AtomicU64)], stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        let Ok(Some(length)) = sys::receive_incoming(socket, &mut buffer) else {
            continue;
        };
        let Some(ends) = buffer.get(..length).and_then(endpoints) else {
            continue;
        };
        for (endpoint, count) in counts {
            if ends.contains(endpoint) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Source and destination of a TCP or UDP packet. The lab's hosts send neither fragments nor
/// extension headers, so ports stand right after the IP header.
fn endpoints(packet: &[u8]) -> Option<[SocketAddr; 2]> {
    let (source, destination, protocol, transport): (IpAddr, IpAddr, u8, usize) =
        match packet.first()? >> 4 {
            4 => {
                let [source, destination] = [12, 16].map(|at| octets::<4>(packet, at));
                let header = usize::from(packet.first()? & 15) * 4;
                let protocol = *packet.get(9)?;
                (
                    Ipv4Addr::from(source?).into(),
                    Ipv4Addr::from(destination?).into(),
                    protocol,
                    header,
                )
            }
            6 => {
                let [source, destination] = [8, 24].map(|at| octets::<16>(packet, at));
                let protocol = *packet.get(6)?;
                (
                    Ipv6Addr::from(source?).into(),
                    Ipv6Addr::from(destination?).into(),
                    protocol,
                    40,
                )
            }
            _ => return None,
        };
    if ![TCP, UDP].contains(&protocol) {
        return None;
    }
    let [from, to] =
        [transport, transport + 2].map(|at| octets(packet, at).map(u16::from_be_bytes));
    Some([
        SocketAddr::new(source, from?),
        SocketAddr::new(destination, to?),
    ])
}

const TCP: u8 = 6;
const UDP: u8 = 17;

fn octets<const N: usize>(packet: &[u8], at: usize) -> Option<[u8; N]> {
    packet.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Packet;

    #[test]
    fn endpoints_are_read_from_both_families() {
        let ends = |packet: Packet| endpoints(&packet.without_link_header().build());
        let v4 = Packet::v4("198.51.100.7", "203.0.113.9");
        let v6 = Packet::v6("2001:db8::7", "2001:db8::9");
        let expected = |texts: [&str; 2]| Some(texts.map(|text| text.parse().unwrap()));
        let in_v4 = expected(["198.51.100.7:1025", "203.0.113.9:443"]);
        assert_eq!(ends(v4.clone().tcp(1025, 443)), in_v4);
        assert_eq!(ends(v4.clone().options(&[1; 8]).udp(1025, 443)), in_v4);
        let in_v6 = expected(["[2001:db8::7]:1025", "[2001:db8::9]:443"]);
        assert_eq!(ends(v6.udp(1025, 443)), in_v6);
        assert_eq!(ends(v4.clone().raw(1).payload(&[0; 8])), None);
        assert_eq!(ends(v4.tcp(1025, 443).cut_to(20 + 3)), None);
    }
}
