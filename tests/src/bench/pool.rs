//! What is listed.
//!
//! Everything is drawn from a fixed seed, so that two runs measure the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{host::Flows, real::hosts_of_24};
use crate::random::Random;
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

/// A kind of list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Random IPv4 addresses.
    V4,
    /// Random IPv6 addresses.
    V6,
    /// IPv4 addresses clustered in /24s as a real list's.
    Real,
}

/// The port that every packet goes to, and that the indicators with a port name.
pub const PORT: u16 = 443;

const TCP: u8 = 6;
/// One indicator in so many has a port.
const PORTED: usize = 10;
/// 198.18.0.0/15 (RFC 2544), which holds 2¹⁷ addresses.
const BENCHMARK_SPACE: u128 = 0xc612_0000;
const SEED: u64 = 0x1157_ed00;

impl List {
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Real];

    pub const fn family(self) -> Family {
        match self {
            Self::V6 => Family::V6,
            Self::V4 | Self::Real => Family::V4,
        }
    }
}

impl Family {
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

    pub fn ip(self, address: u128) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::from(u32::try_from(address).unwrap_or(0)).into(),
            Self::V6 => Ipv6Addr::from(address).into(),
        }
    }

    /// The words of a pair as the packet has them.
    pub fn pair(self, source: u128, destination: u128) -> Vec<u64> {
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
    pub list: List,
    pub family: Family,
    pub addresses: Vec<u128>,
    sorted: Vec<u128>,
}

impl Pool {
    /// `size` addresses.
    pub fn new(list: List, size: usize) -> Self {
        let addresses = match list {
            List::Real => clustered(size),
            List::V4 | List::V6 => scattered(list.family(), size),
        };
        Self::of(list, addresses)
    }

    fn of(list: List, addresses: Vec<u128>) -> Self {
        let mut sorted = addresses.clone();
        sorted.sort_unstable();
        Self {
            list,
            family: list.family(),
            addresses,
            sorted,
        }
    }

    /// Addresses of the space for benchmarks.
    pub fn of_benchmark_space(size: usize) -> Self {
        let mut addresses: Vec<u128> = (0..1 << 17).map(|host| BENCHMARK_SPACE | host).collect();
        shuffle(&mut addresses, &mut Random::new(SEED));
        addresses.truncate(size);
        Self::of(List::V4, addresses)
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

    /// The first `size` addresses, none with a port.
    pub fn hosts(&self, size: usize) -> impl Iterator<Item = IpAddr> {
        let addresses = self.addresses.iter().take(size);
        addresses.map(|address| self.family.ip(*address))
    }

    /// The ends of a packet of these flows, the destination being number `listed` of the list for hits.
    pub fn flow(&self, listed: usize, flows: Flows, random: &mut Random) -> (IpAddr, IpAddr) {
        let source = self.benign(random);
        let destination = match flows {
            Flows::Hit => self.addresses[listed],
            Flows::Hot => self.far(random),
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

    /// An address that is not listed.
    pub fn benign(&self, random: &mut Random) -> u128 {
        loop {
            let address = self.family.address(random);
            if !self.lists(address) {
                return address;
            }
        }
    }

    /// One of the space for benchmarks.
    pub fn benign_of_benchmark_space(&self, random: &mut Random) -> u128 {
        loop {
            let address = BENCHMARK_SPACE | u128::from(random.bits() >> 47);
            if !self.lists(address) {
                return address;
            }
        }
    }

    /// One without a listed neighbour in its /24.
    pub fn far(&self, random: &mut Random) -> u128 {
        loop {
            let address = self.benign(random);
            if !self.is_near(address) {
                return address;
            }
        }
    }

    /// A benign neighbour of a listed address, in its /24; `None` where the whole /24 is listed.
    pub fn neighbour(&self, listed: u128, random: &mut Random) -> Option<u128> {
        let mut drawn = (0..1_000).map(|_| (listed & !0xff) | u128::from(random.byte()));
        drawn.find(|address| !self.lists(*address))
    }
}

/// As the table wants them: sorted, with ids.
pub fn entries(indicators: impl Iterator<Item = Indicator>) -> Vec<Entry> {
    let mut indicators: Vec<_> = indicators.collect();
    indicators.sort_unstable();
    let entry = |(id, indicator)| Entry {
        indicator,
        drop: true,
        id,
    };
    (0..).zip(indicators).map(entry).collect()
}

fn scattered(family: Family, size: usize) -> Vec<u128> {
    let guard = Guard::compiled_in();
    let mut random = Random::new(SEED);
    let mut addresses = Vec::with_capacity(size);
    while addresses.len() < size {
        let missing = size - addresses.len();
        let fresh = std::iter::repeat_with(|| family.address(&mut random))
            .filter(|address| may_be_listed(&guard, family.ip(*address)))
            .take(missing);
        addresses.extend(fresh);
        addresses.sort_unstable();
        addresses.dedup();
    }
    shuffle(&mut addresses, &mut random);
    addresses
}

/// Whole /24s one after the other, so that a smaller set is clustered as well.
fn clustered(size: usize) -> Vec<u128> {
    let guard = Guard::compiled_in();
    let mut random = Random::new(SEED);
    let mut taken = vec![false; 1 << 24];
    let mut addresses = Vec::with_capacity(size + 256);
    while addresses.len() < size {
        let net = random.below(1 << 24);
        let first = (net as u128) << 8;
        if taken[net] || !may_be_listed(&guard, Family::V4.ip(first)) {
            continue;
        }
        taken[net] = true;
        let mut hosts: Vec<u128> = (first..first + 256).collect();
        shuffle(&mut hosts, &mut random);
        addresses.extend(&hosts[..hosts_of_24(&mut random)]);
    }
    addresses.truncate(size);
    addresses
}

fn may_be_listed(guard: &Guard, address: IpAddr) -> bool {
    guard.refuse(&Indicator::host(address)).is_none()
}

/// Fisher–Yates.
pub fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, random.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indicators_are_distinct_nested_and_one_in_ten_has_a_port() {
        let pool = Pool::new(List::V4, 3_000);
        let all = entries(pool.indicators(3_000));
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
    fn the_clustered_list_has_fewer_24s_than_addresses() {
        let pool = Pool::new(List::Real, 10_000);
        let mut nets: Vec<u128> = pool.sorted.iter().map(|address| address >> 8).collect();
        nets.dedup();
        assert_eq!(pool.addresses.len(), 10_000);
        assert!((4_000..7_000).contains(&nets.len()), "{}", nets.len());
    }

    #[test]
    fn pairs_are_in_network_byte_order() {
        let words = Family::V4.pair(0xc000_0201, 0xcb00_7107);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(bytes, [192, 0, 2, 1, 203, 0, 113, 7]);
        assert_eq!(Family::V6.pair(1, 2).len(), 4);
    }
}
