//! Both ends' matches become one verdict.

use crate::{
    Frame, Reason, Side, Transport, V4, V6,
    abi::NO_INDICATOR,
    parse::{self, Ip},
    table::{Endpoint, Match},
    transport::{transport_v4, transport_v6},
};

/// Why, on which side, and through which indicator: `reason << 40 | side << 32 | indicator id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(pub u64);

impl Outcome {
    pub const MISS: Self = Self::without_side(Reason::Miss);

    #[inline(always)]
    pub const fn without_side(reason: Reason) -> Self {
        Self::new(reason as u8, Side::None, NO_INDICATOR)
    }

    #[inline(always)]
    const fn new(reason: u8, side: Side, indicator: u32) -> Self {
        Self(((reason as u64) << 40) | ((side as u64) << 32) | indicator as u64)
    }

    /// Number of the [`Reason`].
    #[inline(always)]
    pub const fn reason(self) -> u8 {
        (self.0 >> 40) as u8
    }

    /// Number of the [`Side`].
    #[inline(always)]
    pub const fn side(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// Id of the indicator, or [`NO_INDICATOR`].
    #[inline(always)]
    pub const fn indicator(self) -> u32 {
        self.0 as u32
    }

    /// The same in monitor mode.
    #[inline(always)]
    pub const fn monitored(self) -> Self {
        let reason = Reason::monitored(self.reason()) as u64;
        Self((reason << 40) | (self.0 & 0xff_ffff_ffff))
    }
}

/// Answers for one packet, as the kernel maps or host slices give them.
pub trait Lookup {
    /// The prefilter: false only when neither address is listed.
    fn near_v4(&self, source: V4, destination: V4) -> bool;
    fn near_v6(&self, source: V6, destination: V6) -> bool;
    fn side_v4(&self, address: V4, end: Endpoint) -> Match;
    fn side_v6(&self, address: V6, end: Endpoint) -> Match;

    /// [`decide`]; the kernel makes it a function that the verifier checks once.
    #[inline(always)]
    fn decide(&self, to: Match, from: Match, host: u64, transport: Transport) -> Outcome {
        decide(to, from, host, transport)
    }

    /// The same offset (below 64), of which the kernel's verifier must not know the value: else it would
    /// check all that follows once per number of VLAN tags. Nor may the compiler: it would leave out
    /// bounds checks that it can prove and the verifier cannot.
    #[inline(always)]
    fn blur(&self, offset: usize) -> usize {
        offset
    }

    /// The same scalar; the kernel makes the verifier forget the many ways that led to it.
    #[inline(always)]
    fn settle(&self, transport: Transport) -> Transport {
        transport
    }
}

/// What the packet says of itself, for events: known of packets that were looked up closely, zero for
/// the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// 4 or 6, 0 where nothing is known. As wide as all else: padding would be copied byte by byte.
    pub version: u64,
    /// IPv4 addresses stand in the highest 32 bits.
    pub source: V6,
    pub destination: V6,
    pub transport: Transport,
}

impl Flow {
    pub const UNKNOWN: Self = Self {
        version: 0,
        source: V6 { high: 0, low: 0 },
        destination: V6 { high: 0, low: 0 },
        transport: Transport(0),
    };
}

/// An IPv4 address where IPv6 ones stand: in the highest bits.
#[inline(always)]
const fn widen(address: V4) -> V6 {
    V6 {
        high: (address.0 as u64) << 32,
        low: 0,
    }
}

/// The verdict on an Ethernet frame. Reads no further than the addresses unless the prefilter hits.
#[inline(always)]
pub fn judge<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L) -> (Outcome, Flow) {
    let ip = parse::ethernet(frame);
    frame.refresh();
    match ip {
        Ok(Ip::V4(ip)) => judge_v4(frame, lookup, lookup.blur(ip)),
        Ok(Ip::V6(ip)) => judge_v6(frame, lookup, lookup.blur(ip)),
        Err(reason) => (Outcome::without_side(reason), Flow::UNKNOWN),
    }
}

#[inline(always)]
fn judge_v4<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, ip: usize) -> (Outcome, Flow) {
    let (source, destination) = match parse::addresses_v4(frame, ip) {
        Ok(addresses) => addresses,
        Err(reason) => return (Outcome::without_side(reason), Flow::UNKNOWN),
    };
    if !lookup.near_v4(source, destination) {
        return (Outcome::MISS, Flow::UNKNOWN);
    }
    let transport = lookup.settle(transport_v4(frame, lookup.blur(ip)));
    let to = lookup.side_v4(destination, Endpoint::destination(transport));
    let from = lookup.side_v4(source, Endpoint::source(transport));
    (
        lookup.decide(to, from, 32, transport),
        Flow {
            version: 4,
            source: widen(source),
            destination: widen(destination),
            transport,
        },
    )
}

#[inline(always)]
fn judge_v6<F: Frame + ?Sized, L: Lookup>(frame: &F, lookup: &L, ip: usize) -> (Outcome, Flow) {
    let (source, destination) = match parse::addresses_v6(frame, ip) {
        Ok(addresses) => addresses,
        Err(reason) => return (Outcome::without_side(reason), Flow::UNKNOWN),
    };
    if !lookup.near_v6(source, destination) {
        return (Outcome::MISS, Flow::UNKNOWN);
    }
    let transport = lookup.settle(transport_v6(frame, lookup.blur(ip)));
    let to = lookup.side_v6(destination, Endpoint::destination(transport));
    let from = lookup.side_v6(source, Endpoint::source(transport));
    (
        lookup.decide(to, from, 128, transport),
        Flow {
            version: 6,
            source,
            destination,
            transport,
        },
    )
}

/// `host` is the prefix length of a single address.
#[inline(always)]
pub fn decide(to: Match, from: Match, host: u64, transport: Transport) -> Outcome {
    if transport.failure() == Reason::BadVersion as u8 {
        return listed(to, from, Match::LISTED, Reason::BadVersion as u8);
    }
    let hidden = transport.failure() == Reason::IncompleteFirstFragment as u8;
    if hidden && !to.drops() && !from.drops() {
        // Or an address that somebody else monitors would let through what its ports drop.
        if to.has(Match::NARROW_DROP) || from.has(Match::NARROW_DROP) {
            return listed(to, from, Match::NARROW_DROP, transport.failure());
        }
    }
    if !to.acts() && !from.acts() {
        return spared(to, from, transport.failure());
    }
    // A tie goes to the destination.
    let (best, side) = if from.rank() > to.rank() {
        (from, Side::Source)
    } else {
        (to, Side::Destination)
    };
    let reason = match (best.length() == host, best.narrow()) {
        (true, false) => Reason::Address,
        (true, true) => Reason::AddressPort,
        (false, false) => Reason::Prefix,
        (false, true) => Reason::PrefixPort,
    };
    let outcome = Outcome::new(reason as u8, side, best.indicator());
    if best.drops() {
        outcome
    } else {
        outcome.monitored()
    }
}

/// Nothing acts on the packet: why not?
#[inline(always)]
fn spared(to: Match, from: Match, failure: u8) -> Outcome {
    let monitored = to.has(Match::NARROW_MONITOR) || from.has(Match::NARROW_MONITOR);
    if failure == Reason::IncompleteFirstFragment as u8 && monitored {
        return listed(to, from, Match::NARROW_MONITOR, Reason::monitored(failure));
    }
    if to.has(Match::HARD) || from.has(Match::HARD) {
        return listed(to, from, Match::HARD, Reason::NeverBlock as u8);
    }
    if to.has(Match::OWN) || from.has(Match::OWN) {
        return listed(to, from, Match::OWN, Reason::OwnNetwork as u8);
    }
    listed(
        to,
        from,
        Match::NARROW_DROP | Match::NARROW_MONITOR,
        failure,
    )
}

/// `reason` on the side that has one of `flags`, destination first; a miss where none has, or where
/// `reason` is none.
#[inline(always)]
fn listed(to: Match, from: Match, flags: u64, reason: u8) -> Outcome {
    let side = if to.has(flags) {
        Side::Destination
    } else if from.has(flags) {
        Side::Source
    } else {
        return Outcome::MISS;
    };
    if reason == Reason::Miss as u8 {
        return Outcome::MISS;
    }
    Outcome::new(reason, side, NO_INDICATOR)
}
