//! How often what was said: a search that never comes to a reason proves nothing about it.

use std::collections::{BTreeMap, BTreeSet};

use crate::kernel::Answer;

/// Of every hundred packets so many must hit an indicator.
pub const HITS_PERCENT: u64 = 30;
/// How often every reason must be given.
pub const EACH_REASON: u64 = 1_000;

/// Packets by what was said of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    pub packets: u64,
    pub rounds: u64,
    /// Counted by the program as well, and compared with its counters.
    pub counted: u64,
    /// Too short or too long to be shown to the program.
    pub not_shown: u64,
    /// About the packet inside of a tunnel.
    pub inner: u64,
    pub reasons: BTreeMap<&'static str, u64>,
    pub directions: BTreeMap<&'static str, u64>,
    pub hooks: BTreeMap<String, u64>,
}

impl Shares {
    pub fn note(&mut self, answer: &Answer, direction: &'static str) {
        self.packets += 1;
        self.inner += u64::from(answer.inner);
        *self.reasons.entry(answer.reason).or_default() += 1;
        *self.directions.entry(direction).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.rounds += other.rounds;
        self.counted += other.counted;
        self.not_shown += other.not_shown;
        self.inner += other.inner;
        merge(&mut self.reasons, &other.reasons);
        merge(&mut self.directions, &other.directions);
        merge(&mut self.hooks, &other.hooks);
    }

    /// Packets that hit an indicator.
    pub fn hits(&self) -> u64 {
        let named = self
            .reasons
            .iter()
            .filter(|(reason, _)| names_an_indicator(reason));
        named.map(|(_, count)| count).sum()
    }

    pub fn hits_percent(&self) -> u64 {
        self.hits() * 100 / self.packets.max(1)
    }

    /// The reason that was given least often.
    pub fn rarest<'a>(&self, all: &BTreeSet<&'a str>) -> Option<(&'a str, u64)> {
        let given = |reason: &str| self.reasons.get(reason).copied().unwrap_or_default();
        let counts = all.iter().map(|reason| (*reason, given(reason)));
        counts.min_by_key(|(_, count)| *count)
    }

    /// What is too rare, and nothing if all is well. `all` are the reasons there are.
    pub fn missing(&self, all: &BTreeSet<&str>) -> Vec<String> {
        let mut missing = Vec::new();
        if self.hits_percent() < HITS_PERCENT {
            missing.push(format!(
                "{} % of the packets hit an indicator, not {HITS_PERCENT} %",
                self.hits_percent()
            ));
        }
        for reason in all {
            let count = self.reasons.get(reason).copied().unwrap_or_default();
            if count < EACH_REASON {
                missing.push(format!(
                    "`{reason}` was said {count} times, not {EACH_REASON}"
                ));
            }
        }
        missing
    }
}

fn merge<K: Clone + Ord>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, count) in from {
        *to.entry(key.clone()).or_default() += count;
    }
}

fn names_an_indicator(reason: &str) -> bool {
    let drop = reason.strip_prefix("monitor_").unwrap_or(reason);
    ["address", "address_port", "prefix", "prefix_port"].contains(&drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(reason: &'static str) -> Answer {
        Answer {
            reason,
            ..Answer::MISS
        }
    }

    fn shares(said: &[(&'static str, u64)]) -> Shares {
        let mut shares = Shares::default();
        for (reason, count) in said {
            (0..*count).for_each(|_| shares.note(&answer(reason), "out"));
        }
        shares
    }

    #[test]
    fn what_is_too_rare_is_named() {
        let all = BTreeSet::from(["address", "miss", "non_ip"]);
        let enough = shares(&[("address", 1_000), ("miss", 1_000), ("non_ip", 1_000)]);
        assert_eq!(enough.missing(&all), Vec::<String>::new());
        let rare = shares(&[("address", 999), ("miss", 3_000)]);
        let missing = rare.missing(&all);
        assert_eq!(missing.len(), 3, "{missing:?}");
        assert!(missing[0].starts_with("24 %"), "{missing:?}");
        assert_eq!(rare.rarest(&all), Some(("non_ip", 0)));
    }

    #[test]
    fn workers_add_up() {
        let mut sum = shares(&[("monitor_prefix", 2), ("miss", 1)]);
        sum.add(&shares(&[("miss", 3)]));
        assert_eq!((sum.packets, sum.hits(), sum.reasons["miss"]), (6, 2, 4));
        assert_eq!(sum.directions["out"], 6);
    }
}
