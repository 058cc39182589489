//! Builds IP packets, and says what is in them.
//!
//! By hand rather than with a library: half of what is needed here is wrong on purpose, and what a
//! library checks it cannot write.

use std::net::IpAddr;

use trickblock_common::Reason;

use super::content::Flow;

/// From the IP header on.
#[derive(Clone, Debug)]
pub struct Packet {
    pub bytes: Vec<u8>,
    pub flow: Flow,
}

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMP: u8 = 1;
pub const ICMP_V6: u8 = 58;

/// Of the fixed headers.
const V4: usize = 20;
const V6: usize = 40;

impl Packet {
    /// A whole packet. Panics never: addresses of two families make the source the unspecified one.
    pub fn new(source: IpAddr, destination: IpAddr, protocol: u8, ports: (u16, u16)) -> Self {
        Self::with(
            source,
            destination,
            protocol,
            &segment(protocol, ports, true),
            ports,
        )
    }

    /// One that answers.
    pub fn answer(source: IpAddr, destination: IpAddr, protocol: u8, ports: (u16, u16)) -> Self {
        let mut packet = Self::with(
            source,
            destination,
            protocol,
            &segment(protocol, ports, false),
            ports,
        );
        if matches!(protocol, TCP | ICMP | ICMP_V6) {
            packet.flow.begins = Some(false);
        }
        packet
    }

    /// One with this payload behind the IP header.
    pub fn carrying(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Self {
        Self::with(source, destination, protocol, payload, (0, 0))
    }

    /// A UDP datagram with this payload.
    pub fn datagram(source: IpAddr, destination: IpAddr, port: u16, payload: &[u8]) -> Self {
        let mut bytes = segment(UDP, (49_152, port), true);
        bytes.extend(payload);
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        bytes[4..6].copy_from_slice(&length.to_be_bytes());
        Self::with(source, destination, UDP, &bytes, (49_152, port))
    }

    fn with(
        source: IpAddr,
        destination: IpAddr,
        protocol: u8,
        payload: &[u8],
        ports: (u16, u16),
    ) -> Self {
        let has_ports = carries_ports(protocol);
        let begins = match protocol {
            TCP => Some(true),
            // Echo requests.
            ICMP | ICMP_V6 => Some(true),
            _ if has_ports => Some(ports.0 >= ports.1),
            _ => None,
        };
        Self {
            bytes: header(source, destination, protocol, payload),
            flow: Flow {
                source,
                destination,
                protocol: Some(protocol),
                ports: has_ports.then_some(ports),
                failure: (!has_ports).then_some(Reason::NoPorts),
                begins,
                asks_for: None,
                sound: true,
            },
        }
    }

    pub fn is_v6(&self) -> bool {
        self.flow.source.is_ipv6()
    }

    /// Inserts so many words of IPv4 options.
    pub fn options(mut self, words: u8) -> Self {
        let zeros = std::iter::repeat_n(0, usize::from(words) * 4);
        self.bytes.splice(V4..V4, zeros);
        self.bytes[0] += words;
        self.resize(i32::from(words) * 4)
    }

    /// Makes it an IPv4 fragment; `offset` in units of 8 bytes. Behind a later one nothing is known.
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        let field = offset | if more { 0x2000 } else { 0 };
        self.bytes[6..8].copy_from_slice(&field.to_be_bytes());
        if offset > 0 {
            self = self.failing(Reason::LaterFragment);
        }
        self.sum()
    }

    /// Inserts an IPv6 extension header in front of all others; its first byte is filled in.
    pub fn extension(mut self, number: u8, rest: &[u8]) -> Self {
        let next = std::mem::replace(&mut self.bytes[6], number);
        let header = std::iter::once(next).chain(rest.iter().copied());
        self.bytes.splice(V6..V6, header);
        self.resize(i32::try_from(rest.len() + 1).unwrap_or(0))
    }

    /// Inserts an IPv4 authentication header of 12 bytes.
    pub fn authentication(mut self) -> Self {
        let next = std::mem::replace(&mut self.bytes[9], 51);
        self.bytes
            .splice(V4..V4, [next, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        self.resize(12)
    }

    /// Overwrites the version nibble.
    pub fn version(mut self, version: u8) -> Self {
        self.bytes[0] = version << 4 | self.bytes[0] & 15;
        self.flow.protocol = None;
        self.flow.sound = false;
        self.failing(Reason::BadVersion).sum()
    }

    /// Overwrites the length field of the IPv4 header, in words.
    pub fn header_words(mut self, words: u8) -> Self {
        self.bytes[0] = 0x40 | words;
        self.flow.sound = false;
        self.sum()
    }

    /// Overwrites the IPv4 total length or the IPv6 payload length.
    pub fn length(mut self, length: u16) -> Self {
        let at = if self.is_v6() { 4 } else { 2 };
        self.bytes[at..at + 2].copy_from_slice(&length.to_be_bytes());
        self.sum()
    }

    /// Cuts the frame behind so many bytes of the packet.
    pub fn cut(mut self, length: usize) -> Self {
        self.flow.sound &= length >= self.bytes.len();
        self.bytes.truncate(length);
        self
    }

    /// The ports are not to be found, for this reason.
    pub fn failing(mut self, reason: Reason) -> Self {
        self.flow.ports = None;
        self.flow.failure = Some(reason);
        self.flow.begins = None;
        self
    }

    /// Nor is the protocol.
    pub fn hidden(mut self, reason: Reason) -> Self {
        self.flow.protocol = None;
        self.failing(reason)
    }

    /// Spoils the IPv4 header checksum.
    pub fn wrong_sum(mut self) -> Self {
        self.bytes[10] ^= 0x55;
        self.flow.sound = false;
        self
    }

    fn resize(self, by: i32) -> Self {
        let at = if self.is_v6() { 4 } else { 2 };
        let field = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
        let length = u16::try_from(i32::from(field) + by).unwrap_or(u16::MAX);
        self.length(length)
    }

    /// Makes the IPv4 header checksum right.
    fn sum(mut self) -> Self {
        if self.is_v6() {
            return self;
        }
        let words = usize::from(self.bytes[0] & 15).max(5);
        let end = (words * 4).min(self.bytes.len());
        self.bytes[10..12].fill(0);
        let sum = checksum(&self.bytes[..end]);
        self.bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        self
    }
}

fn carries_ports(protocol: u8) -> bool {
    [TCP, UDP, 33, 132, 136].contains(&protocol)
}

fn header(source: IpAddr, destination: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = |more: usize| u16::try_from(payload.len() + more).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(V6 + payload.len());
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [t0, t1] = length(V4).to_be_bytes();
            bytes.extend([0x45, 0, t0, t1, 0, 1, 0, 0, 64, protocol, 0, 0]);
            bytes.extend(source.octets());
            bytes.extend(destination.octets());
            let sum = checksum(&bytes);
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (source, destination) => {
            let [l0, l1] = length(0).to_be_bytes();
            bytes.extend([0x60, 0, 0, 0, l0, l1, protocol, 64]);
            bytes.extend(octets(source));
            bytes.extend(octets(destination));
        }
    }
    bytes.extend(payload);
    bytes
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
    }
}

fn checksum(header: &[u8]) -> u16 {
    let pairs = header
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or_default()));
    let sum = pairs.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

/// A transport header; of protocols without one eight bytes, which are those of an echo for ICMP.
fn segment(protocol: u8, (source, destination): (u16, u16), begins: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(20);
    if carries_ports(protocol) {
        bytes.extend(source.to_be_bytes());
        bytes.extend(destination.to_be_bytes());
    }
    let flags = if begins { 0x02 } else { 0x12 };
    match protocol {
        TCP => bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0]),
        UDP | 136 => bytes.extend([0, 8, 0, 0]),
        132 => bytes.extend([0, 0, 0, 1, 0, 0, 0, 0]),
        33 => bytes.extend([4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]),
        ICMP => bytes.extend([if begins { 8 } else { 0 }, 0, 0, 0, 0, 0, 0, 1]),
        ICMP_V6 => bytes.extend([if begins { 128 } else { 129 }, 0, 0, 0, 0, 0, 0, 1]),
        _ => bytes.extend([0; 8]),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet() -> Packet {
        let [from, to] = ["192.0.2.10", "203.0.113.7"].map(|text| text.parse().unwrap());
        Packet::new(from, to, TCP, (40_000, 443))
    }

    #[test]
    fn headers_sum_up() {
        let packets = [
            packet(),
            packet().options(10),
            packet().fragment(3, true),
            packet().authentication(),
        ];
        for packet in packets {
            let words = usize::from(packet.bytes[0] & 15);
            assert_eq!(checksum(&packet.bytes[..words * 4]), 0, "{packet:?}");
            let total = u16::from_be_bytes([packet.bytes[2], packet.bytes[3]]);
            assert_eq!(usize::from(total), packet.bytes.len());
        }
        let spoilt = packet().wrong_sum();
        assert_ne!(checksum(&spoilt.bytes[..20]), 0);
        assert!(!spoilt.flow.sound);
    }

    #[test]
    fn extensions_are_chained_from_the_front() {
        let [from, to] = ["2001:db8::1", "2001:db8::2"].map(|text| text.parse().unwrap());
        let packet = Packet::new(from, to, UDP, (1, 2));
        let packet = packet.extension(60, &[0; 7]).extension(0, &[0; 7]);
        assert_eq!(
            (packet.bytes[6], packet.bytes[40], packet.bytes[48]),
            (0, 60, UDP)
        );
        assert_eq!(packet.bytes[5], 24);
    }
}
