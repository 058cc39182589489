//! Multiply-shift hashing: two multiplications for whatever a key is looked up in.
//!
//! The upper half of a hash says where in a table its key is, in all of them in the same order: who compiles a table goes
//! through the hashes from low to high, and writes memory from front to back.

use super::layout::WINDOW;

const ODD_1: u64 = 0x9e37_79b9_7f4a_7c15;
const ODD_2: u64 = 0xd6e8_feb8_6659_fd93;

/// A word of the Bloom filter and the three bits of one key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub word: u64,
    pub mask: u64,
}

/// The hash of an IPv4 address or a part of an IPv6 address. `seed` has bit 0 cleared or set by
/// [`super::layout::WIDE_V6`]; both hash alike.
#[inline(always)]
pub const fn hash(key: u64, seed: u64) -> u64 {
    let folded = fold_down(key.wrapping_mul((seed ^ ODD_1) | 1));
    // The place is known after one multiplication, and what is there asked for during the second.
    folded << 32 | folded.wrapping_mul(ODD_2) >> 32
}

/// The hash of an IPv4 key. Keys of one scope have the same lower half: one multiplication is not enough.
#[inline(always)]
pub const fn hash_v4(key: u64, seed: u64) -> u64 {
    finish(key.wrapping_mul((seed ^ ODD_1) | 1))
}

/// The hash of an IPv6 key.
#[inline(always)]
pub const fn hash_v6([high, low, scope]: [u64; 3], seed: u64) -> u64 {
    mix(mix(mix(high ^ (seed | 1)) ^ low) ^ scope)
}

/// The spot of a key among `words` words (below 2³²) of the Bloom filter.
#[inline(always)]
pub fn spot(hash: u64, words: u64, times: impl Fn(u64, u64) -> u64) -> Spot {
    Spot {
        word: reduce(hash >> 32, words, times),
        mask: 1 << ((hash >> 26) & 63) | 1 << ((hash >> 20) & 63) | 1 << ((hash >> 14) & 63),
    }
}

/// The two buckets of a key. The first is one of `buckets` (below 2³²), the second one of the [`WINDOW`] behind it.
#[inline(always)]
pub fn pair(hash: u64, buckets: u64, times: impl Fn(u64, u64) -> u64) -> (u64, u64) {
    let first = reduce(hash >> 32, buckets, times);
    (first, first + 1 + (hash & (WINDOW - 1)))
}

/// A 64-bit number for a part of an IPv6 address, tagged so that parts do not collide.
#[inline(always)]
pub const fn fold(high: u64, low: u64, tag: u64) -> u64 {
    mix(high ^ tag) ^ low.wrapping_mul(ODD_1)
}

#[inline(always)]
const fn mix(value: u64) -> u64 {
    finish(value.wrapping_mul(ODD_1))
}

#[inline(always)]
const fn finish(product: u64) -> u64 {
    let second = fold_down(product).wrapping_mul(ODD_2);
    second ^ (second >> 29)
}

/// The upper half of the product of keys that follow each other goes up by the same number each time, which may crowd them
/// together: it takes both halves.
#[inline(always)]
const fn fold_down(product: u64) -> u64 {
    product ^ (product >> 32)
}

/// Maps 32 bits onto `0..size` without a division: sizes need not be powers of two, and the
/// verifier can follow the bound.
#[inline(always)]
fn reduce(hash: u64, size: u64, times: impl Fn(u64, u64) -> u64) -> u64 {
    times(hash, size) >> 32
}

/// How user space multiplies; for the kernel see [`super::Words::times`].
#[inline(always)]
pub fn product(hash: u64, size: u64) -> u64 {
    hash * size
}
