//! The never-block list on the host.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use trickblock_common::abi::protection;

/// Prefixes with their values of [`protection`], of which the longest decides.
#[derive(Clone, Debug, Default)]
pub struct Never {
    /// Sorted.
    list: Vec<(IpNet, u32)>,
    /// Where another value begins, and which: one search instead of one for each length.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u32)>,
}

impl Never {
    pub fn new(mut list: Vec<(IpNet, u32)>) -> Self {
        list.sort_unstable();
        let mut never = Self {
            list,
            ..Self::default()
        };
        let (mut v4, mut v6) = (BTreeSet::from([0]), BTreeSet::from([0]));
        for (prefix, _) in &never.list {
            match prefix {
                IpNet::V4(net) => {
                    v4.insert(net.network().to_bits());
                    v4.extend(net.broadcast().to_bits().checked_add(1));
                }
                IpNet::V6(net) => {
                    v6.insert(net.network().to_bits());
                    v6.extend(net.broadcast().to_bits().checked_add(1));
                }
            }
        }
        let value = |address| {
            never
                .holding(address)
                .map_or(protection::NONE, |(_, value)| value)
        };
        let v4 = v4
            .into_iter()
            .map(|start| (start, value(Ipv4Addr::from_bits(start).into())));
        let v4 = v4.collect();
        let v6 = v6
            .into_iter()
            .map(|start| (start, value(Ipv6Addr::from_bits(start).into())));
        let v6 = v6.collect();
        (never.v4, never.v6) = (v4, v6);
        never
    }

    /// The longest prefix that holds `address`, and its value.
    pub fn holding(&self, address: IpAddr) -> Option<(IpNet, u32)> {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        (0..=longest).rev().find_map(|length| {
            let net = IpNet::new(address, length).ok()?.trunc();
            let at = self
                .list
                .binary_search_by_key(&net, |(prefix, _)| *prefix)
                .ok()?;
            Some(self.list[at])
        })
    }

    pub(super) fn value_v4(&self, address: u32) -> u32 {
        value(&self.v4, address)
    }

    pub(super) fn value_v6(&self, address: u128) -> u32 {
        value(&self.v6, address)
    }
}

fn value<T: Ord + Copy>(steps: &[(T, u32)], address: T) -> u32 {
    let behind = steps.partition_point(|(start, _)| *start <= address);
    let step = behind.checked_sub(1).and_then(|at| steps.get(at));
    step.map_or(protection::NONE, |(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_decides_everywhere() {
        let texts = [
            ("10.0.0.0/8", 2),
            ("10.1.0.0/16", 1),
            ("10.1.2.3/32", 2),
            ("240.0.0.0/4", 2),
            ("fc00::/7", 2),
            ("fc00::7/128", 1),
        ];
        let list: Vec<(IpNet, u32)> = texts
            .iter()
            .map(|(net, value)| (net.parse().unwrap(), *value))
            .collect();
        let never = Never::new(list.clone());
        let addresses = [
            "9.255.255.255",
            "10.0.0.0",
            "10.1.0.0",
            "10.1.2.3",
            "10.1.2.4",
            "10.2.0.0",
            "11.0.0.0",
            "255.255.255.255",
            "fbff::",
            "fc00::6",
            "fc00::7",
            "fc00::8",
            "fdff::",
            "fe00::",
        ];
        for text in addresses {
            let address: IpAddr = text.parse().unwrap();
            let holding = list.iter().filter(|(net, _)| net.contains(&address));
            let longest = holding.max_by_key(|(net, _)| net.prefix_len()).copied();
            assert_eq!(never.holding(address), longest, "{text}");
            let value = match address {
                IpAddr::V4(address) => never.value_v4(address.to_bits()),
                IpAddr::V6(address) => never.value_v6(address.to_bits()),
            };
            assert_eq!(value, longest.map_or(0, |(_, value)| value), "{text}");
        }
        assert_eq!(Never::default().value_v4(7), 0);
    }
}
