//! What a guard is made of, besides the ranges that are compiled in.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{super::prefixes::Prefixes, canonical, shipped::SHIPPED};

/// A protected prefix, and what it is: `203.0.113.1 is this host's default gateway`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Learned {
    pub prefix: IpNet,
    pub why: String,
}

/// What a host knows about its own surroundings. It changes while the daemon runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Absolute: nothing drops there.
    pub learned: Vec<Learned>,
    /// Networks on the inside. As one's own: only single services are dropped there.
    pub connected: Vec<IpNet>,
}

/// What the operator and this host add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// The user's allow list, which is absolute.
    pub allow: Vec<IpNet>,
    /// Networks that are the operator's own.
    pub own: Vec<IpNet>,
    /// Takes parts out of what is shipped, learned or connected.
    pub except: Vec<IpNet>,
    /// Whether the shipped list counts.
    pub shipped: bool,
    pub surroundings: Surroundings,
}

/// Prefixes that each have a name.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    pub(super) prefixes: Prefixes,
    whys: BTreeMap<IpNet, String>,
}

impl Named {
    pub(super) fn learned(lists: &Lists, except: &[IpNet], compiled_in: &Prefixes) -> Self {
        let learned = lists.surroundings.learned.iter();
        let named = learned.map(|learned| (learned.prefix, learned.why.clone()));
        Self::new(named, except, compiled_in)
    }

    pub(super) fn shipped(lists: &Lists, except: &[IpNet], compiled_in: &Prefixes) -> Self {
        let shipped = SHIPPED.iter().filter(|_| lists.shipped);
        let named = shipped.map(|(address, name)| {
            let why = format!("{address} is {name}");
            (IpNet::from(*address), why)
        });
        Self::new(named, except, compiled_in)
    }

    /// Without what is compiled in, which nobody need be told of twice.
    fn new(
        named: impl Iterator<Item = (IpNet, String)>,
        except: &[IpNet],
        compiled_in: &Prefixes,
    ) -> Self {
        let mut whys = BTreeMap::new();
        for (prefix, why) in named {
            for part in without(canonical(prefix), except) {
                if compiled_in.covering(&part).is_none() {
                    whys.entry(part).or_insert_with(|| why.clone());
                }
            }
        }
        Self {
            prefixes: Prefixes::new(whys.keys().copied()),
            whys,
        }
    }

    /// The member that contains all of `prefix`, and what it is.
    pub(super) fn covering(&self, prefix: &IpNet) -> Option<(&IpNet, &str)> {
        let member = self.prefixes.covering(prefix)?;
        Some((member, self.whys.get(member)?))
    }
}

/// The parts of `prefix` beside the exceptions.
pub(super) fn without(prefix: IpNet, except: &[IpNet]) -> Vec<IpNet> {
    if except.iter().any(|except| except.contains(&prefix)) {
        return Vec::new();
    }
    if !except.iter().any(|except| prefix.contains(except)) {
        return vec![prefix];
    }
    // At most as deep as an address has bits.
    let halves = prefix.subnets(prefix.prefix_len().saturating_add(1));
    halves.map_or_else(
        |_| vec![prefix],
        |halves| halves.flat_map(|half| without(half, except)).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_leaves_the_parts_beside_it() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let left = |prefix: &str, except: &[&str]| {
            let except: Vec<IpNet> = except.iter().map(|text| net(text)).collect();
            let left = without(net(prefix), &except);
            left.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(left("192.0.2.0/24", &[]), ["192.0.2.0/24"]);
        assert_eq!(left("192.0.2.0/24", &["192.0.2.0/23"]), [""; 0]);
        assert_eq!(
            left("192.0.2.0/30", &["192.0.2.1/32"]),
            ["192.0.2.0/32", "192.0.2.2/31"]
        );
        assert_eq!(
            left("192.0.2.0/24", &["192.0.2.128/25", "2001:db8::/32"]),
            ["192.0.2.0/25"]
        );
        assert_eq!(left("2001:db8::/32", &["2001:db8::1/128"]).len(), 96);
    }
}
