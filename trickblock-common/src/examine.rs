//! What is behind the prefilter: transport, both ends' matches, and the packet inside a tunnel.

use crate::{
    Frame, Lookup, Outcome, Place, Reason, Transport, V4, V6,
    confirm::is_sound,
    glance::widen,
    neighbour,
    parse::{addresses_v4, addresses_v6},
    table::Endpoint,
    transport::{transport_v4, transport_v6},
    tunnel::{Inner, inner},
};

/// A packet, and the one in its tunnel.
const LEVELS: usize = 2;

/// What the packet says of itself, for events: known of packets that were looked up closely, zero for
/// the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// 4 or 6, 0 where nothing is known. As wide as all else: padding would be copied byte by byte.
    pub version: u64,
    /// IPv4 addresses stand in the highest 32 bits.
    pub source: V6,
    pub destination: V6,
    pub transport: Transport,
}

impl Flow {
    pub const UNKNOWN: Self = Self {
        version: 0,
        source: V6 { high: 0, low: 0 },
        destination: V6 { high: 0, low: 0 },
        transport: Transport(0),
    };

    #[inline(always)]
    pub(crate) const fn v4(source: V4, destination: V4, transport: Transport) -> Self {
        Self {
            version: 4,
            source: widen(source),
            destination: widen(destination),
            transport,
        }
    }
}

/// The verdict on what stands at `place`, and on what is inside of it.
#[inline(always)]
pub fn examine<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    place: Place,
) -> (Outcome, Flow) {
    if place.is_stopped() {
        return (Outcome::stopped(place.reason()), Flow::UNKNOWN);
    }
    if place.is_arp() {
        return neighbour::arp(frame, lookup, place.offset());
    }
    let (mut outcome, mut flow) = (Outcome::MISS, Flow::UNKNOWN);
    let mut at = place;
    for level in 0..LEVELS {
        let (its, of) = packet(frame, lookup, at);
        if level == 0 || weighs_more(its.inner(), outcome) {
            (outcome, flow) = (if level == 0 { its } else { its.inner() }, of);
        }
        if level > 0 || outcome.drops() || lookup.tunnels() == 0 {
            break;
        }
        match inner(frame, lookup.tunnels(), of.transport, at.is_guess()) {
            Inner::Packet(place) => at = Place(lookup.settle(place.0)),
            Inner::Unreadable(reason) if outcome == Outcome::MISS => {
                let said = confirmed(frame, at, Outcome::without_side(reason));
                return (said.inner(), flow);
            }
            _ => break,
        }
    }
    (outcome, flow)
}

/// Whether what is said of the inner packet stands, against what was said of the outer one, which does not
/// drop.
#[inline(always)]
fn weighs_more(inner: Outcome, outer: Outcome) -> bool {
    inner.drops() || outer == Outcome::MISS
}

/// One packet, whatever is inside of it.
#[inline(always)]
fn packet<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, place: Place) -> (Outcome, Flow) {
    let (outcome, flow) = if place.is_v6() {
        packet_v6(frame, lookup, place)
    } else {
        packet_v4(frame, lookup, place)
    };
    (confirmed(frame, place, outcome), flow)
}

/// A guess counts only if it holds: what it says of a sound packet, and what passes anyway.
#[inline(always)]
fn confirmed<F: Frame + ?Sized>(frame: &F, place: Place, outcome: Outcome) -> Outcome {
    let reason = outcome.reason();
    let matters = Reason::acts(reason) || Reason::malformed(reason);
    if place.is_guess() && matters && !is_sound(frame, place) {
        outcome.unconfirmed()
    } else {
        outcome
    }
}

#[inline(always)]
fn packet_v4<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, place: Place) -> (Outcome, Flow) {
    let ip = place.offset();
    let Some((source, destination)) = addresses_v4(frame.load(ip)) else {
        return (Outcome::without_side(cut(place)), Flow::UNKNOWN);
    };
    let transport = Transport(lookup.settle(transport_v4(frame, ip).0));
    let flow = Flow::v4(source, destination, transport);
    if !lookup.near_v4(source, destination) {
        return (Outcome::MISS, flow);
    }
    let to = lookup.side_v4(destination, Endpoint::destination(transport));
    let from = lookup.side_v4(source, Endpoint::source(transport));
    (lookup.decide(to, from, 32, transport), flow)
}

#[inline(always)]
fn packet_v6<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, place: Place) -> (Outcome, Flow) {
    let ip = place.offset();
    let addresses = addresses_v6(frame.load(ip + 8), frame.load(ip + 24));
    let Some((source, destination)) = addresses else {
        return (Outcome::without_side(cut(place)), Flow::UNKNOWN);
    };
    let transport = Transport(lookup.settle(transport_v6(frame, ip).0));
    let flow = Flow {
        version: 6,
        source,
        destination,
        transport,
    };
    let to = lookup.side_v6(destination, Endpoint::destination(transport));
    let from = lookup.side_v6(source, Endpoint::source(transport));
    let outcome = lookup.decide(to, from, 128, transport);
    if outcome == Outcome::MISS {
        return (neighbour::discovery(frame, lookup, ip, destination), flow);
    }
    (outcome, flow)
}

/// The frame ends before the addresses.
#[inline(always)]
fn cut(place: Place) -> Reason {
    if place.in_udp_tunnel() {
        Reason::BadTunnel
    } else if place.in_tunnel() {
        Reason::TruncatedTunnel
    } else {
        Reason::TruncatedIp
    }
}
