//! Headers, read by cutting slices shorter and shorter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a frame says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) enum Headers {
    None {
        reason: &'static str,
    },
    Ip {
        source: IpAddr,
        destination: IpAddr,
        ports: Ports,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Ports {
    Known {
        protocol: u8,
        source: u16,
        destination: u16,
    },
    Unknown {
        protocol: Option<u8>,
        reason: &'static str,
    },
}

impl Ports {
    pub(super) fn protocol(self) -> Option<u8> {
        match self {
            Self::Known { protocol, .. } => Some(protocol),
            Self::Unknown { protocol, .. } => protocol,
        }
    }

    pub(super) fn source(self) -> Option<u16> {
        match self {
            Self::Known { source, .. } => Some(source),
            Self::Unknown { .. } => None,
        }
    }

    pub(super) fn destination(self) -> Option<u16> {
        match self {
            Self::Known { destination, .. } => Some(destination),
            Self::Unknown { .. } => None,
        }
    }

    pub(super) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Known { .. } => None,
            Self::Unknown { reason, .. } => Some(reason),
        }
    }
}

/// Reads a frame from its Ethernet header on.
pub(super) fn read(frame: &[u8]) -> Headers {
    let Some(mut rest) = frame.get(12..) else {
        return Headers::None {
            reason: "truncated_link",
        };
    };
    let mut tags = 0;
    loop {
        let [a, b, payload @ ..] = rest else {
            return Headers::None {
                reason: "truncated_link",
            };
        };
        match u16::from_be_bytes([*a, *b]) {
            0x0800 => return v4(payload),
            0x86dd => return v6(payload),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 if tags == 4 => {
                return Headers::None {
                    reason: "too_many_tags",
                };
            }
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                tags += 1;
                // Behind the tag's own two bytes stands the next type.
                rest = payload.get(2..).unwrap_or_default();
            }
            _ => return Headers::None { reason: "non_ip" },
        }
    }
}

fn v4(bytes: &[u8]) -> Headers {
    let Some((header, _)) = bytes.split_first_chunk::<20>() else {
        return Headers::None {
            reason: "truncated_ip",
        };
    };
    let address = |at: usize| {
        IpAddr::V4(Ipv4Addr::new(
            header[at],
            header[at + 1],
            header[at + 2],
            header[at + 3],
        ))
    };
    Headers::Ip {
        source: address(12),
        destination: address(16),
        ports: ports_v4(header, bytes),
    }
}

fn ports_v4(header: &[u8; 20], bytes: &[u8]) -> Ports {
    let protocol = header[9];
    let unknown = |reason| Ports::Unknown {
        protocol: Some(protocol),
        reason,
    };
    if header[0] / 16 != 4 {
        return Ports::Unknown {
            protocol: None,
            reason: "bad_version",
        };
    }
    let length = usize::from(header[0] % 16) * 4;
    let total = usize::from(header[2]) * 256 + usize::from(header[3]);
    let offset = usize::from(header[6] % 32) * 256 + usize::from(header[7]);
    if offset > 0 {
        return unknown("later_fragment");
    }
    if length < 20 || total < length {
        return unknown("bad_header_length");
    }
    let packet = &bytes[..total.min(bytes.len())];
    let payload = packet.get(length..).unwrap_or_default();
    if protocol != 51 {
        return transport(protocol, payload, "truncated_transport");
    }
    let [next, words, ..] = payload else {
        return unknown("truncated_extension");
    };
    let behind = payload
        .get((usize::from(*words) + 2) * 4..)
        .unwrap_or_default();
    transport(*next, behind, "truncated_transport")
}

fn v6(bytes: &[u8]) -> Headers {
    let Some((header, behind)) = bytes.split_first_chunk::<40>() else {
        return Headers::None {
            reason: "truncated_ip",
        };
    };
    let address = |at: usize| {
        let octets: [u8; 16] = header[at..at + 16].try_into().expect("sixteen of them");
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    Headers::Ip {
        source: address(8),
        destination: address(24),
        ports: ports_v6(header, behind),
    }
}

fn ports_v6(header: &[u8; 40], behind: &[u8]) -> Ports {
    let unknown = |reason| Ports::Unknown {
        protocol: None,
        reason,
    };
    if header[0] / 16 != 6 {
        return unknown("bad_version");
    }
    let length = usize::from(header[4]) * 256 + usize::from(header[5]);
    let mut next = header[6];
    let jumbo = length == 0 && next == 0;
    let mut rest = if jumbo {
        behind
    } else {
        &behind[..length.min(behind.len())]
    };
    let mut first_fragment = false;
    for walked in 0.. {
        let cut = |plain| {
            if first_fragment {
                "incomplete_first_fragment"
            } else {
                plain
            }
        };
        let size = match (next, rest) {
            (0 | 43 | 44 | 51 | 60 | 135 | 139 | 140, _) if walked == 8 => {
                return unknown("too_many_extensions");
            }
            (0 | 43 | 60 | 135 | 139 | 140, [_, units, ..]) => (usize::from(*units) + 1) * 8,
            (51, [_, words, ..]) => (usize::from(*words) + 2) * 4,
            (44, [following, _, high, low, _, _, _, _, ..]) => {
                if (u16::from(*high) * 256 + u16::from(*low)) / 8 > 0 {
                    let protocol = (!is_extension(*following)).then_some(*following);
                    // Nothing is called protocol 0.
                    return Ports::Unknown {
                        protocol: protocol.filter(|number| *number != 0),
                        reason: "later_fragment",
                    };
                }
                first_fragment |= low % 2 == 1;
                8
            }
            (other, _) if !is_extension(other) => {
                return transport(other, rest, cut("truncated_transport"));
            }
            _ => return unknown(cut("truncated_extension")),
        };
        next = rest[0];
        rest = rest.get(size..).unwrap_or_default();
    }
    unreachable!("at most eight headers are walked")
}

fn is_extension(number: u8) -> bool {
    [0, 43, 44, 51, 60, 135, 139, 140].contains(&number)
}

fn transport(protocol: u8, payload: &[u8], cut: &'static str) -> Ports {
    if ![6, 17, 33, 132, 136].contains(&protocol) {
        return Ports::Unknown {
            protocol: Some(protocol),
            reason: "no_ports",
        };
    }
    let [a, b, c, d, ..] = payload else {
        return Ports::Unknown {
            protocol: Some(protocol),
            reason: cut,
        };
    };
    Ports::Known {
        protocol,
        source: u16::from_be_bytes([*a, *b]),
        destination: u16::from_be_bytes([*c, *d]),
    }
}
