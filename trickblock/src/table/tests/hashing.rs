//! A bad hash would be right all the same, only slow: crowded tables are compiled again and again, and each false alarm of
//! the prefilter costs a packet the exact lookup.

use std::collections::BTreeSet;

use trickblock_common::{
    V4,
    table::{Geometry, prefilter::alone_v4},
};

use super::*;

const COUNT: u32 = 200_000;

/// Lists as people make them: networks without a gap, one address of each network, every other address; and random ones.
fn lists() -> [(&'static str, BTreeSet<u32>); 6] {
    let all = |of: fn(u32) -> u32| (0..COUNT).map(of).collect();
    let random = |n: u32| n.wrapping_mul(0x9e37_79b1) ^ n.wrapping_mul(0x85eb_ca6b).rotate_left(13);
    let networks = (0..COUNT).map(|n| random(n / 256) & !255 | n & 255);
    [
        ("one network", all(|n| 0x0b00_0000 + n)),
        ("every other one", all(|n| 0x0b00_0000 + 2 * n)),
        ("one of each /24", all(|n| 0x0b00_0001 + (n << 8))),
        ("one of each /16", all(|n| n.rotate_left(16) | 0x100)),
        ("/24s", networks.collect()),
        ("random", (0..COUNT).map(random).collect()),
    ]
}

fn listed(addresses: &BTreeSet<u32>) -> Vec<Entry> {
    let entries = addresses.iter().zip(0..).map(|(address, id)| Entry {
        indicator: Indicator::host(IpAddr::V4((*address).into())),
        drop: true,
        id,
    });
    entries.collect()
}

/// With room for exactly these entries.
fn table(entries: &[Entry]) -> (Geometry, Vec<u64>) {
    let needed = needed_entries(entries.iter().map(|entry| &entry.indicator));
    let geometry = Geometry::for_entries(needed).expect("in range");
    (
        geometry,
        vec![0; usize::try_from(geometry.half).expect("fits")],
    )
}

/// Seeds as different as random ones.
fn seeds(count: u64) -> impl Iterator<Item = u64> {
    (1..=count).map(|n| n.wrapping_mul(0xd134_2543_de82_ef95) & !1)
}

/// In a table that has room for exactly that, and nearly always with the first seed: keys that are apart by the same number
/// must not be so in the table.
#[test]
fn every_list_fills_its_table() {
    let mut again = Vec::new();
    for (name, addresses) in lists() {
        let entries = listed(&addresses);
        let (geometry, mut half) = table(&entries);
        for seed in seeds(40) {
            compile(&entries, seed, &geometry, &mut half).expect(name);
            if half[0] != seed {
                again.push((name, seed));
            }
        }
    }
    assert!(again.len() <= 2, "{again:?}");
}

#[test]
fn ports_fill_their_table() {
    for (name, addresses) in lists() {
        let with_port = |mut entry: Entry| {
            entry.indicator.port = NonZeroU16::new(443);
            entry
        };
        let entries: Vec<Entry> = listed(&addresses).into_iter().map(with_port).collect();
        let (geometry, mut half) = table(&entries);
        for seed in seeds(3) {
            compile(&entries, seed, &geometry, &mut half).expect(name);
        }
    }
}

#[test]
fn neighbours_of_listed_addresses_seldom_get_by_the_prefilter() {
    for (name, addresses) in lists() {
        let entries = listed(&addresses);
        let (geometry, mut half) = table(&entries);
        compile(&entries, 7 << 1, &geometry, &mut half).expect(name);
        let neighbours = [1, 0x80, 0x8000, 0x40_0000].into_iter();
        let neighbours = neighbours.flat_map(|bit| addresses.iter().map(move |one| one ^ bit));
        let benign: Vec<u32> = neighbours.filter(|one| !addresses.contains(one)).collect();
        let near = |address: &&u32| alone_v4(half.as_slice(), &geometry, V4(**address));
        let alarms = benign.iter().filter(near).count();
        assert!(
            !benign.is_empty() && alarms * 50 < benign.len(),
            "{name}: {alarms}"
        );
    }
}
