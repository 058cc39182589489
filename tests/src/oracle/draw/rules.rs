//! Rules and never-block entries.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::random::Random;

use super::address::Addresses;

/// What rules and packets have in common; the tunnels' own ports among them.
pub(super) const PORTS: [u16; 6] = [53, 443, 447, 8080, 4789, 2152];

/// Up to 40 rules.
pub(super) fn rules(random: &mut Random, addresses: &Addresses) -> Vec<String> {
    let count = 5 + random.below(36);
    // The same indicator twice would be for the policy layer to merge.
    let mut seen = BTreeSet::new();
    let rules = (0..count).filter_map(|_| {
        let indicator = indicator(random, addresses);
        let action = random.pick(&["drop", "drop", "monitor"]);
        seen.insert(indicator.clone())
            .then(|| format!("{action} {indicator}"))
    });
    rules.collect()
}

/// Up to four never-block entries.
pub(super) fn never(random: &mut Random, addresses: &Addresses) -> Vec<String> {
    let count = random.below(5);
    let mut seen = BTreeSet::new();
    let never = (0..count).filter_map(|_| {
        let prefix = prefix(random, addresses);
        let class = random.pick(&["hard", "own"]);
        seen.insert(prefix.clone())
            .then(|| format!("{class} {prefix}"))
    });
    never.collect()
}

fn indicator(random: &mut Random, addresses: &Addresses) -> String {
    let prefix = prefix(random, addresses);
    let bracketed = if prefix.contains(':') {
        format!("[{prefix}]")
    } else {
        prefix.clone()
    };
    let port = random.pick(&PORTS);
    match random.below(10) {
        0..5 => prefix,
        5..7 => format!("{bracketed}:{port}"),
        7..9 => {
            let protocol = random.pick(&["tcp", "udp", "sctp", "dccp", "udplite"]);
            format!("{bracketed}:{port}/{protocol}")
        }
        _ => format!(
            "{prefix} {}",
            random.pick(&["tcp", "udp", "1", "47", "50", "51", "58"])
        ),
    }
}

fn prefix(random: &mut Random, addresses: &Addresses) -> String {
    let whole = random.percent(60);
    // Short prefixes hide what lies inside of them.
    let short = random.percent(15);
    match addresses.any(random) {
        IpAddr::V4(v4) => {
            let length = length(random, whole, short, [12, 24, 32]);
            let host = u32::MAX.checked_shr(length).unwrap_or(0);
            format!("{}/{length}", Ipv4Addr::from_bits(v4.to_bits() & !host))
        }
        IpAddr::V6(v6) => {
            let length = length(random, whole, short, [14, 60, 128]);
            let host = u128::MAX.checked_shr(length).unwrap_or(0);
            format!("{}/{length}", Ipv6Addr::from_bits(v6.to_bits() & !host))
        }
    }
}

/// The longest of the three, or from the second to the third, or from the first to the third.
fn length(random: &mut Random, whole: bool, short: bool, [least, usual, most]: [usize; 3]) -> u32 {
    let from = match (whole, short) {
        (true, _) => most,
        (false, true) => least,
        (false, false) => usual,
    };
    u32::try_from(from + random.below(most + 1 - from)).expect("at most 128")
}
