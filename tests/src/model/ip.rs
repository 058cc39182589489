//! IP headers, and the way to the transport header.

use std::net::{IpAddr, Ipv6Addr};

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, TcpHeaderSlice, UdpHeaderSlice,
};

use super::link::Packet;

/// What a packet says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) transport: Transport,
}

/// What was found behind the IP header, and why not all of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transport {
    pub(super) protocol: Option<u8>,
    /// Of the source and of the destination.
    pub(super) ports: Option<(u16, u16)>,
    pub(super) failure: Option<&'static str>,
    /// From the start of the packet; where nothing failed before it.
    pub(super) at: usize,
    /// A fragment that others follow.
    pub(super) more: bool,
}

/// How packets are read, which is not the same at every hook.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// A length of 0 is that of a packet too long for the field.
    pub(super) zero_is_endless: bool,
    /// Bytes of the packet that its fragment holds, where it is inside of a fragment.
    pub(super) most: Option<usize>,
    /// A planted bug: options are taken for the transport header.
    pub(super) blind_to_options: bool,
}

impl Manner {
    /// The bytes of a packet that says that it ends at `end`, and whether a fragment ends before.
    fn part(self, bytes: &[u8], end: usize) -> (&[u8], bool) {
        let most = self.most.unwrap_or(usize::MAX);
        (&bytes[..end.min(most).min(bytes.len())], most < end)
    }
}

/// Where the packet ends, by its own word.
pub(super) fn end(packet: Packet<'_>, manner: Manner) -> usize {
    let bytes = packet.bytes;
    let field = |at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    let (fixed, length, counted) = if packet.v6 {
        (40, field(4), bytes[6] == 0)
    } else {
        (0, field(2), false)
    };
    if length == 0 && (counted || manner.zero_is_endless) {
        return usize::MAX;
    }
    fixed + length
}

/// `None` where the addresses are cut.
pub(super) fn read(packet: Packet<'_>, manner: Manner) -> Option<Ip> {
    if packet.v6 {
        v6(packet.bytes, manner)
    } else {
        v4(packet.bytes, manner)
    }
}

/// The fields of an IPv4 header that matter.
struct V4 {
    version: u8,
    header: usize,
    total: usize,
    offset: u16,
    more: bool,
    protocol: u8,
    source: [u8; 4],
    destination: [u8; 4],
}

fn v4(bytes: &[u8], manner: Manner) -> Option<Ip> {
    let mut header = match Ipv4HeaderSlice::from_slice(bytes) {
        Ok(sound) => sound_v4(&sound),
        Err(_) => odd_v4(bytes.first_chunk()?),
    };
    if manner.blind_to_options {
        header.header = header.header.min(20);
    }
    Some(Ip {
        source: IpAddr::V4(header.source.into()),
        destination: IpAddr::V4(header.destination.into()),
        transport: transport_v4(&header, bytes, manner),
    })
}

fn sound_v4(header: &Ipv4HeaderSlice<'_>) -> V4 {
    V4 {
        version: header.version(),
        header: header.slice().len(),
        total: header.total_len().into(),
        offset: header.fragments_offset().value(),
        more: header.more_fragments(),
        protocol: header.protocol().0,
        source: header.source(),
        destination: header.destination(),
    }
}

/// etherparse has no name for what lies; the fields are where they always are.
fn odd_v4(header: &[u8; 20]) -> V4 {
    let [
        first,
        _,
        t0,
        t1,
        _,
        _,
        f0,
        f1,
        _,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = *header;
    V4 {
        version: first / 16,
        header: usize::from(first % 16) * 4,
        total: u16::from_be_bytes([t0, t1]).into(),
        offset: u16::from_be_bytes([f0, f1]) % 0x2000,
        more: f0 & 0x20 != 0,
        protocol,
        source: [s0, s1, s2, s3],
        destination: [d0, d1, d2, d3],
    }
}

fn transport_v4(header: &V4, bytes: &[u8], manner: Manner) -> Transport {
    let known = Transport {
        protocol: Some(header.protocol),
        at: header.header,
        more: header.more,
        ..Transport::default()
    };
    let endless = header.total == 0 && manner.zero_is_endless;
    let failed = |failure| Transport {
        failure: Some(failure),
        ..known
    };
    if header.version != 4 {
        return Transport {
            protocol: None,
            ..failed("bad_version")
        };
    }
    if header.offset > 0 {
        return failed("later_fragment");
    }
    if header.header < 20 {
        return failed("bad_header_length");
    }
    if header.total < header.header && !endless {
        return failed("bad_total_length");
    }
    let (packet, partial) = manner.part(bytes, if endless { usize::MAX } else { header.total });
    // What a first fragment lacks, a later one would bring.
    let cut = |plain| {
        if header.more || partial {
            "incomplete_first_fragment"
        } else {
            plain
        }
    };
    if header.protocol != 51 {
        return ports(known, packet, cut("truncated_transport"));
    }
    match authentication(packet.get(header.header..).unwrap_or_default()) {
        None => failed(cut("truncated_extension")),
        Some((next, size)) => {
            let behind = Transport {
                protocol: Some(next),
                at: header.header + size,
                ..known
            };
            ports(behind, packet, cut("truncated_transport"))
        }
    }
}

fn v6(bytes: &[u8], manner: Manner) -> Option<Ip> {
    if let Ok(header) = Ipv6HeaderSlice::from_slice(bytes) {
        let length = usize::from(header.payload_length());
        let next = header.next_header().0;
        let endless = length == 0 && (next == 0 || manner.zero_is_endless);
        let end = if endless { usize::MAX } else { 40 + length };
        let (packet, partial) = manner.part(bytes, end);
        return Some(Ip {
            source: IpAddr::V6(header.source_addr()),
            destination: IpAddr::V6(header.destination_addr()),
            transport: chain(next, packet, partial),
        });
    }
    let header: &[u8; 40] = bytes.first_chunk()?;
    let address = |at: usize| {
        let octets: [u8; 16] = header[at..at + 16].try_into().expect("sixteen of them");
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    // etherparse refuses a whole header for its version alone.
    Some(Ip {
        source: address(8),
        destination: address(24),
        transport: Transport {
            failure: Some("bad_version"),
            ..Transport::default()
        },
    })
}

/// Walks the extension headers of a packet that ends where it says, or before it where it is `partial`.
fn chain(mut next: u8, packet: &[u8], partial: bool) -> Transport {
    let mut found = Transport {
        at: 40,
        ..Transport::default()
    };
    for walked in 0.. {
        let cut = |plain| {
            if found.more || partial {
                "incomplete_first_fragment"
            } else {
                plain
            }
        };
        if !is_extension(next) {
            found.protocol = Some(next);
            return ports(found, packet, cut("truncated_transport"));
        }
        let failed = |failure| Transport {
            failure: Some(failure),
            ..found
        };
        if walked == 8 {
            return failed("too_many_extensions");
        }
        let rest = packet.get(found.at..).unwrap_or_default();
        let Some((following, size)) = step(next, rest) else {
            return failed(cut("truncated_extension"));
        };
        if next == 44 {
            let (later, more) = fragment(rest);
            if later {
                return Transport {
                    protocol: Some(following).filter(|number| !is_extension(*number)),
                    ..failed("later_fragment")
                };
            }
            found.more |= more;
        }
        next = following;
        found.at += size;
    }
    unreachable!("at most eight headers are walked")
}

/// What follows an extension header, and its size, which may be more than there is.
fn step(number: u8, rest: &[u8]) -> Option<(u8, usize)> {
    match number {
        44 => {
            let header = Ipv6FragmentHeaderSlice::from_slice(rest).ok()?;
            Some((header.next_header().0, header.slice().len()))
        }
        51 => authentication(rest),
        _ => match (Ipv6RawExtHeaderSlice::from_slice(rest), rest) {
            (Ok(header), _) => Some((header.next_header().0, header.slice().len())),
            (Err(_), [next, units, ..]) => Some((*next, (usize::from(*units) + 1) * 8)),
            (Err(_), _) => None,
        },
    }
}

/// The same for an authentication header, which counts in other units and begins at others.
fn authentication(rest: &[u8]) -> Option<(u8, usize)> {
    match (IpAuthHeaderSlice::from_slice(rest), rest) {
        (Ok(header), _) => Some((header.next_header().0, header.slice().len())),
        (Err(_), [next, words, ..]) => Some((*next, (usize::from(*words) + 2) * 4)),
        (Err(_), _) => None,
    }
}

/// Whether it is a later fragment, and whether more follow.
fn fragment(rest: &[u8]) -> (bool, bool) {
    Ipv6FragmentHeaderSlice::from_slice(rest).map_or((false, false), |header| {
        (
            header.fragment_offset().value() > 0,
            header.more_fragments(),
        )
    })
}

fn is_extension(number: u8) -> bool {
    [0, 43, 44, 51, 60, 135, 139, 140].contains(&number)
}

/// Reads the ports, where the protocol has any. `packet` ends where it says that it does.
fn ports(found: Transport, packet: &[u8], cut: &'static str) -> Transport {
    let segment = packet.get(found.at..).unwrap_or_default();
    let ports = match found.protocol {
        Some(6) => TcpHeaderSlice::from_slice(segment)
            .ok()
            .map(|tcp| (tcp.source_port(), tcp.destination_port())),
        Some(17) => UdpHeaderSlice::from_slice(segment)
            .ok()
            .map(|udp| (udp.source_port(), udp.destination_port())),
        Some(33 | 132 | 136) => None,
        _ => {
            return Transport {
                failure: Some("no_ports"),
                ..found
            };
        }
    };
    // The first four bytes are enough, and all these protocols begin with them.
    let first = |bytes: &[u8; 4]| {
        let [s0, s1, d0, d1] = *bytes;
        (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]))
    };
    let ports = ports.or_else(|| segment.first_chunk().map(first));
    Transport {
        ports,
        failure: if ports.is_none() { Some(cut) } else { None },
        ..found
    }
}
