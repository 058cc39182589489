//! A table that holds nothing, for the programs of `cargo xtask bench`.

use core::cell::Cell;

use trickblock_common::{
    Ends, Lookup, V4, V6,
    embedded::{Nat64, Nat64Prefixes},
    table::{Endpoint, Match},
};

/// Has an answer for every address, and it is no.
#[derive(Default)]
pub struct NoLookup {
    /// Something of both addresses that it was asked for last.
    pub seen: Cell<u64>,
    /// The IPv4 addresses that it was asked for last. Apart, or the compiler would load both at once,
    /// and wait for the driver's two stores.
    pub source: Cell<u32>,
    pub destination: Cell<u32>,
}

impl Nat64Prefixes for NoLookup {
    #[inline(always)]
    fn nat64(&self, _: usize) -> Nat64 {
        Nat64::NONE
    }
}

impl Lookup for NoLookup {
    #[inline(always)]
    fn near_v4(&self, source: V4, destination: V4) -> Ends {
        self.seen
            .set(u64::from(source.0) + u64::from(destination.0));
        self.source.set(source.0);
        self.destination.set(destination.0);
        Ends::NONE
    }

    fn close_v4(&self, _: V4) -> bool {
        false
    }

    #[inline(always)]
    fn near_v6(&self, source: V6, destination: V6) -> bool {
        self.seen
            .set((source.high ^ destination.high) | (source.low ^ destination.low));
        false
    }

    fn side_v4(&self, _: V4, _: Endpoint) -> Match {
        Match(0)
    }

    fn side_v6(&self, _: V6, _: Endpoint) -> Match {
        Match(0)
    }

    #[inline(always)]
    fn tunnels(&self) -> u64 {
        0
    }

    /// The compiler must not know it, or it leaves out bounds checks that the verifier needs.
    #[inline(always)]
    fn blur(&self, number: u64) -> u64 {
        core::hint::black_box(number)
    }
}
