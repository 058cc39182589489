//! How much a feed may take in at once.

use std::{collections::BTreeSet, fmt};

use ipnet::IpNet;

use super::{
    Refusal,
    guard::{Guard, standing_for},
    prefixes::Prefixes,
};
use crate::feed::Row;

/// Widest IPv4 prefix that any feed may list.
pub const WIDEST_V4: u8 = 24;
/// Widest IPv6 prefix that any feed may list.
pub const WIDEST_V6: u8 = 48;
/// Addresses that a feed which says nothing else may cover: IPv4 ones, and as many IPv6 /48s.
pub const MAX_ADDRESSES: u32 = 1 << 24;

/// Whether a feed needs `wide = true` to list this prefix.
pub fn is_wide(prefix: &IpNet) -> bool {
    let wide = |prefix: &IpNet| match prefix {
        IpNet::V4(net) => net.prefix_len() < WIDEST_V4,
        IpNet::V6(net) => net.prefix_len() < WIDEST_V6,
    };
    // 64:ff9b::/104 is long enough, and stands for a whole /8.
    wide(prefix) || standing_for(prefix).is_some_and(|meant| wide(&meant))
}

/// Whether who protects this prefix hardly means all of it: it is wider than a /8 (IPv6: /16).
pub fn is_vast(prefix: &IpNet) -> bool {
    let least = if prefix.addr().is_ipv4() { 8 } else { 16 };
    prefix.prefix_len() < least
}

pub(super) fn refuse(prefix: &IpNet) -> Option<Refusal> {
    is_wide(prefix).then(|| Refusal {
        guard: "width",
        reason: format!(
            "{prefix} is wider than /{WIDEST_V4} (IPv6: /{WIDEST_V6}): a feed that may block that much \
             at once needs `wide = true` in its [[feed]], or another feed that names it too (up to /16, IPv6 /32)"
        ),
    })
}

/// What the rows of a feed cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// IPv4 addresses.
    pub v4: u64,
    /// IPv6 networks of 48 bits.
    pub v6: u64,
}

impl Covered {
    /// By the rows that a guard lets through. Nothing is counted twice, but that takes a while: `None` where
    /// even the sum of all rows does not exceed `max`.
    pub fn above<'a>(
        max: u32,
        wide: bool,
        rows: impl Iterator<Item = &'a Row> + Clone,
        guard: &Guard,
    ) -> Option<Self> {
        let prefixes = rows.map(|row| row.indicator);
        let mut sum = Self::default();
        prefixes
            .clone()
            .for_each(|indicator| sum.add(&indicator.prefix));
        if !sum.exceeds(max) {
            return None;
        }
        let kept = prefixes.filter(|indicator| {
            guard.refuse(indicator).is_none() && (wide || !is_wide(&indicator.prefix))
        });
        let sum = Self::of(kept.map(|indicator| indicator.prefix));
        sum.exceeds(max).then_some(sum)
    }

    fn of(prefixes: impl Iterator<Item = IpNet>) -> Self {
        let blocks: BTreeSet<IpNet> = prefixes.map(block).collect();
        let mut sum = Self::default();
        Prefixes::new(blocks).iter().for_each(|net| sum.add(net));
        sum
    }

    fn add(&mut self, prefix: &IpNet) {
        let (sum, bits) = match prefix {
            IpNet::V4(net) => (&mut self.v4, 32_u8.saturating_sub(net.prefix_len())),
            IpNet::V6(net) => (&mut self.v6, WIDEST_V6.saturating_sub(net.prefix_len())),
        };
        *sum = sum.saturating_add(1_u64 << bits);
    }

    fn exceeds(self, max: u32) -> bool {
        self.v4.max(self.v6) > u64::from(max)
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} IPv4 addresses and {} IPv6 /48s", self.v4, self.v6)
    }
}

/// Addresses of one /48 count once.
fn block(prefix: IpNet) -> IpNet {
    let length = prefix.prefix_len().min(WIDEST_V6);
    IpNet::new(prefix.addr(), length).map_or(prefix, |net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed;

    #[test]
    fn what_is_too_wide() {
        for (text, wide) in [
            ("192.0.2.0/24", false),
            ("192.0.2.0/23", true),
            ("192.0.2.1/32", false),
            ("198.18.0.0/15", true),
            ("2001:db8:1::/48", false),
            ("2001:db8::/47", true),
            ("2001:db8::/32", true),
            ("2001:db8::1/128", false),
            // They stand for 192.0.2.0/24, 192.0.0.0/16 and 192.0.2.0/24.
            ("64:ff9b::192.0.2.0/120", false),
            ("64:ff9b::192.0.0.0/112", true),
            ("2002:c000:0200::/40", true),
        ] {
            let net: IpNet = text.parse().unwrap();
            assert_eq!(is_wide(&net), wide, "{text}");
            assert_eq!(refuse(&net).is_some(), wide, "{text}");
        }
        let refusal = refuse(&"192.0.2.0/23".parse().unwrap()).unwrap();
        assert!(
            refusal.reason.contains("`wide = true`"),
            "{}",
            refusal.reason
        );
    }

    fn above(max: u32, wide: bool, body: &str) -> Option<(u64, u64)> {
        let rows = feed::parse(body.as_bytes(), None).unwrap().rows;
        let found = Covered::above(max, wide, rows.iter(), &Guard::compiled_in());
        found.map(|covered| (covered.v4, covered.v6))
    }

    #[test]
    fn what_a_feed_covers_is_counted_once() {
        let body = "192.0.2.0/24\n192.0.2.7\n192.0.2.0/25\n203.0.113.9\n";
        assert_eq!(above(256, false, body), Some((257, 0)));
        assert_eq!(above(257, false, body), None);
        let six = "2001:db8:1::1\n2001:db8:1::2\n2001:db8:1::/64\n2001:db8:2::/47\n";
        assert_eq!(above(2, true, six), Some((0, 3)));
        assert_eq!(above(3, true, six), None);
        // What a guard refuses covers nothing.
        assert_eq!(above(2, false, six), None);
        assert_eq!(above(2, true, "10.0.0.0/8\n192.0.2.1\n"), None);
    }
}
