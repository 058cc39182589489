//! The exact answer for one end of a packet.

use super::{
    Endpoint, KeyV4, KeyV6, Match, Query, Record, Scope, Sizes, Words,
    hash::{self, hash, hash_v4, hash_v6},
    layout::{LENGTHS_V4, LENGTHS_V6, SEED, SLOT_V4, SLOT_V6, SLOTS, SLOTS_HOST, SPILLED},
    prefilter::key_v4,
    scalar::better,
};
use crate::{
    V4, V6,
    abi::protection,
    embedded::{Nat64Prefixes, embedded},
};

/// The exact tables and the never-block list. The steps of a lookup call each other through this
/// trait, so that the kernel can make each a function that the verifier checks once, not once per
/// prefix length.
pub trait Table: Nat64Prefixes {
    fn lengths_v4(&self) -> u64;
    /// Word 0 to 2 of the IPv6 prefix lengths.
    fn lengths_v6(&self, word: u64) -> u64;
    /// Of an address itself, without a scope.
    fn record_host(&self, address: V4) -> Record;
    /// Whether some address is among everything else, since its buckets were full when it came.
    fn spilled(&self) -> bool;
    /// Of everything else.
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

    /// The match over all prefix lengths but that of addresses.
    #[inline(always)]
    fn prefixes_v4(&self, address: V4, end: Endpoint, protection: u32) -> Match {
        prefixes_v4(self, address, end, protection)
    }

    /// The match over all prefix lengths.
    #[inline(always)]
    fn walk_v4(&self, address: V4, end: Endpoint, protection: u32) -> Match {
        walk_v4(self, address, end, protection)
    }

    #[inline(always)]
    fn walk_v6(&self, address: V6, end: Endpoint, protection: u32) -> Match {
        walk_v6(self, address, end, protection)
    }

    /// The better of two matches, with the flags of both.
    #[inline(always)]
    fn join(&self, one: Match, other: Match) -> Match {
        one.join(other)
    }
}

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

/// See [`Table::step_v4`].
#[inline(always)]
pub fn step_v4<T: Table + ?Sized>(table: &T, address: V4, query: Query) -> Match {
    let prefix = address.prefix(query.length);
    let look = |scope: Scope| table.record_v4(KeyV4::new(prefix, scope));
    let host = if query.length == 32 {
        table.record_host(address)
    } else {
        Record::NONE
    };
    let elsewhere = query.length != 32 || (host == Record::NONE && table.spilled());
    let own = if elsewhere {
        look(Scope::wide(query.length))
    } else {
        host
    };
    step(own, query, look)
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
        protection => table.walk_v4(address, end, protection),
    }
}

/// The best match of an IPv6 address and of the IPv4 address inside of it, if there is one. The
/// never-block list is asked only where something matches. What nothing may act on is protected in both forms; of the
/// own network only the form that is in it: a NAT64 prefix is the operator's, the servers behind it are not.
#[inline(always)]
pub fn side_v6<T: Table + ?Sized>(table: &T, address: V6, end: Endpoint) -> Match {
    let inside = embedded(table, address);
    let free = walk_both(table, address, inside, end, [protection::NONE; 2]);
    if !free.has(Match::LISTED) {
        return Match::NONE;
    }
    let outer = table.protection_v6(address);
    let inner = inside.map_or(protection::NONE, |inside| table.protection_v4(inside));
    if outer | inner == protection::NONE {
        return free;
    }
    let protections = if outer == protection::HARD || inner == protection::HARD {
        [protection::HARD; 2]
    } else {
        [outer, inner]
    };
    walk_both(table, address, inside, end, protections)
}

/// `protections`: of the IPv6 address, and of the IPv4 one inside.
#[inline(always)]
fn walk_both<T: Table + ?Sized>(
    table: &T,
    address: V6,
    inside: Option<V4>,
    end: Endpoint,
    protections: [u32; 2],
) -> Match {
    let best = table.walk_v6(address, end, protections[0]);
    match inside {
        Some(inside) => {
            let other = table.walk_v4(inside, end, protections[1]);
            table.join(best, other.embedded())
        }
        None => best,
    }
}

/// Every prefix length that occurs in the set.
#[inline(always)]
pub fn walk_v4<T: Table + ?Sized>(table: &T, address: V4, end: Endpoint, protection: u32) -> Match {
    let lengths = table.lengths_v4();
    // Most lists name addresses and little else.
    let host = if lengths & HOSTS != 0 {
        let query = Query {
            end,
            length: 32,
            protection,
        };
        step_v4(table, address, query)
    } else {
        Match::NONE
    };
    if lengths & !HOSTS == 0 {
        return host;
    }
    table.join(table.prefixes_v4(address, end, protection), host)
}

/// Bit of the length of an address.
const HOSTS: u64 = 1 << 32;

/// Every prefix length but that of addresses.
#[inline(always)]
pub fn prefixes_v4<T: Table + ?Sized>(
    table: &T,
    address: V4,
    end: Endpoint,
    protection: u32,
) -> Match {
    let mut best = Match::NONE;
    let mut lengths = table.lengths_v4() & !HOSTS;
    for _ in 0..31 {
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

/// As [`walk_v4`].
#[inline(always)]
pub fn walk_v6<T: Table + ?Sized>(table: &T, address: V6, end: Endpoint, protection: u32) -> Match {
    let query = |length: u64| Query {
        end,
        length,
        protection,
    };
    let mut best = Match::NONE;
    for word in 0..2 {
        let mut lengths = table.lengths_v6(word);
        for _ in 0..64 {
            if lengths == 0 {
                break;
            }
            let query = query(word * 64 + lowest(lengths));
            lengths &= lengths - 1;
            best = table.join(best, table.step_v6(address, query));
        }
    }
    // The third word has one bit in use: no loop for the verifier to follow.
    if table.lengths_v6(2) & 1 != 0 {
        best = table.join(best, table.step_v6(address, query(128)));
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

/// The record of an IPv4 address: one of eight slots in one of two buckets. Each is read whole, so that address and
/// record are of one time. The second bucket is on its way while the first one is searched.
#[inline(always)]
pub fn find_host<W: Words + ?Sized, S: Sizes>(words: &W, sizes: &S, address: V4) -> Record {
    let buckets = sizes.hosts();
    let (first, second) = pair(
        words,
        hash(key_v4(address), words.word(SEED)),
        buckets.count,
    );
    let (first, second) = (
        buckets.at + first * SLOTS_HOST,
        buckets.at + second * SLOTS_HOST,
    );
    let is_of = |word: u64| word >> 32 == address.0 as u64;
    let ahead = words.word(second);
    for slot in 0..SLOTS_HOST {
        let word = words.word(first + slot);
        if is_of(word) {
            return Record::of_host(word);
        }
    }
    if is_of(ahead) {
        return Record::of_host(ahead);
    }
    for slot in 1..SLOTS_HOST {
        let word = words.word(second + slot);
        if is_of(word) {
            return Record::of_host(word);
        }
    }
    Record::NONE
}

/// The record of `key`, which is no host's: one of four slots in one of two buckets. A key is written last and taken away first,
/// and what stands beside it is zero before another comes there: whoever reads a new key and the word beside it out of
/// order finds nothing, which is what was there a moment ago.
#[inline(always)]
pub fn find_v4<W: Words + ?Sized, S: Sizes>(words: &W, sizes: &S, key: KeyV4) -> Record {
    let buckets = sizes.v4();
    let (first, second) = pair(words, hash_v4(key.0, words.word(SEED)), buckets.count);
    for bucket in [first, second] {
        let at = buckets.at + bucket * (SLOTS * SLOT_V4);
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
pub fn find_v6<W: Words + ?Sized, S: Sizes>(words: &W, sizes: &S, key: KeyV6) -> Record {
    let buckets = sizes.v6();
    let hash = hash_v6([key.high, key.low, key.bits], words.word(SEED));
    let (first, second) = pair(words, hash, buckets.count);
    for bucket in [first, second] {
        let at = buckets.at + bucket * (SLOTS * SLOT_V6);
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

#[inline(always)]
fn pair<W: Words + ?Sized>(words: &W, hash: u64, buckets: u64) -> (u64, u64) {
    hash::pair(hash, buckets, |hash, size| words.times(hash, size))
}

/// See [`Table::spilled`].
#[inline(always)]
pub fn spilled<W: Words + ?Sized>(words: &W) -> bool {
    words.word(SPILLED) != 0
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
