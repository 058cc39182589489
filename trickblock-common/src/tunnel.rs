//! Tunnels: where the packet inside of a packet begins.

use network_types::{eth::EtherType, ip::IpProto};

use crate::{
    Frame, Place, Reason, Transport,
    abi::tunnel,
    parse::{ETHERNET, MAX_TAGS, is_tag},
};

const TRANSPARENT_ETHERNET: u16 = 0x6558_u16.to_be();
const UDP_HEADER: usize = 8;
const VXLAN: u16 = 4789;
/// Linux's own default, older than the assigned one.
const VXLAN_OF_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const GTP_USER: u16 = 2152;
/// A GTP-U message that carries a packet.
const G_PDU: u8 = 255;
const MAX_GTP_EXTENSIONS: usize = 4;

/// Whether a protocol number can begin a tunnel of the kinds in `kinds`.
#[inline(always)]
pub const fn may_carry(protocol: u8, kinds: u64) -> bool {
    let ip = protocol == IpProto::Ipv4 as u8 || protocol == IpProto::Ipv6 as u8;
    let gre = protocol == IpProto::Gre as u8;
    let udp = protocol == IpProto::Udp as u8;
    (ip && kinds & tunnel::IP != 0)
        || (gre && kinds & tunnel::GRE != 0)
        || (udp && kinds & tunnel::OVER_UDP != 0)
}

/// The same of the protocol number in an IPv4 header, behind which AH may stand before the tunnel.
#[inline(always)]
pub const fn may_lead_to(protocol: u8, kinds: u64) -> bool {
    may_carry(protocol, kinds) || protocol == IpProto::Ah as u8
}

/// The packet inside the one whose transport is given: [`Place::NOWHERE`] where that is no tunnel of `kinds`
/// or nothing in it can be looked into, a stopped place where it cannot be read. `guess`: whether the outer packet
/// was one.
#[inline(always)]
pub fn inner<F: Frame + ?Sized>(frame: &F, kinds: u64, outer: Transport, guess: bool) -> Place {
    let (protocol, at) = (outer.protocol(), outer.offset());
    // The walk got to the transport header, or the offset means nothing.
    if at == 0 || !may_carry(protocol, kinds) {
        return Place::NOWHERE;
    }
    let udp = protocol == IpProto::Udp as u8;
    let found = if udp {
        over_udp(frame, kinds, outer.destination_port(), at)
    } else if protocol == IpProto::Gre as u8 {
        gre(frame, at)
    } else if protocol == IpProto::Ipv4 as u8 {
        Place::v4(at)
    } else {
        Place::v6(at)
    };
    if found == Place::NOWHERE || found.is_stopped() {
        found
    } else {
        found.tunnelled(udp, outer.more_fragments(), guess)
    }
}

/// Version 0 (RFC 2784, RFC 2890).
#[inline(always)]
fn gre<F: Frame + ?Sized>(frame: &F, at: usize) -> Place {
    let Some([flags, version, t0, t1]) = frame.load::<4>(at) else {
        return Place::stopped(Reason::TruncatedTunnel);
    };
    if version & 7 != 0 || flags & 0x40 != 0 {
        return Place::stopped(Reason::BadTunnel);
    }
    let fields =
        usize::from(flags >> 7) + usize::from(flags >> 5 & 1) + usize::from(flags >> 4 & 1);
    payload(
        frame,
        [t0, t1],
        at + 4 + fields * 4,
        Reason::TruncatedTunnel,
    )
}

#[inline(always)]
fn over_udp<F: Frame + ?Sized>(frame: &F, kinds: u64, port: u16, udp: usize) -> Place {
    let vxlan = (port == VXLAN || port == VXLAN_OF_LINUX) && kinds & tunnel::VXLAN != 0;
    let geneve = port == GENEVE && kinds & tunnel::GENEVE != 0;
    let gtpu = port == GTP_USER && kinds & tunnel::GTPU != 0;
    if !vxlan && !geneve && !gtpu {
        return Place::NOWHERE;
    }
    let at = udp + UDP_HEADER;
    // All three have headers of eight bytes.
    let Some([flags, kind, t0, t1, ..]) = frame.load::<8>(at) else {
        return Place::stopped(Reason::BadTunnel);
    };
    if vxlan && flags & 0x08 != 0 {
        ethernet(frame, at + 8, Reason::BadTunnel)
    } else if geneve && flags >> 6 == 0 {
        let options = usize::from(flags & 0x3f) * 4;
        payload(frame, [t0, t1], at + 8 + options, Reason::BadTunnel)
    } else if gtpu && flags >> 4 == 3 {
        gtp_user(frame, flags, kind, at + 8)
    } else {
        Place::stopped(Reason::BadTunnel)
    }
}

/// GTP version 1 (3GPP TS 29.281), behind its eight fixed bytes.
#[inline(always)]
fn gtp_user<F: Frame + ?Sized>(frame: &F, flags: u8, kind: u8, behind: usize) -> Place {
    if kind != G_PDU {
        return Place::NOWHERE;
    }
    let mut at = behind;
    let mut next = 0;
    if flags & 7 != 0 {
        let Some([_, _, _, extension]) = frame.load::<4>(at) else {
            return Place::stopped(Reason::BadTunnel);
        };
        at += 4;
        if flags & 4 != 0 {
            next = extension;
        }
    }
    for _ in 0..MAX_GTP_EXTENSIONS {
        if next == 0 {
            break;
        }
        match frame.load::<1>(at) {
            None | Some([0]) => return Place::stopped(Reason::BadTunnel),
            Some([words]) => at += usize::from(words) * 4,
        }
        next = match frame.load::<1>(at - 1) {
            Some([following]) => following,
            None => return Place::stopped(Reason::BadTunnel),
        };
    }
    match frame.load::<1>(at) {
        _ if next != 0 => Place::stopped(Reason::BadTunnel),
        Some([first]) if first >> 4 == 4 => Place::v4(at),
        Some([first]) if first >> 4 == 6 => Place::v6(at),
        Some(_) => Place::NOWHERE,
        None => Place::stopped(Reason::BadTunnel),
    }
}

/// What an EtherType announces at `at`; `cut` where it is not whole.
#[inline(always)]
fn payload<F: Frame + ?Sized>(frame: &F, ether_type: [u8; 2], at: usize, cut: Reason) -> Place {
    if u16::from_ne_bytes(ether_type) == TRANSPARENT_ETHERNET {
        ethernet(frame, at, cut)
    } else {
        network(ether_type, at)
    }
}

#[inline(always)]
fn network(ether_type: [u8; 2], at: usize) -> Place {
    let ether_type = u16::from_ne_bytes(ether_type);
    if ether_type == EtherType::Ipv4 as u16 {
        Place::v4(at)
    } else if ether_type == EtherType::Ipv6 as u16 {
        Place::v6(at)
    } else {
        Place::NOWHERE
    }
}

/// An Ethernet frame at `start`, which may wear tags as well.
#[inline(always)]
fn ethernet<F: Frame + ?Sized>(frame: &F, start: usize, cut: Reason) -> Place {
    let mut at = start + ETHERNET;
    for tags in 0..=MAX_TAGS {
        let Some(ether_type) = frame.load::<2>(at - 2) else {
            return Place::stopped(cut);
        };
        if !is_tag(ether_type) {
            return network(ether_type, at);
        }
        if tags == MAX_TAGS {
            break;
        }
        at += 4;
    }
    Place::stopped(Reason::BadTunnel)
}
