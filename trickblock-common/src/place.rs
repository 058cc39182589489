//! Where in a frame a packet begins, and how sure that is.

use crate::Reason;

/// Which ends of a packet may be listed: bit 0 the destination, bit 1 the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends(pub u64);

impl Ends {
    pub const NONE: Self = Self(0);
    pub const BOTH: Self = Self(3);

    #[inline(always)]
    pub const fn of(destination: bool, source: bool) -> Self {
        Self(destination as u64 | (source as u64) << 1)
    }

    #[inline(always)]
    pub const fn destination(self) -> bool {
        self.0 & 1 != 0
    }

    #[inline(always)]
    pub const fn source(self) -> bool {
        self.0 & 2 != 0
    }
}

/// A packet inside a frame, in one scalar: the kernel passes it to the part behind the prefilter, and the
/// verifier must not tell one number of tags from another there.
///
/// Bits 0–15 offset (bytes; of a frame that could not be followed so far the number of the reason), 16–17 kind, 18 guess, 20–21 tunnel,
/// 22–38 limit (see [`Place::limit`]), 39–40 ends that may be listed (see [`Ends`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u64);

impl Place {
    const KIND: u64 = 3 << 16;
    const V4: u64 = 0;
    const V6: u64 = 1 << 16;
    const ARP: u64 = 2 << 16;
    const STOPPED: u64 = 3 << 16;
    const GUESS: u64 = 1 << 18;
    const TUNNEL: u64 = 1 << 20;
    const UDP_TUNNEL: u64 = 1 << 21;
    const LIMIT: u32 = 22;
    const NEAR: u32 = 39;

    /// The greatest limit: beyond all that lengths in IPv4 and IPv6 headers can say.
    pub const FAR: usize = 0x1_ffff;

    /// No packet inside. (A packet in a tunnel never begins with the frame.)
    pub const NOWHERE: Self = Self(0);

    #[inline(always)]
    pub const fn v4(offset: usize) -> Self {
        Self(offset as u64 & 0xffff | Self::V4)
    }

    #[inline(always)]
    pub const fn v6(offset: usize) -> Self {
        Self(offset as u64 & 0xffff | Self::V6)
    }

    #[inline(always)]
    pub const fn arp(offset: usize) -> Self {
        Self(offset as u64 & 0xffff | Self::ARP)
    }

    /// There is no packet to be found, and why.
    #[inline(always)]
    pub const fn stopped(reason: Reason) -> Self {
        Self(reason as u64 | Self::STOPPED)
    }

    /// Nothing in the frame says that this is IP: a match must be confirmed.
    #[inline(always)]
    pub const fn guessed(self) -> Self {
        Self(self.0 | Self::GUESS)
    }

    /// Inside a tunnel; `udp` where only a port says so, `guess` where the outer packet was one already.
    #[inline(always)]
    pub const fn tunnelled(self, udp: bool, limit: usize, guess: bool) -> Self {
        let kind = if udp {
            Self::UDP_TUNNEL | Self::GUESS
        } else {
            Self::TUNNEL
        };
        let guess = if guess { Self::GUESS } else { 0 };
        Self(self.0 | kind | guess | (limit as u64 & Self::FAR as u64) << Self::LIMIT)
    }

    /// With what the prefilter said of the packet's ends.
    #[inline(always)]
    pub const fn near(self, ends: Ends) -> Self {
        Self(self.0 | ends.0 << Self::NEAR)
    }

    /// What the prefilter said of an IPv4 packet's ends; it is not asked of packets in tunnels.
    #[inline(always)]
    pub const fn ends(self) -> Ends {
        Ends(self.0 >> Self::NEAR & 3)
    }

    #[inline(always)]
    pub const fn offset(self) -> usize {
        (self.0 & 0xffff) as usize
    }

    #[inline(always)]
    pub const fn is_v4(self) -> bool {
        self.0 & Self::KIND == Self::V4
    }

    #[inline(always)]
    pub const fn is_v6(self) -> bool {
        self.0 & Self::KIND == Self::V6
    }

    #[inline(always)]
    pub const fn is_arp(self) -> bool {
        self.0 & Self::KIND == Self::ARP
    }

    #[inline(always)]
    pub const fn is_stopped(self) -> bool {
        self.0 & Self::KIND == Self::STOPPED
    }

    /// The number of the [`Reason`] of a place that is stopped.
    #[inline(always)]
    pub const fn reason(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    pub const fn is_guess(self) -> bool {
        self.0 & Self::GUESS != 0
    }

    /// Offset of the first byte behind the first fragment that this packet is in; 0 where it is in none. What
    /// stands there is no part of the packet: the next fragment brings what is.
    #[inline(always)]
    pub const fn limit(self) -> usize {
        (self.0 >> Self::LIMIT) as usize & Self::FAR
    }

    #[inline(always)]
    pub const fn is_partial(self) -> bool {
        self.limit() != 0
    }

    #[inline(always)]
    pub const fn in_tunnel(self) -> bool {
        self.0 & Self::TUNNEL != 0
    }

    #[inline(always)]
    pub const fn in_udp_tunnel(self) -> bool {
        self.0 & Self::UDP_TUNNEL != 0
    }
}
