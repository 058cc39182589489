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

/// Seeds of which the table was not filled at once.
fn tried_again(entries: &[Entry], count: u64) -> usize {
    let (geometry, mut half) = table(entries);
    let first = |seed: &u64| {
        compile(entries, *seed, &geometry, &mut half).expect("there is room");
        half[0] == *seed
    };
    usize::try_from(count).expect("few") - seeds(count).filter(first).count()
}

/// In a table that has room for exactly that, and nearly always with the first seed: keys that are apart by the same number
/// must not be so in the table.
#[test]
fn every_list_fills_its_table() {
    let lists = lists().map(|(name, addresses)| (name, tried_again(&listed(&addresses), 40)));
    let sum: usize = lists.iter().map(|(_, again)| again).sum();
    assert!(sum <= 2, "{lists:?}");
}

/// The other table has buckets of half as many slots.
#[test]
fn prefixes_and_ports_fill_their_table() {
    let entry = |address: u32, length: u8, port: u16| Entry {
        indicator: Indicator::new(
            IpNet::new(IpAddr::V4(address.into()), length).expect("a length"),
            None,
            NonZeroU16::new(port),
        ),
        drop: true,
        id: 0,
    };
    let all = |of: &dyn Fn(u32) -> Entry| {
        let mut entries: Vec<Entry> = (0..COUNT).map(of).collect();
        entries.sort_by_key(|entry| entry.indicator);
        entries
    };
    let lists = [
        ("/24s", all(&|n| entry(0x0b00_0000 + (n << 8), 24, 0))),
        ("/28s", all(&|n| entry(0x0b00_0000 + (n << 4), 28, 0))),
        ("a port of each", all(&|n| entry(0x0b00_0000 + n, 32, 443))),
        (
            "many ports",
            all(&|n| entry(0x0b00_0000 + n / 1_000, 32, 1 + (n % 1_000) as u16)),
        ),
    ];
    let [networks, smaller, port, ports] =
        lists.map(|(name, entries)| (name, tried_again(&entries, 40)));
    assert!(networks.1 + smaller.1 <= 14, "{networks:?} {smaller:?}");
    assert!(port.1 + ports.1 <= 1, "{port:?} {ports:?}");
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
