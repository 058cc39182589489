use super::*;

const fn hosts(hosts: u64) -> Room {
    Room {
        hosts,
        v4: 0,
        v6: 0,
        covered: 0,
        marks: 0,
    }
}

#[test]
fn holds_what_was_asked_for_and_stays_under_the_verifiers_bound() {
    for room in [
        hosts(0),
        Room::any(1, 1),
        Room::any(100_000, 25_000),
        Room::any(1_000_000, 250_000),
        Room::any(5_000_000, 1_000_000),
        hosts(10_000_000),
        hosts(23_000_000),
        Room::any(0, 6_000_000),
    ] {
        let geometry = Geometry::for_entries(room).expect("in range");
        assert!(geometry.capacity().holds(room), "{room:?}");
        assert!(geometry.words() * 8 < 1 << 29, "{room:?}");
        assert_eq!(Geometry::from_words(geometry.to_words()), Some(geometry));
        assert_eq!(geometry.at_host % LINE, 0);
    }
    for room in [
        hosts(26_000_000),
        Room::any(0, 8_000_000),
        Room::any(u64::MAX, 0),
        Room::any(0, u64::MAX),
    ] {
        assert_eq!(Geometry::for_entries(room), None);
    }
}

#[test]
fn the_bitmap_is_as_long_as_it_has_to_be() {
    let words = |room| Geometry::for_entries(room).expect("in range").bitmap;
    let prefixes = |covered| Room {
        covered,
        ..hosts(1_000)
    };
    let of_hosts = [0, 1_000, 65_536, 100_000, 500_000, 5_000_000];
    assert_eq!(
        of_hosts.map(|count| words(hosts(count))),
        [1 << 12, 1 << 12, 1 << 15, 1 << 16, BITMAP, BITMAP]
    );
    let of_prefixes = [0, 1_024, 1_025, 1 << 16, u64::MAX];
    assert_eq!(
        of_prefixes.map(|covered| words(prefixes(covered))),
        [1 << 12, 1 << 12, 1 << 13, BITMAP, BITMAP]
    );
}

/// A /25 marks 128 keys; what is expanded to a hundred million does not ask for a table that no map can be.
#[test]
fn the_bloom_filter_is_as_long_as_what_it_is_marked_with() {
    let made = |marks| {
        let room = Room {
            marks,
            ..hosts(1_000)
        };
        let geometry = Geometry::for_entries(room).expect("in range");
        assert!(geometry.capacity().holds(room), "{marks}");
        geometry.bloom
    };
    let marks = [0, 1_000, 4_096, 4_100, 1 << 20, 1 << 24, 100_000_000];
    assert_eq!(
        marks.map(made),
        [
            1024,
            1024,
            1024,
            1032,
            1 << 18,
            LONGEST_BLOOM,
            LONGEST_BLOOM
        ]
    );
}

/// The verifier bounds `bucket * 16` by `buckets * 16 - 1`, not by `(buckets - 1) * 16`: where
/// the last bucket ended with the value, the program was refused.
#[test]
fn the_last_bucket_never_ends_with_the_half() {
    for entries in 0..3_000 {
        let geometry =
            Geometry::for_entries(Room::any(entries * 7, entries * 3)).expect("in range");
        let last = behind(geometry.at_v6, geometry.buckets_v6, SLOTS * SLOT_V6);
        assert!(geometry.half >= last + SLOTS * SLOT_V6, "{entries}");
    }
}

/// With eight bytes for the hit counter, 24 are the goal.
#[test]
fn memory_per_indicator() {
    for (count, most) in [(1_000_000, 15.0), (10_000_000, 11.5)] {
        let geometry = Geometry::for_entries(hosts(count)).expect("in range");
        let bytes = (geometry.half * 8) as f64 / count as f64;
        assert!(bytes <= most, "{bytes} at {count}");
    }
}

/// A table that grows for one family has room for what it had room for, and no longer bitmap.
#[test]
fn what_there_is_room_for_asks_for_the_same_bitmap() {
    for room in [
        Room::any(65_536, 16_384),
        hosts(1 << 13),
        hosts(1 << 17),
        Room {
            covered: 1 << 14,
            ..hosts(10)
        },
    ] {
        let geometry = Geometry::for_entries(room).expect("in range");
        let again = Geometry::for_entries(geometry.capacity()).expect("in range");
        assert_eq!(again.bitmap, geometry.bitmap, "{room:?}");
    }
}
