//! The table in its map: the prefilter inline, everything behind it in functions that the verifier
//! checks once each.

use core::arch::asm;

use trickblock_common::{
    Ends, Lookup, Outcome, Transport, V4, V6,
    embedded::{Nat64, Nat64Prefixes, embedded},
    judge::decide,
    table::{
        Buckets, Endpoint, KeyV4, KeyV6, Match, Query, Record, Sizes, Words,
        layout::{GENERATION, PREAMBLE, ZERO},
        lookup::{
            find_host, find_v4, find_v6, prefixes_v4, side_v4, side_v6, step_v4, step_v6, walk_v4,
            walk_v6,
        },
        prefilter::{alone_v4, near_v4, near_v6},
    },
};

use crate::{
    exact::{Exact, nat64},
    maps,
};

/// One half of the table value.
#[derive(Clone, Copy)]
pub(crate) struct Half(*const u64);

impl Half {
    /// The half of `generation`, or `None` never: the map has one element.
    #[inline(always)]
    pub(crate) fn of(generation: u64) -> Option<Self> {
        Some(Self::behind(maps::TABLE.get_ptr(0)?.cast(), generation))
    }

    /// Chosen by arithmetic, never by a branch: the address dependency also orders the loads. A mask,
    /// no product: before Linux 6.10 the verifier forgets the bounds of a product with a variable.
    #[inline(always)]
    fn behind(table: *const u64, generation: u64) -> Self {
        let at = PREAMBLE + (parity(generation).wrapping_neg() & maps::HALF_WORDS.load());
        Self(table.wrapping_add(at as usize))
    }
}

impl Words for Half {
    #[inline(always)]
    fn word(&self, index: u64) -> u64 {
        // SAFETY: every index is below the half's length by construction, and the verifier proves it
        // against the size of the map. Volatile: user space writes the other half meanwhile.
        unsafe { self.0.wrapping_add(index as usize).read_volatile() }
    }

    /// Before Linux 6.10 the verifier follows a product only if what is multiplied *with* is the constant,
    /// and the compiler is free to swap both.
    #[inline(always)]
    fn times(&self, mut hash: u64, size: u64) -> u64 {
        // SAFETY: one instruction on two registers.
        unsafe {
            asm!("{0} *= {1}", inout(reg) hash, in(reg) size, options(pure, nomem, nostack));
        }
        hash
    }
}

/// `number & 1`, but the compiler does not know that: it would turn a choice by 0 or 1 into a
/// branch, and a branch orders no loads.
#[inline(always)]
fn parity(mut number: u64) -> u64 {
    // SAFETY: one instruction on one register.
    unsafe { asm!("{0} &= 1", inout(reg) number, options(pure, nomem, nostack)) };
    number
}

/// The sizes that the loader chose.
struct Chosen;

impl Sizes for Chosen {
    #[inline(always)]
    fn bitmap(&self) -> u64 {
        maps::BITMAP_WORDS.load()
    }

    #[inline(always)]
    fn bloom(&self) -> u64 {
        maps::BLOOM_WORDS.load()
    }

    #[inline(always)]
    fn hosts(&self) -> Buckets {
        Buckets {
            count: maps::BUCKETS_HOST.load(),
            at: maps::AT_HOST.load(),
        }
    }

    #[inline(always)]
    fn v4(&self) -> Buckets {
        Buckets {
            count: maps::BUCKETS_V4.load(),
            at: maps::AT_V4.load(),
        }
    }

    #[inline(always)]
    fn v6(&self) -> Buckets {
        Buckets {
            count: maps::BUCKETS_V6.load(),
            at: maps::AT_V6.load(),
        }
    }
}

/// The half that was in use when the packet arrived.
pub struct Live {
    table: *const u64,
    half: Half,
    generation: u64,
}

impl Live {
    #[inline(always)]
    pub fn now() -> Option<Self> {
        let table: *const u64 = maps::TABLE.get_ptr(0)?.cast();
        // SAFETY: word 0 of the value; volatile, since user space changes it.
        let generation = unsafe { table.add(GENERATION as usize).read_volatile() };
        Some(Self::at(table, generation))
    }

    /// The half that was in use in `generation`.
    #[inline(always)]
    pub fn of(generation: u64) -> Option<Self> {
        Some(Self::at(maps::TABLE.get_ptr(0)?.cast(), generation))
    }

    #[inline(always)]
    fn at(table: *const u64, generation: u64) -> Self {
        Self {
            table,
            half: Half::behind(table, generation),
            generation,
        }
    }

    #[inline(always)]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}

impl Lookup for Live {
    #[inline(always)]
    fn near_v4(&self, source: V4, destination: V4) -> Ends {
        near_v4(&self.half, &Chosen, source, destination)
    }

    #[inline(always)]
    fn near_v6(&self, source: V6, destination: V6) -> bool {
        near_v6(&self.half, &Chosen, source, destination)
    }

    #[inline(always)]
    fn close_v4(&self, address: V4) -> bool {
        near_alone(address.0, self.generation) != 0
    }

    #[inline(always)]
    fn near_embedded(&self, address: V6) -> bool {
        near_inside(address.high, address.low, self.generation) != 0
    }

    #[inline(always)]
    fn side_v4(&self, address: V4, end: Endpoint) -> Match {
        Match(match_v4(address.0, end.pack(), self.generation))
    }

    #[inline(always)]
    fn side_v6(&self, address: V6, end: Endpoint) -> Match {
        Match(match_v6(
            address.high,
            address.low,
            end.pack(),
            self.generation,
        ))
    }

    #[inline(always)]
    fn decide(&self, to: Match, from: Match, host: u64, transport: Transport) -> Outcome {
        Outcome(verdict(to.0, from.0, host, transport.0))
    }

    #[inline(always)]
    fn blur(&self, number: u64) -> u64 {
        // SAFETY: a word of the preamble; volatile, or the compiler would know as much as we do.
        number + unsafe { self.table.add(ZERO as usize).read_volatile() }
    }

    #[inline(always)]
    fn tunnels(&self) -> u64 {
        maps::TUNNELS.load()
    }
}

/// The prefilter for one IPv4 address, off the pass path: inline it would take stack from who looks into tunnels.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn near_alone(address: u32, generation: u64) -> u64 {
    let near = Half::of(generation).is_some_and(|half| alone_v4(&half, &Chosen, V4(address)));
    u64::from(near)
}

/// The prefilter for the IPv4 address inside of an IPv6 one.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn near_inside(high: u64, low: u64, generation: u64) -> u64 {
    let (inside, half) = (
        embedded(&Exact(generation), V6 { high, low }),
        Half::of(generation),
    );
    let near = inside
        .zip(half)
        .is_some_and(|(inside, half)| alone_v4(&half, &Chosen, inside));
    u64::from(near)
}

/// The verdict from both ends' matches.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn verdict(to: u64, from: u64, host: u64, transport: u64) -> u64 {
    decide(Match(to), Match(from), host, Transport(transport)).0
}

/// `side_v4`; a function of its own so that the verifier checks it once. Takes and gives scalars.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn match_v4(address: u32, end: u64, generation: u64) -> u64 {
    side_v4(&Exact(generation), V4(address), Endpoint::unpack(end)).0
}

/// As [`match_v4`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn match_v6(high: u64, low: u64, end: u64, generation: u64) -> u64 {
    side_v6(&Exact(generation), V6 { high, low }, Endpoint::unpack(end)).0
}

/// `prefixes_v4`: all prefix lengths but that of addresses. `end` holds the protection above its own bits.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lengths_of_v4(address: u32, end: u64, generation: u64) -> u64 {
    let protection = (end >> PROTECTION) as u32 & 3;
    prefixes_v4(
        &Exact(generation),
        V4(address),
        Endpoint::unpack(end),
        protection,
    )
    .0
}

/// `walk_v4` where the never-block list has a say, which is rare.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn guarded_v4(address: u32, end: u64, generation: u64) -> u64 {
    let protection = (end >> PROTECTION) as u32 & 3;
    walk_v4(
        &Exact(generation),
        V4(address),
        Endpoint::unpack(end),
        protection,
    )
    .0
}

/// As [`lengths_of_v4`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn lengths_of_v6(high: u64, low: u64, end: u64, generation: u64) -> u64 {
    let protection = (end >> PROTECTION) as u32 & 3;
    walk_v6(
        &Exact(generation),
        V6 { high, low },
        Endpoint::unpack(end),
        protection,
    )
    .0
}

/// First bit of the protection beside an endpoint's 25 bits.
pub(crate) const PROTECTION: u64 = 32;

/// `step_v4`: one prefix length.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn length_v4(address: u32, query: u64, generation: u64) -> u64 {
    step_v4(&Exact(generation), V4(address), Query::unpack(query)).0
}

/// As [`length_v4`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn length_v6(high: u64, low: u64, query: u64, generation: u64) -> u64 {
    step_v6(&Exact(generation), V6 { high, low }, Query::unpack(query)).0
}

/// `Match::join`: inline, its comparison would split the verifier's states at every prefix length.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn join(one: u64, other: u64) -> u64 {
    Match(one).join(Match(other)).0
}

/// The record of an address, inline: what most hits ask for.
#[inline(always)]
pub fn record_host(address: V4, generation: u64) -> Record {
    Half::of(generation).map_or(Record::NONE, |half| find_host(&half, &Chosen, address))
}

/// `find_v4` for calls from the walk over prefix lengths.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn record_v4(key: u64, generation: u64) -> u64 {
    Half::of(generation).map_or(0, |half| find_v4(&half, &Chosen, KeyV4(key)).0)
}

/// As [`record_v4`].
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn record_v6(high: u64, low: u64, bits: u64, generation: u64) -> u64 {
    let key = KeyV6 { high, low, bits };
    Half::of(generation).map_or(0, |half| find_v6(&half, &Chosen, key).0)
}

impl Nat64Prefixes for Live {
    #[inline(always)]
    fn nat64(&self, index: usize) -> Nat64 {
        nat64(index)
    }
}
