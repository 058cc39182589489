//! Multiply-shift hashing: three instructions on the pass path, two multiplications behind it.

const ODD_1: u64 = 0x9e37_79b9_7f4a_7c15;
const ODD_2: u64 = 0xd6e8_feb8_6659_fd93;

/// A word of the Bloom filter and the three bits of one key in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    pub word: u64,
    pub mask: u64,
}

/// `seed` has bit 0 cleared or set by [`super::layout::WIDE_V6`]; both hash alike.
#[inline(always)]
const fn multiplier(seed: u64) -> u64 {
    (seed ^ ODD_1) | 1
}

/// The Bloom spot of `key` among `words` words (below 2³²).
#[inline(always)]
pub fn spot(key: u64, seed: u64, words: u64, times: impl Fn(u64, u64) -> u64) -> Spot {
    // Only high product bits are well mixed: fold them down before the second multiplication.
    let first = key.wrapping_mul(multiplier(seed));
    let second = (first ^ (first >> 32)).wrapping_mul(ODD_2);
    Spot {
        word: reduce(first >> 32, words, times),
        mask: 1 << (second >> 58) | 1 << ((second >> 52) & 63) | 1 << ((second >> 46) & 63),
    }
}

/// The two buckets of an IPv4 address among `buckets` (below 2³²).
#[inline(always)]
pub fn buckets_host(
    address: u32,
    seed: u64,
    buckets: u64,
    times: impl Fn(u64, u64) -> u64,
) -> (u64, u64) {
    two(mix(address as u64 ^ (seed | 1)), buckets, times)
}

/// The two buckets of an IPv4 key among `buckets` (below 2³²).
#[inline(always)]
pub fn buckets_v4(
    key: u64,
    seed: u64,
    buckets: u64,
    times: impl Fn(u64, u64) -> u64,
) -> (u64, u64) {
    two(mix(key ^ (seed | 1)), buckets, times)
}

/// The two buckets of an IPv6 key among `buckets` (below 2³²).
#[inline(always)]
pub fn buckets_v6(
    [high, low, scope]: [u64; 3],
    seed: u64,
    buckets: u64,
    times: impl Fn(u64, u64) -> u64,
) -> (u64, u64) {
    two(
        mix(mix(mix(high ^ (seed | 1)) ^ low) ^ scope),
        buckets,
        times,
    )
}

/// A 64-bit number for a part of an IPv6 address, tagged so that parts do not collide.
#[inline(always)]
pub const fn fold(high: u64, low: u64, tag: u64) -> u64 {
    mix(high ^ tag) ^ low.wrapping_mul(ODD_1)
}

#[inline(always)]
const fn mix(value: u64) -> u64 {
    let first = value.wrapping_mul(ODD_1);
    let second = (first ^ (first >> 32)).wrapping_mul(ODD_2);
    second ^ (second >> 29)
}

#[inline(always)]
fn two(hash: u64, buckets: u64, times: impl Fn(u64, u64) -> u64) -> (u64, u64) {
    (
        reduce(hash >> 32, buckets, &times),
        reduce(hash & 0xffff_ffff, buckets, &times),
    )
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
