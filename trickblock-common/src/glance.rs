//! The pass path: two addresses and the prefilter, nothing else.

use crate::{
    Ends, Frame, Lookup, Outcome, Place, V6,
    embedded::may_embed,
    examine::{Flow, examine},
    neighbour::is_link_group,
    parse::{self, Link, addresses_v4, addresses_v6},
    tunnel::may_lead_to,
};

/// What is worth a closer look, if anything is. Reads no further than the addresses.
#[inline(always)]
pub fn glance<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, link: Link) -> Option<Place> {
    // Most frames have no tag: they need not pay for the others.
    match parse::untagged(frame, link) {
        Some(place) if place.is_v6() => near_v6(frame, lookup, place, parse::ETHERNET),
        Some(place) => near_v4(frame, lookup, place, parse::ETHERNET),
        None => wrapped(frame, lookup, link),
    }
}

/// The same for all other frames.
#[inline(always)]
fn wrapped<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, link: Link) -> Option<Place> {
    let found = match parse::find(frame, link) {
        Ok(place) => place,
        Err(reason) => Place::stopped(reason),
    };
    let place = Place(lookup.blur(found.0));
    frame.refresh();
    let ip = place.offset() & MAX_START;
    if place.is_v6() {
        near_v6(frame, lookup, place, ip)
    } else if place.is_v4() {
        near_v4(frame, lookup, place, ip)
    } else {
        // ARP, or not understood.
        Some(place)
    }
}

/// No outer IP header starts further in than behind four tags, a PPPoE header and four labels: 54 bytes. The
/// verifier needs the bound, and the compiler must not know it.
const MAX_START: usize = 63;

/// `place`, which is at `ip`, where it is worth a closer look: also where the frame ends before the addresses.
#[inline(always)]
fn near_v4<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    place: Place,
    ip: usize,
) -> Option<Place> {
    let Some((source, destination)) = addresses_v4(frame.read(ip)) else {
        // They may be there all the same, beyond the frame's first piece.
        return Some(place.near(Ends::BOTH));
    };
    let ends = lookup.near_v4(source, destination);
    if ends != Ends::NONE {
        return Some(place.near(ends));
    }
    let kinds = lookup.tunnels();
    if kinds == 0 {
        return None;
    }
    // Read by itself: as part of the header it would be loaded for every packet.
    let protocol = frame.read::<1>(ip + 9);
    let passes = protocol.is_some_and(|[protocol]| !may_lead_to(protocol, kinds));
    (!passes).then_some(place)
}

/// As [`near_v4`].
#[inline(always)]
fn near_v6<F: Frame + ?Sized, L: Lookup>(
    frame: &F,
    lookup: &L,
    place: Place,
    ip: usize,
) -> Option<Place> {
    let Some((source, destination)) = addresses_v6(frame.read(ip + 8), frame.read(ip + 24)) else {
        return Some(place);
    };
    let near = lookup.near_v6(source, destination)
        || near_embedded(lookup, source, destination)
        || is_link_group(destination)
        // Extension headers may stand before the tunnel: whoever asks for tunnels pays for the walk.
        || lookup.tunnels() != 0;
    near.then_some(place)
}

/// Few packets have an IPv4 address inside: what it takes to look at it is no part of the pass path.
#[inline(always)]
fn near_embedded<L: Lookup>(lookup: &L, source: V6, destination: V6) -> bool {
    (may_embed(lookup, source) && lookup.near_embedded(source))
        || (may_embed(lookup, destination) && lookup.near_embedded(destination))
}

/// The whole verdict on a frame, before the interface and the settings have their say.
#[inline(always)]
pub fn judge<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, link: Link) -> (Outcome, Flow) {
    match glance(frame, lookup, link) {
        None => (Outcome::MISS, Flow::without_transport(Place::NOWHERE)),
        Some(place) => examine(frame, lookup, place),
    }
}
