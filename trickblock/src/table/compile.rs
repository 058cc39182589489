//! Entries → one half of the table value.

use trickblock_common::{
    V4, V6,
    table::{
        Geometry, KeyV4, KeyV6, Record, Scope,
        hash::{product, spot},
        layout::{
            ANY_24, BLOOM, ENTRIES_V4, ENTRIES_V6, LENGTHS_V4, LENGTHS_V6, SEED, WHOLE_24, WIDE_V6,
        },
        prefilter::{Part, bit_24, key_v4},
    },
};

use super::{
    Entry, Prefix,
    cuckoo::{Buckets, SlotV4, SlotV6},
};
use crate::indicator::Indicator;

/// IPv6 prefixes shorter than this would expand to more than 65,536 /32s in the prefilter.
const SHORTEST_MARKED_V6: u8 = 16;
/// Seeds tried before the set is called too large; at 90 % fill the first one nearly always works.
const ATTEMPTS: u64 = 8;

/// The set does not fit.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CompileError {
    #[error(
        "the table is full: {needed} {family} entries are needed, it holds {capacity}; \
         raise `capacity` in [table] and restart trickblock (the filter stays on meanwhile)"
    )]
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

/// Table entries that the set takes: (IPv4, IPv6). A prefix of which only ports are listed takes one
/// more.
pub fn needed_entries<'a>(indicators: impl IntoIterator<Item = &'a Indicator>) -> (u64, u64) {
    let mut needed = (0, 0);
    let mut last = None;
    for indicator in indicators {
        let narrow = indicator.port.is_some() || indicator.protocol.is_some();
        let entries = u64::from(narrow) + u64::from(last != Some(indicator.prefix));
        last = Some(indicator.prefix);
        match indicator.prefix {
            ipnet::IpNet::V4(_) => needed.0 += entries,
            ipnet::IpNet::V6(_) => needed.1 += entries,
        }
    }
    needed
}

/// Fills `half` (of `geometry.half` words, contents arbitrary) from sorted entries. The image is a
/// pure function of the arguments; `seed` keeps feeds from aiming at hash collisions.
pub fn compile(
    entries: &[Entry],
    seed: u64,
    geometry: &Geometry,
    half: &mut [u64],
) -> Result<(), CompileError> {
    let (v4, v6) = needed_entries(entries.iter().map(|entry| &entry.indicator));
    let (capacity_v4, capacity_v6) = geometry.capacity();
    check("IPv4", v4, capacity_v4)?;
    check("IPv6", v6, capacity_v6)?;
    let prefixes = entries.iter().map(|entry| entry.indicator.prefix);
    if let Some(everything) = prefixes.into_iter().find(|prefix| prefix.prefix_len() == 0) {
        return Err(CompileError::Everything(everything));
    }
    for attempt in 0..ATTEMPTS {
        let mut image = Image::new(half, geometry, seed.wrapping_add(attempt << 1) & !WIDE_V6);
        if entries.chunk_by(same_prefix).all(|group| image.add(group)) {
            image.half[ENTRIES_V4 as usize] = v4;
            image.half[ENTRIES_V6 as usize] = v6;
            return Ok(());
        }
    }
    Err(CompileError::Full {
        family: "IPv4 and IPv6",
        needed: v4 + v6,
        capacity: capacity_v4 + capacity_v6,
    })
}

fn check(family: &'static str, needed: u64, capacity: u64) -> Result<(), CompileError> {
    if needed > capacity {
        return Err(CompileError::Full {
            family,
            needed,
            capacity,
        });
    }
    Ok(())
}

fn same_prefix(one: &Entry, other: &Entry) -> bool {
    one.indicator.prefix == other.indicator.prefix
}

struct Image<'a> {
    half: &'a mut [u64],
    geometry: &'a Geometry,
    seed: u64,
}

impl<'a> Image<'a> {
    fn new(half: &'a mut [u64], geometry: &'a Geometry, seed: u64) -> Self {
        half.fill(0);
        half[SEED as usize] = seed;
        Self {
            half,
            geometry,
            seed,
        }
    }

    /// Adds all entries of one prefix; false where the buckets are full.
    fn add(&mut self, group: &[Entry]) -> bool {
        let Some(first) = group.first() else {
            return true;
        };
        let wide = group
            .iter()
            .fold(0, |flags, entry| flags | wide_flags(entry));
        let records = group
            .iter()
            .filter(|entry| is_narrow(entry))
            .map(|entry| (scope_of(entry), own_record(entry)));
        match Prefix::from(first.indicator.prefix) {
            Prefix::V4(prefix, length) => {
                self.half[LENGTHS_V4 as usize] |= 1 << length;
                self.mark_v4(prefix, length);
                let wide = (Scope::wide(u64::from(length)), Record(wide));
                std::iter::once(wide).chain(records).all(|(scope, record)| {
                    self.buckets_v4().insert(SlotV4 {
                        key: KeyV4::new(prefix, scope),
                        record,
                    })
                })
            }
            Prefix::V6(prefix, length) => {
                self.half[LENGTHS_V6 as usize + usize::from(length / 64)] |= 1 << (length % 64);
                self.mark_v6(prefix, length);
                let wide = (Scope::wide(u64::from(length)), Record(wide));
                std::iter::once(wide).chain(records).all(|(scope, record)| {
                    self.buckets_v6().insert(SlotV6 {
                        key: KeyV6::new(prefix, scope),
                        record,
                    })
                })
            }
        }
    }

    fn buckets_v4(&mut self) -> Buckets<'_> {
        let Geometry {
            at_v4,
            at_v6,
            buckets_v4,
            ..
        } = *self.geometry;
        Buckets {
            words: &mut self.half[at_v4 as usize..at_v6 as usize],
            count: buckets_v4,
            seed: self.seed,
        }
    }

    fn buckets_v6(&mut self) -> Buckets<'_> {
        let Geometry {
            at_v6,
            half,
            buckets_v6,
            ..
        } = *self.geometry;
        Buckets {
            words: &mut self.half[at_v6 as usize..half as usize],
            count: buckets_v6,
            seed: self.seed,
        }
    }

    /// /24s and shorter are listed whole; longer prefixes put their hosts (at most 128) into the
    /// Bloom filter.
    fn mark_v4(&mut self, prefix: V4, length: u8) {
        if length <= 24 {
            for block in 0..1u32 << (24 - length) {
                let address = V4(prefix.0 | (block << 8));
                self.set(bit_24(address, ANY_24));
                self.set(bit_24(address, WHOLE_24));
            }
            return;
        }
        self.set(bit_24(prefix, ANY_24));
        for host in 0..1u32 << (32 - length) {
            self.mark(key_v4(V4(prefix.0 | host)));
        }
    }

    fn set(&mut self, (word, bit): (u64, u64)) {
        self.half[word as usize] |= 1 << bit;
    }

    /// Marks the part of the prefix that the lookup will ask for, and its /32 for the first stage.
    fn mark_v6(&mut self, prefix: V6, length: u8) {
        if length < SHORTEST_MARKED_V6 {
            self.half[SEED as usize] |= WIDE_V6;
            return;
        }
        if length >= 32 {
            self.mark(Part::Any32.key(prefix));
            self.mark(Part::of_length(length).key(prefix));
            return;
        }
        for block in 0..1u64 << (32 - length) {
            let part = V6 {
                high: prefix.high | (block << 32),
                low: 0,
            };
            self.mark(Part::Any32.key(part));
            self.mark(Part::Whole32.key(part));
        }
    }

    fn mark(&mut self, key: u64) {
        let spot = spot(key, self.seed, self.geometry.bloom, product);
        self.half[(BLOOM + spot.word) as usize] |= spot.mask;
    }
}

fn is_narrow(entry: &Entry) -> bool {
    entry.indicator.port.is_some() || entry.indicator.protocol.is_some()
}

/// What `entry` adds to the record of its prefix.
fn wide_flags(entry: &Entry) -> u64 {
    match (is_narrow(entry), entry.drop) {
        (false, _) => own_record(entry).0,
        (true, true) => Record::NARROW_DROP,
        (true, false) => Record::NARROW_MONITOR,
    }
}

fn own_record(entry: &Entry) -> Record {
    let action = if entry.drop {
        Record::DROP
    } else {
        Record::MONITOR
    };
    Record(action | u64::from(entry.id))
}

fn scope_of(entry: &Entry) -> Scope {
    Scope {
        length: u64::from(entry.indicator.prefix.prefix_len()),
        protocol: entry.indicator.protocol.map_or(0, |protocol| protocol.0),
        port: entry.indicator.port.map_or(0, std::num::NonZeroU16::get),
    }
}
