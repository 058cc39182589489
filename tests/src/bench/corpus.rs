//! What is listed, and the addresses of the packets.
//!
//! Everything is drawn from a fixed seed, so that two runs measure the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host::Flows;
use trickblock::{
    indicator::{Indicator, Protocol},
    policy::Guard,
    table::Entry,
};

/// The IP versions that are measured apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// The port that every packet goes to, and that the indicators with a port name.
pub const PORT: u16 = 443;
/// Packets before a corpus repeats. The drivers in `trickblock-ebpf` count on the same number.
pub const PAIRS: usize = 1 << 20;

const HEAD: usize = 8;
const MASK: usize = 1;
const TCP: u8 = 6;
/// One indicator in so many has a port.
const PORTED: usize = 10;

impl Family {
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    fn address(self, random: &mut Random) -> u128 {
        match self {
            Self::V4 => u128::from(random.bits() >> 32),
            // Global unicast.
            Self::V6 => {
                let high = (random.bits() >> 3) | (1 << 61);
                (u128::from(high) << 64) | u128::from(random.bits())
            }
        }
    }

    fn ip(self, address: u128) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from(u32::try_from(address).unwrap_or(0)).into(),
            Self::V6 => Ipv6Addr::from(address).into(),
        }
    }

    /// The words of a pair as the packet has them.
    fn pair(self, source: u128, destination: u128) -> Vec<u64> {
        let mut bytes = Vec::new();
        for address in [source, destination] {
            match self.ip(address) {
                IpAddr::V4(address) => bytes.extend(address.octets()),
                IpAddr::V6(address) => bytes.extend(address.octets()),
            }
        }
        let words = bytes.chunks_exact(8);
        words
            .map(|word| word.try_into().map_or(0, u64::from_ne_bytes))
            .collect()
    }
}

/// Distinct addresses that a feed may list, in random order: a smaller set is its beginning.
pub struct Pool {
    pub family: Family,
    addresses: Vec<u128>,
    sorted: Vec<u128>,
}

impl Pool {
    /// `size` addresses.
    pub fn new(family: Family, size: usize) -> Self {
        let guard = Guard::compiled_in();
        let mut random = Random(0x1157_ed00);
        let mut sorted = Vec::with_capacity(size);
        while sorted.len() < size {
            let missing = size - sorted.len();
            let fresh = std::iter::repeat_with(|| family.address(&mut random))
                .filter(|address| {
                    let host = Indicator::host(family.ip(*address));
                    guard.refuse(&host).is_none()
                })
                .take(missing);
            sorted.extend(fresh);
            sorted.sort_unstable();
            sorted.dedup();
        }
        let mut addresses = sorted.clone();
        random.shuffle(&mut addresses);
        Self {
            family,
            addresses,
            sorted,
        }
    }

    /// The first `size` indicators, nine of ten addresses and one of ten an address with a port.
    pub fn indicators(&self, size: usize) -> impl Iterator<Item = Indicator> {
        let addresses = self.addresses.iter().take(size).enumerate();
        addresses.map(|(index, address)| {
            let host = Indicator::host(self.family.ip(*address));
            if index % PORTED != PORTED - 1 {
                return host;
            }
            Indicator::new(host.prefix, Some(Protocol(TCP)), PORT.try_into().ok())
        })
    }

    /// The same as the table wants them.
    pub fn entries(&self, size: usize) -> Vec<Entry> {
        let mut indicators: Vec<_> = self.indicators(size).collect();
        indicators.sort_unstable();
        let entry = |(id, indicator)| Entry {
            indicator,
            drop: true,
            id,
        };
        (0..).zip(indicators).map(entry).collect()
    }

    /// The ends of a packet of these flows, the destination being number `listed` of the list for hits.
    pub fn flow(&self, listed: usize, flows: Flows, random: &mut Random) -> (IpAddr, IpAddr) {
        let source = self.benign(random);
        let destination = match flows {
            Flows::Hit => self.addresses[listed],
            Flows::Hot => far(self, random),
            Flows::Zipf | Flows::Uniform => self.benign(random),
        };
        (self.family.ip(source), self.family.ip(destination))
    }

    fn lists(&self, address: u128) -> bool {
        self.sorted.binary_search(&address).is_ok()
    }

    /// Whether any address of its /24 is listed.
    fn is_near(&self, address: u128) -> bool {
        let first = address & !0xff;
        let at = self.sorted.partition_point(|listed| *listed < first);
        self.sorted.get(at).is_some_and(|next| next - first < 256)
    }

    fn benign(&self, random: &mut Random) -> u128 {
        loop {
            let address = self.family.address(random);
            if !self.lists(address) {
                return address;
            }
        }
    }
}

/// The packets that a program is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// One benign packet again and again.
    Hot,
    /// Random benign addresses.
    Uniform,
    /// To a benign address with a listed neighbour in its /24.
    Near,
    /// To a listed address.
    Hit,
    /// As `Uniform`, IPv6.
    V6Uniform,
}

impl Corpus {
    pub const ALL: [Self; 5] = [
        Self::Hot,
        Self::Uniform,
        Self::Near,
        Self::Hit,
        Self::V6Uniform,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Uniform => "uniform",
            Self::Near => "near",
            Self::Hit => "hit",
            Self::V6Uniform => "v6_uniform",
        }
    }

    pub const fn family(self) -> Family {
        match self {
            Self::V6Uniform => Family::V6,
            _ => Family::V4,
        }
    }

    /// The corpus of the parser's row that this one is compared with. The parser does the same
    /// whatever the addresses are, so long as they come from as large an array.
    pub const fn baseline(self) -> Self {
        match self {
            Self::Near | Self::Hit => Self::Uniform,
            other => other,
        }
    }

    /// Whether the addresses depend on how many are listed.
    pub const fn depends_on_size(self) -> bool {
        matches!(self, Self::Near | Self::Hit)
    }

    /// The value of the driver's map, for a table of the first `size` addresses of `pool`.
    pub fn pairs(self, pool: &Pool, size: usize) -> Vec<u64> {
        let mut random = Random(0xb0_7e7);
        let mut words = vec![0; HEAD];
        if self != Self::Hot {
            words[MASK] = u64::MAX;
        }
        for index in 0..PAIRS {
            let (source, destination) = self.pair(pool, index % size, &mut random);
            words.extend(pool.family.pair(source, destination));
        }
        words
    }

    fn pair(self, pool: &Pool, listed: usize, random: &mut Random) -> (u128, u128) {
        let source = pool.benign(random);
        match self {
            Self::Uniform | Self::V6Uniform => (source, pool.benign(random)),
            Self::Hot => (far(pool, random), far(pool, random)),
            Self::Hit => (source, pool.addresses[listed]),
            Self::Near => (source, neighbour(pool, pool.addresses[listed], random)),
        }
    }
}

fn far(pool: &Pool, random: &mut Random) -> u128 {
    loop {
        let address = pool.benign(random);
        if !pool.is_near(address) {
            return address;
        }
    }
}

fn neighbour(pool: &Pool, listed: u128, random: &mut Random) -> u128 {
    loop {
        let address = (listed & !0xff) | u128::from(random.bits() >> 56);
        if !pool.lists(address) {
            return address;
        }
    }
}

/// SplitMix64: small, and good enough to fill a table with.
pub struct Random(pub u64);

impl Random {
    /// The next 64.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let one = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let two = (one ^ (one >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        two ^ (two >> 31)
    }

    /// Fisher–Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let bound = u64::try_from(last + 1).unwrap_or(u64::MAX);
            let other = usize::try_from(self.bits() % bound).unwrap_or(0);
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indicators_are_distinct_nested_and_one_in_ten_has_a_port() {
        let pool = Pool::new(Family::V4, 3_000);
        let all = pool.entries(3_000);
        assert!(all.is_sorted_by(|one, other| one.indicator < other.indicator));
        let ported = all.iter().filter(|entry| entry.indicator.port.is_some());
        assert_eq!((all.len(), ported.count()), (3_000, 300));
        let small: Vec<_> = pool.indicators(1_000).collect();
        assert!(
            small
                .iter()
                .all(|one| all.iter().any(|e| e.indicator == *one))
        );
    }

    #[test]
    fn corpora_are_what_their_names_say() {
        let pool = Pool::new(Family::V4, 1_000);
        let mut random = Random(1);
        for index in 0..1_000 {
            let mut pair = |corpus: Corpus| corpus.pair(&pool, index, &mut random);
            let (source, listed) = pair(Corpus::Hit);
            assert!(pool.lists(listed) && !pool.lists(source));
            let (_, near) = pair(Corpus::Near);
            assert!(pool.is_near(near) && !pool.lists(near));
            let (_, far) = pair(Corpus::Hot);
            assert!(!pool.is_near(far));
            let (_, benign) = pair(Corpus::Uniform);
            assert!(!pool.lists(benign));
        }
    }

    #[test]
    fn pairs_are_in_network_byte_order() {
        let words = Family::V4.pair(0xc000_0201, 0xcb00_7107);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(bytes, [192, 0, 2, 1, 203, 0, 113, 7]);
        assert_eq!(Family::V6.pair(1, 2).len(), 4);
    }
}
