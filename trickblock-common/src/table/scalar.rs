//! What the steps of a lookup say to each other, each in one 64-bit number: functions of a BPF program
//! take and give scalars, and the verifier follows numbers more easily than structures.

use super::Scope;
use crate::Transport;

/// What the table says of one key: `flags << 32 | indicator id`. Zero: nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record(pub u64);

impl Record {
    pub const NONE: Self = Self(0);
    /// The indicator with this very key drops.
    pub const DROP: u64 = 1 << 32;
    /// It is in monitor mode.
    pub const MONITOR: u64 = 1 << 33;
    /// On the record of a prefix: indicators with a port (or protocol) exist that drop …
    pub const NARROW_DROP: u64 = 1 << 34;
    /// … or are in monitor mode.
    pub const NARROW_MONITOR: u64 = 1 << 35;

    /// Ids are below this: those of hosts share a word with the address.
    pub const IDS: u32 = 1 << 28;

    /// Of the lower half of a host's slot, `flags << 28 | indicator id`.
    #[inline(always)]
    pub const fn of_host(slot: u64) -> Self {
        Self((slot >> 28 & 0xf) << 32 | (slot & (Self::IDS as u64 - 1)))
    }

    /// The slot of `address`.
    pub const fn host(self, address: u32) -> u64 {
        (address as u64) << 32 | (self.0 >> 32 & 0xf) << 28 | (self.0 & (Self::IDS as u64 - 1))
    }

    #[inline(always)]
    pub const fn has(self, flags: u64) -> bool {
        self.0 & flags != 0
    }

    pub const fn indicator(self) -> u32 {
        self.0 as u32
    }
}

/// One end's protocol, port, and whether that port is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub protocol: u8,
    pub port: u16,
    pub known: bool,
}

impl Endpoint {
    #[inline(always)]
    pub const fn source(transport: Transport) -> Self {
        Self {
            protocol: transport.protocol(),
            port: transport.source_port(),
            known: transport.has_ports(),
        }
    }

    #[inline(always)]
    pub const fn destination(transport: Transport) -> Self {
        Self {
            protocol: transport.protocol(),
            port: transport.destination_port(),
            known: transport.has_ports(),
        }
    }

    /// `known << 24 | protocol << 16 | port`: one scalar, as calls between BPF functions want it.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        ((self.known as u64) << 24) | ((self.protocol as u64) << 16) | self.port as u64
    }

    #[inline(always)]
    pub const fn unpack(bits: u64) -> Self {
        Self {
            protocol: (bits >> 16) as u8,
            port: bits as u16,
            known: bits & (1 << 24) != 0,
        }
    }
}

/// What is asked at one prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    pub end: Endpoint,
    pub length: u64,
    /// One of [`protection`]: what the address is protected from does not match.
    pub protection: u32,
}

impl Query {
    /// `protection << 40 | length << 32 | end`.
    #[inline(always)]
    pub const fn pack(self) -> u64 {
        ((self.protection as u64) << 40) | (self.length << 32) | self.end.pack()
    }

    #[inline(always)]
    pub const fn unpack(bits: u64) -> Self {
        Self {
            end: Endpoint::unpack(bits),
            length: (bits >> 32) & 0xff,
            protection: (bits >> 40) as u32 & 3,
        }
    }
}

/// The best match of one end, in one scalar: the higher number wins between matches.
///
/// Bits 0–31 id, 32 protocol given, 33 port given, 34–41 prefix length, 42 monitor, 43 drop;
/// 48 listed at all, 49 narrow drop, 50 narrow monitor, 52 hard protection, 53 own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match(pub u64);

impl Match {
    pub const NONE: Self = Self(0);
    pub(super) const PROTOCOL: u64 = 1 << 32;
    pub(super) const PORT: u64 = 1 << 33;
    pub(super) const MONITOR: u64 = 1 << 42;
    pub(super) const DROP: u64 = 1 << 43;
    pub(super) const BEST: u64 = (1 << 44) - 1;
    pub const LISTED: u64 = 1 << 48;
    pub const NARROW_DROP: u64 = 1 << 49;
    pub const NARROW_MONITOR: u64 = 1 << 50;
    pub const HARD: u64 = 1 << 52;
    pub const OWN: u64 = 1 << 53;

    #[inline(always)]
    pub const fn has(self, flags: u64) -> bool {
        self.0 & flags != 0
    }

    /// Comparable between both ends: drop, then length, then port, then protocol.
    #[inline(always)]
    pub const fn rank(self) -> u64 {
        (self.0 & Self::BEST) >> 32
    }

    #[inline(always)]
    pub const fn drops(self) -> bool {
        self.has(Self::DROP)
    }

    #[inline(always)]
    pub const fn acts(self) -> bool {
        self.has(Self::DROP | Self::MONITOR)
    }

    #[inline(always)]
    pub const fn narrow(self) -> bool {
        self.has(Self::PORT | Self::PROTOCOL)
    }

    #[inline(always)]
    pub const fn length(self) -> u64 {
        (self.0 >> 34) & 0xff
    }

    #[inline(always)]
    pub const fn indicator(self) -> u32 {
        self.0 as u32
    }

    /// The match of an IPv4 address inside of an IPv6 one: its prefix is 96 bits longer there.
    #[inline(always)]
    pub const fn embedded(self) -> Self {
        if self.acts() {
            Self(self.0 + (96 << 34))
        } else {
            self
        }
    }

    /// The better of two, with the flags of both.
    #[inline(always)]
    pub const fn join(self, other: Self) -> Self {
        let flags = (self.0 | other.0) & !Self::BEST;
        Self(flags | better(self.0 & Self::BEST, other.0 & Self::BEST))
    }

    /// The candidate that `record`, found under `scope`, makes; [`Self::NONE`] where it only points
    /// to narrower ones.
    #[inline(always)]
    pub(super) const fn candidate(record: Record, scope: Scope) -> u64 {
        if !record.has(Record::DROP | Record::MONITOR) {
            return 0;
        }
        let action = ((record.0 & Record::DROP) << 11) | ((record.0 & Record::MONITOR) << 9);
        let port = if scope.port != 0 { Self::PORT } else { 0 };
        let protocol = if scope.protocol != 0 {
            Self::PROTOCOL
        } else {
            0
        };
        action | (scope.length << 34) | port | protocol | (record.0 & 0xffff_ffff)
    }
}

const _: () = assert!(Record::DROP << 11 == Match::DROP && Record::MONITOR << 9 == Match::MONITOR);

const _: () = assert!(Record::NARROW_DROP << 15 == Match::NARROW_DROP);
const _: () = assert!(Record::NARROW_MONITOR << 15 == Match::NARROW_MONITOR);

/// The higher-ranked of two bests; the first on a tie.
#[inline(always)]
pub(super) const fn better(one: u64, other: u64) -> u64 {
    if other >> 32 > one >> 32 { other } else { one }
}
