//! The pass path: two addresses and the prefilter, nothing else.

use crate::{
    Frame, Lookup, Outcome, Place, Reason, V4, V6,
    embedded::embedded,
    examine::{Flow, examine},
    neighbour::is_link_group,
    parse::{self, Link, addresses_v4, addresses_v6},
    tunnel::may_carry,
};

/// What is known of a frame before anything is looked up closely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// Nothing of it is listed.
    Miss,
    /// It cannot be understood.
    Stopped(Reason),
    /// Worth a closer look.
    Look(Place),
}

/// Reads no further than the addresses.
#[inline(always)]
pub fn glance<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, link: Link) -> Glance {
    let found = parse::find(frame, link);
    frame.refresh();
    let place = match found {
        Ok(place) => place,
        Err(reason) => return Glance::Stopped(reason),
    };
    if place.is_arp() {
        return Glance::Look(place);
    }
    let near = if place.is_v6() {
        near_v6(frame, lookup, lookup.blur(place.offset()))
    } else {
        near_v4(frame, lookup, lookup.blur(place.offset()))
    };
    match near {
        // It may be a guess, so that this reason is not the last word.
        None => Glance::Look(place),
        Some(true) => Glance::Look(place),
        Some(false) => Glance::Miss,
    }
}

/// `None` where the frame ends before the addresses.
#[inline(always)]
fn near_v4<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, ip: usize) -> Option<bool> {
    let header = frame.read::<20>(ip);
    let (source, destination) = addresses_v4(header)?;
    if lookup.near_v4(source, destination) {
        return Some(true);
    }
    let kinds = lookup.tunnels();
    Some(kinds != 0 && may_carry(header?[9], kinds))
}

#[inline(always)]
fn near_v6<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, ip: usize) -> Option<bool> {
    let (source, destination) = addresses_v6(frame.read(ip + 8), frame.read(ip + 24))?;
    if lookup.near_v6(source, destination)
        || near_embedded(lookup, source, destination)
        || is_link_group(destination)
    {
        return Some(true);
    }
    // Extension headers may stand before the tunnel: whoever asks for tunnels pays for the walk.
    Some(lookup.tunnels() != 0)
}

#[inline(always)]
fn near_embedded<L: Lookup>(lookup: &L, source: V6, destination: V6) -> bool {
    match (embedded(lookup, source), embedded(lookup, destination)) {
        (None, None) => false,
        (source, destination) => {
            lookup.near_v4(source.unwrap_or(NOBODY), destination.unwrap_or(NOBODY))
        }
    }
}

const NOBODY: V4 = V4(0);

/// An IPv4 address where IPv6 ones stand: in the highest bits.
#[inline(always)]
pub(crate) const fn widen(address: V4) -> V6 {
    V6 {
        high: (address.0 as u64) << 32,
        low: 0,
    }
}

/// The whole verdict on a frame, before the interface and the settings have their say.
#[inline(always)]
pub fn judge<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, link: Link) -> (Outcome, Flow) {
    match glance(frame, lookup, link) {
        Glance::Miss => (Outcome::MISS, Flow::UNKNOWN),
        Glance::Stopped(reason) => (Outcome::without_side(reason), Flow::UNKNOWN),
        Glance::Look(place) => examine(frame, lookup, place),
    }
}
