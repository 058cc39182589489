//! Both ends' matches become one verdict.

use crate::{Reason, Side, Transport, abi::NO_INDICATOR, table::Match};

/// Why, on which side, and through which indicator: `inner << 48 | reason << 40 | side << 32 | indicator
/// id`, where `inner` is 1 for the packet inside a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome(pub u64);

impl Outcome {
    const INNER: u64 = 1 << 48;
    pub const MISS: Self = Self::without_side(Reason::Miss);

    #[inline(always)]
    pub const fn without_side(reason: Reason) -> Self {
        Self::stopped(reason as u8)
    }

    /// A reason by its number, of a packet without addresses.
    #[inline(always)]
    pub const fn stopped(reason: u8) -> Self {
        Self::new(reason, Side::None, NO_INDICATOR)
    }

    /// From the numbers of a reason and a side, and an indicator's id.
    #[inline(always)]
    pub const fn of(reason: u8, side: u8, indicator: u32) -> Self {
        Self(((reason as u64) << 40) | ((side as u64) << 32) | indicator as u64)
    }

    #[inline(always)]
    pub(crate) const fn with_side(reason: Reason, side: Side) -> Self {
        Self::new(reason as u8, side, NO_INDICATOR)
    }

    #[inline(always)]
    const fn new(reason: u8, side: Side, indicator: u32) -> Self {
        Self::of(reason, side as u8, indicator)
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

    /// Whether this was said of the packet inside a tunnel.
    #[inline(always)]
    pub const fn is_inner(self) -> bool {
        self.0 & Self::INNER != 0
    }

    /// The same of the packet inside a tunnel; a miss stays one.
    #[inline(always)]
    pub const fn inner(self) -> Self {
        if self.0 == Self::MISS.0 {
            self
        } else {
            Self(self.0 | Self::INNER)
        }
    }

    #[inline(always)]
    pub const fn drops(self) -> bool {
        Reason::drops(self.reason())
    }

    /// The same in monitor mode.
    #[inline(always)]
    pub const fn monitored(self) -> Self {
        self.with_reason(Reason::monitored(self.reason()))
    }

    /// The same on an interface that is fail-closed.
    #[inline(always)]
    pub const fn closed(self) -> Self {
        self.with_reason(Reason::closed(self.reason()))
    }

    /// The same side, but nothing is matched.
    #[inline(always)]
    pub const fn unconfirmed(self) -> Self {
        Self(self.with_reason(Reason::Unconfirmed as u8).0 | NO_INDICATOR as u64)
    }

    #[inline(always)]
    const fn with_reason(self, reason: u8) -> Self {
        Self((self.0 & !(0xff << 40)) | ((reason as u64) << 40))
    }
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
