//! Entries → one half of the table value.

use std::hint::black_box;

use trickblock_common::{
    V4,
    table::{
        Geometry, KeyV4, KeyV6, Record, Room, Scope,
        layout::{ENTRIES, SEED, WIDE_V6},
        prefilter::key_v4,
    },
};

use super::{
    Entry, Prefix,
    cells::Cells,
    image::Image,
    record::{self, groups},
    slot::{Host, SlotV4, SlotV6},
};
use crate::indicator::Indicator;

/// Seeds tried before the set is called too large; the first one nearly always works.
const ATTEMPTS: u64 = 8;
/// Entries whose words are fetched together: the memory is slower than everything that is done with them.
pub(super) const BLOCK: usize = 64;

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
                needed.v4 += narrow;
            }
            ipnet::IpNet::V4(_) => needed.v4 += narrow + fresh,
            ipnet::IpNet::V6(_) => needed.v6 += narrow + fresh,
        }
    }
    needed
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
    let needed = needed_entries(entries.iter().map(|entry| &entry.indicator));
    check_room(needed, geometry.capacity())?;
    check_prefixes(entries)?;
    for attempt in 0..ATTEMPTS {
        half.fill(0);
        half[SEED as usize] = seed.wrapping_add(attempt << 1) & !WIDE_V6;
        let mut image = Image::of(&mut *half, geometry);
        if image.fill(entries) {
            image.note(needed);
            return Ok(());
        }
    }
    Err(CompileError::Full {
        family: "IPv4 and IPv6",
        needed: needed.sum(),
        capacity: geometry.capacity().sum(),
    })
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

impl<C: Cells> Image<'_, C> {
    /// Adds all entries; false where the buckets are full.
    fn fill(&mut self, entries: &[Entry]) -> bool {
        let mut fetched = 0;
        let mut at = 0;
        for group in groups(entries) {
            if at >= fetched {
                fetched = entries.len().min(at + BLOCK);
                self.fetch(&entries[at..fetched]);
            }
            at += group.len();
            if !self.add(group) {
                return false;
            }
        }
        true
    }

    /// Reads what these entries will change, all at once.
    pub(super) fn fetch<'e>(&self, entries: impl IntoIterator<Item = &'e Entry>) {
        let words = entries
            .into_iter()
            .map(|entry| self.first_word(&entry.indicator));
        black_box(words.fold(0, |sum, word| sum ^ word));
    }

    fn first_word(&self, indicator: &Indicator) -> u64 {
        let record = Record::NONE;
        match Prefix::from(indicator.prefix) {
            Prefix::V4(address, 32) => {
                let [one, other] = self.candidates(&Host { address, record });
                let bloom = self.bloom_word(key_v4(address));
                self.cells.load(one) ^ self.cells.load(other) ^ self.cells.load(bloom)
            }
            Prefix::V4(prefix, length) => {
                let key = KeyV4::new(prefix, Scope::wide(u64::from(length)));
                self.cells.load(self.candidates(&SlotV4 { key, record })[0])
            }
            Prefix::V6(prefix, length) => {
                let key = KeyV6::new(prefix, Scope::wide(u64::from(length)));
                self.cells.load(self.candidates(&SlotV6 { key, record })[0])
            }
        }
    }

    /// Adds all entries of one prefix; false where the buckets are full.
    fn add(&mut self, group: &[Entry]) -> bool {
        let Some(first) = group.first() else {
            return true;
        };
        let prefix = Prefix::from(first.indicator.prefix);
        self.mark(prefix);
        let wide = record::wide(group);
        let mut narrow = record::narrow(group);
        match prefix {
            Prefix::V4(address, 32) => {
                self.insert(Host {
                    address,
                    record: wide,
                }) && narrow.all(|(scope, record)| self.insert(slot_v4(address, scope, record)))
            }
            Prefix::V4(prefix, length) => {
                let own = (Scope::wide(u64::from(length)), wide);
                let mut all = std::iter::once(own).chain(narrow);
                all.all(|(scope, record)| self.insert(slot_v4(prefix, scope, record)))
            }
            Prefix::V6(prefix, length) => {
                let own = (Scope::wide(u64::from(length)), wide);
                let mut all = std::iter::once(own).chain(narrow);
                all.all(|(scope, record)| {
                    let key = KeyV6::new(prefix, scope);
                    self.insert(SlotV6 { key, record })
                })
            }
        }
    }

    /// Writes down how many entries there are.
    pub(super) fn note(&mut self, needed: Room) {
        let counts = [needed.hosts, needed.v4, needed.v6];
        for (index, count) in (ENTRIES as usize..).zip(counts) {
            self.cells.store(index, count);
        }
    }
}

fn slot_v4(prefix: V4, scope: Scope, record: Record) -> SlotV4 {
    SlotV4 {
        key: KeyV4::new(prefix, scope),
        record,
    }
}
