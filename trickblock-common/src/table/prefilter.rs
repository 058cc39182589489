//! The pass path: is it worth looking closer? Never says no for a listed address.

use super::{
    Sizes, Words,
    hash::{Spot, fold, hash, spot},
    layout::{self, ANY_24, LENGTHS_V4, SEED, WIDE_V6, whole_24},
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

/// (word from the start of the half, bit number) of the /24 of `address` in the bitmap of `words` words at `at`.
#[inline(always)]
pub const fn bit_24(address: V4, at: u64, words: u64) -> (u64, u64) {
    (
        at + ((address.0 >> 14) as u64 & (words - 1)),
        ((address.0 >> 8) & 63) as u64,
    )
}

/// Which address may be listed.
#[inline(always)]
pub fn near_v4<W: Words + ?Sized, S: Sizes>(
    words: &W,
    sizes: &S,
    source: V4,
    destination: V4,
) -> Ends {
    let bitmap = sizes.bitmap();
    let source_24 = test(words, bit_24(source, ANY_24, bitmap)) & 1;
    let destination_24 = test(words, bit_24(destination, ANY_24, bitmap)) & 1;
    if source_24 | destination_24 == 0 {
        return Ends::NONE;
    }
    // The other end is usually in a /24 without anything: its lines are not worth fetching.
    Ends::of(
        destination_24 != 0 && close_v4(words, sizes, destination),
        source_24 != 0 && close_v4(words, sizes, source),
    )
}

/// Whether one address may be listed.
#[inline(always)]
pub fn alone_v4<W: Words + ?Sized, S: Sizes>(words: &W, sizes: &S, address: V4) -> bool {
    test(words, bit_24(address, ANY_24, sizes.bitmap())) & 1 != 0 && close_v4(words, sizes, address)
}

/// For an address whose /24 holds something, or shares its bit with one that does.
#[inline(always)]
fn close_v4<W: Words + ?Sized, S: Sizes>(words: &W, sizes: &S, address: V4) -> bool {
    let (bitmap, seed) = (sizes.bitmap(), words.word(SEED));
    absent(words, sizes, seed, key_v4(address)) == 0
        || (words.word(LENGTHS_V4) & WHOLE != 0
            && test(words, bit_24(address, whole_24(bitmap), bitmap)) & 1 != 0)
}

/// Bits of the lengths of prefixes that are a /24 or more.
const WHOLE: u64 = (1 << 25) - 1;

/// Bit 0 of the result is the bit asked for.
#[inline(always)]
fn test<W: Words + ?Sized>(words: &W, (word, bit): (u64, u64)) -> u64 {
    words.word(word) >> bit
}

/// Whether either address may be listed.
#[inline(always)]
pub fn near_v6<W: Words + ?Sized, S: Sizes>(
    words: &W,
    sizes: &S,
    source: V6,
    destination: V6,
) -> bool {
    let seed = words.word(SEED);
    if seed & WIDE_V6 != 0 {
        return true;
    }
    let any = |address: V6| absent(words, sizes, seed, Part::Any32.key(address));
    // Both words are on their way before one of them decides.
    let (destination_32, source_32) = (any(destination), any(source));
    if destination_32 != 0 && source_32 != 0 {
        return false;
    }
    (destination_32 == 0 && close_v6(words, sizes, seed, destination))
        || (source_32 == 0 && close_v6(words, sizes, seed, source))
}

/// For an address whose /32 holds something.
#[inline(always)]
fn close_v6<W: Words + ?Sized, S: Sizes>(words: &W, sizes: &S, seed: u64, address: V6) -> bool {
    let hit = |part: Part| absent(words, sizes, seed, part.key(address)) == 0;
    hit(Part::Host) || hit(Part::P64) || hit(Part::P48) || hit(Part::Whole32)
}

/// The bits of `key` that are not set in the Bloom filter.
#[inline(always)]
fn absent<W: Words + ?Sized, S: Sizes>(words: &W, sizes: &S, seed: u64, key: u64) -> u64 {
    let times = |hash, size| words.times(hash, size);
    let Spot { word, mask } = spot(hash(key, seed), sizes.bloom(), times);
    !words.word(layout::bloom(sizes.bitmap()) + word) & mask
}
