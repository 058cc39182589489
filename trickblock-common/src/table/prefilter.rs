//! The pass path: is it worth looking closer? Never says no for a listed address.

use super::{
    Words,
    hash::{Spot, fold, hash, spot},
    layout::{ANY_24, BLOOM, LENGTHS_V4, SEED, WHOLE_24, WIDE_V6},
};
use crate::{Ends, V4, V6};

/// The parts of an IPv6 address that are marked in the Bloom filter: an indicator marks the longest
/// part that is not longer than its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Marked for every indicator: the first stage asks for it alone.
    Any32,
    /// Prefixes up to /47, expanded to their /32s.
    Whole32,
    P48,
    P64,
    Host,
}

impl Part {
    /// The part that an indicator with a prefix of `length` bits marks.
    pub const fn of_length(length: u8) -> Self {
        match length {
            128.. => Self::Host,
            64.. => Self::P64,
            48.. => Self::P48,
            _ => Self::Whole32,
        }
    }

    /// The Bloom key of this part of `address`.
    #[inline(always)]
    pub const fn key(self, address: V6) -> u64 {
        match self {
            // As few instructions as for an IPv4 address, and apart from those.
            Self::Any32 => address.high >> 32 | 1 << 32,
            Self::Whole32 => fold(address.high >> 32, 0, 2),
            Self::P48 => fold(address.high >> 16, 0, 3),
            Self::P64 => fold(address.high, 0, 4),
            Self::Host => fold(address.high, address.low, 5),
        }
    }
}

/// The Bloom key of an IPv4 address.
#[inline(always)]
pub const fn key_v4(address: V4) -> u64 {
    address.0 as u64
}

/// (word from the start of the half, bit number) of the /24 of `address` in the bitmap at `bitmap`.
#[inline(always)]
pub const fn bit_24(address: V4, bitmap: u64) -> (u64, u64) {
    (
        bitmap + (address.0 >> 14) as u64,
        ((address.0 >> 8) & 63) as u64,
    )
}

/// Which address may be listed. `bloom` gives the words of the Bloom filter; it is asked
/// only where a /24 holds something, since most packets do not get that far.
#[inline(always)]
pub fn near_v4<W: Words + ?Sized>(
    words: &W,
    bloom: impl Fn() -> u64,
    source: V4,
    destination: V4,
) -> Ends {
    let source_24 = test(words, bit_24(source, ANY_24)) & 1;
    let destination_24 = test(words, bit_24(destination, ANY_24)) & 1;
    if source_24 | destination_24 == 0 {
        return Ends::NONE;
    }
    // The other end is usually in a /24 without anything: its lines are not worth fetching.
    Ends::of(
        destination_24 != 0 && close_v4(words, &bloom, destination),
        source_24 != 0 && close_v4(words, &bloom, source),
    )
}

/// Whether one address may be listed.
#[inline(always)]
pub fn alone_v4<W: Words + ?Sized>(words: &W, bloom: impl Fn() -> u64, address: V4) -> bool {
    test(words, told_24(words, address, ANY_24)) & 1 != 0 && close_v4(words, &bloom, address)
}

/// For an address whose /24 holds something.
#[inline(always)]
fn close_v4<W: Words + ?Sized>(words: &W, bloom: &impl Fn() -> u64, address: V4) -> bool {
    marked(words, bloom(), words.word(SEED), key_v4(address))
        || (words.word(LENGTHS_V4) & WHOLE != 0
            && test(words, told_24(words, address, WHOLE_24)) & 1 != 0)
}

/// Bits of the lengths of prefixes that are a /24 or more.
const WHOLE: u64 = (1 << 25) - 1;

/// As [`bit_24`], off the pass path.
#[inline(always)]
fn told_24<W: Words + ?Sized>(words: &W, address: V4, bitmap: u64) -> (u64, u64) {
    let (word, bit) = bit_24(address, 0);
    (bitmap + words.block(word), bit)
}

/// Bit 0 of the result is the bit asked for.
#[inline(always)]
fn test<W: Words + ?Sized>(words: &W, (word, bit): (u64, u64)) -> u64 {
    words.word(word) >> bit
}

/// Whether either address may be listed; `bloom` as for [`near_v4`].
#[inline(always)]
pub fn near_v6<W: Words + ?Sized>(
    words: &W,
    bloom: impl Fn() -> u64,
    source: V6,
    destination: V6,
) -> bool {
    let seed = words.word(SEED);
    if seed & WIDE_V6 != 0 {
        return true;
    }
    let bloom = bloom();
    let any = |address: V6| absent(words, bloom, seed, Part::Any32.key(address));
    // Both words are on their way before one of them decides.
    let (destination_32, source_32) = (any(destination), any(source));
    if destination_32 != 0 && source_32 != 0 {
        return false;
    }
    (destination_32 == 0 && close_v6(words, bloom, seed, destination))
        || (source_32 == 0 && close_v6(words, bloom, seed, source))
}

/// For an address whose /32 holds something.
#[inline(always)]
fn close_v6<W: Words + ?Sized>(words: &W, bloom: u64, seed: u64, address: V6) -> bool {
    let hit = |part: Part| marked(words, bloom, seed, part.key(address));
    hit(Part::Host) || hit(Part::P64) || hit(Part::P48) || hit(Part::Whole32)
}

#[inline(always)]
fn marked<W: Words + ?Sized>(words: &W, bloom: u64, seed: u64, key: u64) -> bool {
    absent(words, bloom, seed, key) == 0
}

/// The bits of `key` that are not set.
#[inline(always)]
fn absent<W: Words + ?Sized>(words: &W, bloom: u64, seed: u64, key: u64) -> u64 {
    let times = |hash, size| words.times(hash, size);
    let Spot { word, mask } = spot(hash(key, seed), bloom, times);
    !words.word(BLOOM + word) & mask
}
