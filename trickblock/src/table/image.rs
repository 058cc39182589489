//! One half of the table value: where its slots and marks are, and putting them there.

use trickblock_common::{
    V4, V6,
    table::{
        Geometry,
        hash::{product, spot},
        layout::{ANY_24, BLOOM, LENGTHS_V4, LENGTHS_V6, SEED, WHOLE_24, WIDE_V6},
        prefilter::{Part, bit_24, key_v4},
    },
};

use super::{Prefix, cells::Cells, slot::Slot};

/// IPv6 prefixes shorter than this would expand to more than 65,536 /32s in the prefilter.
const SHORTEST_MARKED_V6: u8 = 16;
/// Evictions in a row before a placement is given up; at 92 % fill a handful is the rule.
const MAX_KICKS: usize = 2_000;

pub(super) struct Image<'a, C> {
    pub cells: C,
    pub geometry: &'a Geometry,
    pub seed: u64,
}

impl<'a, C: Cells> Image<'a, C> {
    /// The half that `cells` holds.
    pub(super) fn of(cells: C, geometry: &'a Geometry) -> Self {
        let seed = cells.load(SEED as usize) & !WIDE_V6;
        Self {
            cells,
            geometry,
            seed,
        }
    }

    /// First words of the two candidate buckets.
    #[inline]
    pub(super) fn candidates<S: Slot>(&self, slot: &S) -> [usize; 2] {
        let table = S::table(self.geometry);
        let (first, second) = slot.buckets(self.seed, table.count);
        [first, second].map(|bucket| table.at as usize + bucket as usize * S::SLOTS * S::WORDS)
    }

    /// Where the slot with this key is.
    pub(super) fn find<S: Slot>(&self, key: &S) -> Option<(usize, S)> {
        let buckets = self.candidates(key).into_iter();
        let mut slots = buckets.flat_map(|bucket| places::<S>(bucket));
        slots.find_map(|at| {
            let slot = S::read(&self.cells, at)?;
            slot.has_key_of(key).then_some((at, slot))
        })
    }

    /// Puts it into a free slot of either bucket, of the emptier one if it can: that keeps room for changes in place, which
    /// must not move anything. False where there is none.
    #[inline]
    pub(super) fn place<S: Slot>(&mut self, slot: &S) -> bool {
        let [first, second] = self.candidates(slot);
        let (one, other) = (self.filled::<S>(first), self.filled::<S>(second));
        if one <= other {
            self.place_in(first, one, slot)
        } else {
            self.place_in(second, other, slot)
        }
    }

    /// The number of its first free slot, which is that of taken ones where nothing was taken out.
    #[inline]
    fn filled<S: Slot>(&self, bucket: usize) -> usize {
        let mut places = places::<S>(bucket);
        let free = places.position(|at| S::is_free(&self.cells, at));
        free.unwrap_or(S::SLOTS)
    }

    #[inline]
    fn place_in<S: Slot>(&mut self, bucket: usize, free: usize, slot: &S) -> bool {
        if free < S::SLOTS {
            slot.write(&mut self.cells, bucket + free * S::WORDS);
        }
        free < S::SLOTS
    }

    /// Puts it somewhere, moving others out of its way: for a half that no packet looks at. False where [`MAX_KICKS`]
    /// evictions did not make room.
    pub(super) fn insert<S: Slot>(&mut self, mut slot: S) -> bool {
        if self.place(&slot) {
            return true;
        }
        let mut bucket = self.candidates(&slot)[0];
        for kick in 0..MAX_KICKS {
            // Rotating through the slots walks further than always evicting the same one.
            slot = self.exchange(bucket + kick % S::SLOTS * S::WORDS, slot);
            let [first, second] = self.candidates(&slot);
            bucket = if bucket == first { second } else { first };
            let filled = self.filled::<S>(bucket);
            if self.place_in(bucket, filled, &slot) {
                return true;
            }
        }
        false
    }

    fn exchange<S: Slot>(&mut self, at: usize, slot: S) -> S {
        let evicted = S::read(&self.cells, at);
        slot.write(&mut self.cells, at);
        evicted.unwrap_or(slot)
    }

    /// Makes the prefilter let packets of this prefix through.
    pub(super) fn mark(&mut self, prefix: Prefix) {
        match prefix {
            Prefix::V4(prefix, length) => {
                self.set(LENGTHS_V4, u64::from(length));
                self.mark_v4(prefix, length);
            }
            Prefix::V6(prefix, length) => {
                self.set(LENGTHS_V6 + u64::from(length / 64), u64::from(length % 64));
                self.mark_v6(prefix, length);
            }
        }
    }

    /// /24s and shorter are listed whole; longer prefixes put their hosts (at most 128) into the
    /// Bloom filter. The first stage comes last: a packet that gets by it must find all the rest.
    fn mark_v4(&mut self, prefix: V4, length: u8) {
        if length <= 24 {
            for block in 0..1u32 << (24 - length) {
                let address = V4(prefix.0 | (block << 8));
                let (word, bit) = bit_24(address, WHOLE_24);
                self.set(word, bit);
                let (word, bit) = bit_24(address, ANY_24);
                self.set(word, bit);
            }
            return;
        }
        for host in 0..1u32 << (32 - length) {
            self.mark_key(key_v4(V4(prefix.0 | host)));
        }
        let (word, bit) = bit_24(prefix, ANY_24);
        self.set(word, bit);
    }

    /// Marks the part of the prefix that the lookup will ask for, and its /32 for the first stage.
    fn mark_v6(&mut self, prefix: V6, length: u8) {
        if length < SHORTEST_MARKED_V6 {
            self.or(SEED as usize, WIDE_V6);
            return;
        }
        if length >= 32 {
            self.mark_key(Part::of_length(length).key(prefix));
            self.mark_key(Part::Any32.key(prefix));
            return;
        }
        for block in 0..1u64 << (32 - length) {
            let part = V6 {
                high: prefix.high | (block << 32),
                low: 0,
            };
            self.mark_key(Part::Whole32.key(part));
            self.mark_key(Part::Any32.key(part));
        }
    }

    /// The word of the Bloom filter that a key is marked in.
    #[inline]
    pub(super) fn bloom_word(&self, key: u64) -> usize {
        (BLOOM + spot(key, self.seed, self.geometry.bloom, product).word) as usize
    }

    fn mark_key(&mut self, key: u64) {
        let spot = spot(key, self.seed, self.geometry.bloom, product);
        self.or((BLOOM + spot.word) as usize, spot.mask);
    }

    fn set(&mut self, word: u64, bit: u64) {
        self.or(word as usize, 1 << bit);
    }

    /// There is one writer: nothing gets lost between reading and writing.
    fn or(&mut self, word: usize, bits: u64) {
        let before = self.cells.load(word);
        if before & bits != bits {
            self.cells.store(word, before | bits);
        }
    }
}

/// Where the slots of a bucket begin.
fn places<S: Slot>(bucket: usize) -> impl Iterator<Item = usize> {
    (0..S::SLOTS).map(move |slot| bucket + slot * S::WORDS)
}
