//! Wide prefixes mark many /24s at once, in bitmaps where /24s may share a bit.

use trickblock_common::{
    V4, V6,
    table::{
        layout::{COVERED, MARKED, UNCOVERED, UNMARKED},
        prefilter::{alone_v4, near_v6},
    },
};

use super::*;

fn drops(prefixes: &[&str]) -> Vec<Entry> {
    let entry = |prefix: &&str| Entry {
        indicator: Indicator::new(prefix.parse().expect("a prefix"), None, None),
        drop: true,
        id: 0,
    };
    let mut entries: Vec<Entry> = prefixes.iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.indicator);
    entries
}

fn compiled(entries: &[Entry], geometry: &Geometry) -> Vec<u64> {
    let mut half = vec![0; usize::try_from(geometry.half).expect("fits")];
    compile(entries, 4, geometry, &mut half).expect("room");
    half
}

#[test]
fn they_come_and_go_by_compilations() {
    let room = Room {
        covered: 1 << 17,
        ..Room::any(65_536, 16_384)
    };
    let geometry = Geometry::for_entries(room).expect("in range");
    let takes = |before: &[&str], after: &[&str]| {
        let (before, after) = (drops(before), drops(after));
        let half = compiled(&before, &geometry);
        let changes: Vec<_> = changes(&before, &after).collect();
        takes(&changes, half.as_slice(), &geometry)
    };
    let (narrow, wide) = ("198.51.100.0/24", "16.0.0.0/8");
    assert!(takes(&[], &[narrow]) && takes(&[narrow], &[]) && takes(&[wide], &[wide, narrow]));
    assert!(takes(&[], &["192.0.0.0/12"]) && takes(&[], &["203.0.113.7/32", "2001:db8::/32"]));
    assert!(!takes(&[], &[wide]) && !takes(&[wide], &[]) && !takes(&[wide], &["17.0.0.0/8"]));
    // Of these every IPv6 packet, or one of many, gets by the prefilter.
    for wide in ["2c00::/12", "2c00::/16", "2c00::/20"] {
        assert!(!takes(&[], &[wide]) && !takes(&[wide], &[]), "{wide}");
    }
    assert!(takes(&[], &["2c00::/24"]) && takes(&["2c00::/24"], &[]));
    let halves: Vec<String> = (0..40).map(|n| format!("198.51.{n}.0/25")).collect();
    let halves: Vec<&str> = halves.iter().map(String::as_str).collect();
    assert!(takes(&[], &halves[..10]) && !takes(&[], &halves));
}

/// The addresses of a /25 are in the Bloom filter one by one.
#[test]
fn many_long_prefixes_let_no_neighbours_by() {
    let halves = (0..16_000).map(|n| format!("{}.{}.{}.0/25", 16 + n / 4096, n / 16 % 256, n % 16));
    let halves: Vec<String> = halves.chain(["2001:db8::/32".to_owned()]).collect();
    let entries = drops(&halves.iter().map(String::as_str).collect::<Vec<_>>());
    let needed = needed_entries(entries.iter().map(|entry| &entry.indicator));
    assert_eq!(needed.marks, 16_000 * 128 + 2);
    let geometry = Geometry::for_entries(needed).expect("in range");
    let half = compiled(&entries, &geometry);
    assert_eq!(half[MARKED as usize], needed.marks);
    let v4 = (0..10_000_u32).map(|n| V4((16 << 24) + (n << 8) + 200));
    let by = v4.filter(|near| alone_v4(half.as_slice(), &geometry, *near));
    let v6 = (0..10_000_u64).map(|n| V6 {
        high: 0x2c00 << 48 | n << 32,
        low: n,
    });
    let by_v6 = v6.filter(|far| near_v6(half.as_slice(), &geometry, *far, *far));
    let [by, by_v6] = [by.count(), by_v6.count()];
    assert!(by < 300 && by_v6 < 300, "{by} and {by_v6} of 10,000");
}

/// A port of a prefix that is listed marks nothing.
#[test]
fn what_is_marked_is_counted_once() {
    let geometry = Geometry::for_entries(Room::any(65_536, 16_384)).expect("in range");
    let before = drops(&["16.0.0.0/8", "198.51.100.0/24"]);
    let mut half = compiled(&before, &geometry);
    let mut after = before.clone();
    let port = Indicator {
        port: NonZeroU16::new(443),
        ..before[0].indicator
    };
    after.insert(
        1,
        Entry {
            indicator: port,
            ..before[0]
        },
    );
    after.extend(drops(&["203.0.113.0/24"]));
    let changes: Vec<_> = changes(&before, &after).collect();
    let cleared = apply(&changes, &mut half.as_mut_slice(), &geometry).expect("room");
    assert!(cleared.is_empty());
    let word = |word: u64| half[word as usize];
    assert_eq!((word(COVERED), word(UNCOVERED)), ((1 << 16) + 2, 0));
    assert_eq!((word(MARKED), word(UNMARKED)), (0, 0));

    let before = after;
    let mut after = before.clone();
    after.extend(drops(&[
        "203.0.113.0/30",
        "203.0.113.7/32",
        "2001:db8::/28",
        "2001:db8:1::/48",
    ]));
    after.sort_by_key(|entry| entry.indicator);
    for (one, two) in [(&before, &after), (&after, &before)] {
        let changes: Vec<_> = super::changes(one, two).collect();
        let mut cells = half.as_mut_slice();
        apply(&changes, &mut cells, &geometry)
            .expect("room")
            .wipe(&mut cells);
    }
    let word = |word: u64| half[word as usize];
    assert_eq!((word(MARKED), word(UNMARKED)), (4 + 1 + 32 + 2, 39));
}

/// One of a few hundred networks each: what was taken out is still marked.
#[test]
fn many_in_a_row_wear_the_half_out() {
    let geometry = Geometry::for_entries(Room::any(1_000, 250)).expect("in range");
    let mut before = drops(&["16.0.0.0/16"]);
    let mut half = compiled(&before, &geometry);
    let taken = (1..200).take_while(|n| {
        let after = drops(&[&format!("16.{n}.0.0/16")]);
        let changes: Vec<_> = changes(&before, &after).collect();
        let takes = takes(&changes, half.as_slice(), &geometry);
        if takes {
            let mut cells = half.as_mut_slice();
            let cleared = apply(&changes, &mut cells, &geometry).expect("room");
            cleared.wipe(&mut cells);
        }
        before = after.clone();
        takes
    });
    let taken = taken.count();
    assert!((2..64).contains(&taken), "{taken}");
}

/// With the smallest bitmap 2¹⁸ /24s have bits of their own.
#[test]
fn whoever_shares_a_bit_is_not_listed() {
    let entries = drops(&["16.1.2.3/32", "32.1.2.0/24"]);
    let needed = needed_entries(entries.iter().map(|entry| &entry.indicator));
    let geometry = Geometry::for_entries(needed).expect("in range");
    assert_eq!(geometry.bitmap * 64, 1 << 18);
    let half = compiled(&entries, &geometry);
    // The bitmap of whole /24s says yes for what shares a bit with one of them: the exact table is asked.
    for near in [0x1001_0203, 0x2001_0207, 0x2401_0207] {
        assert!(alone_v4(half.as_slice(), &geometry, V4(near)), "{near:#x}");
    }
    let snapshot = Snapshot {
        constants: Constants::default(),
        geometry,
        half,
        never: Never::new(Vec::new()),
    };
    for other in [0x1001_0204, 0x1401_0203, 0x2401_0207, 0x2501_0203] {
        let address = IpAddr::V4(other.into());
        let outcome = snapshot.judge_destination(address, Transport::unknown(1, Reason::NoPorts));
        assert_eq!(outcome.reason(), Reason::Miss as u8, "{address}");
    }
}
