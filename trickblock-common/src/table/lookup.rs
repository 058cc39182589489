//! The exact answer for one end of a packet.

use super::{
    KeyV4, KeyV6, Scope, Words, hash,
    layout::{Geometry, LENGTHS_V4, LENGTHS_V6, SEED, SLOT_V4, SLOT_V6, SLOTS},
};
use crate::{Transport, V4, V6, abi::protection};

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

    #[inline(always)]
    pub const fn has(self, flags: u64) -> bool {
        self.0 & flags != 0
    }

    pub const fn indicator(self) -> u32 {
        self.0 as u32
    }
}

/// The exact tables and the never-block list. The steps of a lookup call each other through this
/// trait, so that the kernel can make each a function that the verifier checks once, not once per
/// prefix length.
pub trait Table {
    fn lengths_v4(&self) -> u64;
    /// Word 0 to 2 of the IPv6 prefix lengths.
    fn lengths_v6(&self, word: u64) -> u64;
    fn record_v4(&self, key: KeyV4) -> Record;
    fn record_v6(&self, key: KeyV6) -> Record;
    /// One of [`protection`].
    fn protection_v4(&self, address: V4) -> u32;
    fn protection_v6(&self, address: V6) -> u32;

    /// The match at one prefix length.
    #[inline(always)]
    fn step_v4(&self, address: V4, query: Query) -> Match {
        step_v4(self, address, query)
    }

    #[inline(always)]
    fn step_v6(&self, address: V6, query: Query) -> Match {
        step_v6(self, address, query)
    }

    /// The better of two matches, with the flags of both.
    #[inline(always)]
    fn join(&self, one: Match, other: Match) -> Match {
        one.join(other)
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
    const PROTOCOL: u64 = 1 << 32;
    const PORT: u64 = 1 << 33;
    const MONITOR: u64 = 1 << 42;
    const DROP: u64 = 1 << 43;
    const BEST: u64 = (1 << 44) - 1;
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

    /// The better of two, with the flags of both.
    #[inline(always)]
    pub const fn join(self, other: Self) -> Self {
        let flags = (self.0 | other.0) & !Self::BEST;
        Self(flags | better(self.0 & Self::BEST, other.0 & Self::BEST))
    }

    /// The candidate that `record`, found under `scope`, makes; [`Self::NONE`] where it only points
    /// to narrower ones.
    #[inline(always)]
    const fn candidate(record: Record, scope: Scope) -> u64 {
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

/// The match of the prefix whose own record is `record`; `narrower` looks up a scope of that prefix.
#[inline(always)]
fn step(record: Record, query: Query, narrower: impl Fn(Scope) -> Record) -> Match {
    if record.0 == Record::NONE.0 {
        return Match::NONE;
    }
    let flags = (record.0 & (Record::NARROW_DROP | Record::NARROW_MONITOR)) << 15;
    let wide = Match::candidate(record, Scope::wide(query.length));
    let narrow = if flags == 0 {
        0
    } else {
        narrow(query, narrower)
    };
    let best = better(narrow, wide);
    let matched = match query.protection {
        protection::NONE => flags | best,
        // What is held back is remembered.
        protection::OWN if wide != 0 => flags | narrow | Match::OWN,
        protection::OWN => flags | narrow,
        _ if best != 0 => Match::HARD,
        _ => 0,
    };
    Match(Match::LISTED | matched)
}

/// Port given beats protocol given, both beat either.
#[inline(always)]
fn narrow(query: Query, narrower: impl Fn(Scope) -> Record) -> u64 {
    let Query {
        end: Endpoint {
            protocol,
            port,
            known,
        },
        length,
        ..
    } = query;
    let look = |protocol: u8, port: u16| {
        let scope = Scope {
            length,
            protocol,
            port,
        };
        // Port 0 stands for "any" in keys: a packet to port 0 has no narrower record.
        if scope.is_wide() {
            0
        } else {
            Match::candidate(narrower(scope), scope)
        }
    };
    let mut best = 0;
    if known {
        best = better(look(protocol, port), look(0, port));
    }
    if protocol != 0 {
        best = better(best, look(protocol, 0));
    }
    best
}

#[inline(always)]
const fn better(one: u64, other: u64) -> u64 {
    if other >> 32 > one >> 32 { other } else { one }
}

/// See [`Table::step_v4`].
#[inline(always)]
pub fn step_v4<T: Table + ?Sized>(table: &T, address: V4, query: Query) -> Match {
    let prefix = address.prefix(query.length);
    let look = |scope: Scope| table.record_v4(KeyV4::new(prefix, scope));
    step(look(Scope::wide(query.length)), query, look)
}

/// See [`Table::step_v6`].
#[inline(always)]
pub fn step_v6<T: Table + ?Sized>(table: &T, address: V6, query: Query) -> Match {
    let prefix = address.prefix(query.length);
    let look = |scope: Scope| table.record_v6(KeyV6::new(prefix, scope));
    step(look(Scope::wide(query.length)), query, look)
}

/// The best match of an IPv4 address. The never-block list is asked only where something matches.
#[inline(always)]
pub fn side_v4<T: Table + ?Sized>(table: &T, address: V4, end: Endpoint) -> Match {
    let free = walk_v4(table, address, end, protection::NONE);
    if !free.has(Match::LISTED) {
        return Match::NONE;
    }
    match table.protection_v4(address) {
        protection::NONE => free,
        protection => walk_v4(table, address, end, protection),
    }
}

/// The best match of an IPv6 address. The never-block list is asked only where something matches.
#[inline(always)]
pub fn side_v6<T: Table + ?Sized>(table: &T, address: V6, end: Endpoint) -> Match {
    let free = walk_v6(table, address, end, protection::NONE);
    if !free.has(Match::LISTED) {
        return Match::NONE;
    }
    match table.protection_v6(address) {
        protection::NONE => free,
        protection => walk_v6(table, address, end, protection),
    }
}

/// Every prefix length that occurs in the set.
#[inline(always)]
fn walk_v4<T: Table + ?Sized>(table: &T, address: V4, end: Endpoint, protection: u32) -> Match {
    let mut best = Match::NONE;
    let mut lengths = table.lengths_v4();
    for _ in 0..32 {
        if lengths == 0 {
            break;
        }
        let query = Query {
            end,
            length: lowest(lengths),
            protection,
        };
        lengths &= lengths - 1;
        best = table.join(best, table.step_v4(address, query));
    }
    best
}

#[inline(always)]
fn walk_v6<T: Table + ?Sized>(table: &T, address: V6, end: Endpoint, protection: u32) -> Match {
    let mut best = Match::NONE;
    for word in 0..3 {
        let mut lengths = table.lengths_v6(word);
        for _ in 0..64 {
            if lengths == 0 {
                break;
            }
            let query = Query {
                end,
                length: word * 64 + lowest(lengths),
                protection,
            };
            lengths &= lengths - 1;
            best = table.join(best, table.step_v6(address, query));
        }
    }
    best
}

/// The number of the lowest set bit; BPF has no instruction for it.
#[inline(always)]
const fn lowest(bits: u64) -> u64 {
    let below = (bits & bits.wrapping_neg()) - 1;
    let pairs = below - ((below >> 1) & 0x5555_5555_5555_5555);
    let nibbles = (pairs & 0x3333_3333_3333_3333) + ((pairs >> 2) & 0x3333_3333_3333_3333);
    let bytes = (nibbles + (nibbles >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    bytes.wrapping_mul(0x0101_0101_0101_0101) >> 56
}

/// The record of `key`: one of four slots in one of two buckets.
#[inline(always)]
pub fn find_v4<W: Words + ?Sized>(words: &W, geometry: &Geometry, key: KeyV4) -> Record {
    let (first, second) = hash::buckets_v4(key.0, words.word(SEED), geometry.buckets_v4);
    for bucket in [first, second] {
        let at = geometry.at_v4 + bucket * (SLOTS * SLOT_V4);
        for slot in 0..SLOTS {
            if words.word(at + slot * SLOT_V4) == key.0 {
                return Record(words.word(at + slot * SLOT_V4 + 1));
            }
        }
    }
    Record::NONE
}

/// The record of `key`: one of four slots in one of two buckets.
#[inline(always)]
pub fn find_v6<W: Words + ?Sized>(words: &W, geometry: &Geometry, key: KeyV6) -> Record {
    let (first, second) = hash::buckets_v6(
        key.high,
        key.low,
        key.bits,
        words.word(SEED),
        geometry.buckets_v6,
    );
    for bucket in [first, second] {
        let at = geometry.at_v6 + bucket * (SLOTS * SLOT_V6);
        for slot in 0..SLOTS {
            let at = at + slot * SLOT_V6;
            // Arithmetic instead of three comparisons: one branch per slot for the verifier.
            let differs = (words.word(at) ^ key.high)
                | (words.word(at + 1) ^ key.low)
                | (words.word(at + 2) ^ key.bits);
            if differs == 0 {
                return Record(words.word(at + 3));
            }
        }
    }
    Record::NONE
}

/// The prefix lengths of a half.
#[inline(always)]
pub fn lengths_v4<W: Words + ?Sized>(words: &W) -> u64 {
    words.word(LENGTHS_V4)
}

/// Word 0 to 2 of the IPv6 prefix lengths of a half.
#[inline(always)]
pub fn lengths_v6<W: Words + ?Sized>(words: &W, word: u64) -> u64 {
    words.word(LENGTHS_V6 + word)
}
