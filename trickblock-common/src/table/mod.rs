//! The compiled rule set: one map value of 64-bit words that user space writes and the kernel reads.
//!
//! ```text
//! word 0: generation   …512 words…   half 0   half 1        the half in use is generation & 1
//! half: head | bitmap of /24s | bitmap of whole /24s | Bloom words | hosts | IPv4 buckets | IPv6 buckets
//! ```
//!
//! A packet reads the generation once and stays in that half, so it sees the old set or the new one.

pub mod geometry;
pub mod hash;
pub mod key;
pub mod layout;
pub mod lookup;
pub mod prefilter;
pub mod scalar;

pub use geometry::{Buckets, Geometry, Room, Sizes};
pub use key::{KeyV4, KeyV6, Scope};
pub use lookup::{Table, side_v4, side_v6};
pub use scalar::{Endpoint, Match, Query, Record};

/// Where table words come from: `index` counts 64-bit words from the start of a half.
pub trait Words {
    fn word(&self, index: u64) -> u64;

    /// `hash * size`. The kernel's verifier has a say in which of both is multiplied.
    #[inline(always)]
    fn times(&self, hash: u64, size: u64) -> u64 {
        hash::product(hash, size)
    }
}

impl Words for [u64] {
    #[inline(always)]
    fn word(&self, index: u64) -> u64 {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.get(index))
            .copied()
            .unwrap_or(0)
    }
}
