//! The exact tables of a generation and the never-block list, asked through the functions in `table.rs`: each
//! step of a lookup is one that the verifier checks once.

use aya_ebpf::maps::lpm_trie::Key;
use trickblock_common::{
    V4, V6,
    abi::{never_16, protection},
    embedded::{Nat64, Nat64Prefixes},
    table::{
        Endpoint, KeyV4, KeyV6, Match, Query, Record, Table,
        lookup::{lengths_v4, lengths_v6},
    },
};

use crate::{
    maps,
    table::{
        Half, PROTECTION, join, length_v4, length_v6, lengths_of_v4, lengths_of_v6, record_host,
        record_v4, record_v6,
    },
};

/// The exact tables of a generation.
pub struct Exact(pub u64);

/// Load-time constants: what is not configured the verifier leaves out.
#[inline(always)]
pub fn nat64(index: usize) -> Nat64 {
    let at = 3 * index;
    Nat64 {
        length: maps::NAT64[at].load(),
        prefix: V6 {
            high: maps::NAT64[at + 1].load(),
            low: maps::NAT64[at + 2].load(),
        },
    }
}

impl Nat64Prefixes for Exact {
    #[inline(always)]
    fn nat64(&self, index: usize) -> Nat64 {
        nat64(index)
    }
}

impl Table for Exact {
    #[inline(always)]
    fn lengths_v4(&self) -> u64 {
        Half::of(self.0).map_or(0, |half| lengths_v4(&half))
    }

    #[inline(always)]
    fn lengths_v6(&self, word: u64) -> u64 {
        Half::of(self.0).map_or(0, |half| lengths_v6(&half, word))
    }

    #[inline(always)]
    fn record_host(&self, address: V4) -> Record {
        Record(record_host(address.0, self.0))
    }

    #[inline(always)]
    fn record_v4(&self, key: KeyV4) -> Record {
        Record(record_v4(key.0, self.0))
    }

    #[inline(always)]
    fn record_v6(&self, key: KeyV6) -> Record {
        Record(record_v6(key.high, key.low, key.bits, self.0))
    }

    #[inline(always)]
    fn walk_v4(&self, address: V4, end: Endpoint, protection: u32) -> Match {
        let end = end.pack() | u64::from(protection) << PROTECTION;
        Match(lengths_of_v4(address.0, end, self.0))
    }

    #[inline(always)]
    fn walk_v6(&self, address: V6, end: Endpoint, protection: u32) -> Match {
        let end = end.pack() | u64::from(protection) << PROTECTION;
        Match(lengths_of_v6(address.high, address.low, end, self.0))
    }

    #[inline(always)]
    fn step_v4(&self, address: V4, query: Query) -> Match {
        Match(length_v4(address.0, query.pack(), self.0))
    }

    #[inline(always)]
    fn step_v6(&self, address: V6, query: Query) -> Match {
        Match(length_v6(address.high, address.low, query.pack(), self.0))
    }

    #[inline(always)]
    fn join(&self, one: Match, other: Match) -> Match {
        Match(join(one.0, other.0))
    }

    #[inline(always)]
    fn protection_v4(&self, address: V4) -> u32 {
        match summary(address) {
            protection::CLOSER => {
                let key = Key::new(32, address.0.to_be_bytes());
                maps::NEVER_V4.get(key).copied().unwrap_or(protection::NONE)
            }
            whole => whole,
        }
    }

    #[inline(always)]
    fn protection_v6(&self, address: V6) -> u32 {
        protection_v6(address.high, address.low)
    }
}

/// What is said of the whole /16 of an address.
#[inline(always)]
fn summary(address: V4) -> u32 {
    let (word, shift) = never_16(address.0);
    let Some(words) = maps::NEVER_16.get_ptr(0) else {
        // An array of one element always has element 0.
        return protection::CLOSER;
    };
    // SAFETY: 11 bits of index in a value of 2^11 words; volatile, since user space changes them.
    let word = unsafe { words.cast::<u64>().add(word).read_volatile() };
    (word >> shift) as u32 & 3
}

/// The protection of an IPv6 address; a function of its own so that its key has a stack frame to itself.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn protection_v6(high: u64, low: u64) -> u32 {
    let key = AlignedKey {
        _unused: 0,
        length: 128,
        data: [high.to_be(), low.to_be()],
    };
    // SAFETY: `length` and `data` lie behind each other like the fields of a packed key.
    let key = unsafe { &*(&raw const key.length).cast::<Key<[u8; 16]>>() };
    maps::NEVER_V6.get(key).copied().unwrap_or(protection::NONE)
}

/// A key whose address is aligned: the compiler stores eight bytes at once, and on the stack the
/// verifier wants them aligned.
#[repr(C)]
struct AlignedKey {
    _unused: u32,
    length: u32,
    data: [u64; 2],
}
