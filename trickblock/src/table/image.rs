//! One half of the table value: where its slots and marks are, and putting them there.

use trickblock_common::{
    V4, V6,
    table::{
        Geometry, Room,
        hash::{self, Spot, hash, product, spot},
        layout::{
            self, ANY_24, COVERED, ENTRIES, LENGTHS_V4, LENGTHS_V6, MARKED, SEED, WIDE_V6, whole_24,
        },
        prefilter::{Part, bit_24, key_v4},
    },
};

use super::{Prefix, cells::Cells, slot::Slot};

/// IPv6 prefixes shorter than this would expand to more than 65,536 /32s in the prefilter.
pub(super) const SHORTEST_MARKED_V6: u8 = 16;

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

    /// The two buckets that it may be in.
    #[inline]
    pub(super) fn buckets<S: Slot>(&self, slot: &S) -> [usize; 2] {
        let count = S::table(self.geometry).count;
        let (first, second) = hash::pair(slot.hash(self.seed), count, product);
        [first as usize, second as usize]
    }

    /// Their first words.
    #[inline]
    pub(super) fn candidates<S: Slot>(&self, slot: &S) -> [usize; 2] {
        let at = S::table(self.geometry).at as usize;
        self.buckets(slot)
            .map(|bucket| at + bucket * S::SLOTS * S::WORDS)
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
        let (one, other) = (self.free::<S>(first), self.free::<S>(second));
        let (bucket, free) = if one.count_ones() >= other.count_ones() {
            (first, one)
        } else {
            (second, other)
        };
        if free != 0 {
            let at = bucket + free.trailing_zeros() as usize * S::WORDS;
            slot.write(&mut self.cells, at);
        }
        free != 0
    }

    /// A bit for each free slot. Without a branch: nobody could foretell it.
    #[inline]
    fn free<S: Slot>(&self, bucket: usize) -> u32 {
        let slots = places::<S>(bucket).enumerate();
        slots.fold(0, |free, (slot, at)| {
            free | u32::from(S::is_free(&self.cells, at)) << slot
        })
    }

    /// Writes down how many entries there are.
    pub(super) fn note(&mut self, needed: Room) {
        let counts = [needed.hosts, needed.v4, needed.v6];
        for (index, count) in (ENTRIES as usize..).zip(counts) {
            self.cells.store(index, count);
        }
        self.cells.store(COVERED as usize, needed.covered);
        self.cells.store(MARKED as usize, needed.marks);
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
                self.mark_24(address, whole_24(self.geometry.bitmap));
                self.mark_24(address, ANY_24);
            }
            return;
        }
        for host in 0..1u32 << (32 - length) {
            self.mark_key(key_v4(V4(prefix.0 | host)));
        }
        self.mark_24(prefix, ANY_24);
    }

    /// In the bitmap at `at`.
    fn mark_24(&mut self, address: V4, at: u64) {
        let (word, bit) = bit_24(address, at, self.geometry.bitmap);
        self.set(word, bit);
    }

    /// Of what [`Self::mark`] marks for an address all but its word of the Bloom filter.
    #[inline]
    pub(super) fn mark_first_stage(&mut self, address: V4) {
        self.set(LENGTHS_V4, 32);
        self.mark_24(address, ANY_24);
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
        self.spot(key).word as usize
    }

    #[inline]
    fn spot(&self, key: u64) -> Spot {
        let Spot { word, mask } = spot(hash(key, self.seed), self.geometry.bloom, product);
        let word = layout::bloom(self.geometry.bitmap) + word;
        Spot { word, mask }
    }

    #[inline]
    pub(super) fn mark_key(&mut self, key: u64) {
        let spot = self.spot(key);
        self.or(spot.word as usize, spot.mask);
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
