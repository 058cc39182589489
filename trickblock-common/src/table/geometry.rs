//! Sizes of the table value, from what it has to hold.

use super::layout::{self, PREAMBLE, SLOT_V4, SLOT_V6, SLOTS, SLOTS_HOST, WINDOW};

/// Entries of each exact table, and what the prefilter is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// IPv4 addresses, with or without a port.
    pub hosts: u64,
    /// IPv4 prefixes, and scopes (port, protocol) of addresses and prefixes.
    pub v4: u64,
    /// The same of IPv6, addresses included.
    pub v6: u64,
    /// /24s that the IPv4 prefixes cover. No table is full of them: with more the prefilter is slower.
    pub covered: u64,
    /// Keys that all of them mark in the Bloom filter: one of an IPv4 address and two of most IPv6 prefixes, but those that are
    /// expanded mark more. With more keys than it is made for the prefilter is slower.
    pub marks: u64,
}

impl Room {
    /// Room for so many entries of each family, of whichever kind; prefixes may cover an eighth as many /24s, and all entries together
    /// mark as many keys as so many addresses of each family would.
    pub const fn any(v4: u64, v6: u64) -> Self {
        Self {
            hosts: v4,
            v4,
            v6,
            covered: v4 / 8,
            marks: 0,
        }
    }

    /// All entries.
    pub const fn sum(self) -> u64 {
        self.hosts.saturating_add(self.v4).saturating_add(self.v6)
    }

    /// Field by field.
    #[must_use]
    pub fn map(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            hosts: with(self.hosts, other.hosts),
            v4: with(self.v4, other.v4),
            v6: with(self.v6, other.v6),
            covered: with(self.covered, other.covered),
            marks: with(self.marks, other.marks),
        }
    }

    /// Whether `other` fits.
    pub const fn holds(self, other: Self) -> bool {
        other.hosts <= self.hosts
            && other.v4 <= self.v4
            && other.v6 <= self.v6
            && other.covered <= self.covered
            && other.marks <= self.marks
    }
}

/// The sizes that the loader chooses. The program holds them as load-time constants, so that the
/// verifier can bound every index.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Words of each bitmap of /24s, a power of two. In a short one several /24s share a bit.
    pub bitmap: u64,
    /// Words of the Bloom filter.
    pub bloom: u64,
    /// Buckets of eight hosts each that may be somebody's first one; [`WINDOW`] more follow.
    pub buckets_host: u64,
    /// The same of four entries each.
    pub buckets_v4: u64,
    pub buckets_v6: u64,
    /// First word of the buckets of hosts, of IPv4 and of IPv6, and behind the half.
    pub at_host: u64,
    pub at_v4: u64,
    pub at_v6: u64,
    pub half: u64,
}

/// What a lookup needs of the sizes. The program loads each where it is used: it cannot leave out a
/// load once it is written.
pub trait Sizes {
    /// See [`Geometry::bitmap`].
    fn bitmap(&self) -> u64;
    /// Words of the Bloom filter.
    fn bloom(&self) -> u64;
    fn hosts(&self) -> Buckets;
    fn v4(&self) -> Buckets;
    fn v6(&self) -> Buckets;
}

/// The buckets of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    /// Without the last [`WINDOW`].
    pub count: u64,
    /// First word, from the start of a half.
    pub at: u64,
}

impl Sizes for Geometry {
    fn bitmap(&self) -> u64 {
        self.bitmap
    }

    fn bloom(&self) -> u64 {
        self.bloom
    }

    fn hosts(&self) -> Buckets {
        Buckets {
            count: self.buckets_host,
            at: self.at_host,
        }
    }

    fn v4(&self) -> Buckets {
        Buckets {
            count: self.buckets_v4,
            at: self.at_v4,
        }
    }

    fn v6(&self) -> Buckets {
        Buckets {
            count: self.buckets_v6,
            at: self.at_v6,
        }
    }
}

/// Words of a bitmap with one bit for each IPv4 /24.
const BITMAP: u64 = 1 << 18;
/// Words of the smallest one: it stays in the first-level cache.
const SMALLEST_BITMAP: u64 = 1 << 12;
/// Fill of the buckets at which two-choice cuckoo hashing still finds room at once, with eight slots and with
/// four.
const FILL_HOST_PERCENT: u64 = 92;
const FILL_PERCENT: u64 = 90;
/// With larger halves the value passes the verifier's bound on variable offsets (2²⁹ bytes).
const MAX_HALF: u64 = (1 << 25) - PREAMBLE;
/// No table holds more of anything; keeps sums from overflowing.
const MAX_ENTRIES: u64 = MAX_HALF;

impl Geometry {
    /// Of no table.
    pub const EMPTY: Self = Self {
        bitmap: 0,
        bloom: 0,
        buckets_host: 0,
        buckets_v4: 0,
        buckets_v6: 0,
        at_host: 0,
        at_v4: 0,
        at_v6: 0,
        half: 0,
    };

    /// Room for so many entries of each kind, or `None` where the value would be too large: from about 23 million
    /// hosts, 11 million entries of IPv4, or 6 million of IPv6.
    pub const fn for_entries(room: Room) -> Option<Self> {
        let Room { hosts, v4, v6, .. } = room;
        if hosts > MAX_ENTRIES || v4 > MAX_ENTRIES || v6 > MAX_ENTRIES {
            return None;
        }
        let bitmap = bitmap_words(room);
        let buckets_host = buckets(hosts, FILL_HOST_PERCENT * SLOTS_HOST);
        let (buckets_v4, buckets_v6) = (
            buckets(v4, FILL_PERCENT * SLOTS),
            buckets(v6, FILL_PERCENT * SLOTS),
        );
        let usable = usable([buckets_host, buckets_v4, buckets_v6]);
        let bloom = bloom_words(usable, room.marks);
        let at_host = layout::bloom(bitmap) + bloom;
        let at_v4 = behind(at_host, buckets_host, SLOTS_HOST);
        let at_v6 = behind(at_v4, buckets_v4, SLOTS * SLOT_V4);
        // One bucket more than is used, since the verifier's bound on an index is that much coarser,
        // and whole pages, so that a half can be mapped alone.
        let half = behind(at_v6, buckets_v6 + 1, SLOTS * SLOT_V6).next_multiple_of(PREAMBLE);
        if half > MAX_HALF {
            return None;
        }
        Some(Self {
            bitmap,
            bloom,
            buckets_host,
            buckets_v4,
            buckets_v6,
            at_host,
            at_v4,
            at_v6,
            half,
        })
    }

    /// The fields in declaration order.
    pub const fn to_words(&self) -> [u64; 9] {
        [
            self.bitmap,
            self.bloom,
            self.buckets_host,
            self.buckets_v4,
            self.buckets_v6,
            self.at_host,
            self.at_v4,
            self.at_v6,
            self.half,
        ]
    }

    /// The geometry with these fields, or `None` where no [`Self::for_entries`] made them.
    pub fn from_words(words: [u64; 9]) -> Option<Self> {
        let [
            bitmap,
            bloom,
            buckets_host,
            buckets_v4,
            buckets_v6,
            at_host,
            at_v4,
            at_v6,
            half,
        ] = words;
        let geometry = Self {
            bitmap,
            bloom,
            buckets_host,
            buckets_v4,
            buckets_v6,
            at_host,
            at_v4,
            at_v6,
            half,
        };
        if words.iter().any(|word| *word > MAX_HALF) || bitmap > BITMAP {
            return None;
        }
        let ordered = at_host == layout::bloom(bitmap) + bloom
            && at_v4 == behind(at_host, buckets_host, SLOTS_HOST)
            && at_v6 == behind(at_v4, buckets_v4, SLOTS * SLOT_V4)
            && behind(at_v6, buckets_v6, SLOTS * SLOT_V6) <= half;
        let whole =
            bitmap.is_power_of_two() && bloom > 0 && bloom % LINE == 0 && half % PREAMBLE == 0;
        (ordered && whole).then_some(geometry)
    }

    /// Words of the whole value, both halves.
    pub const fn words(&self) -> u64 {
        PREAMBLE + 2 * self.half
    }

    /// Entries that may be used.
    pub const fn capacity(&self) -> Room {
        let [hosts, v4, v6] = usable([self.buckets_host, self.buckets_v4, self.buckets_v6]);
        Room {
            hosts,
            v4,
            v6,
            covered: if self.bitmap < BITMAP {
                self.bitmap * 64 / BITS_PER_COVERED
            } else {
                u32::MAX as u64
            },
            marks: if self.bloom < LONGEST_BLOOM {
                self.bloom * MARKS_PER_WORD
            } else {
                u32::MAX as u64
            },
        }
    }

    /// First word of the half that `generation` uses.
    pub const fn half_at(&self, generation: u64) -> u64 {
        PREAMBLE + (generation & 1) * self.half
    }
}

/// First word behind a table whose buckets have so many words each.
const fn behind(at: u64, buckets: u64, words: u64) -> u64 {
    at + (buckets + WINDOW) * words
}

/// Words of a cache line.
const LINE: u64 = 8;

/// Of 100 packets to random addresses, three get by a bitmap with so many bits for each address that is listed, were they
/// all in /24s of their own. Not 32: a table has room for a few more than it was made for, and is no longer for those.
const BITS_PER_HOST: u64 = 30;
/// Bits for each /24 that a prefix covers: more, since who shares one is not stopped by the Bloom filter, and looked up.
const BITS_PER_COVERED: u64 = 256;

/// As short as it can be: it is read for every packet, and a short one stays in the caches.
const fn bitmap_words(room: Room) -> u64 {
    let hosts = if room.hosts > room.v4 {
        room.hosts
    } else {
        room.v4
    };
    let (hosts, covered) = (
        hosts.saturating_mul(BITS_PER_HOST),
        room.covered.saturating_mul(BITS_PER_COVERED),
    );
    let words = if hosts > covered { hosts } else { covered }.div_ceil(64);
    if words <= SMALLEST_BITMAP {
        SMALLEST_BITMAP
    } else if words >= BITMAP {
        BITMAP
    } else {
        words.next_power_of_two()
    }
}

/// 16 bits per mark.
const MARKS_PER_WORD: u64 = 4;
/// Words that prefixes which mark many keys get at most, 32 MiB: addresses may need more.
const LONGEST_BLOOM: u64 = 1 << 22;

/// In whole lines: buckets of hosts begin with one. `usable`: see [`usable`].
const fn bloom_words([hosts, v4, v6]: [u64; 3], marks: u64) -> u64 {
    // An IPv6 entry marks two keys.
    let least = (hosts + v4 + 2 * v6).div_ceil(MARKS_PER_WORD);
    let asked = marks.div_ceil(MARKS_PER_WORD);
    let asked = if asked > LONGEST_BLOOM {
        LONGEST_BLOOM
    } else {
        asked
    };
    let words = if asked > least { asked } else { least };
    if words < 1024 {
        1024
    } else {
        words.next_multiple_of(LINE)
    }
}

/// Entries that may be used in so many buckets of hosts, IPv4 and IPv6.
const fn usable([hosts, v4, v6]: [u64; 3]) -> [u64; 3] {
    [
        hosts * SLOTS_HOST * FILL_HOST_PERCENT / 100,
        v4 * SLOTS * FILL_PERCENT / 100,
        v6 * SLOTS * FILL_PERCENT / 100,
    ]
}

/// `filled`: a hundred times the entries that a bucket takes.
const fn buckets(entries: u64, filled: u64) -> u64 {
    let buckets = (entries * 100).div_ceil(filled);
    if buckets < 64 { 64 } else { buckets }
}

#[cfg(test)]
mod tests;
