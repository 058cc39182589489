//! Changes in the half that packets look at.
//!
//! Nothing that is there is ever moved. A key is written after what belongs to it, and before the prefilter lets packets get to
//! it; a record that changes is one store. Of what goes, the key is cleared at once, and the rest when no packet can have
//! found the key any more ([`Cleared::wipe`], after a grace period); the slot is used again after another one, so that nobody
//! finds a new key with an old record, in whichever order a processor reads them.

use std::hint::black_box;

use trickblock_common::table::{
    Geometry, Record, Room, Scope,
    layout::{COVERED, DEAD, ENTRIES, MARKED, SPILLED, UNCOVERED, UNMARKED},
    prefilter::key_v4,
};

use super::{
    CompileError, Entry, Prefix,
    cells::{Cells, Read},
    compile::{check_prefixes, check_room, covered, crowded, marks},
    image::{Image, SHORTEST_MARKED_V6},
    needed_entries,
    record::{self, groups},
    slot::{Host, Slot, SlotV4, SlotV6},
};
use crate::indicator::Indicator;

/// Entries whose words are fetched together: the memory is slower than everything that is done with them.
const BLOCK: usize = 64;

/// The entries of one prefix, as they are and as they shall be. One of both may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    pub before: &'a [Entry],
    pub after: &'a [Entry],
}

impl<'a> Change<'a> {
    fn prefix(&self) -> Option<Prefix> {
        let entry = self.after.first().or(self.before.first())?;
        Some(Prefix::from(entry.indicator.prefix))
    }

    /// Whether a counter is given back.
    pub fn retires(&self) -> bool {
        let is_kept = |entry: &Entry| self.then(entry).is_some_and(|then| then.id == entry.id);
        !self.before.iter().all(is_kept)
    }

    /// What becomes of an entry. One prefix may have a hundred thousand ports.
    fn then(&self, entry: &Entry) -> Option<&'a Entry> {
        let found = self
            .after
            .binary_search_by_key(&entry.indicator, |other| other.indicator);
        self.after.get(found.ok()?)
    }

    fn sides(&self) -> [&'a [Entry]; 2] {
        [self.before, self.after]
    }
}

/// What is to change from one sorted set to another, by prefix.
pub fn changes<'a>(before: &'a [Entry], after: &'a [Entry]) -> impl Iterator<Item = Change<'a>> {
    let (mut old, mut new) = (groups(before).peekable(), groups(after).peekable());
    let prefix = |group: &&'a [Entry]| group.first().map(|entry| entry.indicator.prefix);
    let sides = std::iter::from_fn(move || {
        // `None` is less than anything: a side that is at its end has to wait.
        let (left, right) = (old.peek().and_then(prefix), new.peek().and_then(prefix));
        let (take_old, take_new) = match (left, right) {
            (None, None) => return None,
            (Some(_), None) => (true, false),
            (None, Some(_)) => (false, true),
            (Some(left), Some(right)) => (left <= right, right <= left),
        };
        let next = |take: bool, groups: &mut dyn Iterator<Item = &'a [Entry]>| {
            take.then(|| groups.next()).flatten().unwrap_or_default()
        };
        Some(Change {
            before: next(take_old, &mut old),
            after: next(take_new, &mut new),
        })
    });
    sides.filter(|change| change.before != change.after)
}

/// Slots without a key whose records are still there.
#[derive(Debug, Default)]
#[must_use = "slots are lost until the half is compiled anew"]
pub struct Cleared {
    /// First word and number of words of each.
    slots: Vec<(usize, usize)>,
}

impl Cleared {
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Clears them; to be called after a grace period, and before another one.
    pub fn wipe(self, cells: &mut impl Cells) {
        for (at, words) in self.slots {
            (at..at + words).for_each(|word| cells.store(word, 0));
        }
    }
}

/// Makes the half that `cells` holds say what `changes` want. What goes is taken away last, so that no slot is used twice.
///
/// # Errors
/// If the set does not fit, before anything was changed; or if an entry finds no free slot: then a part of the changes is in
/// force, and the half has to be compiled anew.
pub fn apply(
    changes: &[Change<'_>],
    cells: &mut impl Cells,
    geometry: &Geometry,
) -> Result<Cleared, CompileError> {
    let needed = needed_then(changes, &*cells);
    check_room(needed, geometry.capacity())?;
    changes
        .iter()
        .try_for_each(|change| check_prefixes(change.after))?;
    let mut image = Image::of(cells, geometry);
    for (index, change) in changes.iter().enumerate() {
        if index % BLOCK == 0 {
            image.fetch_all(&changes[index..changes.len().min(index + BLOCK)]);
        }
        if !image.put(change) {
            return Err(crowded(needed, geometry));
        }
    }
    let mut cleared = Cleared::default();
    changes
        .iter()
        .for_each(|change| image.take(change, &mut cleared));
    image.note(needed);
    Ok(cleared)
}

/// Entries of each table after the changes.
fn needed_then(changes: &[Change<'_>], cells: &impl Cells) -> Room {
    let word = |index: u64| cells.load((ENTRIES + index) as usize);
    let now = Room {
        hosts: word(0),
        v4: word(1),
        v6: word(2),
        covered: cells.load(COVERED as usize),
        marks: cells.load(MARKED as usize),
    };
    let of = |side: usize| {
        let entries = changes.iter().flat_map(|change| change.sides()[side]);
        needed_entries(entries.map(|entry| &entry.indicator))
    };
    let [gone, come] = [of(0), of(1)];
    let needed = now
        .map(come, |now, come| now + come)
        .map(gone, u64::saturating_sub);
    // The marks of what goes stay.
    Room {
        covered: now.covered + of_those_alone(changes, 1, covered),
        marks: now.marks + of_those_alone(changes, 1, marks),
        ..needed
    }
}

impl<C: Cells> Image<'_, C> {
    fn fetch_all(&self, changes: &[Change<'_>]) {
        for side in [0, 1] {
            let firsts = changes
                .iter()
                .filter_map(|change| change.sides()[side].first());
            self.fetch(firsts);
        }
    }

    /// Reads what these entries will change, all at once.
    fn fetch<'e>(&self, entries: impl IntoIterator<Item = &'e Entry>) {
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
                let slot = SlotV4::new(prefix, Scope::wide(u64::from(length)), record);
                self.cells.load(self.candidates(&slot)[0])
            }
            Prefix::V6(prefix, length) => {
                let slot = SlotV6::new(prefix, Scope::wide(u64::from(length)), record);
                self.cells.load(self.candidates(&slot)[0])
            }
        }
    }

    /// Everything but what goes; false where a slot is missing.
    fn put(&mut self, change: &Change<'_>) -> bool {
        let Some(prefix) = change.prefix().filter(|_| !change.after.is_empty()) else {
            return true;
        };
        let wide = record::wide(change.after);
        let mut narrow = record::narrow(change.after);
        let fresh = change.before.is_empty();
        let placed = match prefix {
            Prefix::V4(address, 32) => {
                let own = Host {
                    address,
                    record: wide,
                };
                narrow.all(|(scope, record)| {
                    self.put_slot(SlotV4::new(address, scope, record), fresh)
                }) && self.put_host(own, fresh)
            }
            Prefix::V4(prefix, length) => {
                let own = SlotV4::new(prefix, Scope::wide(u64::from(length)), wide);
                narrow
                    .all(|(scope, record)| self.put_slot(SlotV4::new(prefix, scope, record), fresh))
                    && self.put_slot(own, fresh)
            }
            Prefix::V6(prefix, length) => {
                let slot = |scope, record| SlotV6::new(prefix, scope, record);
                let own = slot(Scope::wide(u64::from(length)), wide);
                narrow.all(|(scope, record)| self.put_slot(slot(scope, record), fresh))
                    && self.put_slot(own, fresh)
            }
        };
        if placed && fresh {
            self.mark(prefix);
        }
        placed
    }

    /// As [`Self::put_slot`]; where both of its buckets are full it goes to the other table.
    fn put_host(&mut self, host: Host, fresh: bool) -> bool {
        let spilled = host.spilled();
        if !fresh && self.find(&spilled).is_some() {
            return self.put_slot(spilled, fresh);
        }
        if self.put_slot(host, fresh) {
            return true;
        }
        let placed = self.place(&spilled);
        if placed {
            self.cells.store(SPILLED as usize, 1);
        }
        placed
    }

    /// `fresh`: no slot has this key yet.
    #[inline]
    fn put_slot<S: Slot>(&mut self, slot: S, fresh: bool) -> bool {
        let there = if fresh { None } else { self.find(&slot) };
        match there {
            None => self.place(&slot),
            Some((at, old)) => {
                if old.record() != slot.record() {
                    slot.write_record(&mut self.cells, at);
                }
                true
            }
        }
    }

    /// What is in `before` alone.
    fn take(&mut self, change: &Change<'_>, cleared: &mut Cleared) {
        let Some(prefix) = change.prefix().filter(|_| !change.before.is_empty()) else {
            return;
        };
        let record = Record::NONE;
        let gone = change
            .before
            .iter()
            .filter(|entry| change.then(entry).is_none());
        let narrow = gone
            .filter(|entry| record::is_narrow(entry))
            .map(record::scope);
        let all = change.after.is_empty();
        match prefix {
            Prefix::V4(address, length) => {
                let mut clear = |scope| self.clear(&SlotV4::new(address, scope, record), cleared);
                narrow.for_each(&mut clear);
                if all && length < 32 {
                    clear(Scope::wide(u64::from(length)));
                }
                if all && length == 32 {
                    let host = Host { address, record };
                    self.clear(&host.spilled(), cleared);
                    self.clear(&host, cleared);
                }
            }
            Prefix::V6(prefix, length) => {
                let mut clear = |scope| self.clear(&SlotV6::new(prefix, scope, record), cleared);
                narrow.for_each(&mut clear);
                if all {
                    clear(Scope::wide(u64::from(length)));
                }
            }
        }
        if all {
            self.count(DEAD, 1);
            self.count(UNCOVERED, covered(prefix));
            self.count(UNMARKED, marks(prefix));
        }
    }

    fn count(&mut self, word: u64, more: u64) {
        let count = self.cells.load(word as usize) + more;
        self.cells.store(word as usize, count);
    }

    fn clear<S: Slot>(&mut self, key: &S, cleared: &mut Cleared) {
        if let Some((at, _)) = self.find(key) {
            S::clear_key(&mut self.cells, at);
            cleared.slots.push((at, S::WORDS));
        }
    }
}

/// What a prefix marks beyond one or two keys: /24s in the bitmaps and keys in the Bloom filter.
const fn expands(prefix: Prefix) -> u64 {
    match prefix {
        // For every packet of its family nothing is asked any more.
        Prefix::V6(_, length) if length < SHORTEST_MARKED_V6 => u32::MAX as u64,
        Prefix::V4(_, 32) | Prefix::V6(_, 32..) => 0,
        other => covered(other) + marks(other),
    }
}

/// Sum over the prefixes that are on one side alone: 0 for what goes, 1 for what comes.
fn of_those_alone(changes: &[Change<'_>], side: usize, of: fn(Prefix) -> u64) -> u64 {
    let alone = |change: &&Change<'_>| change.sides()[1 - side].is_empty();
    let alone = changes.iter().filter(alone);
    alone.filter_map(Change::prefix).map(of).sum()
}

/// Marks of what is expanded that may come, or go and stay behind, without a compilation.
const MOST_EXPANDED: u64 = 4_096;

/// Whether a half takes these changes in place and is none the worse for it. A compilation does more good where much of what
/// the prefilter lets through was taken out, where it would let through more than it is made for, and where prefixes come or go
/// that mark much.
pub fn takes(changes: &[Change<'_>], cells: &(impl Read + ?Sized), geometry: &Geometry) -> bool {
    let expanded: u64 = [0, 1]
        .map(|side| of_those_alone(changes, side, expands))
        .iter()
        .sum();
    let room = geometry.capacity();
    let has_room = |word: u64, of: fn(Prefix) -> u64, most: u64| {
        cells.load(word as usize) + of_those_alone(changes, 1, of) <= most
    };
    !is_worn(cells)
        && expanded <= MOST_EXPANDED
        && has_room(COVERED, covered, room.covered)
        && has_room(MARKED, marks, room.marks)
}

fn is_worn(cells: &(impl Read + ?Sized)) -> bool {
    let live: u64 = (0..3)
        .map(|table| cells.load((ENTRIES + table) as usize))
        .sum();
    let load = |word: u64| cells.load(word as usize);
    let worn = |dead: u64, all: u64| dead > 1_000 && dead * 4 > all;
    let dead = load(DEAD);
    worn(dead, live + dead)
        || worn(load(UNCOVERED), load(COVERED))
        || worn(load(UNMARKED), load(MARKED))
}
