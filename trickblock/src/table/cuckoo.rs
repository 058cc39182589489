//! Placing entries: two candidate buckets each, four slots per bucket.

use trickblock_common::table::{
    KeyV4, KeyV6, Record, hash,
    layout::{SLOT_V4, SLOT_V6, SLOTS},
};

/// Evictions in a row before a placement is given up; at 90 % fill a handful is the rule.
const MAX_KICKS: usize = 2_000;
const SLOTS_PER_BUCKET: usize = SLOTS as usize;

/// A slot of `N` words: the key, then the record.
pub(super) trait Slot: Copy {
    const WORDS: usize;
    fn buckets(&self, seed: u64, count: u64) -> (u64, u64);
    fn write(&self, words: &mut [u64]);
    /// `None` where the slot is empty.
    fn read(words: &[u64]) -> Option<Self>;
}

#[derive(Clone, Copy, Debug)]
pub(super) struct SlotV4 {
    pub key: KeyV4,
    pub record: Record,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct SlotV6 {
    pub key: KeyV6,
    pub record: Record,
}

impl Slot for SlotV4 {
    const WORDS: usize = SLOT_V4 as usize;

    fn buckets(&self, seed: u64, count: u64) -> (u64, u64) {
        hash::buckets_v4(self.key.0, seed, count, hash::product)
    }

    fn write(&self, words: &mut [u64]) {
        words.copy_from_slice(&[self.key.0, self.record.0]);
    }

    fn read(words: &[u64]) -> Option<Self> {
        let &[key, record] = words else { return None };
        (key != 0).then_some(Self {
            key: KeyV4(key),
            record: Record(record),
        })
    }
}

impl Slot for SlotV6 {
    const WORDS: usize = SLOT_V6 as usize;

    fn buckets(&self, seed: u64, count: u64) -> (u64, u64) {
        hash::buckets_v6(
            [self.key.high, self.key.low, self.key.bits],
            seed,
            count,
            hash::product,
        )
    }

    fn write(&self, words: &mut [u64]) {
        words.copy_from_slice(&[self.key.high, self.key.low, self.key.bits, self.record.0]);
    }

    fn read(words: &[u64]) -> Option<Self> {
        let &[high, low, bits, record] = words else {
            return None;
        };
        (bits != 0).then_some(Self {
            key: KeyV6 { high, low, bits },
            record: Record(record),
        })
    }
}

/// The buckets of one family: `words` spans exactly them.
pub(super) struct Buckets<'a> {
    pub words: &'a mut [u64],
    pub count: u64,
    pub seed: u64,
}

impl Buckets<'_> {
    /// Places `slot`; false where [`MAX_KICKS`] evictions did not make room.
    pub(super) fn insert<S: Slot>(&mut self, mut slot: S) -> bool {
        let (mut bucket, other) = slot.buckets(self.seed, self.count);
        if self.place(bucket, &slot) || self.place(other, &slot) {
            return true;
        }
        for kick in 0..MAX_KICKS {
            // Rotating through the slots walks further than always evicting the same one.
            slot = self.exchange(bucket, kick % SLOTS_PER_BUCKET, slot);
            let (first, second) = slot.buckets(self.seed, self.count);
            bucket = if bucket == first { second } else { first };
            if self.place(bucket, &slot) {
                return true;
            }
        }
        false
    }

    fn place<S: Slot>(&mut self, bucket: u64, slot: &S) -> bool {
        for index in 0..SLOTS_PER_BUCKET {
            let words = self.slot_mut::<S>(bucket, index);
            if S::read(words).is_none() {
                slot.write(words);
                return true;
            }
        }
        false
    }

    fn exchange<S: Slot>(&mut self, bucket: u64, index: usize, slot: S) -> S {
        let words = self.slot_mut::<S>(bucket, index);
        let evicted = S::read(words);
        slot.write(words);
        evicted.unwrap_or(slot)
    }

    fn slot_mut<S: Slot>(&mut self, bucket: u64, index: usize) -> &mut [u64] {
        let at = (bucket as usize * SLOTS_PER_BUCKET + index) * S::WORDS;
        &mut self.words[at..at + S::WORDS]
    }
}
