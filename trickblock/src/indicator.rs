//! What a feed names: an address or prefix, optionally narrowed to a protocol and a port.

mod seen;
mod span;
mod text;

use std::{cmp::Ordering, fmt, net::IpAddr, num::NonZeroU16, str::FromStr, sync::Arc};

use ipnet::IpNet;
use serde::{Serialize, Serializer};

pub use self::{
    seen::Seen,
    span::span,
    text::{Malformed, Written, address, port, prefix, written},
};

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

    /// Whether packets of this protocol begin with a source and a destination port.
    pub fn has_ports(self) -> bool {
        NAMED.iter().any(|(_, number)| *number == self.0)
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
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

    /// A number that grows as indicators do. Two IPv4 ones with the same are equal, two IPv6 ones need not be.
    pub fn sort_key(&self) -> u64 {
        match self.prefix {
            IpNet::V4(net) => {
                let protocol = self
                    .protocol
                    .map_or(0, |protocol| u64::from(protocol.0) + 1);
                let port = self.port.map_or(0, |port| u64::from(port.get()));
                let (address, length) = (net.addr().to_bits(), net.prefix_len());
                u64::from(address) << 31 | u64::from(length) << 25 | protocol << 16 | port
            }
            IpNet::V6(net) => 1 << 63 | (net.addr().to_bits() >> 65) as u64,
        }
    }

    /// Whether this [`Self::sort_key`] says all there is: it is that of an IPv4 one.
    const fn is_told_by(key: u64) -> bool {
        key >> 63 == 0
    }

    fn fields(&self) -> (IpNet, Option<Protocol>, Option<NonZeroU16>) {
        (self.prefix, self.protocol, self.port)
    }

    /// One address, all of its traffic.
    pub fn host(address: IpAddr) -> Self {
        Self::new(IpNet::from(address), None, None)
    }
}

/// By prefix (IPv4 first), protocol and port. As one number where that says it all: a million of them are sorted.
impl Ord for Indicator {
    fn cmp(&self, other: &Self) -> Ordering {
        let (one, two) = (self.sort_key(), other.sort_key());
        if one != two || Self::is_told_by(one) {
            return one.cmp(&two);
        }
        self.fields().cmp(&other.fields())
    }
}

impl PartialOrd for Indicator {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
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

impl FromStr for Indicator {
    type Err = Malformed;

    /// Reads what `Display` writes, and the same without a prefix length: `203.0.113.7:443/tcp`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        written(text).map(|written| written.indicator)
    }
}

/// What a feed says about an indicator besides the indicator itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Malware family as the feed spells it; shared by all rows of one body.
    pub family: Option<Arc<str>>,
    pub first_seen: Option<Seen>,
    pub last_seen: Option<Seen>,
    /// When the statement ends by itself; `None` where its source states no end.
    pub expires: Option<Seen>,
    /// How sure the source is, 0 to 100.
    pub confidence: Option<u8>,
    /// Whether the feed saw the server answer when it last looked. `Some(false)` does not make
    /// it safe: C2 servers come back.
    pub online: Option<bool>,
}

impl Sighting {
    /// Two statements about the same indicator: the first family named, the oldest and the newest time, the latest
    /// end (none where one of them states none), the surest, and online if anybody saw it so.
    pub fn absorb(&mut self, other: &Self) {
        if self.family.is_none() {
            self.family.clone_from(&other.family);
        }
        self.first_seen = [self.first_seen, other.first_seen]
            .into_iter()
            .flatten()
            .min();
        self.last_seen = self.last_seen.max(other.last_seen);
        self.expires = self
            .expires
            .zip(other.expires)
            .map(|(one, other)| one.max(other));
        self.confidence = self.confidence.max(other.confidence);
        self.online = self.online.max(other.online);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Option<Seen> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn mapped_prefixes_become_ipv4() {
        let mapped = Indicator::new("::ffff:192.0.2.77/120".parse().unwrap(), None, None);
        assert_eq!(mapped.prefix, "192.0.2.0/24".parse::<IpNet>().unwrap());
        let whole = Indicator::new("::ffff:0:0/96".parse().unwrap(), None, None);
        assert_eq!(whole.prefix, "0.0.0.0/0".parse::<IpNet>().unwrap());
    }

    #[test]
    fn keys_grow_as_indicators_do() {
        let mut all: Vec<Indicator> = [
            "203.0.113.7/32",
            "203.0.113.7/32:1",
            "203.0.113.7/32:65535",
            "203.0.113.7/32:1/tcp",
            "203.0.113.7/32:65535/udplite",
            "203.0.113.8/32",
            "203.0.113.0/24",
            "203.0.113.0/25:7",
            "255.255.255.255/32",
            "0.0.0.0/1",
            "2001:db8::/32",
            "2001:db8::1/128",
            "[2001:db8::1/128]:443",
            "ff00::/8",
        ]
        .map(|text| text.parse().unwrap())
        .to_vec();
        all.sort_unstable_by_key(Indicator::fields);
        assert!(all.is_sorted());
        for pair in all.windows(2) {
            let [one, other] = [pair[0].sort_key(), pair[1].sort_key()];
            assert!(one <= other, "{pair:?}");
            assert!(one < other || !Indicator::is_told_by(one), "{pair:?}");
        }
    }

    #[test]
    fn display_is_read_back() {
        for text in [
            "203.0.113.7/32",
            "203.0.113.0/24:443",
            "203.0.113.7/32:443/tcp",
            "[2001:db8::1/128]:443/udp",
            "2001:db8::/32",
        ] {
            assert_eq!(text.parse::<Indicator>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn absorbing_widens_the_time_span_and_keeps_the_first_family() {
        let mut sighting = Sighting {
            family: Some("Dridex".into()),
            first_seen: seen("2020-02-01"),
            expires: seen("2020-05-01"),
            confidence: Some(50),
            online: Some(false),
            ..Sighting::default()
        };
        sighting.absorb(&Sighting {
            family: Some("Emotet".into()),
            first_seen: seen("2020-01-01"),
            last_seen: seen("2020-03-01"),
            expires: seen("2020-04-01"),
            confidence: Some(75),
            online: Some(true),
        });
        assert_eq!(sighting.expires, seen("2020-05-01"));
        assert_eq!(sighting.confidence, Some(75));
        sighting.absorb(&Sighting::default());
        assert_eq!(sighting.family.as_deref(), Some("Dridex"));
        assert_eq!(sighting.first_seen, seen("2020-01-01"));
        assert_eq!(sighting.last_seen, seen("2020-03-01"));
        assert_eq!(sighting.online, Some(true));
        assert_eq!(sighting.expires, None, "somebody states no end");
    }

    /// A million rows are kept at once while a feed is merged.
    #[test]
    fn rows_stay_small() {
        assert!(size_of::<Indicator>() <= 22);
        assert!(size_of::<Sighting>() <= 32);
    }
}
