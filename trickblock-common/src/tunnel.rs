//! Tunnels: where the packet inside of a packet begins.

use network_types::{eth::EtherType, ip::IpProto};

use crate::{
    Frame, Place, Reason, Transport,
    abi::tunnel,
    parse::{ETHERNET, MAX_TAGS, is_tag},
    transport::end,
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

/// A frame as far as the outer packet goes.
struct Carrier<'a, F: ?Sized> {
    frame: &'a F,
    /// Offset of the first byte behind the outer packet where that is a first fragment, else the greatest number.
    end: usize,
    /// What a header is that is not whole.
    cut: Reason,
}

impl<F: Frame + ?Sized> Carrier<'_, F> {
    #[inline(always)]
    fn load<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        if at + N > self.end {
            return None;
        }
        self.frame.load(at)
    }

    /// Whether the header of the packet at `place` is whole.
    #[inline(always)]
    fn holds(&self, place: Place) -> bool {
        let at = place.offset();
        let length = match self.load::<1>(at) {
            None => return false,
            Some(_) if place.is_v6() => 40,
            Some([first]) => usize::from(first & 15) * 4,
        };
        let length = if length < 20 { 20 } else { length };
        self.load::<1>(at + length - 1).is_some()
    }
}

/// The packet inside the one at `outer`, whose transport is given: [`Place::NOWHERE`] where that is no tunnel of `kinds`
/// or nothing in it can be looked into, a stopped place where it cannot be read.
#[inline(always)]
pub fn inner<F: Frame + ?Sized>(
    frame: &F,
    kinds: u64,
    outer: Place,
    transport: Transport,
) -> Place {
    let (protocol, at) = (transport.protocol(), transport.offset());
    if transport.failure() == Reason::IncompleteFirstFragment as u8 {
        return hidden(kinds, protocol);
    }
    // Nor can it be told here.
    if transport.failure() == Reason::TooManyExtensions as u8 {
        return Place::stopped(Reason::TooManyExtensions);
    }
    // The walk got to the transport header, or the offset means nothing.
    if at == 0 || !may_carry(protocol, kinds) {
        return Place::NOWHERE;
    }
    let udp = protocol == IpProto::Udp as u8;
    let partial = transport.more_fragments();
    let carrier = Carrier {
        frame,
        end: if partial {
            end(frame, outer)
        } else {
            usize::MAX
        },
        cut: if partial {
            Reason::IncompleteFirstFragment
        } else if udp {
            Reason::BadTunnel
        } else {
            Reason::TruncatedTunnel
        },
    };
    let found = if udp {
        over_udp(&carrier, kinds, transport.destination_port(), at)
    } else if protocol == IpProto::Gre as u8 {
        gre(&carrier, at)
    } else if protocol == IpProto::Ipv4 as u8 {
        Place::v4(at)
    } else {
        Place::v6(at)
    };
    if found == Place::NOWHERE || found.is_stopped() {
        found
    } else if partial && !carrier.holds(found) {
        Place::stopped(carrier.cut)
    } else {
        let limit = if partial { carrier.end } else { 0 };
        found.tunnelled(udp, limit, outer.is_guess())
    }
}

/// A first fragment that ends before anybody can tell whether it begins a tunnel.
#[inline(always)]
fn hidden(kinds: u64, protocol: u8) -> Place {
    // Of IPv6 the protocol is not known then.
    if protocol == 0 || may_lead_to(protocol, kinds) {
        Place::stopped(Reason::IncompleteFirstFragment)
    } else {
        Place::NOWHERE
    }
}

/// Version 0 (RFC 2784, RFC 2890).
#[inline(always)]
fn gre<F: Frame + ?Sized>(carrier: &Carrier<'_, F>, at: usize) -> Place {
    let Some([flags, version, t0, t1]) = carrier.load::<4>(at) else {
        return Place::stopped(carrier.cut);
    };
    if version & 7 != 0 || flags & 0x40 != 0 {
        return Place::stopped(Reason::BadTunnel);
    }
    let fields =
        usize::from(flags >> 7) + usize::from(flags >> 5 & 1) + usize::from(flags >> 4 & 1);
    payload(carrier, [t0, t1], at + 4 + fields * 4)
}

#[inline(always)]
fn over_udp<F: Frame + ?Sized>(
    carrier: &Carrier<'_, F>,
    kinds: u64,
    port: u16,
    udp: usize,
) -> Place {
    let vxlan = (port == VXLAN || port == VXLAN_OF_LINUX) && kinds & tunnel::VXLAN != 0;
    let geneve = port == GENEVE && kinds & tunnel::GENEVE != 0;
    let gtpu = port == GTP_USER && kinds & tunnel::GTPU != 0;
    if !vxlan && !geneve && !gtpu {
        return Place::NOWHERE;
    }
    let at = udp + UDP_HEADER;
    // All three have headers of eight bytes.
    let Some([flags, kind, t0, t1, ..]) = carrier.load::<8>(at) else {
        return Place::stopped(carrier.cut);
    };
    if vxlan && flags & 0x08 != 0 {
        ethernet(carrier, at + 8)
    } else if geneve && flags >> 6 == 0 {
        let options = usize::from(flags & 0x3f) * 4;
        payload(carrier, [t0, t1], at + 8 + options)
    } else if gtpu && flags >> 4 == 3 {
        gtp_user(carrier, flags, kind, at + 8)
    } else {
        Place::stopped(Reason::BadTunnel)
    }
}

/// GTP version 1 (3GPP TS 29.281), behind its eight fixed bytes.
#[inline(always)]
fn gtp_user<F: Frame + ?Sized>(
    carrier: &Carrier<'_, F>,
    flags: u8,
    kind: u8,
    behind: usize,
) -> Place {
    if kind != G_PDU {
        return Place::NOWHERE;
    }
    let mut at = behind;
    let mut next = 0;
    if flags & 7 != 0 {
        let Some([_, _, _, extension]) = carrier.load::<4>(at) else {
            return Place::stopped(carrier.cut);
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
        match carrier.load::<1>(at) {
            None => return Place::stopped(carrier.cut),
            Some([0]) => return Place::stopped(Reason::BadTunnel),
            Some([words]) => at += usize::from(words) * 4,
        }
        next = match carrier.load::<1>(at - 1) {
            Some([following]) => following,
            None => return Place::stopped(carrier.cut),
        };
    }
    match carrier.load::<1>(at) {
        _ if next != 0 => Place::stopped(Reason::BadTunnel),
        Some([first]) if first >> 4 == 4 => Place::v4(at),
        Some([first]) if first >> 4 == 6 => Place::v6(at),
        Some(_) => Place::NOWHERE,
        None => Place::stopped(carrier.cut),
    }
}

/// What an EtherType announces at `at`.
#[inline(always)]
fn payload<F: Frame + ?Sized>(carrier: &Carrier<'_, F>, ether_type: [u8; 2], at: usize) -> Place {
    if u16::from_ne_bytes(ether_type) == TRANSPARENT_ETHERNET {
        ethernet(carrier, at)
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
fn ethernet<F: Frame + ?Sized>(carrier: &Carrier<'_, F>, start: usize) -> Place {
    let mut at = start + ETHERNET;
    for tags in 0..=MAX_TAGS {
        let Some(ether_type) = carrier.load::<2>(at - 2) else {
            return Place::stopped(carrier.cut);
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
