//! Neighbours that ask for listed addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    Icmpv6Slice, IpNumber, Ipv6HeaderSlice,
    icmpv6::{
        Icmpv6PayloadSlice::{NeighborAdvertisement, NeighborSolicitation},
        TYPE_NEIGHBOR_ADVERTISEMENT, TYPE_NEIGHBOR_SOLICITATION,
    },
};

use super::{
    decide::{Lists, Verdict},
    link::Packet,
};

pub(super) fn arp<'a>(lists: &Lists, sender: Ipv4Addr, target: Ipv4Addr) -> Verdict<'a> {
    if lists.lists(IpAddr::V4(target)) {
        return Verdict::spared("neighbour", Some("destination"));
    }
    if lists.lists(IpAddr::V4(sender)) {
        return Verdict::spared("neighbour", Some("source"));
    }
    Verdict::spared("non_ip", None)
}

/// Of a packet whose addresses are not listed.
pub(super) fn discovery<'a>(lists: &Lists, packet: Packet<'_>) -> Verdict<'a> {
    let target = if packet.v6 {
        target(packet.bytes)
    } else {
        None
    };
    match target {
        Some(target) if lists.lists(IpAddr::V6(target)) => {
            Verdict::spared("neighbour", Some("destination"))
        }
        _ => Verdict::MISS,
    }
}

/// Whom a solicitation or an advertisement to a group of this link is about, whatever its version says.
fn target(bytes: &[u8]) -> Option<Ipv6Addr> {
    let (next, group) = match Ipv6HeaderSlice::from_slice(bytes) {
        Ok(header) => (
            header.next_header(),
            [header.destination()[0], header.destination()[1]],
        ),
        Err(_) => (IpNumber(*bytes.get(6)?), [*bytes.get(24)?, *bytes.get(25)?]),
    };
    if group != [0xff, 0x02] || next != IpNumber::IPV6_ICMP {
        return None;
    }
    let message = bytes.get(40..)?;
    let sound = Icmpv6Slice::from_slice(message).ok()?;
    match sound.payload_slice() {
        Ok(NeighborSolicitation(payload)) => return Some(payload.target_address()),
        Ok(NeighborAdvertisement(payload)) => return Some(payload.target_address()),
        // Of another code than 0, for instance.
        _ => {}
    }
    if ![TYPE_NEIGHBOR_SOLICITATION, TYPE_NEIGHBOR_ADVERTISEMENT].contains(&sound.type_u8()) {
        return None;
    }
    let octets: &[u8; 16] = message.get(8..)?.first_chunk()?;
    Some(Ipv6Addr::from(*octets))
}
