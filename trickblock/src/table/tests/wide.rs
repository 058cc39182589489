//! Wide prefixes mark many /24s at once, in bitmaps where /24s may share a bit.

use trickblock_common::{
    V4,
    table::{
        layout::{COVERED, UNCOVERED},
        prefilter::alone_v4,
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
    let [covered, uncovered] = [COVERED, UNCOVERED].map(|word| half[word as usize]);
    assert_eq!((covered, uncovered), ((1 << 16) + 2, 0));
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
