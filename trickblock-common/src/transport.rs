//! From the IP header to the ports: parsed only after the prefilter hit.

use network_types::ip::IpProto;

use crate::{Frame, Place, Reason, frame::MAX_OFFSET};

/// Length of the fixed IPv6 header in bytes.
const IPV6: usize = 40;
/// A packet may carry this many IPv6 extension headers.
pub const MAX_EXTENSIONS: usize = 8;

/// What is known of the transport header, in one scalar: the kernel passes it between functions, and
/// the verifier forgets on the way how it came about.
///
/// `more fragments << 63 | offset << 48 | failure << 40 | protocol << 32 | source port << 16 | destination
/// port`, where `failure` is the number of the [`Reason`] why the ports are unknown, or 0. The protocol is 0
/// where it is unknown (no packet of protocol 0 is ever matched: IPv6 spends it on an extension header).
/// The offset (bytes, in the frame) is that of the transport header, 0 where it was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport(pub u64);

impl Transport {
    #[inline(always)]
    pub const fn known(protocol: u8, source_port: u16, destination_port: u16) -> Self {
        Self(((protocol as u64) << 32) | ((source_port as u64) << 16) | destination_port as u64)
    }

    #[inline(always)]
    pub const fn unknown(protocol: u8, failure: Reason) -> Self {
        Self(((failure as u64) << 40) | ((protocol as u64) << 32))
    }

    #[inline(always)]
    pub const fn protocol(self) -> u8 {
        (self.0 >> 32) as u8
    }

    #[inline(always)]
    pub const fn source_port(self) -> u16 {
        (self.0 >> 16) as u16
    }

    #[inline(always)]
    pub const fn destination_port(self) -> u16 {
        self.0 as u16
    }

    /// Number of the [`Reason`] why the ports are unknown, 0 where they are known.
    #[inline(always)]
    pub const fn failure(self) -> u8 {
        (self.0 >> 40) as u8
    }

    #[inline(always)]
    pub const fn has_ports(self) -> bool {
        self.failure() == 0
    }

    /// The same at this place; an offset that no header starts at is not remembered.
    #[inline(always)]
    const fn at(self, offset: usize, more_fragments: bool) -> Self {
        let offset = if offset > MAX_OFFSET {
            MAX_OFFSET
        } else {
            offset
        };
        Self(self.0 | ((offset as u64) << 48) | ((more_fragments as u64) << 63))
    }

    /// Offset of the transport header, or 0 where the walk did not get there.
    #[inline(always)]
    pub const fn offset(self) -> usize {
        (self.0 >> 48) as usize & MAX_OFFSET
    }

    /// Whether this is the first of several fragments.
    #[inline(always)]
    pub const fn more_fragments(self) -> bool {
        self.0 >> 63 != 0
    }
}

/// Bounds of one IP packet inside its frame, and whether it is a first fragment with more to come.
#[derive(Clone, Copy)]
struct Packet {
    /// Offset of the first byte behind the IP packet: Ethernet padding is not data.
    end: usize,
    first_fragment: bool,
}

impl Packet {
    /// The same where another packet's first fragment holds it: then the next one of those has the rest.
    #[inline(always)]
    fn inside(self, place: Place) -> Self {
        if place.is_partial() && place.limit() < self.end {
            Self {
                end: place.limit(),
                first_fragment: true,
            }
        } else {
            self
        }
    }
}

/// The transport of the IP packet at `place`, whose addresses are in the frame.
#[inline(always)]
pub fn transport<F: Frame + ?Sized>(frame: &F, place: Place) -> Transport {
    if place.is_v6() {
        transport_v6(frame, place)
    } else {
        transport_v4(frame, place)
    }
}

/// Offset of the first byte behind the IP packet at `place`, by its own word.
#[inline(always)]
pub(crate) fn end<F: Frame + ?Sized>(frame: &F, place: Place) -> usize {
    let ip = place.offset();
    let end = if place.is_v6() {
        match frame.load::<3>(ip + 4) {
            Some([l0, l1, next]) => payload_end::<F>(ip + IPV6, u16::from_be_bytes([l0, l1]), next),
            None => 0,
        }
    } else {
        match frame.load::<2>(ip + 2) {
            Some([0, 0]) if F::ZERO_IS_WHOLE => usize::MAX,
            Some(total) => ip + usize::from(u16::from_be_bytes(total)),
            None => 0,
        }
    };
    if end < Place::FAR { end } else { Place::FAR }
}

/// The transport of the IPv4 header at `place`, whose 20 fixed bytes are in the frame.
#[inline(always)]
fn transport_v4<F: Frame + ?Sized>(frame: &F, place: Place) -> Transport {
    let ip = place.offset();
    let Some([version_ihl, _, t0, t1, _, _, f0, f1, _, protocol]) = frame.peek::<10>(ip) else {
        return Transport::unknown(0, Reason::TruncatedTransport);
    };
    if version_ihl >> 4 != 4 {
        return Transport::unknown(0, Reason::BadVersion);
    }
    let header = usize::from(version_ihl & 15) * 4;
    let total = usize::from(u16::from_be_bytes([t0, t1]));
    if u16::from_be_bytes([f0, f1]) & 0x1fff != 0 {
        return Transport::unknown(protocol, Reason::LaterFragment);
    }
    if header < 20 {
        return Transport::unknown(protocol, Reason::BadHeaderLength);
    }
    let whole = F::ZERO_IS_WHOLE && total == 0;
    if total < header && !whole {
        return Transport::unknown(protocol, Reason::BadTotalLength);
    }
    let packet = Packet {
        end: if whole { usize::MAX } else { ip + total },
        first_fragment: f0 & 0x20 != 0,
    };
    let packet = packet.inside(place);
    behind_authentication(frame, protocol, ip + header, packet)
}

/// IPv4 knows one header that stands before the transport header: AH.
#[inline(always)]
fn behind_authentication<F: Frame + ?Sized>(
    frame: &F,
    protocol: u8,
    offset: usize,
    packet: Packet,
) -> Transport {
    if protocol != IpProto::Ah as u8 {
        return ports(|at| frame.peek(at), protocol, offset, packet);
    }
    match extension(frame, offset, packet) {
        Some([next, length]) => ports(
            |at| frame.load(at),
            next,
            offset + authentication_length(length),
            packet,
        ),
        None => truncated(packet, protocol, Reason::TruncatedExtension),
    }
}

/// The transport of the IPv6 header at `place`, whose 40 fixed bytes are in the frame.
#[inline(always)]
fn transport_v6<F: Frame + ?Sized>(frame: &F, place: Place) -> Transport {
    let ip = place.offset();
    let Some([version, _, _, _, l0, l1, mut next]) = frame.load::<7>(ip) else {
        return Transport::unknown(0, Reason::TruncatedTransport);
    };
    if version >> 4 != 6 {
        return Transport::unknown(0, Reason::BadVersion);
    }
    let mut offset = ip + IPV6;
    let packet = Packet {
        end: payload_end::<F>(offset, u16::from_be_bytes([l0, l1]), next),
        first_fragment: false,
    };
    let mut packet = packet.inside(place);
    for _ in 0..MAX_EXTENSIONS {
        if !is_extension(next) {
            break;
        }
        let Some([following, length]) = extension(frame, offset, packet) else {
            return truncated(packet, 0, Reason::TruncatedExtension);
        };
        let mut size = (usize::from(length) + 1) * 8;
        if next == IpProto::Ah as u8 {
            size = authentication_length(length);
        } else if next == IpProto::Ipv6Frag as u8 {
            size = 8;
            match fragment(frame, offset, packet) {
                Fragment::Truncated => return truncated(packet, 0, Reason::TruncatedExtension),
                Fragment::Later => return later_fragment(following),
                Fragment::First => packet.first_fragment = true,
                Fragment::Whole => {}
            }
        }
        next = following;
        offset += size;
    }
    if is_extension(next) {
        return Transport::unknown(0, Reason::TooManyExtensions);
    }
    ports(|at| frame.load(at), next, offset, packet)
}

/// A payload length of 0 before a hop-by-hop header is a jumbogram (RFC 2675): then the frame's
/// own end is the only bound.
#[inline(always)]
const fn payload_end<F: Frame + ?Sized>(offset: usize, length: u16, next: u8) -> usize {
    if length == 0 && (F::ZERO_IS_WHOLE || next == IpProto::HopOpt as u8) {
        usize::MAX
    } else {
        offset + length as usize
    }
}

enum Fragment {
    Whole,
    First,
    Later,
    Truncated,
}

#[inline(always)]
fn fragment<F: Frame + ?Sized>(frame: &F, offset: usize, packet: Packet) -> Fragment {
    match frame.load::<8>(offset) {
        Some([_, _, high, low, ..]) if offset + 8 <= packet.end => {
            let field = u16::from_be_bytes([high, low]);
            if field & 0xfff8 != 0 {
                Fragment::Later
            } else if field & 1 != 0 {
                Fragment::First
            } else {
                // An atomic fragment (RFC 6946) is a whole packet.
                Fragment::Whole
            }
        }
        _ => Fragment::Truncated,
    }
}

#[inline(always)]
fn later_fragment(next: u8) -> Transport {
    let protocol = if is_extension(next) { 0 } else { next };
    Transport::unknown(protocol, Reason::LaterFragment)
}

/// A first fragment that ends before its ports is no accident: a later one would bring them (RFC 7112, RFC 1858).
#[inline(always)]
fn truncated(packet: Packet, protocol: u8, reason: Reason) -> Transport {
    let reason = if packet.first_fragment {
        Reason::IncompleteFirstFragment
    } else {
        reason
    };
    Transport::unknown(protocol, reason)
}

/// (next header, length field) of the extension header at `offset`.
#[inline(always)]
fn extension<F: Frame + ?Sized>(frame: &F, offset: usize, packet: Packet) -> Option<[u8; 2]> {
    if offset + 2 > packet.end {
        return None;
    }
    frame.load::<2>(offset)
}

#[inline(always)]
const fn authentication_length(field: u8) -> usize {
    (field as usize + 2) * 4
}

/// Bit sets instead of a chain of comparisons: the verifier follows every branch of every header.
const EXTENSIONS_LOW: u64 = (1 << IpProto::HopOpt as u8)
    | (1 << IpProto::Ipv6Route as u8)
    | (1 << IpProto::Ipv6Frag as u8)
    | (1 << IpProto::Ah as u8)
    | (1 << IpProto::Ipv6Opts as u8);
const EXTENSIONS_HIGH: u64 = (1 << (IpProto::MobilityHeader as u8 - 128))
    | (1 << (IpProto::Hip as u8 - 128))
    | (1 << (IpProto::Shim6 as u8 - 128));

#[inline(always)]
const fn is_extension(next: u8) -> bool {
    let set = match next >> 6 {
        0 => EXTENSIONS_LOW,
        2 => EXTENSIONS_HIGH,
        _ => 0,
    };
    (set >> (next & 63)) & 1 != 0
}

/// Protocols whose first four bytes are the source and the destination port.
#[inline(always)]
pub const fn carries_ports(protocol: u8) -> bool {
    protocol == IpProto::Tcp as u8
        || protocol == IpProto::Udp as u8
        || protocol == IpProto::Dccp as u8
        || protocol == IpProto::Sctp as u8
        || protocol == IpProto::UdpLite as u8
}

#[inline(always)]
fn ports(
    read: impl FnOnce(usize) -> Option<[u8; 4]>,
    protocol: u8,
    offset: usize,
    packet: Packet,
) -> Transport {
    let found = if !carries_ports(protocol) {
        Transport::unknown(protocol, Reason::NoPorts)
    } else {
        match read(offset) {
            Some([s0, s1, d0, d1]) if offset + 4 <= packet.end => Transport::known(
                protocol,
                u16::from_be_bytes([s0, s1]),
                u16::from_be_bytes([d0, d1]),
            ),
            _ => return truncated(packet, protocol, Reason::TruncatedTransport),
        }
    };
    found.at(offset, packet.first_fragment)
}
