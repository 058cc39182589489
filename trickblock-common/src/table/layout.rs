//! Sizes and places inside the table value.

/// Words before the first half: a page, so that halves can be mapped alone.
pub const PREAMBLE: u64 = 512;
/// Word of the generation, from the start of the value.
pub const GENERATION: u64 = 0;

/// Words 1 to 7 say what the value is: [`MAGIC`], then the [`Geometry`] in declaration order.
pub const IDENTITY: u64 = 1;
/// A word that is always zero, which the verifier cannot know.
pub const ZERO: u64 = 8;
/// First of the words that say what the program was loaded with; for user space.
pub const CONSTANTS: u64 = 16;
/// `trickblk` in ASCII.
pub const MAGIC: u64 = 0x7472_6963_6b62_6c6b;

/// Words of a half's head.
pub const HEAD: u64 = 16;
/// Hash seed. Bit 0 is [`WIDE_V6`], not part of the seed.
pub const SEED: u64 = 0;
/// Bit n: some IPv4 indicator has a prefix of n bits (1 to 32).
pub const LENGTHS_V4: u64 = 1;
/// Three words; bit n of them: some IPv6 indicator has a prefix of n bits (1 to 128).
pub const LENGTHS_V6: u64 = 2;
/// Entries in the IPv4 and in the IPv6 buckets.
pub const ENTRIES_V4: u64 = 5;
pub const ENTRIES_V6: u64 = 6;
/// Bit 0 of [`SEED`]: some IPv6 prefix is too short for the prefilter, every packet is looked up.
pub const WIDE_V6: u64 = 1;

/// Words of a bitmap with one bit per IPv4 /24.
pub const BITMAP: u64 = 1 << 18;
/// First word of the bitmap of /24s that hold any indicator.
pub const ANY_24: u64 = HEAD;
/// First word of the bitmap of /24s that are listed whole.
pub const WHOLE_24: u64 = ANY_24 + BITMAP;
pub const BLOOM: u64 = WHOLE_24 + BITMAP;

/// Slots of a bucket, and words of a slot.
pub const SLOTS: u64 = 4;
pub const SLOT_V4: u64 = 2;
pub const SLOT_V6: u64 = 4;

/// The sizes that the loader chooses. The program holds them as load-time constants, so that the
/// verifier can bound every index.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Words of the Bloom filter.
    pub bloom: u64,
    /// Buckets of four entries each.
    pub buckets_v4: u64,
    pub buckets_v6: u64,
    /// First word of the IPv4 buckets, of the IPv6 buckets, and behind the half.
    pub at_v4: u64,
    pub at_v6: u64,
    pub half: u64,
}

/// What a lookup needs of the sizes. The program loads each where it is used: it cannot leave out a
/// load once it is written.
pub trait Sizes {
    fn v4(&self) -> Buckets;
    fn v6(&self) -> Buckets;
}

/// The buckets of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    pub count: u64,
    /// First word, from the start of a half.
    pub at: u64,
}

impl Sizes for Geometry {
    fn v4(&self) -> Buckets {
        Buckets {
            count: self.buckets_v4,
            at: self.at_v4,
        }
    }

    fn v6(&self) -> Buckets {
        Buckets {
            count: self.buckets_v6,
            at: self.at_v6,
        }
    }
}

/// Fill of the buckets at which two-choice cuckoo hashing with four slots still finds room.
const FILL_PERCENT: u64 = 90;
/// Above this the value passes the verifier's bound on variable offsets (2²⁹ bytes).
const MAX_ENTRIES: u64 = 6_000_000;

impl Geometry {
    /// Room for so many entries of each family, or `None` above 6 million in sum (IPv6 counts
    /// twice).
    pub const fn for_entries(v4: u64, v6: u64) -> Option<Self> {
        if v4 > MAX_ENTRIES || v6 > MAX_ENTRIES || v4 + 2 * v6 > MAX_ENTRIES {
            return None;
        }
        let bloom = bloom_words(v4 + v6);
        let (buckets_v4, buckets_v6) = (buckets(v4), buckets(v6));
        let at_v4 = BLOOM + bloom;
        let at_v6 = at_v4 + buckets_v4 * SLOTS * SLOT_V4;
        // One bucket more than is used, since the verifier's bound on an index is that much coarser,
        // and whole pages, so that a half can be mapped alone.
        let half = (at_v6 + (buckets_v6 + 1) * SLOTS * SLOT_V6).next_multiple_of(PREAMBLE);
        Some(Self {
            bloom,
            buckets_v4,
            buckets_v6,
            at_v4,
            at_v6,
            half,
        })
    }

    /// The fields in declaration order.
    pub const fn to_words(&self) -> [u64; 6] {
        [
            self.bloom,
            self.buckets_v4,
            self.buckets_v6,
            self.at_v4,
            self.at_v6,
            self.half,
        ]
    }

    /// The geometry with these fields, or `None` where no [`Self::for_entries`] made them.
    pub fn from_words(words: [u64; 6]) -> Option<Self> {
        let [bloom, buckets_v4, buckets_v6, at_v4, at_v6, half] = words;
        let geometry = Self {
            bloom,
            buckets_v4,
            buckets_v6,
            at_v4,
            at_v6,
            half,
        };
        let (bound, behind_v4) = (
            1 << 26,
            at_v4.checked_add(buckets_v4.checked_mul(SLOTS * SLOT_V4)?)?,
        );
        let behind_v6 = at_v6.checked_add(buckets_v6.checked_mul(SLOTS * SLOT_V6)?)?;
        let ordered = at_v4 == BLOOM.checked_add(bloom)? && at_v6 == behind_v4 && behind_v6 <= half;
        (ordered && bloom > 0 && half < bound && half % PREAMBLE == 0).then_some(geometry)
    }

    /// Words of the whole value, both halves.
    pub const fn words(&self) -> u64 {
        PREAMBLE + 2 * self.half
    }

    /// Entries that may be used: (IPv4, IPv6).
    pub const fn capacity(&self) -> (u64, u64) {
        (
            self.buckets_v4 * SLOTS * FILL_PERCENT / 100,
            self.buckets_v6 * SLOTS * FILL_PERCENT / 100,
        )
    }

    /// First word of the half that `generation` uses.
    pub const fn half_at(&self, generation: u64) -> u64 {
        PREAMBLE + (generation & 1) * self.half
    }
}

/// 16 bits per entry.
const fn bloom_words(entries: u64) -> u64 {
    let words = entries.div_ceil(4);
    if words < 1024 { 1024 } else { words }
}

const fn buckets(entries: u64) -> u64 {
    let buckets = (entries * 100).div_ceil(FILL_PERCENT * SLOTS);
    if buckets < 64 { 64 } else { buckets }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_asked_for_and_stays_under_the_verifiers_bound() {
        for (v4, v6) in [
            (0, 0),
            (1, 1),
            (100_000, 25_000),
            (1_000_000, 250_000),
            (6_000_000, 0),
            (0, 3_000_000),
        ] {
            let geometry = Geometry::for_entries(v4, v6).expect("in range");
            assert!(geometry.capacity().0 >= v4 && geometry.capacity().1 >= v6);
            assert!(geometry.words() * 8 < 1 << 29, "{v4} {v6}");
            assert_eq!(Geometry::from_words(geometry.to_words()), Some(geometry));
        }
        assert_eq!(Geometry::for_entries(6_000_001, 0), None);
        assert_eq!(Geometry::for_entries(0, 3_000_001), None);
        assert_eq!(Geometry::for_entries(u64::MAX, u64::MAX), None);
    }

    /// The verifier bounds `bucket * 16` by `buckets * 16 - 1`, not by `(buckets - 1) * 16`: where
    /// the last bucket ended with the value, the program was refused.
    #[test]
    fn the_last_bucket_never_ends_with_the_half() {
        for entries in 0..3_000 {
            let geometry = Geometry::for_entries(entries * 7, entries * 3).expect("in range");
            let last = geometry.at_v6 + geometry.buckets_v6 * SLOTS * SLOT_V6;
            assert!(geometry.half >= last + SLOTS * SLOT_V6, "{entries}");
        }
    }

    #[test]
    fn memory_per_indicator() {
        // 1 M addresses: 17.8 bytes of buckets, 2 of Bloom, 4.2 of bitmaps.
        let geometry = Geometry::for_entries(1_000_000, 0).expect("in range");
        assert!(geometry.half * 8 / 1_000_000 <= 25, "{}", geometry.half * 8);
    }
}
