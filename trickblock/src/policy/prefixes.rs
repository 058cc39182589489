//! A set of prefixes that answers which of its members covers, or lies inside, another one.

use std::net::IpAddr;

use ipnet::IpNet;

/// Sorted, and without members that lie inside other members, so that both questions are one
/// binary search: an allow file may have thousands of lines and a feed a million rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prefixes(Vec<IpNet>);

impl Prefixes {
    pub(super) fn new(prefixes: impl IntoIterator<Item = IpNet>) -> Self {
        let mut all: Vec<IpNet> = prefixes.into_iter().collect();
        // By family, address, length: a prefix stands right before all that it contains.
        all.sort_unstable();
        all.dedup_by(|inner, outer| outer.contains(&*inner));
        Self(all)
    }

    /// The member that contains all of `prefix`.
    pub(super) fn covering(&self, prefix: &IpNet) -> Option<&IpNet> {
        let end = self.0.partition_point(|member| key(member) <= key(prefix));
        let candidate = self.0.get(end.checked_sub(1)?)?;
        candidate.contains(prefix).then_some(candidate)
    }

    /// The first member that lies inside `prefix`.
    pub(super) fn inside(&self, prefix: &IpNet) -> Option<&IpNet> {
        let start = self.0.partition_point(|member| key(member) < key(prefix));
        self.0.get(start).filter(|member| prefix.contains(*member))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }
}

fn key(prefix: &IpNet) -> (bool, IpAddr, u8) {
    (
        prefix.addr().is_ipv6(),
        prefix.network(),
        prefix.prefix_len(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(texts: &[&str]) -> Prefixes {
        Prefixes::new(texts.iter().map(|text| text.parse().unwrap()))
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn members_inside_members_are_dropped() {
        let found = set(&[
            "192.0.2.128/25",
            "192.0.2.0/24",
            "192.0.2.0/24",
            "2001:db8::/32",
            "198.51.100.1/32",
        ]);
        let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.0/24", "198.51.100.1/32", "2001:db8::/32"]);
    }

    #[test]
    fn families_never_meet() {
        let found = set(&["::/0"]);
        assert_eq!(found.covering(&net("192.0.2.0/24")), None);
        assert_eq!(found.inside(&net("0.0.0.0/0")), None);
    }

    fn any_prefix() -> impl Strategy<Value = IpNet> {
        // Few distinct bits, so that prefixes often nest.
        (0_u32..64, 0_u8..=32).prop_map(|(bits, length)| {
            let address = std::net::Ipv4Addr::from(bits << 26 | bits);
            IpNet::new(address.into(), length).unwrap().trunc()
        })
    }

    proptest! {
        #[test]
        fn answers_are_those_of_a_linear_scan(
            members in proptest::collection::vec(any_prefix(), 0..12),
            asked in any_prefix(),
        ) {
            let found = Prefixes::new(members.clone());
            let covered = members.iter().any(|member| member.contains(&asked));
            prop_assert_eq!(found.covering(&asked).is_some(), covered);
            let holds = members.iter().any(|member| asked.contains(member));
            // A dropped member inside `asked` has a kept one around it, which may be wider.
            prop_assert_eq!(found.inside(&asked).is_some() || covered, holds || covered);
        }
    }
}
