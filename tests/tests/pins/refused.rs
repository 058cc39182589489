//! Pins and places that a load must not touch.

use std::fs;

use trickblock::kernel::{Capacity, Filter, FilterError, Maps, Pins};
use trickblock_tests::{
    bpf::{
        self, ARRAY, HASH, LPM_TRIE, MMAPABLE, MapShape, NO_PREALLOC, PERCPU_ARRAY, RING_BUFFER,
    },
    kernel::{PinDir, SMALL},
};

use crate::{busy, map_ids, pinned_in};

/// Each map in turn with another type, another value, another key, another size, other flags.
pub fn a_pin_of_another_shape_is_refused() {
    let value = |value| MapShape::new(ARRAY, 4, value, 1, 0);
    let lpm = |key, entries| MapShape::new(LPM_TRIE, key, 4, entries, NO_PREALLOC);
    let percpu = |value, entries| MapShape::new(PERCPU_ARRAY, 4, value, entries, 0);
    let wrong = [
        ("TABLE", MapShape::new(HASH, 4, 4096, 1, 0)),
        ("TABLE", MapShape::new(ARRAY, 4, 4096, 2, MMAPABLE)),
        ("TABLE", value(4096)),
        ("TABLE", MapShape::new(ARRAY, 4, 64, 1, MMAPABLE)),
        ("TABLE", MapShape::new(ARRAY, 4, 1 << 20, 1, MMAPABLE)),
        ("HITS", MapShape::new(ARRAY, 4, 4, 4000, MMAPABLE)),
        ("HITS", MapShape::new(PERCPU_ARRAY, 4, 8, 4000, 0)),
        ("NEVER_16", value(16_384)),
        ("NEVER_16", MapShape::new(ARRAY, 4, 8_192, 1, MMAPABLE)),
        ("NEVER_V4", lpm(20, 65_536)),
        ("NEVER_V4", MapShape::new(HASH, 8, 4, 65_536, NO_PREALLOC)),
        ("NEVER_V6", lpm(20, 65_535)),
        ("COUNTER", MapShape::new(ARRAY, 4, 16, 72, 0)),
        ("COUNTER", percpu(16, 71)),
        ("COUNTER", percpu(8, 72)),
        ("SETTINGS", value(8)),
        ("SETTINGS", MapShape::new(HASH, 4, 16, 1, 0)),
        ("EVENTS", MapShape::new(RING_BUFFER, 0, 0, 4096, 0)),
        ("EVENTS", MapShape::new(ARRAY, 4, 4, 1, 0)),
        ("BUDGET", value(40)),
        ("BUDGET", percpu(24, 1)),
    ];
    for (name, shape) in wrong {
        let dir = PinDir::new();
        drop(busy(&dir));
        fs::remove_file(dir.map(name)).unwrap();
        bpf::pin(bpf::create_map(shape).unwrap(), &dir.map(name)).unwrap();
        let ids = map_ids(&dir);

        let error = Filter::load(&dir.pins(), SMALL)
            .err()
            .unwrap_or_else(|| panic!("{name} {shape:?} was adopted"));

        assert_refused(&dir, &error, name);
        assert_eq!(map_ids(&dir), ids, "{name} {shape:?}");
        let error = Maps::open(&dir.pins())
            .err()
            .unwrap_or_else(|| panic!("{name} {shape:?} was opened"));
        assert_refused(&dir, &error, name);
    }
}

fn assert_refused(dir: &PinDir, error: &FilterError, name: &str) {
    let message = error.to_string();
    assert!(
        matches!(error, FilterError::Foreign { .. }),
        "{name}: {message}"
    );
    let place = dir.version().display().to_string();
    for part in [name, place.as_str(), "remove", "--pins"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

/// A table that says nothing, or lies, about its layout would be read beyond its end.
pub fn a_table_with_a_damaged_header_is_refused() {
    let dir = PinDir::new();
    let size = |dir: &PinDir| {
        let filter = busy(dir);
        u32::try_from(filter.maps.geometry().words() * 8).unwrap()
    };
    let bytes = size(&dir);
    fs::remove_file(dir.map("TABLE")).unwrap();
    let blank = bpf::create_map(MapShape::new(ARRAY, 4, bytes, 1, MMAPABLE)).unwrap();
    bpf::pin(&blank, &dir.map("TABLE")).unwrap();
    let ids = map_ids(&dir);

    let error = Filter::load(&dir.pins(), SMALL).err().unwrap();

    assert_refused(&dir, &error, "TABLE");
    assert_eq!(map_ids(&dir), ids);
}

pub fn a_directory_elsewhere_is_refused() {
    let elsewhere = tempfile::tempdir().unwrap();
    for path in [
        elsewhere.path().to_owned(),
        elsewhere.path().join("not/yet/there"),
    ] {
        let error = Filter::load(&Pins::new(&path), SMALL).err().unwrap();
        assert!(matches!(error, FilterError::NotBpffs { .. }), "{error}");
        let message = error.to_string();
        for part in [
            &path.display().to_string(),
            "mount -t bpf bpf /sys/fs/bpf",
            "--pins",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
    assert_eq!(
        fs::read_dir(elsewhere.path()).unwrap().count(),
        0,
        "nothing was made there"
    );
}

pub fn an_impossible_capacity_is_refused() {
    let dir = PinDir::new();
    let error = Filter::load(&dir.pins(), Capacity::any(27_000_000, 0));
    let error = error.err().unwrap();
    let message = error.to_string();
    assert!(matches!(error, FilterError::Capacity(_)), "{message}");
    assert!(
        message.contains("27000000") && message.contains("[table]"),
        "{message}"
    );
    assert_eq!(pinned_in(&dir, "maps"), [""; 0]);
}
