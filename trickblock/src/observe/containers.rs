//! Which container had which address, and when.
//!
//! Fed by who follows the container engine. A container may be gone before anybody asks for its
//! name, and its address may be another's by then: every address keeps its former holders for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long a container that is gone can still be named.
pub const MEMORY: Duration = Duration::from_secs(15 * 60);
/// Address holders that are known at a time, gone ones included.
const MAX_HOLDINGS: usize = 16_384;
/// What a packet's time may differ from the engine's account: packets in flight, clocks read apart.
const SLACK: SignedDuration = SignedDuration::from_secs(2);

/// A container in one of its networks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    pub name: String,
    pub id: String,
    pub network: String,
}

/// How it stands with the engine that knows the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Following {
    /// Switched off in the configuration, or the engine was never there.
    #[default]
    Off,
    Followed,
    /// It was there, or should be, and does not answer.
    Lost,
}

/// A container's time at an address.
#[derive(Clone, Debug)]
struct Holding {
    container: Arc<Container>,
    from: Timestamp,
    until: Option<Timestamp>,
}

/// Addresses and their holders.
#[derive(Clone, Debug, Default)]
pub struct Containers {
    pub following: Following,
    /// Oldest first.
    holders: BTreeMap<IpAddr, Vec<Holding>>,
    holdings: usize,
}

impl Containers {
    /// `container` has `address` since `from`; whoever had it before has not.
    pub fn arrived(&mut self, address: IpAddr, container: Container, from: Timestamp) {
        let full = self.holdings >= MAX_HOLDINGS;
        let holders = self.holders.entry(address).or_default();
        if let Some(current) = holders.last_mut().filter(|holding| holding.until.is_none()) {
            if current.container.id == container.id {
                // Renamed, perhaps.
                current.container = Arc::new(container);
                return;
            }
            current.until = Some(from);
        }
        if full {
            return;
        }
        self.holdings = self.holdings.saturating_add(1);
        holders.push(Holding {
            container: Arc::new(container),
            from,
            until: None,
        });
    }

    /// The container `id` left `network`.
    pub fn left(&mut self, id: &str, network: &str, at: Timestamp) {
        self.end(at, |_, container| {
            container.id == id && container.network == network
        });
    }

    /// Nobody but these holds an address: what the engine says after it was not heard for a while.
    pub fn only(&mut self, holders: &[(IpAddr, Container)], at: Timestamp) {
        let holders: BTreeSet<(IpAddr, &str)> = holders
            .iter()
            .map(|(address, container)| (*address, container.id.as_str()))
            .collect();
        self.end(at, |address, container| {
            !holders.contains(&(address, container.id.as_str()))
        });
    }

    fn end(&mut self, at: Timestamp, is_over: impl Fn(IpAddr, &Container) -> bool) {
        for (address, holders) in &mut self.holders {
            let open = holders.iter_mut().filter(|holding| holding.until.is_none());
            open.filter(|holding| is_over(*address, &holding.container))
                .for_each(|holding| holding.until = Some(at));
        }
    }

    /// Forgets who left long ago.
    pub fn forget(&mut self, now: Timestamp) {
        let recent = |holding: &Holding| {
            holding.until.is_none_or(|until| {
                now.duration_since(until).unsigned_abs() < MEMORY || until > now
            })
        };
        self.holders.retain(|_, holders| {
            holders.retain(recent);
            !holders.is_empty()
        });
        self.holdings = self.holders.values().map(Vec::len).sum();
    }

    /// Who had `address` at that time.
    pub fn at(&self, address: IpAddr, time: Timestamp) -> Option<Arc<Container>> {
        let holders = self.holders.get(&address)?;
        let within = |slack: SignedDuration| {
            holders.iter().rev().find(|holding| {
                let begun = time.duration_since(holding.from) >= -slack;
                let ended = |until| time.duration_since(until) > slack;
                begun && !holding.until.is_some_and(ended)
            })
        };
        let holding = within(SignedDuration::ZERO).or_else(|| within(SLACK))?;
        Some(Arc::clone(&holding.container))
    }

    /// Containers that hold an address now.
    pub fn current(&self) -> usize {
        let all = self.holders.values().flatten();
        all.filter(|holding| holding.until.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 18, 7, 2));

    fn container(name: &str) -> Container {
        Container {
            name: name.to_owned(),
            id: format!("id-{name}"),
            network: "lab".to_owned(),
        }
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn name(containers: &Containers, at: i64) -> Option<String> {
        let holder = containers.at(ADDRESS, second(at))?;
        Some(holder.name.clone())
    }

    #[test]
    fn an_address_had_different_holders() {
        let mut containers = Containers::default();
        containers.arrived(ADDRESS, container("one"), second(10));
        containers.left("id-one", "lab", second(20));
        containers.arrived(ADDRESS, container("two"), second(30));

        let cases = [
            (5, None),
            (9, Some("one")),
            (15, Some("one")),
            (21, Some("one")),
            (25, None),
            (29, Some("two")),
            (99, Some("two")),
        ];
        for (at, expected) in cases {
            assert_eq!(name(&containers, at).as_deref(), expected, "{at}");
        }
        assert_eq!(containers.current(), 1);
    }

    #[test]
    fn a_holder_ends_without_a_word() {
        let mut containers = Containers::default();
        containers.arrived(ADDRESS, container("one"), second(10));
        containers.arrived(ADDRESS, container("two"), second(12));
        assert_eq!(name(&containers, 11).as_deref(), Some("one"));
        assert_eq!(name(&containers, 13).as_deref(), Some("two"));

        containers.only(&[], second(14));
        assert_eq!((name(&containers, 17), containers.current()), (None, 0));
    }

    #[test]
    fn other_networks_of_a_container_stay() {
        let mut containers = Containers::default();
        containers.arrived(ADDRESS, container("one"), second(10));
        containers.left("id-one", "other", second(11));
        assert_eq!(name(&containers, 50).as_deref(), Some("one"));
    }

    #[test]
    fn a_rename_is_taken_over() {
        let mut containers = Containers::default();
        containers.arrived(ADDRESS, container("one"), second(10));
        let renamed = Container {
            name: "uno".to_owned(),
            ..container("one")
        };
        containers.arrived(ADDRESS, renamed, second(20));
        assert_eq!(name(&containers, 12).as_deref(), Some("uno"));
        assert_eq!(containers.holdings, 1);
    }

    #[test]
    fn memory_ends_and_is_bounded() {
        let mut containers = Containers::default();
        for number in 0..MAX_HOLDINGS + 10 {
            containers.arrived(ADDRESS, container(&number.to_string()), second(10));
        }
        assert_eq!(containers.holdings, MAX_HOLDINGS);

        containers.only(&[], second(20));
        containers.forget(second(20 + 14 * 60));
        assert_eq!(containers.holdings, MAX_HOLDINGS);
        containers.forget(second(20 + 15 * 60));
        assert_eq!((containers.holdings, containers.holders.len()), (0, 0));
    }
}
