//! Builds packets for fixtures, right ones and wrong ones.
//!
//! ```
//! use trickblock_tests::packet::{Extension, Packet};
//! let tagged = Packet::v4("198.51.100.7", "203.0.113.9").tcp(49_152, 443).vlan(100).build();
//! let chained = Packet::v6("2001:db8::7", "2001:db8::9")
//!     .extension(Extension::HopByHop { extra: 0 })
//!     .udp(49_152, 53)
//!     .payload(b"query")
//!     .build();
//! assert_eq!(tagged.len(), 14 + 4 + 20 + 20);
//! assert_eq!(chained.len(), 14 + 40 + 8 + 8 + 5);
//! ```
//!
//! One half of a test oracle: it shares no type, constant or code with the parser under test.
//! Lengths and checksums are right unless a setter says otherwise. Numbers are in host order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod checksum;
mod extension;
mod link;
mod neighbour;
mod network;
mod transport;
mod tunnel;

pub use extension::Extension;
pub use link::{PROVIDER_TAG, TAG};
pub use transport::Transport;

/// A packet in the making. Setters may come in any order.
#[derive(Clone, Debug)]
pub struct Packet {
    link: link::Link,
    network: network::Network,
    transport: Transport,
    payload: Vec<u8>,
    padded_to: usize,
    cut_to: usize,
}

impl Packet {
    /// An Ethernet frame with IPv4 inside. Panics if an address is not one.
    pub fn v4(source: &str, destination: &str) -> Self {
        let parse = |text: &str| {
            text.parse::<Ipv4Addr>()
                .unwrap_or_else(|_| panic!("{text}: not IPv4"))
        };
        Self::new(network::Network::V4(network::V4::new(
            parse(source),
            parse(destination),
        )))
    }

    /// An Ethernet frame with IPv6 inside. Panics if an address is not one.
    pub fn v6(source: &str, destination: &str) -> Self {
        let parse = |text: &str| {
            text.parse::<Ipv6Addr>()
                .unwrap_or_else(|_| panic!("{text}: not IPv6"))
        };
        Self::new(network::Network::V6(network::V6::new(
            parse(source),
            parse(destination),
        )))
    }

    /// An Ethernet frame of the addresses' family. Panics if they are of two families.
    pub fn ip(source: IpAddr, destination: IpAddr) -> Self {
        assert_eq!(
            source.is_ipv4(),
            destination.is_ipv4(),
            "{source} and {destination}"
        );
        let (source, destination) = (source.to_string(), destination.to_string());
        if source.contains(':') {
            Self::v6(&source, &destination)
        } else {
            Self::v4(&source, &destination)
        }
    }

    /// An Ethernet frame without IP: `ether_type` and then the payload, ARP for instance.
    pub fn ethernet(ether_type: u16) -> Self {
        Self::new(network::Network::None { ether_type })
    }

    /// IPv4 options, padded with zero bytes to whole words.
    pub fn options(mut self, options: &[u8]) -> Self {
        self.network.v4().set_options(options);
        self
    }

    /// Overrides the header length field, in 32-bit words; the header itself stays.
    pub fn header_words(mut self, words: u8) -> Self {
        self.network.v4().header_words = Some(words);
        self
    }

    /// Overrides the IPv4 total length, or the IPv6 payload length.
    pub fn ip_length(mut self, length: u16) -> Self {
        self.network.set_length(length);
        self
    }

    /// Overrides the version nibble.
    pub fn version(mut self, version: u8) -> Self {
        self.network.set_version(version);
        self
    }

    /// Overrides the time to live, or the hop limit.
    pub fn hop_limit(mut self, limit: u8) -> Self {
        self.network.set_hop_limit(limit);
        self
    }

    /// Overrides the protocol, or the last next header field; what follows stays.
    pub fn protocol(mut self, protocol: u8) -> Self {
        self.network.set_protocol(protocol);
        self
    }

    /// Makes it an IPv4 fragment, `offset` in units of 8 bytes. Only a first one (0) has ports:
    /// give the others a payload with [`Packet::raw`]. For IPv6 see [`Extension::Fragment`].
    pub fn fragment(mut self, id: u16, offset: u16, more: bool) -> Self {
        self.network.v4().set_fragment(id, offset, more);
        self
    }

    /// Adds an IPv6 extension header after those already there.
    pub fn extension(mut self, extension: Extension) -> Self {
        self.network.v6().extensions.push(extension);
        self
    }

    /// A TCP SYN.
    pub fn tcp(self, source: u16, destination: u16) -> Self {
        self.transport(Transport::Tcp {
            source,
            destination,
            flags: 0x02,
        })
    }

    /// UDP.
    pub fn udp(self, source: u16, destination: u16) -> Self {
        self.transport(Transport::Udp {
            source,
            destination,
        })
    }

    /// Only the payload, announced as `protocol`: later fragments, tunnels, unknown protocols.
    pub fn raw(self, protocol: u8) -> Self {
        self.transport(Transport::Raw { protocol })
    }

    /// Any transport.
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// What follows the transport header.
    pub fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    /// Appends zero bytes up to this frame length, as network cards do below 60 bytes.
    pub fn padded_to(mut self, length: usize) -> Self {
        self.padded_to = length;
        self
    }

    /// Cuts the finished frame to this length; its headers still announce the rest.
    pub fn cut_to(mut self, length: usize) -> Self {
        self.cut_to = length;
        self
    }

    /// The bytes.
    pub fn build(&self) -> Vec<u8> {
        let pseudo = self.network.pseudo_header();
        let segment = self.transport.build(&self.payload, pseudo.as_ref());
        let packet = self
            .network
            .build(self.transport.protocol(self.network.is_v6()), &segment);
        let mut frame = (self.link).build(self.network.ether_type(), packet.len());
        frame.extend(packet);
        if frame.len() < self.padded_to {
            frame.resize(self.padded_to, 0);
        }
        frame.truncate(self.cut_to);
        frame
    }

    fn new(network: network::Network) -> Self {
        Self {
            link: link::Link::Ethernet(link::Ethernet::default()),
            network,
            transport: Transport::Raw { protocol: 59 },
            payload: Vec::new(),
            padded_to: 0,
            cut_to: usize::MAX,
        }
    }
}

#[cfg(test)]
mod tests;
