//! Pins: what a second load takes over, what it refuses, and how a table grows.

#[path = "pins/refused.rs"]
mod refused;

use std::{collections::BTreeMap, fs, path::PathBuf, process::ExitCode};

use trickblock::{
    kernel::{Capacity, Filter, FilterError, Maps},
    table::Entry,
};
use trickblock_common::table::Geometry;
use trickblock_tests::{
    bpf,
    harness::{self, Need, Test},
    kernel::{PinDir, SMALL, counts, entries, never},
    packet::Packet,
};

fn main() -> ExitCode {
    let test = |name, run| Test {
        name,
        needs: BPF,
        run,
    };
    harness::main(&[
        test(
            "a_second_load_adopts_everything",
            a_second_load_adopts_everything,
        ),
        test("maps_open_without_a_program", maps_open_without_a_program),
        test(
            "a_pin_of_another_shape_is_refused",
            refused::a_pin_of_another_shape_is_refused,
        ),
        test(
            "a_table_with_a_damaged_header_is_refused",
            refused::a_table_with_a_damaged_header_is_refused,
        ),
        test(
            "a_larger_table_keeps_rules_hits_and_counters",
            a_larger_table_keeps_rules_hits_and_counters,
        ),
        test(
            "room_for_other_entries_is_made_where_both_do_not_fit",
            room_for_other_entries_is_made_where_both_do_not_fit,
        ),
        test(
            "a_smaller_capacity_changes_nothing",
            a_smaller_capacity_changes_nothing,
        ),
        test(
            "an_interrupted_load_is_finished_by_the_next",
            an_interrupted_load_is_finished_by_the_next,
        ),
        test(
            "a_directory_elsewhere_is_refused",
            refused::a_directory_elsewhere_is_refused,
        ),
        test(
            "a_private_filter_leaves_nothing_behind",
            a_private_filter_leaves_nothing_behind,
        ),
        test(
            "never_block_entries_may_have_host_bits",
            never_block_entries_may_have_host_bits,
        ),
        test(
            "an_impossible_capacity_is_refused",
            refused::an_impossible_capacity_is_refused,
        ),
    ])
}

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];
const MAPS: [&str; 11] = [
    "TABLE",
    "HITS",
    "NEVER_16",
    "NEVER_V4",
    "NEVER_V6",
    "COUNTER",
    "SETTINGS",
    "EVENTS",
    "BUDGET",
    "INTERFACES",
    "PROBE",
];
const LISTED: &str = "203.0.113.7";

fn rules() -> Vec<Entry> {
    entries(&[
        "drop 203.0.113.7",
        "monitor 2001:db8::/32",
        "drop 198.18.0.0/15:443/tcp",
    ])
    .unwrap()
}

/// A filter with rules, a never-block list, and three packets judged.
fn busy(dir: &PinDir) -> Filter {
    let mut filter = Filter::load(&dir.pins(), SMALL).unwrap();
    filter.report_everything(false).unwrap();
    filter.maps.swap(&rules(), &[0, 1, 2], 7).unwrap();
    filter
        .maps
        .set_never_block(&never(&["hard 192.0.2.1", "own 2001:db8:7::/48"]).unwrap())
        .unwrap();
    for _ in 0..3 {
        judge(&mut filter, LISTED, "address");
    }
    filter
}

fn judge(filter: &mut Filter, server: &str, reason: &str) {
    let judged = filter
        .judge(
            trickblock::kernel::Program::Xdp,
            &Packet::v4("192.0.2.10", server).tcp(1, 443).build(),
        )
        .unwrap();
    assert_eq!(judged.reason.name(), reason, "{server}");
}

/// Everything that a load must carry over, in one comparable value.
fn state(maps: &Maps) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        maps.entries().unwrap(),
        maps.hits(0..3).unwrap(),
        maps.never_block().unwrap(),
        counts(maps),
        maps.settings().unwrap(),
    )
}

fn map_ids(dir: &PinDir) -> BTreeMap<&'static str, u32> {
    MAPS.iter()
        .map(|name| (*name, bpf::map_id(&dir.map(name)).unwrap()))
        .collect()
}

fn a_second_load_adopts_everything() {
    let dir = PinDir::new();
    let first = busy(&dir);
    let (before, ids) = (state(&first.maps), map_ids(&dir));
    let generation = first.maps.generation().unwrap();
    drop(first);

    let mut second = Filter::load(&dir.pins(), SMALL).unwrap();

    assert_eq!(state(&second.maps), before);
    assert_eq!(map_ids(&dir), ids);
    assert_eq!(
        second.maps.generation().unwrap(),
        generation,
        "nothing was swapped"
    );
    judge(&mut second, LISTED, "address");
    assert_eq!(
        second
            .maps
            .hits([second.maps.entries().unwrap()[1].id])
            .unwrap(),
        [4]
    );
    assert_eq!(pinned_in(&dir, "maps"), {
        let mut all = MAPS.map(String::from);
        all.sort();
        all
    });
}

fn maps_open_without_a_program() {
    let dir = PinDir::new();
    let error = Maps::open(&dir.pins()).err().unwrap();
    assert!(matches!(error, FilterError::NoFilter { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains(&dir.path().display().to_string()) && message.contains("trickblock run"),
        "{message}"
    );

    let filter = busy(&dir);
    let before = state(&filter.maps);
    drop(filter);
    assert_eq!(state(&Maps::open(&dir.pins()).unwrap()), before);
}

fn a_larger_table_keeps_rules_hits_and_counters() {
    let dir = PinDir::new();
    let first = busy(&dir);
    let (before, ids) = (state(&first.maps), map_ids(&dir));
    let capacity = first.maps.geometry().capacity();
    drop(first);

    let wanted = Capacity::any(30_000, 5_000);
    let mut second = Filter::load(&dir.pins(), wanted).unwrap();

    assert_eq!(state(&second.maps), before);
    let grown = second.maps.geometry().capacity();
    assert!(grown.holds(wanted) && !capacity.holds(grown));
    let changed: Vec<&str> = map_ids(&dir)
        .iter()
        .filter(|(name, id)| ids[*name] != **id)
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(
        changed,
        ["HITS", "TABLE"],
        "all else is shared by old and new"
    );
    judge(&mut second, LISTED, "address");
    let many: Vec<String> = (0..30_000_u32)
        .map(|n| format!("drop 198.18.{}.{}", n >> 8, n & 255))
        .collect();
    let many = entries(&many).unwrap();
    let ids: Vec<u32> = many.iter().map(|entry| entry.id).collect();
    second.maps.swap(&many, &ids, 7).unwrap();
    judge(&mut second, "198.18.117.47", "address");
    judge(&mut second, "198.18.117.48", "miss");
}

/// A table has room for what the former one could hold, or for what it holds where that is too much for a BPF map.
fn room_for_other_entries_is_made_where_both_do_not_fit() {
    let dir = PinDir::new();
    let [addresses, v6] = [Capacity::any(5_000_000, 0), Capacity::any(0, 4_500_000)];
    assert!(Geometry::for_entries(addresses.map(v6, u64::max)).is_none());
    let mut first = Filter::load(&dir.pins(), addresses).unwrap();
    first.report_everything(false).unwrap();
    first.maps.swap(&rules(), &[0, 1, 2], 7).unwrap();
    drop(first);
    let mut second = Filter::load(&dir.pins(), v6).unwrap();
    assert!(second.maps.geometry().capacity().holds(v6));
    assert_eq!(second.maps.entries().unwrap(), rules());
    judge(&mut second, LISTED, "address");
}

fn a_smaller_capacity_changes_nothing() {
    let dir = PinDir::new();
    let large = Capacity::any(20_000, 20_000);
    drop(Filter::load(&dir.pins(), large).unwrap());
    let ids = map_ids(&dir);
    let filter = Filter::load(&dir.pins(), SMALL).unwrap();
    assert_eq!(map_ids(&dir), ids);
    assert!(filter.maps.geometry().capacity().holds(large));
}

/// Killed between pinning the new maps and giving them their names.
fn an_interrupted_load_is_finished_by_the_next() {
    let renamed: [&[(&str, &str)]; 2] = [
        &[("TABLE", "TABLE_new"), ("HITS", "HITS_new")],
        &[("TABLE", "TABLE_new")],
    ];
    for moves in renamed {
        let dir = PinDir::new();
        drop(Filter::load(&dir.pins(), SMALL).unwrap());
        for (from, to) in moves {
            fs::rename(dir.map(from), dir.map(to)).unwrap();
        }
        let mut filter = Filter::load(&dir.pins(), SMALL).unwrap();
        filter.report_everything(false).unwrap();
        filter.maps.swap(&rules(), &[0, 1, 2], 7).unwrap();
        judge(&mut filter, LISTED, "address");
        assert_eq!(pinned_in(&dir, "maps").len(), MAPS.len(), "{moves:?}");
    }
}

fn a_private_filter_leaves_nothing_behind() {
    let dir = PinDir::new();
    fs::create_dir(dir.path()).unwrap();
    let first = Filter::load_private(dir.path(), SMALL).unwrap();
    let mut second = Filter::load_private(dir.path(), SMALL).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    first.maps.swap(&rules(), &[0, 1, 2], 7).unwrap();
    second.report_everything(false).unwrap();
    judge(&mut second, LISTED, "miss");
    let error = second
        .attach("lo", trickblock::kernel::ModeChoice::Auto)
        .unwrap_err();
    assert!(error.to_string().contains("private"), "{error}");
}

/// An own address is often known as `192.0.2.77/24`; it must not vanish with its host bits.
fn never_block_entries_may_have_host_bits() {
    let dir = PinDir::new();
    let mut filter = busy(&dir);
    let wanted = [
        ("203.0.113.77/24".parse().unwrap(), 2),
        ("2001:db8::1/64".parse().unwrap(), 1),
    ];
    filter.maps.set_never_block(&wanted).unwrap();
    let kept: Vec<String> = filter
        .maps
        .never_block()
        .unwrap()
        .iter()
        .map(|(prefix, class)| format!("{prefix} {class}"))
        .collect();
    assert_eq!(kept, ["203.0.113.0/24 2", "2001:db8::/64 1"]);
    judge(&mut filter, LISTED, "never_block");
    // The same network twice: the stronger class counts, in either order.
    for wanted in [
        ["hard 203.0.113.0/24", "own 203.0.113.0/24"],
        ["own 203.0.113.0/24", "hard 203.0.113.0/24"],
    ] {
        filter
            .maps
            .set_never_block(&never(&wanted).unwrap())
            .unwrap();
        judge(&mut filter, LISTED, "never_block");
    }
    filter.maps.set_never_block(&[]).unwrap();
    assert_eq!(filter.maps.never_block().unwrap(), []);
    judge(&mut filter, LISTED, "address");
}

fn pinned_in(dir: &PinDir, folder: &str) -> Vec<String> {
    let path: PathBuf = dir.version().join(folder);
    let mut names: Vec<String> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
