//! IPv4 and IPv6 headers.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{checksum, extension::Extension};

#[derive(Clone, Debug)]
pub(super) enum Network {
    None { ether_type: u16 },
    V4(V4),
    V6(V6),
}

#[derive(Clone, Debug)]
pub(super) struct V4 {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    options: Vec<u8>,
    id: u16,
    flags_and_offset: u16,
    pub(super) header_words: Option<u8>,
    overrides: Overrides,
}

#[derive(Clone, Debug)]
pub(super) struct V6 {
    source: Ipv6Addr,
    destination: Ipv6Addr,
    pub(super) extensions: Vec<Extension>,
    overrides: Overrides,
}

/// What a transport checksum covers besides the segment; its length and protocol are its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pseudo {
    V4 {
        source: Ipv4Addr,
        destination: Ipv4Addr,
    },
    V6 {
        source: Ipv6Addr,
        destination: Ipv6Addr,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Overrides {
    version: Option<u8>,
    length: Option<u16>,
    protocol: Option<u8>,
    hop_limit: Option<u8>,
}

impl Network {
    pub(super) fn is_v6(&self) -> bool {
        matches!(self, Self::V6(_))
    }

    pub(super) fn ether_type(&self) -> u16 {
        match self {
            Self::None { ether_type } => *ether_type,
            Self::V4(_) => 0x0800,
            Self::V6(_) => 0x86dd,
        }
    }

    pub(super) fn v4(&mut self) -> &mut V4 {
        let Self::V4(v4) = self else {
            panic!("this setter needs IPv4")
        };
        v4
    }

    pub(super) fn v6(&mut self) -> &mut V6 {
        let Self::V6(v6) = self else {
            panic!("this setter needs IPv6")
        };
        v6
    }

    pub(super) fn set_length(&mut self, length: u16) {
        self.overrides().length = Some(length);
    }

    pub(super) fn set_version(&mut self, version: u8) {
        self.overrides().version = Some(version);
    }

    pub(super) fn set_hop_limit(&mut self, limit: u8) {
        self.overrides().hop_limit = Some(limit);
    }

    pub(super) fn set_protocol(&mut self, protocol: u8) {
        self.overrides().protocol = Some(protocol);
    }

    pub(super) fn pseudo_header(&self) -> Option<Pseudo> {
        match self {
            Self::None { .. } => None,
            Self::V4(v4) => Some(Pseudo::V4 {
                source: v4.source,
                destination: v4.destination,
            }),
            Self::V6(v6) => Some(Pseudo::V6 {
                source: v6.source,
                destination: v6.destination,
            }),
        }
    }

    /// The headers and then `segment`, which is of `protocol`.
    pub(super) fn build(&self, protocol: u8, segment: &[u8]) -> Vec<u8> {
        match self {
            Self::None { .. } => segment.to_vec(),
            Self::V4(v4) => v4.build(protocol, segment),
            Self::V6(v6) => v6.build(protocol, segment),
        }
    }

    fn overrides(&mut self) -> &mut Overrides {
        match self {
            Self::None { .. } => panic!("this setter needs IP"),
            Self::V4(v4) => &mut v4.overrides,
            Self::V6(v6) => &mut v6.overrides,
        }
    }
}

impl V4 {
    pub(super) fn new(source: Ipv4Addr, destination: Ipv4Addr) -> Self {
        Self {
            source,
            destination,
            options: Vec::new(),
            id: 0,
            flags_and_offset: 0x4000, // don't fragment
            header_words: None,
            overrides: Overrides::default(),
        }
    }

    pub(super) fn set_options(&mut self, options: &[u8]) {
        assert!(options.len() <= 40, "IPv4 has room for 40 bytes of options");
        self.options = options.to_vec();
        self.options.resize(options.len().next_multiple_of(4), 0);
    }

    pub(super) fn set_fragment(&mut self, id: u16, offset: u16, more: bool) {
        assert!(
            offset < 1 << 13,
            "fragment offset {offset} does not fit in 13 bits"
        );
        self.id = id;
        self.flags_and_offset = u16::from(more) << 13 | offset;
    }

    fn build(&self, protocol: u8, segment: &[u8]) -> Vec<u8> {
        let length = 20 + self.options.len();
        let words = u8::try_from(length / 4).expect("at most 15 words");
        let first = self.overrides.version.unwrap_or(4) << 4 | self.header_words.unwrap_or(words);
        let total = self
            .overrides
            .length
            .unwrap_or_else(|| length_field(length + segment.len()));
        let mut packet = vec![first, 0];
        packet.extend(total.to_be_bytes());
        packet.extend(self.id.to_be_bytes());
        packet.extend(self.flags_and_offset.to_be_bytes());
        packet.extend([
            self.overrides.hop_limit.unwrap_or(TIME_TO_LIVE),
            self.overrides.protocol.unwrap_or(protocol),
            0,
            0,
        ]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(&self.options);
        let sum = checksum::internet(&[&packet]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend(segment);
        packet
    }
}

impl V6 {
    pub(super) fn new(source: Ipv6Addr, destination: Ipv6Addr) -> Self {
        Self {
            source,
            destination,
            extensions: Vec::new(),
            overrides: Overrides::default(),
        }
    }

    fn build(&self, protocol: u8, segment: &[u8]) -> Vec<u8> {
        let last = self.overrides.protocol.unwrap_or(protocol);
        let mut payload = Vec::new();
        for (index, extension) in self.extensions.iter().enumerate() {
            let next = self
                .extensions
                .get(index + 1)
                .map_or(last, Extension::number);
            extension.append(next, &mut payload);
        }
        payload.extend(segment);
        let length = self
            .overrides
            .length
            .unwrap_or_else(|| length_field(payload.len()));
        let mut packet = vec![self.overrides.version.unwrap_or(6) << 4, 0, 0, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([
            self.extensions.first().map_or(last, Extension::number),
            self.overrides.hop_limit.unwrap_or(TIME_TO_LIVE),
        ]);
        packet.extend(self.source.octets());
        packet.extend(self.destination.octets());
        packet.extend(payload);
        packet
    }
}

impl Pseudo {
    /// The bytes to sum in front of a segment of `length` bytes.
    pub(super) fn bytes(&self, protocol: u8, length: usize) -> Vec<u8> {
        match self {
            Self::V4 {
                source,
                destination,
            } => {
                let mut bytes = [source.octets(), destination.octets()].concat();
                bytes.extend([0, protocol]);
                bytes.extend(length_field(length).to_be_bytes());
                bytes
            }
            Self::V6 {
                source,
                destination,
            } => {
                let mut bytes = [source.octets(), destination.octets()].concat();
                bytes.extend(u32::from(length_field(length)).to_be_bytes());
                bytes.extend([0, 0, 0, protocol]);
                bytes
            }
        }
    }
}

const TIME_TO_LIVE: u8 = 64;

fn length_field(length: usize) -> u16 {
    u16::try_from(length).expect("a fixture is shorter than 64 KiB")
}
