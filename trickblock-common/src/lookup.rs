//! What a verdict asks of the table.

use crate::{
    Ends, Outcome, Transport, V4, V6,
    embedded::{Nat64Prefixes, embedded},
    judge::decide,
    table::{Endpoint, Match},
};

/// Answers for one packet, as the kernel maps or host slices give them.
pub trait Lookup: Nat64Prefixes {
    /// The prefilter: an end that it does not name is not listed.
    fn near_v4(&self, source: V4, destination: V4) -> Ends;
    /// The prefilter: false only when neither address is listed.
    fn near_v6(&self, source: V6, destination: V6) -> bool;
    /// As [`Self::near_v4`] of one address, off the pass path.
    fn close_v4(&self, address: V4) -> bool;

    /// As [`Self::near_v4`], for the IPv4 address inside of an IPv6 one.
    #[inline(always)]
    fn near_embedded(&self, address: V6) -> bool {
        embedded(self, address).is_some_and(|inside| self.close_v4(inside))
    }

    fn side_v4(&self, address: V4, end: Endpoint) -> Match;
    fn side_v6(&self, address: V6, end: Endpoint) -> Match;

    /// The kinds of tunnels to look into: bits of [`crate::abi::tunnel`].
    fn tunnels(&self) -> u64;

    /// [`decide`]; the kernel makes it a function that the verifier checks once.
    #[inline(always)]
    fn decide(&self, to: Match, from: Match, host: u64, transport: Transport) -> Outcome {
        decide(to, from, host, transport)
    }

    /// The same number, of which the kernel's verifier must not know the value: else it would check all that
    /// follows once per number of VLAN tags. Nor may the compiler: it would leave out bounds checks that it
    /// can prove and the verifier cannot. For the pass path: it costs a load.
    #[inline(always)]
    fn blur(&self, number: u64) -> u64 {
        number
    }
}
