//! A half that no packet looks at, while it is filled: from front to back, since memory is slower than all that is done here.

use trickblock_common::table::{Buckets, Geometry, Room, Scope, layout::WINDOW, prefilter::key_v4};

use super::{
    CompileError, Entry, Prefix,
    compile::{covered, marks},
    image::Image,
    record::{self, groups},
    slot::{Host, Slot, SlotV4, SlotV6},
};

/// Evictions in a row before a placement is given up; at 92 % fill a handful is the rule.
const MAX_KICKS: usize = 2_000;
/// Slots that are put into the tables together: more need more memory, fewer go through the tables more often.
const AT_ONCE: usize = 1 << 20;

pub(super) struct Filling<'a> {
    image: Image<'a, &'a mut [u64]>,
    hosts: Waiting<Host>,
    v4: Waiting<SlotV4>,
    v6: Waiting<SlotV6>,
    /// /24s that the IPv4 prefixes cover.
    covered: u64,
    /// Keys of all of them in the Bloom filter.
    marks: u64,
}

impl<'a> Filling<'a> {
    /// `half` is empty but for its seed.
    pub(super) fn of(half: &'a mut [u64], geometry: &'a Geometry) -> Self {
        Self {
            image: Image::of(half, geometry),
            hosts: Waiting::new(geometry),
            v4: Waiting::new(geometry),
            v6: Waiting::new(geometry),
            covered: 0,
            marks: 0,
        }
    }

    /// Puts all entries into the half; how many there are of each kind, or `None` where the buckets are full.
    ///
    /// # Errors
    /// If an indicator holds every address.
    pub(super) fn fill(mut self, entries: &[Entry]) -> Result<Option<Room>, CompileError> {
        for group in groups(entries) {
            self.gather(group)?;
            let waiting = self.hosts.slots.len() + self.v4.slots.len() + self.v6.slots.len();
            if waiting >= AT_ONCE && !self.place() {
                return Ok(None);
            }
        }
        let needed = |filling: &Self| Room {
            hosts: filling.hosts.placed,
            v4: filling.v4.placed,
            v6: filling.v6.placed,
            covered: filling.covered,
            marks: filling.marks,
        };
        Ok(self.place().then(|| needed(&self)))
    }

    /// Marks a prefix in all but what is gone through with the slots, and notes the slots of its entries.
    fn gather(&mut self, group: &[Entry]) -> Result<(), CompileError> {
        let Some(first) = group.first() else {
            return Ok(());
        };
        let net = first.indicator.prefix;
        if net.prefix_len() == 0 {
            return Err(CompileError::Everything(net));
        }
        let prefix = Prefix::from(net);
        self.covered += covered(prefix);
        self.marks += marks(prefix);
        let own = (
            Scope::wide(u64::from(net.prefix_len())),
            record::wide(group),
        );
        let all = std::iter::once(own).chain(record::narrow(group));
        match prefix {
            Prefix::V4(address, 32) => {
                self.image.mark_first_stage(address);
                let record = own.1;
                self.hosts.slots.push(Host { address, record });
                let narrow = all.skip(1);
                let narrow = narrow.map(|(scope, record)| SlotV4::new(address, scope, record));
                self.v4.slots.extend(narrow);
            }
            Prefix::V4(address, _) => {
                self.image.mark(prefix);
                let all = all.map(|(scope, record)| SlotV4::new(address, scope, record));
                self.v4.slots.extend(all);
            }
            Prefix::V6(address, _) => {
                self.image.mark(prefix);
                let all = all.map(|(scope, record)| SlotV6::new(address, scope, record));
                self.v6.slots.extend(all);
            }
        }
        Ok(())
    }

    /// Empties the notes; false where the buckets are full.
    fn place(&mut self) -> bool {
        let image = &mut self.image;
        // The words of an address in the Bloom filter follow each other as its buckets do.
        self.hosts
            .place(image, |image, host| image.mark_key(key_v4(host.address)))
            && self.v4.place(image, |_, _| ())
            && self.v6.place(image, |_, _| ())
    }
}

/// Slots of one table that have no place yet.
struct Waiting<S> {
    table: Buckets,
    slots: Vec<S>,
    /// How many slots of each bucket are taken: the first ones.
    taken: Vec<u8>,
    placed: u64,
}

impl<S: Slot> Waiting<S> {
    fn new(geometry: &Geometry) -> Self {
        let table = S::table(geometry);
        Self {
            table,
            slots: Vec::new(),
            taken: vec![0; (table.count + WINDOW) as usize],
            placed: 0,
        }
    }

    /// Places all, after `before`; false where the buckets are full.
    fn place(
        &mut self,
        image: &mut Image<'_, &mut [u64]>,
        before: impl Fn(&mut Image<'_, &mut [u64]>, &S),
    ) -> bool {
        let seed = image.seed;
        self.placed += self.slots.len() as u64;
        let slots = in_order(&mut self.slots, |slot| slot.hash(seed));
        slots.into_iter().all(|slot| {
            before(image, &slot);
            self.insert(image, slot)
        })
    }

    /// Puts it into the emptier one of its buckets, or moves others out of its way. Emptier buckets are room for changes in
    /// place, which must not move anything. False where [`MAX_KICKS`] evictions did not make room.
    #[inline]
    fn insert(&mut self, image: &mut Image<'_, &mut [u64]>, slot: S) -> bool {
        let [first, second] = image.buckets(&slot);
        let bucket = if self.taken[first] <= self.taken[second] {
            first
        } else {
            second
        };
        self.put(image, bucket, &slot) || self.evict(image, slot)
    }

    fn put(&mut self, image: &mut Image<'_, &mut [u64]>, bucket: usize, slot: &S) -> bool {
        let taken = usize::from(self.taken[bucket]);
        if taken == S::SLOTS {
            return false;
        }
        slot.write(&mut image.cells, self.at(bucket, taken));
        self.taken[bucket] += 1;
        true
    }

    #[cold]
    fn evict(&mut self, image: &mut Image<'_, &mut [u64]>, mut slot: S) -> bool {
        let [mut bucket, _] = image.buckets(&slot);
        (0..MAX_KICKS).any(|kick| {
            // Rotating through the slots walks further than always evicting the same one.
            let at = self.at(bucket, kick % S::SLOTS);
            let evicted = S::read(&image.cells, at);
            slot.write(&mut image.cells, at);
            slot = evicted.unwrap_or(slot);
            let [first, second] = image.buckets(&slot);
            bucket = if bucket == first { second } else { first };
            self.put(image, bucket, &slot)
        })
    }

    fn at(&self, bucket: usize, slot: usize) -> usize {
        self.table.at as usize + (bucket * S::SLOTS + slot) * S::WORDS
    }
}

/// Empties `items`, and gives them as they follow each other in a table, but for those that are next to each other
/// there anyway: their order stays.
fn in_order<T: Copy>(items: &mut Vec<T>, hash: impl Fn(&T) -> u64) -> Vec<T> {
    // A few thousand of each: their buckets are all in the cache.
    const TOGETHER: u32 = 12;
    let bits = items.len().checked_ilog2().unwrap_or(0);
    let bits = bits.saturating_sub(TOGETHER);
    let Some(&first) = items.first().filter(|_| bits > 0) else {
        return std::mem::take(items);
    };
    let part = |item: &T| (hash(item) >> (64 - bits)) as usize;
    let mut next = vec![0_usize; 1 << bits];
    items.iter().for_each(|item| next[part(item)] += 1);
    let mut sum = 0;
    for start in &mut next {
        sum += std::mem::replace(start, sum);
    }
    let mut ordered = vec![first; items.len()];
    for item in items.drain(..) {
        let next = &mut next[part(&item)];
        ordered[*next] = item;
        *next += 1;
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Multiplied by an odd number, so that none comes twice.
    fn scattered(count: u64) -> Vec<u64> {
        (0..count)
            .map(|item| item.wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .collect()
    }

    #[test]
    fn parts_follow_each_other_and_keep_their_order() {
        for count in [0, 1, 4_095, 4_096, 8_192, 100_000] {
            let mut items = scattered(count);
            let before = items.clone();
            let ordered = in_order(&mut items, |item| *item);
            assert!(items.is_empty());
            let bits = count.checked_ilog2().unwrap_or(0).saturating_sub(12);
            let part = |item: &u64| item.checked_shr(64 - bits).unwrap_or(0);
            let mut expected = before;
            // A stable sort by the same parts.
            expected.sort_by_key(part);
            assert_eq!(ordered, expected, "{count}");
        }
    }
}
