//! Places inside the table value.

/// Words before the first half: a page, so that halves can be mapped alone.
pub const PREAMBLE: u64 = 512;
/// Word of the generation, from the start of the value. Alone in its line: every packet reads it.
pub const GENERATION: u64 = 0;
/// A word that is always zero, which the verifier cannot know.
pub const ZERO: u64 = 1;
/// Word of the revision: odd while the live half is being changed in place, and another number afterwards. For user
/// space that copies the half.
pub const REVISION: u64 = 8;
/// From here on the value says what it is: [`MAGIC`], then the [`super::Geometry`] in declaration order.
pub const IDENTITY: u64 = 16;
/// First of the words that say what the program was loaded with; for user space.
pub const CONSTANTS: u64 = 32;
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
/// Three words: entries in the buckets of hosts, of IPv4 and of IPv6.
pub const ENTRIES: u64 = 5;
/// Entries that were taken out in place since the half was compiled: their marks in the prefilter are still there.
pub const DEAD: u64 = 8;
/// Bit 0 of [`SEED`]: some IPv6 prefix is too short for the prefilter, every packet is looked up.
pub const WIDE_V6: u64 = 1;

/// Not 0 where an address found its buckets full and stands in the table of all other IPv4 entries.
pub const SPILLED: u64 = 9;

/// /24s that IPv4 prefixes have marked in the bitmaps since the half was compiled, and those of them whose prefixes were taken
/// out: their marks are still there.
pub const COVERED: u64 = 10;
pub const UNCOVERED: u64 = 11;
/// The same of the keys that entries have marked in the Bloom filter.
pub const MARKED: u64 = 12;
pub const UNMARKED: u64 = 13;

/// First word of the bitmap of /24s that hold any indicator.
pub const ANY_24: u64 = HEAD;

/// First word of the bitmap of /24s that are listed whole, where a bitmap has so many words.
#[inline(always)]
pub const fn whole_24(bitmap: u64) -> u64 {
    ANY_24 + bitmap
}

/// First word of the Bloom filter behind both.
#[inline(always)]
pub const fn bloom(bitmap: u64) -> u64 {
    ANY_24 + 2 * bitmap
}

/// Slots of a bucket of hosts: a cache line. A slot is one word, `address << 32 | flags << 28 | indicator id`.
pub const SLOTS_HOST: u64 = 8;
/// Slots of any other bucket, and words of a slot.
pub const SLOTS: u64 = 4;
pub const SLOT_V4: u64 = 2;
pub const SLOT_V6: u64 = 4;

/// The second bucket of a key is one of so many behind the first; a power of two. A few pages, so that who goes through the
/// keys in the order of their buckets has both at hand.
pub const WINDOW: u64 = 256;
