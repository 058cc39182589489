//! Few addresses, so that rules and packets meet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::random::Random;

/// One of each length that RFC 6052 knows, and two that lie where other prefixes do.
const NAT64: [(&str, usize); 8] = [
    ("2001:db8::", 32),
    ("2001:db8:4000::", 40),
    ("2001:db8:4800::", 48),
    ("2001:db8:5600:5600::", 56),
    ("2001:db8:6400:6464::", 64),
    ("2001:db8:9600:9600::", 96),
    ("2002:cb00::", 32),
    ("64:ff9b::", 64),
];

/// Where addresses are drawn from.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    /// Prefixes with room for an IPv4 address, and their lengths.
    embedding: Vec<(Ipv6Addr, usize)>,
    captured: Vec<IpAddr>,
}

/// Up to four prefixes.
pub(super) fn nat64(random: &mut Random) -> Vec<String> {
    let count = random.pick(&[0, 0, 1, 2, 4]);
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let (prefix, length) = random.pick(&NAT64);
        let prefix = format!("{prefix}/{length}");
        if !chosen.contains(&prefix) {
            chosen.push(prefix);
        }
    }
    chosen
}

impl Addresses {
    pub(super) fn new(nat64: &[String], captured: Vec<IpAddr>) -> Self {
        let prefixes = ["64:ff9b::/96", "2002::/16"]
            .into_iter()
            .chain(nat64.iter().map(String::as_str));
        let parsed = prefixes.map(|text| {
            let (prefix, length) = text.split_once('/').expect("a length");
            let prefix = prefix.parse().expect("an address");
            (prefix, length.parse().expect("a number"))
        });
        Self {
            embedding: parsed.collect(),
            captured,
        }
    }

    /// Two blocks of sixteen for each family, a few that lie far away, and what holds one of them.
    pub(super) fn any(&self, random: &mut Random) -> IpAddr {
        if !self.captured.is_empty() && random.percent(60) {
            return random.pick(&self.captured);
        }
        match random.below(20) {
            0..10 => IpAddr::V4(v4(random)),
            10..13 => IpAddr::V6(self.embedded(random)),
            _ => IpAddr::V6(v6(random)),
        }
    }

    /// Of the same family as `other`.
    pub(super) fn like(&self, other: IpAddr, random: &mut Random) -> IpAddr {
        match other {
            IpAddr::V4(_) => IpAddr::V4(v4(random)),
            IpAddr::V6(_) if random.percent(30) => IpAddr::V6(self.embedded(random)),
            IpAddr::V6(_) => IpAddr::V6(v6(random)),
        }
    }

    pub(super) fn v6(&self, random: &mut Random) -> Ipv6Addr {
        if random.percent(30) {
            self.embedded(random)
        } else {
            v6(random)
        }
    }

    /// An IPv6 address with an IPv4 one inside.
    fn embedded(&self, random: &mut Random) -> Ipv6Addr {
        let (prefix, length) = random.pick(&self.embedding);
        let mut octets = prefix.octets();
        let places = (length / 8..16).filter(|place| *place != 8);
        for (place, octet) in places.zip(v4(random).octets()) {
            octets[place] = octet;
        }
        if random.percent(20) {
            // The byte that nobody looks at.
            octets[8] = random.byte();
        }
        Ipv6Addr::from(octets)
    }
}

pub(super) fn v4(random: &mut Random) -> Ipv4Addr {
    let low = u32::try_from(random.below(16)).expect("below 16");
    match random.below(6) {
        0..3 => (0xcb00_7100 | low).into(),
        3..5 => (0xcb00_7180 | low << 2).into(),
        _ => random.pick(&[0xc612_0001, 0xc000_0205, 0xc633_6401]).into(),
    }
}

fn v6(random: &mut Random) -> Ipv6Addr {
    let low = u128::try_from(random.below(16)).expect("below 16");
    match random.below(4) {
        0..2 => ((0x2001_0db8_00c2 << 80) | low).into(),
        2 => ((0x2001_0db8_00c2 << 80) | low << 62).into(),
        _ => ((0x2001_0db8_0000 << 80) | low << 90).into(),
    }
}
