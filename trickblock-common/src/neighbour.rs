//! ARP and IPv6 neighbour discovery: they pass, but who is asked for is worth knowing.

use network_types::ip::IpProto;

use crate::{
    Frame, Lookup, Outcome, Reason, Side, Transport, V4, V6,
    examine::Flow,
    table::{Endpoint, Match},
};

/// Bytes of an ARP packet for IPv4 over 48-bit addresses.
const ARP: usize = 28;
const PROTOCOL_IPV4: [u8; 2] = [0x08, 0x00];
/// No port, no protocol: only whether the address occurs matters.
const NO_END: Endpoint = Endpoint {
    protocol: 0,
    port: 0,
    known: false,
};

/// The ARP packet at `offset`.
#[inline(always)]
pub fn arp<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, offset: usize) -> (Outcome, Flow) {
    let Some(packet) = frame.load::<ARP>(offset) else {
        return (Outcome::without_side(Reason::TruncatedArp), Flow::UNKNOWN);
    };
    let [_, _, p0, p1, 6, 4, _, _, .., t0, t1, t2, t3] = packet else {
        return (Outcome::without_side(Reason::NonIp), Flow::UNKNOWN);
    };
    let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, s0, s1, s2, s3, ..] = packet;
    if [p0, p1] != PROTOCOL_IPV4 {
        return (Outcome::without_side(Reason::NonIp), Flow::UNKNOWN);
    }
    let sender = V4::from_bytes([s0, s1, s2, s3]);
    let target = V4::from_bytes([t0, t1, t2, t3]);
    let asked = lookup.side_v4(target, NO_END);
    let asking = lookup.side_v4(sender, NO_END);
    let side = if asked.has(Match::LISTED) {
        Side::Destination
    } else if asking.has(Match::LISTED) {
        Side::Source
    } else {
        return (Outcome::without_side(Reason::NonIp), Flow::UNKNOWN);
    };
    (
        Outcome::with_side(Reason::Neighbour, side),
        Flow::v4(sender, target, Transport(0)),
    )
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
    const ICMP: u8 = IpProto::Ipv6Icmp as u8;
    let (Some([ICMP]), Some([135 | 136]), Some(target)) = (
        frame.load::<1>(ip + 6),
        frame.load::<1>(ip + 40),
        frame.load::<16>(ip + 48),
    ) else {
        return Outcome::MISS;
    };
    if lookup.side_v6(V6::from_bytes(target), NO_END).has(Match::LISTED) {
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
