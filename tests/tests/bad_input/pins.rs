//! Pins that are not ours, damaged, or left of what is gone.

use std::{fs, os::fd::OwnedFd, path::PathBuf};

use trickblock::kernel::{Maps, Pins};
use trickblock_tests::{
    bpf::{self, ARRAY, HASH, LPM_TRIE, MMAPABLE, MapShape, NO_PREALLOC},
    gateway::{BENIGN, C2, Gateway, LIST, body, list_of},
};

use crate::{END, left_filtering, refused};

pub fn foreign_and_damaged_pins() {
    let gateway = left_filtering();
    let table = Maps::open(&Pins::new(gateway.site.pins())).unwrap();
    let bytes = u32::try_from(table.geometry().words() * 8).unwrap();
    drop(table);
    let cases = [
        (
            "another type",
            "SETTINGS",
            MapShape::new(HASH, 4, 16, 1, 0),
            "is of type",
        ),
        (
            "another size",
            "NEVER_V4",
            MapShape::new(LPM_TRIE, 8, 4, 7, NO_PREALLOC),
            "has entries 7",
        ),
        (
            "a damaged header",
            "TABLE",
            MapShape::new(ARRAY, 4, bytes, 1, MMAPABLE),
            "header is damaged",
        ),
    ];
    for (what, map, shape, found) in cases {
        let swapped = Swapped::new(&gateway, map, shape);
        let says = [map, found, "remove", "`pins` in [paths]"];
        refused(&gateway, what, &gateway.run().unwrap(), 1, &says);
        for verb in ["status", "list"] {
            let output = gateway.verb(verb, &[]).unwrap();
            refused(&gateway, what, &output, 1, &says);
        }
        swapped.restore();
    }
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    assert!(daemon.terminate(END).unwrap().success());
}

/// Another map at the path of ours.
struct Swapped {
    path: PathBuf,
    ours: OwnedFd,
}

impl Swapped {
    fn new(gateway: &Gateway, map: &str, shape: MapShape) -> Self {
        let pinned = gateway.site.pinned().unwrap();
        let path = pinned
            .iter()
            .find(|path| path.ends_with(map))
            .unwrap()
            .clone();
        let ours = bpf::open_pin(&path).unwrap();
        fs::remove_file(&path).unwrap();
        bpf::pin(bpf::create_map(shape).unwrap(), &path).unwrap();
        Self { path, ours }
    }

    fn restore(self) {
        fs::remove_file(&self.path).unwrap();
        bpf::pin(&self.ours, &self.path).unwrap();
    }
}

/// The interface of a pinned link is gone. Its filter cannot be on, and that is said; counters stay
/// for the daemon that finds the interface again.
pub fn stale_pins() {
    let gateway = left_filtering();
    let (_, before) = gateway.status().unwrap();
    gateway.inside().ip(&["link", "delete", "eth0"]).unwrap();
    gateway.answer(body(list_of(&[C2, BENIGN])));

    let (code, status) = gateway.status().unwrap();
    let output = gateway.run().unwrap();

    assert_eq!(code, Some(4));
    assert!(
        status["problems"].to_string().contains("on no interface"),
        "{status}"
    );
    assert_eq!(output.code, Some(1));
    for part in ["interface eth0: no such interface", "`ip link`"] {
        assert!(output.stderr.contains(part), "{}", output.stderr);
    }
    let (_, after) = gateway.status().unwrap();
    for same in ["fingerprint", "generation", "never_block_fingerprint"] {
        assert_eq!(after[same], before[same], "{same}: nothing was changed");
    }
    gateway.answer(body(LIST));
    gateway.wire.lay_again();
    assert_eq!(
        gateway.wire.passes(C2, 3),
        3,
        "nothing is on the new interface yet"
    );
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    let (_, after) = gateway.status().unwrap();
    let packets = |status: &serde_json::Value| status["stopped"]["reply"]["packets"].as_u64();
    assert!(
        packets(&after) > packets(&before),
        "counters go on: {before} {after}"
    );
    drop(daemon);
}
