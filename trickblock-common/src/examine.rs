//! What is behind the prefilter: transport, both ends' matches, and the packet inside a tunnel.

use crate::{
    Frame, Lookup, Outcome, Place, Reason, Transport, V4, V6, neighbour,
    table::{Endpoint, Match},
};

/// The packet that the outcome is about, and its transport header: both unknown of packets that were not
/// looked up closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    pub place: Place,
    pub transport: Transport,
}

impl Flow {
    #[inline(always)]
    pub(crate) const fn without_transport(place: Place) -> Self {
        Self {
            place,
            transport: Transport(0),
        }
    }
}

/// (4 or 6, source, destination) of the packet at `place`, for events; zeros where nothing is known. IPv4
/// addresses stand in the highest 32 bits; of ARP the sender is the source.
#[inline(always)]
pub fn ends<F: Frame + ?Sized>(frame: &F, place: Place) -> (u8, V6, V6) {
    let at = place.offset();
    let found = if place.is_v6() {
        pair_v6(frame, at).map(|(source, destination)| (6, source, destination))
    } else if place.is_v4() {
        pair_v4(frame, at).map(|(source, destination)| (4, widen(source), widen(destination)))
    } else if place.is_arp() {
        neighbour::pair(frame, at).map(|(sender, target)| (4, widen(sender), widen(target)))
    } else {
        None
    };
    found.unwrap_or((0, NOBODY, NOBODY))
}

const NOBODY: V6 = V6 { high: 0, low: 0 };

/// An IPv4 address where IPv6 ones stand: in the highest bits.
#[inline(always)]
const fn widen(address: V4) -> V6 {
    V6 {
        high: (address.0 as u64) << 32,
        low: 0,
    }
}

/// The verdict on what stands at `place`, and on what is inside of it.
#[inline(always)]
pub fn examine<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    place: Place,
) -> (Outcome, Flow) {
    let (outcome, flow) = examine_outer(frame, lookup, place);
    match tunnelled(frame, lookup, outcome, flow) {
        Place::NOWHERE => (outcome, flow),
        inside => examine_inner(frame, lookup, inside, (outcome, flow)),
    }
}

/// The verdict without a look into tunnels.
#[inline(always)]
pub fn examine_outer<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    place: Place,
) -> (Outcome, Flow) {
    if place.is_stopped() {
        let flow = Flow::without_transport(place);
        return (Outcome::stopped(place.reason()), flow);
    }
    if place.is_arp() {
        return neighbour::arp(frame, lookup, place);
    }
    let (outcome, flow) = packet(frame, lookup, place);
    (confirmed(frame, place, outcome), flow)
}

/// What is inside of the packet, unless that cannot matter any more.
#[inline(always)]
pub fn tunnelled<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    outcome: Outcome,
    flow: Flow,
) -> Place {
    let kinds = lookup.tunnels();
    // What is malformed outside was not followed to where a tunnel may begin.
    if kinds == 0 || outcome.drops() || Reason::malformed(outcome.reason()) {
        return Place::NOWHERE;
    }
    frame.inner(kinds, flow.place, flow.transport)
}

/// The verdict on both, from what was said of the outer packet and where the inner one is.
#[inline(always)]
pub fn examine_inner<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    inside: Place,
    outer: (Outcome, Flow),
) -> (Outcome, Flow) {
    let (said, of, about) = if inside.is_stopped() {
        let said = Outcome::stopped(inside.reason());
        (said, outer.1, outer.1.place)
    } else {
        let (said, of) = packet(frame, lookup, inside);
        (said, of, inside)
    };
    let said = confirmed(frame, about, said);
    // The outer one does not drop, or nobody would have looked inside.
    if said.drops() || outer.0 == Outcome::MISS {
        (said.inner(), of)
    } else {
        outer
    }
}

/// One packet, whatever is inside of it, and as if it were no guess. The walk to the transport header comes first
/// and in one place: the verifier follows it once for both versions.
#[inline(always)]
fn packet<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, place: Place) -> (Outcome, Flow) {
    let flow = Flow {
        place,
        transport: frame.transport(place),
    };
    let outcome = if place.is_v6() {
        packet_v6(frame, lookup, flow)
    } else {
        packet_v4(frame, lookup, flow)
    };
    (outcome, flow)
}

/// A guess counts only if it holds: what it says of a sound packet, and what passes anyway.
#[inline(always)]
fn confirmed<F: Frame + ?Sized>(frame: &F, place: Place, outcome: Outcome) -> Outcome {
    let reason = outcome.reason();
    let matters = Reason::acts(reason) || Reason::malformed(reason);
    if place.is_guess() && matters && !frame.is_sound(place) {
        outcome.unconfirmed()
    } else {
        outcome
    }
}

#[inline(always)]
fn packet_v4<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, flow: Flow) -> Outcome {
    let Flow { place, transport } = flow;
    let Some((source, destination)) = pair_v4(frame, place.offset()) else {
        return Outcome::without_side(cut(place));
    };
    // Mostly one end is listed: the other one costs what the prefilter said, not a look at every prefix length.
    let near = |said: bool, address| {
        if place.in_tunnel() || place.in_udp_tunnel() {
            lookup.close_v4(address)
        } else {
            said
        }
    };
    let side = |near: bool, address, end| {
        if near {
            lookup.side_v4(address, end)
        } else {
            Match::NONE
        }
    };
    let said = place.ends();
    let to = side(
        near(said.destination(), destination),
        destination,
        Endpoint::destination(transport),
    );
    let from = side(
        near(said.source(), source),
        source,
        Endpoint::source(transport),
    );
    lookup.decide(to, from, 32, transport)
}

#[inline(always)]
fn packet_v6<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, flow: Flow) -> Outcome {
    let Flow { place, transport } = flow;
    let Some((source, destination)) = pair_v6(frame, place.offset()) else {
        return Outcome::without_side(cut(place));
    };
    let to = lookup.side_v6(destination, Endpoint::destination(transport));
    let from = lookup.side_v6(source, Endpoint::source(transport));
    match lookup.decide(to, from, 128, transport) {
        Outcome::MISS => neighbour::discovery(frame, lookup, place.offset(), destination),
        outcome => outcome,
    }
}

/// (source, destination) of the IPv4 header at `ip`.
#[inline(always)]
fn pair_v4<F: Frame + ?Sized>(frame: &F, ip: usize) -> Option<(V4, V4)> {
    let [a, b, c, d, e, f, g, h] = frame.peek(ip + 12)?;
    Some((V4::from_bytes([a, b, c, d]), V4::from_bytes([e, f, g, h])))
}

#[inline(always)]
fn pair_v6<F: Frame + ?Sized>(frame: &F, ip: usize) -> Option<(V6, V6)> {
    Some((long(frame, ip + 8)?, long(frame, ip + 24)?))
}

/// The IPv6 address at `offset`, in two halves: large buffers are dear on the kernel's stack.
#[inline(always)]
pub(crate) fn long<F: Frame + ?Sized>(frame: &F, offset: usize) -> Option<V6> {
    Some(V6 {
        high: u64::from_be_bytes(frame.load(offset)?),
        low: u64::from_be_bytes(frame.load(offset + 8)?),
    })
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
