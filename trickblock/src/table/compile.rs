//! Entries → one half of the table value.

use trickblock_common::table::{
    Geometry, Room,
    layout::{SEED, WIDE_V6},
};

use super::{
    Entry, Prefix,
    filling::Filling,
    image::{Image, SHORTEST_MARKED_V6},
};
use crate::indicator::Indicator;

/// Seeds tried before the set is called too large; the first one nearly always works.
const ATTEMPTS: u64 = 8;

/// Seeds that are far apart: neighbours put keys in places that are not far from each other either.
const ANOTHER: u64 = 0xa076_1d64_78bd_642e;

/// The set does not fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompileError {
    #[error("the table is full: {needed} {family} entries are needed, it holds {capacity}")]
    Full {
        family: &'static str,
        needed: u64,
        capacity: u64,
    },
    /// The feed guard refuses it long before.
    #[error(
        "{0} holds every address, which no table entry can say; name the prefixes that are meant"
    )]
    Everything(ipnet::IpNet),
}

/// Table entries that the set takes. A prefix of which only ports are listed takes one more.
pub fn needed_entries<'a>(indicators: impl IntoIterator<Item = &'a Indicator>) -> Room {
    let mut needed = Room::default();
    let mut last = None;
    for indicator in indicators {
        let narrow = indicator.port.is_some() || indicator.protocol.is_some();
        let fresh = last != Some(indicator.prefix);
        last = Some(indicator.prefix);
        let (narrow, fresh) = (u64::from(narrow), u64::from(fresh));
        match indicator.prefix {
            ipnet::IpNet::V4(net) if net.prefix_len() == 32 => {
                needed.hosts += fresh;
                needed.marks += fresh;
                needed.v4 += narrow;
            }
            ipnet::IpNet::V4(_) => {
                needed.v4 += narrow + fresh;
                needed.covered += fresh * covered(indicator.prefix.into());
                needed.marks += fresh * marks(indicator.prefix.into());
            }
            ipnet::IpNet::V6(_) => {
                needed.v6 += narrow + fresh;
                needed.marks += fresh * marks(indicator.prefix.into());
            }
        }
    }
    needed
}

/// /24s that an IPv4 prefix covers, part of one for the whole; 0 for addresses, and for IPv6.
pub(super) const fn covered(prefix: Prefix) -> u64 {
    match prefix {
        Prefix::V4(_, length @ ..=24) => 1 << (24 - length),
        Prefix::V4(_, 25..32) => 1,
        Prefix::V4(..) | Prefix::V6(..) => 0,
    }
}

/// Keys that a prefix marks in the Bloom filter: those of its addresses where it is longer than a /24, or of the /32s that an
/// IPv6 one covers, each twice.
pub(super) const fn marks(prefix: Prefix) -> u64 {
    match prefix {
        Prefix::V4(_, length @ 25..) => 1 << (32 - length),
        Prefix::V4(..) => 0,
        Prefix::V6(_, 32..) => 2,
        Prefix::V6(_, length) if length >= SHORTEST_MARKED_V6 => 2 << (32 - length),
        // All packets get by.
        Prefix::V6(..) => 0,
    }
}

/// Fills `half` (of `geometry.half` words, contents arbitrary) from sorted entries. The image is a
/// pure function of the arguments; `seed` keeps feeds from aiming at hash collisions.
///
/// # Errors
/// If the set does not fit, or an indicator holds every address.
pub fn compile(
    entries: &[Entry],
    seed: u64,
    geometry: &Geometry,
    half: &mut [u64],
) -> Result<(), CompileError> {
    for attempt in 0..ATTEMPTS {
        half.fill(0);
        half[SEED as usize] = seed.wrapping_add(attempt.wrapping_mul(ANOTHER)) & !WIDE_V6;
        if let Some(needed) = Filling::of(&mut *half, geometry).fill(entries)? {
            check_room(needed, geometry.capacity())?;
            Image::of(half, geometry).note(needed);
            return Ok(());
        }
        // Mostly there is no room for them with any seed.
        check_room(needed_of(entries), geometry.capacity())?;
    }
    Err(crowded(needed_of(entries), geometry))
}

/// There is room for so many, but not in the buckets that they may be in.
pub(super) fn crowded(needed: Room, geometry: &Geometry) -> CompileError {
    CompileError::Full {
        family: "IPv4 and IPv6",
        needed: needed.sum(),
        capacity: geometry.capacity().sum(),
    }
}

fn needed_of(entries: &[Entry]) -> Room {
    needed_entries(entries.iter().map(|entry| &entry.indicator))
}

/// # Errors
/// If a table has more entries than it holds.
pub(super) fn check_room(needed: Room, capacity: Room) -> Result<(), CompileError> {
    let tables = [
        ("IPv4 address", needed.hosts, capacity.hosts),
        ("IPv4 prefix and port", needed.v4, capacity.v4),
        ("IPv6", needed.v6, capacity.v6),
    ];
    let full = tables
        .into_iter()
        .find(|(_, needed, capacity)| needed > capacity);
    full.map_or(Ok(()), |(family, needed, capacity)| {
        Err(CompileError::Full {
            family,
            needed,
            capacity,
        })
    })
}

/// # Errors
/// If an indicator holds every address.
pub(super) fn check_prefixes(entries: &[Entry]) -> Result<(), CompileError> {
    let mut prefixes = entries.iter().map(|entry| entry.indicator.prefix);
    let everything = prefixes.find(|prefix| prefix.prefix_len() == 0);
    everything.map_or(Ok(()), |prefix| Err(CompileError::Everything(prefix)))
}
