//! Which indicators are looked at: of every kind some, spread over the whole list.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;

use super::{
    forms::Subject,
    packet::TCP,
    rules::{Protection, Rules},
};
use crate::table::Entry;

/// Indicators of which all are looked at.
const FEW: usize = 100;
/// Else about so many of all kinds together, and of each kind at least so many.
const MANY: usize = 120;
const OF_A_KIND: usize = 6;
/// An HTTPS server, where the indicator names no port.
const PORT: u16 = 443;

/// What is the same for all indicators of a kind: family, single address, port, protocol, action,
/// protection.
type Kind = (bool, bool, bool, bool, bool, Protection);

/// Subjects for packets, one for each chosen entry, and one of each family that nobody lists.
pub fn subjects(rules: &Rules, seed: u64, all: bool) -> Vec<Subject<'_>> {
    let quiet = quiet(rules);
    let entries = rules.entries();
    let chosen = if all || entries.len() <= FEW {
        entries.iter().collect()
    } else {
        spread(rules, seed)
    };
    let listed = chosen.into_iter().map(|entry| subject(entry, quiet, seed));
    listed.chain(quiet.map(unlisted)).collect()
}

/// So many of all entries, evenly spread.
pub fn every(entries: &[Entry], most: usize, seed: u64) -> impl Iterator<Item = &Entry> {
    let step = entries.len().div_ceil(most).max(1);
    let start = usize::try_from(seed).unwrap_or(0) % step;
    entries.iter().skip(start).step_by(step)
}

fn spread(rules: &Rules, seed: u64) -> Vec<&Entry> {
    let mut kinds: BTreeMap<Kind, Vec<&Entry>> = BTreeMap::new();
    for entry in rules.entries() {
        kinds.entry(kind(rules, entry)).or_default().push(entry);
    }
    let of_a_kind = OF_A_KIND.max(MANY / kinds.len().max(1));
    let picked = kinds.values().flat_map(move |entries| {
        let part = entries.len().div_ceil(of_a_kind).max(1);
        let inside = usize::try_from(mix(seed) >> 32).unwrap_or(0) % part;
        let starts = (0..entries.len()).step_by(part);
        starts.map(move |start| entries[(start + inside).min(entries.len() - 1)])
    });
    picked.collect()
}

fn kind(rules: &Rules, entry: &Entry) -> Kind {
    let indicator = &entry.indicator;
    let network = indicator.prefix.network();
    (
        network.is_ipv6(),
        indicator.prefix.prefix_len() == indicator.prefix.max_prefix_len(),
        indicator.port.is_some(),
        indicator.protocol.is_some(),
        entry.drop,
        rules.protection(network),
    )
}

/// Some address that the entry holds, with a port and protocol that it means.
pub fn subject(entry: &Entry, quiet: [IpAddr; 2], seed: u64) -> Subject<'_> {
    let indicator = &entry.indicator;
    let address = inside(&indicator.prefix, seed ^ u64::from(entry.id));
    // A packet cannot begin its payload with what is an extension header.
    const EXTENSIONS: [u8; 8] = [0, 43, 44, 51, 60, 135, 139, 140];
    let protocol = indicator.protocol.map_or(TCP, |protocol| protocol.0);
    Subject {
        entry: Some(entry),
        address,
        peer: quiet[usize::from(address.is_ipv6())],
        protocol: if EXTENSIONS.contains(&protocol) {
            TCP
        } else {
            protocol
        },
        port: indicator.port.map_or(PORT, std::num::NonZeroU16::get),
    }
}

fn unlisted(address: IpAddr) -> Subject<'static> {
    Subject {
        entry: None,
        address,
        peer: address,
        protocol: TCP,
        port: PORT,
    }
}

fn inside(prefix: &IpNet, seed: u64) -> IpAddr {
    let random = mix(seed);
    match prefix {
        IpNet::V4(net) => {
            let host = u32::try_from(random >> 32).unwrap_or(0) & net.hostmask().to_bits();
            Ipv4Addr::from_bits(net.network().to_bits() | host).into()
        }
        IpNet::V6(net) => {
            let random = u128::from(random) << 64 | u128::from(mix(random));
            let host = random & net.hostmask().to_bits();
            Ipv6Addr::from_bits(net.network().to_bits() | host).into()
        }
    }
}

/// Addresses for documentation and benchmarks that nobody lists and nothing protects.
pub fn quiet(rules: &Rules) -> [IpAddr; 2] {
    let v4 = (0..1024_u32).map(|index| {
        let base = [0xc633_6400, 0xc000_0200, 0xcb00_7100, 0xc612_0000][index as usize / 256];
        IpAddr::V4(Ipv4Addr::from_bits(base | ((index + 10) % 256)))
    });
    let v6 =
        (1..1024).map(|index| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, index, 0, 0, 0, 1)));
    let free =
        |address: &IpAddr| !rules.lists(*address) && rules.protection(*address) == Protection::None;
    [
        v4.clone()
            .find(free)
            .unwrap_or(Ipv4Addr::new(198, 51, 100, 10).into()),
        v6.clone()
            .find(free)
            .unwrap_or(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 1, 0, 0, 0, 1).into()),
    ]
}

/// SplitMix64.
fn mix(seed: u64) -> u64 {
    let one = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let two = (one ^ (one >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let three = (two ^ (two >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    three ^ (three >> 31)
}
