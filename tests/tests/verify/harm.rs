//! Each harm is done, found, and undone.

use trickblock::kernel::{Filter, Maps, Pins};
use trickblock_common::table::{
    Geometry,
    layout::{GENERATION, LENGTHS_V4},
};
use trickblock_tests::{
    bpf,
    kernel::{PinDir, SMALL},
    road::{LAN, WAN},
    sys,
};

use crate::place::{Place, differing};

/// One word of the table in force, as it is and as it shall be.
fn word(place: &Place, at: u64, change: impl Fn(u64) -> u64) {
    let pins = Pins::new(place.site.pins());
    let geometry: Geometry = *Maps::open(&pins).unwrap().geometry();
    let map = bpf::open_pin(&place.pin("maps/TABLE")).unwrap();
    let key = 0_u32.to_ne_bytes();
    let bytes = usize::try_from(geometry.words() * 8).unwrap();
    let mut value = bpf::lookup(&map, &key, bytes).unwrap();
    let read = |value: &[u8], at: u64| {
        let at = usize::try_from(at * 8).unwrap();
        u64::from_ne_bytes(value[at..at + 8].try_into().unwrap())
    };
    let at = geometry.half_at(read(&value, GENERATION)) + at;
    let changed = change(read(&value, at));
    let bytes = usize::try_from(at * 8).unwrap();
    value[bytes..bytes + 8].copy_from_slice(&changed.to_ne_bytes());
    bpf::update(&map, &key, &value).unwrap();
}

/// A word that holds an IPv4 indicator's action and number.
struct Record {
    at: u64,
    word: u64,
    /// Both bits of its action.
    action: u64,
    number: u64,
}

fn records(place: &Place) -> Vec<Record> {
    let pins = Pins::new(place.site.pins());
    let maps = Maps::open(&pins).unwrap();
    let snapshot = maps.snapshot().unwrap();
    let Geometry {
        at_host,
        at_v4,
        at_v6,
        ..
    } = snapshot.geometry;
    let read = |at: u64| snapshot.half[usize::try_from(at).unwrap()];
    let record = |at: u64, action: u64| Record {
        at,
        word: read(at),
        action,
        number: read(at) & (action & action.wrapping_neg()).wrapping_sub(1),
    };
    let hosts = (at_host..at_v4).map(|at| record(at, 3 << 28));
    let others = (at_v4..at_v6).skip(1).step_by(2);
    let all = hosts.chain(others.map(|at| record(at, 3 << 32)));
    all.filter(|record| record.word & record.action != 0)
        .collect()
}

pub fn table() {
    let place = Place::hooked("auto");
    let daemon = place.daemon();
    place.verify(0, &[]);

    // A prefix length that nobody asks for any more.
    let only_host = 1 << 32;
    word(&place, LENGTHS_V4, |lengths| lengths & only_host);
    let report = place.verify(1, &[]);
    assert_eq!(report["result"], "different");
    let classes = differing(&report);
    assert!(
        classes.contains(&"exact_addresses_and_prefixes_v4"),
        "{classes:?}"
    );
    let first = &report["differences"][0];
    assert_eq!(first["indicator"], "203.0.113.192/26", "{first}");
    assert!(
        first["expected"]
            .as_str()
            .unwrap()
            .starts_with("drop (prefix"),
        "{first}"
    );
    assert!(
        first["got"].as_str().unwrap().starts_with("pass (miss"),
        "{first}"
    );
    assert!(
        first["packet"].as_str().unwrap().starts_with("0200"),
        "{first}"
    );
    assert!(
        first["fix"].as_str().unwrap().contains("trickblock reload"),
        "{first}"
    );
    let text = place.verb("verify", &[]);
    assert!(
        text.stdout.contains("DIFFERENT: the kernel does not do"),
        "{}",
        text.stdout
    );
    word(&place, LENGTHS_V4, |lengths| lengths | 1 << 26 | only_host);
    place.verify(0, &[]);

    // Drop becomes monitor, or two indicators share a number (of nine).
    let records = records(&place);
    assert!(records.len() > 4, "{}", records.len());
    for record in records {
        for flipped in [record.action, 1] {
            if flipped == 1 && record.number >= 8 {
                continue;
            }
            let at = record.at;
            word(&place, at, |now| {
                assert_eq!(now, record.word);
                now ^ flipped
            });
            let report = place.verify(1, &[]);
            assert!(differing(&report).contains(&"table"), "{report}");
            word(&place, at, |now| now ^ flipped);
        }
    }
    place.verify(0, &[]);
    drop(daemon);
}

pub fn never_block() {
    let place = Place::hooked("tcx");
    let daemon = place.daemon();
    let map = bpf::open_pin(&place.pin("maps/NEVER_V4")).unwrap();
    // 10.0.0.0/8, which is compiled in, and what the configuration allows.
    for (key, said) in [
        ([8, 0, 0, 0, 10, 0, 0, 0], "10.0.0.0/8"),
        ([32, 0, 0, 0, 203, 0, 113, 200], "never-block list in force"),
    ] {
        let value = bpf::lookup(&map, &key, 4).unwrap();
        bpf::delete(&map, &key).unwrap();
        let report = place.verify(1, &[]);
        assert_eq!(differing(&report), ["never_block_list"], "{report}");
        assert!(report["differences"].to_string().contains(said), "{report}");
        bpf::update(&map, &key, &value).unwrap();
        place.verify(0, &[]);
    }
    drop(daemon);
}

pub fn interfaces() {
    let place = Place::hooked("auto");
    let daemon = place.daemon();
    let map = bpf::open_pin(&place.pin("maps/INTERFACES")).unwrap();
    let index = place
        .road
        .gateway
        .run(|| sys::interface_index(WAN))
        .unwrap()
        .unwrap();
    let key = index.to_ne_bytes();
    let right = bpf::lookup(&map, &key, 8).unwrap();
    // Another role, fail-closed, and arrivals that somebody else is said to judge.
    for (at, bits) in [(0, 3), (4, 1), (4, 2)] {
        let mut wrong = right.clone();
        wrong[at] ^= bits;
        // The daemon mends the entry, now and then before anybody looks.
        let mut tries = (0..10).map(|_| {
            bpf::update(&map, &key, &wrong).unwrap();
            place.verb("verify", &["--json"])
        });
        let found = tries.find(|output| output.code == Some(1));
        let report = found.expect("it is found").json().unwrap();
        assert_eq!(differing(&report), ["interfaces"], "{report}");
        assert_eq!(report["differences"][0]["interface"], WAN, "{report}");
        bpf::update(&map, &key, &right).unwrap();
        place.verify(0, &[]);
    }
    drop(daemon);
}

/// The same programs, but loaded once more, with maps of their own.
pub fn program() {
    let place = Place::hooked("auto");
    let daemon = place.daemon();
    let pins = PinDir::new();
    let _other = Filter::load(&pins.pins(), SMALL).unwrap();
    for (link, program) in [
        ("links/lan0", "program"),
        ("links/lan0%tcx-egress", "programs/tc_egress"),
    ] {
        let link = bpf::open_pin(&place.pin(link)).unwrap();
        let foreign = bpf::open_pin(&pins.version().join(program)).unwrap();
        bpf::update_link(&link, &foreign).unwrap();
        let report = place.verify(1, &[]);
        assert_eq!(differing(&report), ["attachment"], "{report}");
        let difference = &report["differences"][0];
        assert_eq!(difference["interface"], LAN, "{report}");
        let id = bpf::program_id(&foreign).unwrap();
        assert_eq!(difference["got"], format!("program {id}"), "{report}");
        let own = bpf::open_pin(&place.pin(program)).unwrap();
        bpf::update_link(&link, &own).unwrap();
        place.verify(0, &[]);
    }
    drop(daemon);
}
