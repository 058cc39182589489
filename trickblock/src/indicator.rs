//! What a feed names: an address or prefix, optionally narrowed to a protocol and a port.

use std::{fmt, net::IpAddr, num::NonZeroU16, str::FromStr};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// An IP protocol number, written by its name where it has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

/// The protocols that carry ports in their first four bytes.
const NAMED: [(&str, u8); 5] = [
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("sctp", 132),
    ("udplite", 136),
];

impl Protocol {
    pub const TCP: Self = Self(6);
    pub const UDP: Self = Self(17);
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// The text is not a protocol name or a number from 1 to 255.
#[derive(Debug, thiserror::Error)]
#[error("unknown protocol `{0}`: use tcp, udp, sctp, dccp, udplite or a number from 1 to 255")]
pub struct UnknownProtocol(String);

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = NAMED
            .iter()
            .find(|(name, _)| text.eq_ignore_ascii_case(name));
        match (named, text.parse::<u8>()) {
            (Some((_, number)), _) => Ok(Self(*number)),
            (None, Ok(number)) if number > 0 => Ok(Self(number)),
            _ => Err(UnknownProtocol(text.to_owned())),
        }
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The unit of blocking: `prefix` is canonical (no host bits, never `::ffff:0:0/96`),
/// `protocol` and `port` are `None` where any matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Indicator {
    pub prefix: IpNet,
    pub protocol: Option<Protocol>,
    pub port: Option<NonZeroU16>,
}

impl Indicator {
    /// Canonicalises: host bits are cleared and an IPv4-mapped prefix becomes the IPv4 one.
    pub fn new(prefix: IpNet, protocol: Option<Protocol>, port: Option<NonZeroU16>) -> Self {
        Self {
            prefix: unmap(prefix.trunc()),
            protocol,
            port,
        }
    }

    /// One address, all of its traffic.
    pub fn host(address: IpAddr) -> Self {
        Self::new(IpNet::from(address), None, None)
    }
}

fn unmap(prefix: IpNet) -> IpNet {
    let IpNet::V6(v6) = prefix else { return prefix };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(v4), Some(len)) => ipnet::Ipv4Net::new(v4, len).map_or(prefix, IpNet::V4),
        _ => prefix,
    }
}

impl fmt::Display for Indicator {
    /// `203.0.113.7/32`, `203.0.113.7/32:443`, `203.0.113.7/32:443/tcp`, `[2001:db8::1/128]:443`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.prefix) {
            (Some(port), IpNet::V4(prefix)) => write!(f, "{prefix}:{port}")?,
            (Some(port), IpNet::V6(prefix)) => write!(f, "[{prefix}]:{port}")?,
            (None, prefix) => write!(f, "{prefix}")?,
        }
        self.protocol
            .map_or(Ok(()), |protocol| write!(f, "/{protocol}"))
    }
}

/// What a feed says about an indicator besides the indicator itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// Malware family as the feed spells it.
    pub family: Option<String>,
    pub first_seen: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
}
