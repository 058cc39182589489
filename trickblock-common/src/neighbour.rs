//! ARP and IPv6 neighbour discovery: they pass, but who is asked for is worth knowing.

use network_types::ip::IpProto;

use crate::{
    Frame, Lookup, Outcome, Place, Reason, Side, V4, V6,
    examine::{Flow, long},
    table::{Endpoint, Match},
};

/// Offsets of the protocol addresses in an ARP packet for IPv4 over 48-bit addresses, whose last four bytes
/// are the target's.
const SENDER: usize = 14;
const TARGET: usize = 24;
/// Protocol type, then the lengths of both kinds of addresses.
const IPV4_OVER_48_BITS: [u8; 4] = [0x08, 0x00, 6, 4];
/// Types of ICMPv6 messages (RFC 4861).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// No port, no protocol: only whether the address occurs matters.
const NO_END: Endpoint = Endpoint {
    protocol: 0,
    port: 0,
    known: false,
};

/// The ARP packet at `place`.
#[inline(always)]
pub fn arp<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, place: Place) -> (Outcome, Flow) {
    let flow = Flow::without_transport(place);
    let offset = place.offset();
    let truncated = (Outcome::without_side(Reason::TruncatedArp), flow);
    // One by one: of a tuple the compiler reads what was never loaded, and Linux 6.1 refuses that.
    let Some((sender, target)) = pair(frame, offset) else {
        return truncated;
    };
    let Some(kind) = frame.load(offset + 2) else {
        return truncated;
    };
    if kind != IPV4_OVER_48_BITS {
        return (Outcome::without_side(Reason::NonIp), flow);
    }
    let asked = lookup.side_v4(target, NO_END);
    let asking = lookup.side_v4(sender, NO_END);
    let side = if asked.has(Match::LISTED) {
        Side::Destination
    } else if asking.has(Match::LISTED) {
        Side::Source
    } else {
        return (Outcome::without_side(Reason::NonIp), flow);
    };
    (Outcome::with_side(Reason::Neighbour, side), flow)
}

/// (sender, target) of the ARP packet at `offset`.
#[inline(always)]
pub(crate) fn pair<F: Frame + ?Sized>(frame: &F, offset: usize) -> Option<(V4, V4)> {
    let sender = frame.load(offset + SENDER)?;
    let target = frame.load(offset + TARGET)?;
    Some((V4::from_bytes(sender), V4::from_bytes(target)))
}

/// A neighbour solicitation or advertisement to a link-local group, of which nothing else is to be said.
#[inline(always)]
pub fn discovery<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    ip: usize,
    destination: V6,
) -> Outcome {
    if !is_link_group(destination) {
        return Outcome::MISS;
    }
    let Some([next]) = frame.load::<1>(ip + 6) else {
        return Outcome::MISS;
    };
    let Some([kind]) = frame.load::<1>(ip + 40) else {
        return Outcome::MISS;
    };
    if next != IpProto::Ipv6Icmp as u8 || (kind != SOLICITATION && kind != ADVERTISEMENT) {
        return Outcome::MISS;
    }
    let Some(target) = long(frame, ip + 48) else {
        return Outcome::MISS;
    };
    if lookup.side_v6(target, NO_END).has(Match::LISTED) {
        Outcome::with_side(Reason::Neighbour, Side::Destination)
    } else {
        Outcome::MISS
    }
}

/// ff02::/16.
#[inline(always)]
pub const fn is_link_group(address: V6) -> bool {
    address.high >> 48 == 0xff02
}
