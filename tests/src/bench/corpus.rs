//! The addresses of the packets that a program is shown.

use super::pool::{Family, List, Pool};
use crate::random::Random;

/// Packets before a corpus repeats. The drivers in `trickblock-ebpf` count on the same number.
pub const PAIRS: usize = 1 << 20;
/// Words before the first pair, and which of them is the mask of the packet's number.
pub const HEAD: usize = 8;
pub const MASK: usize = 1;
/// Flows of [`Corpus::Zipf`].
const FLOWS: usize = 1 << 16;

/// The packets that a program is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// One packet again and again: benign, but on veth listed.
    Hot,
    /// Benign packets of 65,536 flows, the first twice as often as the second, and so on.
    Zipf,
    /// Random benign addresses; on veth random listed ones.
    Uniform,
    /// To a benign address with a listed neighbour in its /24.
    Near,
    /// To a listed address.
    Hit,
    /// As `Uniform`, IPv6.
    V6Uniform,
    /// As `Uniform`, against a list that is clustered as real ones are.
    Real,
}

impl Corpus {
    pub const ALL: [Self; 7] = [
        Self::Hot,
        Self::Zipf,
        Self::Uniform,
        Self::Near,
        Self::Hit,
        Self::V6Uniform,
        Self::Real,
    ];

    /// Stable: programs read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Zipf => "zipf",
            Self::Uniform => "uniform",
            Self::Near => "near",
            Self::Hit => "hit",
            Self::V6Uniform => "v6_uniform",
            Self::Real => "real",
        }
    }

    /// The list that it goes with.
    pub const fn list(self) -> List {
        match self {
            Self::V6Uniform => List::V6,
            Self::Real => List::Real,
            _ => List::V4,
        }
    }

    pub const fn family(self) -> Family {
        self.list().family()
    }

    /// Whether the addresses depend on how many are listed.
    pub const fn depends_on_size(self) -> bool {
        matches!(self, Self::Near | Self::Hit)
    }

    /// The value of the driver's map, for a table of the first `size` addresses of `pool`.
    pub fn pairs(self, pool: &Pool, size: usize) -> Vec<u64> {
        let mut random = Random::new(0xb0_7e7);
        let flows: Vec<_> = match self {
            Self::Zipf => (0..FLOWS).map(|_| benign(pool, &mut random)).collect(),
            _ => Vec::new(),
        };
        let pairs = (0..PAIRS).map(|index| match self {
            Self::Zipf => flows[zipf(FLOWS, &mut random)],
            _ => self.pair(pool, index % size, &mut random),
        });
        words(pool.family, self == Self::Hot, pairs)
    }

    fn pair(self, pool: &Pool, listed: usize, random: &mut Random) -> (u128, u128) {
        let source = pool.benign(random);
        match self {
            Self::Zipf | Self::Uniform | Self::V6Uniform | Self::Real => benign(pool, random),
            Self::Hot => (pool.far(random), pool.far(random)),
            Self::Hit => (source, pool.addresses[listed]),
            Self::Near => {
                let near = pool.neighbour(pool.addresses[listed], random);
                (source, near.unwrap_or_else(|| pool.benign(random)))
            }
        }
    }
}

/// What a driver reads: its head, then all pairs.
pub fn words(family: Family, hot: bool, pairs: impl Iterator<Item = (u128, u128)>) -> Vec<u64> {
    let mut words = vec![0; HEAD];
    if !hot {
        words[MASK] = u64::MAX;
    }
    words.extend(pairs.flat_map(|(source, destination)| family.pair(source, destination)));
    words
}

fn benign(pool: &Pool, random: &mut Random) -> (u128, u128) {
    (pool.benign(random), pool.benign(random))
}

/// An index below `count`: the first comes about twice as often as the second.
pub fn zipf(count: usize, random: &mut Random) -> usize {
    let unit = (random.bits() >> 11) as f64 / (1_u64 << 53) as f64;
    // The inverse of a logarithmic distribution function.
    let index = (count as f64).powf(unit) - 1.0;
    (index as usize).min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corpora_are_what_their_names_say() {
        let pool = Pool::new(List::V4, 1_000);
        let listed: std::collections::BTreeSet<_> = pool.addresses.iter().copied().collect();
        let is_near = |address: u128| listed.iter().any(|one| one >> 8 == address >> 8);
        let mut random = Random::new(1);
        for index in 0..1_000 {
            let mut pair = |corpus: Corpus| corpus.pair(&pool, index, &mut random);
            let (source, hit) = pair(Corpus::Hit);
            assert!(listed.contains(&hit) && !listed.contains(&source));
            let (_, near) = pair(Corpus::Near);
            assert!(is_near(near) && !listed.contains(&near));
            let (_, far) = pair(Corpus::Hot);
            assert!(!is_near(far));
            let (_, benign) = pair(Corpus::Uniform);
            assert!(!listed.contains(&benign));
        }
    }

    #[test]
    fn few_flows_are_frequent() {
        let mut random = Random::new(7);
        let drawn: Vec<usize> = (0..10_000).map(|_| zipf(1 << 18, &mut random)).collect();
        let first = drawn.iter().filter(|index| **index == 0).count();
        assert!((400..800).contains(&first), "{first}");
        assert!(drawn.iter().any(|index| *index > 100_000));
    }
}
