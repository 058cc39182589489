//! Whole-set swaps: no packet sees a mixture, nothing that should last is lost, and what does not fit
//! changes nothing.

#[path = "swap/concurrent.rs"]
mod concurrent;
#[path = "swap/load.rs"]
mod load;

use std::{os::fd::OwnedFd, process::ExitCode};

use trickblock::{
    kernel::{Capacity, Filter, FilterError, Maps},
    table::{Entry, Ids},
};
use trickblock_tests::{
    bpf,
    harness::{self, Need, Test},
    kernel::{PinDir, SMALL, counts, entries},
    packet::Packet,
};

fn main() -> ExitCode {
    let test = |name, run| Test {
        name,
        needs: BPF,
        run,
    };
    harness::main(&[
        test("no_packet_sees_a_mixture", load::no_packet_sees_a_mixture),
        test("a_mixture_would_be_seen", load::a_mixture_would_be_seen),
        test(
            "changes_in_place_and_swaps_under_packets",
            concurrent::changes_in_place_and_swaps,
        ),
        test("growth_under_packets", concurrent::growth),
        test("hits_and_counters_survive", hits_and_counters_survive),
        test(
            "ids_are_recycled_a_swap_later",
            ids_are_recycled_a_swap_later,
        ),
        test(
            "a_set_that_does_not_fit_changes_nothing",
            a_set_that_does_not_fit_changes_nothing,
        ),
        test(
            "never_block_changes_leave_no_gap",
            load::never_block_changes_leave_no_gap,
        ),
        test(
            "every_seed_gives_the_same_answers",
            every_seed_gives_the_same_answers,
        ),
    ])
}

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];

/// Both list two addresses that talk to each other, and drop exactly one of them. A packet that saw
/// one address in the old set and the other in the new one would find two to monitor.
const A: [&str; 5] = [
    "drop 203.0.113.7",
    "monitor 203.0.113.8",
    "drop 2001:db8:c2::7",
    "monitor 2001:db8:c2::8",
    "drop 198.51.100.0/24:443",
];

/// From the one that A drops to the one that B drops, and one that both drop.
fn frames() -> [Vec<u8>; 3] {
    [
        Packet::v4("203.0.113.7", "203.0.113.8").tcp(1, 2).build(),
        Packet::v6("2001:db8:c2::7", "2001:db8:c2::8")
            .udp(1, 2)
            .build(),
        Packet::v4("192.0.2.1", "198.51.100.9").tcp(1, 443).build(),
    ]
}

/// The rules, and many others that make the filling of a table take its time.
fn with_fillers(rules: &[&str]) -> Vec<Entry> {
    let v4 = (0..500).map(|n| format!("drop 198.18.{}.{}", n / 256, n % 256));
    let v6 = (0..500).map(|n| format!("drop [2001:db8:ffff::{n:x}]:443"));
    let rules = rules.iter().map(ToString::to_string);
    entries(&rules.chain(v4).chain(v6).collect::<Vec<_>>()).unwrap()
}

struct Loaded {
    dir: PinDir,
    maps: Maps,
    program: OwnedFd,
}

/// A pinned filter without events, whose program is run directly.
fn loaded() -> Loaded {
    let dir = PinDir::new();
    let filter = Filter::load(&dir.pins(), SMALL).unwrap();
    let program = bpf::open_pin(&dir.version().join("program")).unwrap();
    Loaded {
        maps: filter.maps,
        program,
        dir,
    }
}

fn hits_and_counters_survive() {
    let Loaded {
        dir: _dir,
        maps,
        program,
    } = loaded();
    let first = entries(&["drop 203.0.113.7", "drop 203.0.113.8"]).unwrap();
    maps.swap(&first, &[0, 1], 1).unwrap();
    let to = |server: &str, times| {
        bpf::test_run(
            &program,
            &Packet::v4("192.0.2.1", server).tcp(1, 443).build(),
            times,
        )
        .unwrap()
    };
    assert_eq!(
        [to("203.0.113.7", 70), to("203.0.113.8", 80)],
        [1, 1],
        "XDP_DROP"
    );
    let counted = counts(&maps);

    let mut second = entries(&[
        "drop 198.51.100.1",
        "monitor 203.0.113.8",
        "drop 203.0.113.9",
    ])
    .unwrap();
    // Ids stay with their indicators, whatever the action; the second one is free again.
    for (entry, id) in second.iter_mut().zip([2, 1, 0]) {
        entry.id = id;
    }
    maps.swap(&second, &[2, 0], 2).unwrap();

    assert_eq!(
        counts(&maps),
        counted,
        "a swap counts nothing and forgets nothing"
    );
    assert_eq!(
        maps.hits([0, 1, 2]).unwrap(),
        [0, 80, 0],
        "fresh ids start at zero"
    );
    assert_eq!(
        [
            to("203.0.113.7", 1),
            to("203.0.113.8", 5),
            to("203.0.113.9", 9)
        ],
        [2, 2, 1]
    );
    assert_eq!(maps.hits([0, 1, 2]).unwrap(), [9, 85, 0]);
    assert_eq!(maps.entries().unwrap(), second);
}

/// Through the planner, as the daemon does it: an id that just left may still be counted by a packet
/// that saw the old set.
fn ids_are_recycled_a_swap_later() {
    let Loaded {
        dir: _dir,
        maps,
        program,
    } = loaded();
    let mut ids = Ids::new(maps.hit_capacity().unwrap(), &[]);
    let mut live = Vec::new();
    let mut given = Vec::new();
    for round in 0..6_u8 {
        let wanted = entries(&[
            format!("drop 203.0.113.{round}"),
            "drop 198.51.100.1".to_owned(),
        ])
        .unwrap();
        let plan = ids
            .plan(
                &live,
                wanted.iter().map(|entry| (entry.indicator, entry.drop)),
            )
            .unwrap();
        maps.swap(&plan.entries, &plan.fresh, u64::from(round))
            .unwrap();
        let id = plan
            .entries
            .iter()
            .find(|entry| entry.indicator == wanted[1].indicator)
            .unwrap()
            .id;
        assert_eq!(
            maps.hits([id]).unwrap(),
            [0],
            "round {round}: somebody else's hits"
        );
        assert!(!plan.retired.contains(&id));
        let frame = Packet::v4("192.0.2.1", &format!("203.0.113.{round}"))
            .udp(1, 2)
            .build();
        bpf::test_run(&program, &frame, 10).unwrap();
        assert_eq!(maps.hits([id]).unwrap(), [10]);
        given.push(id);
        ids.commit(&plan);
        live = plan.entries;
    }
    assert!(
        given.windows(2).all(|pair| pair[0] != pair[1]),
        "{given:?}: at once"
    );
    assert!(given.iter().max() < Some(&4), "{given:?}: never");
}

fn a_set_that_does_not_fit_changes_nothing() {
    let Loaded {
        dir: _dir,
        maps,
        program,
    } = loaded();
    maps.swap(&entries(&A).unwrap(), &[0, 1, 2, 3, 4], 1)
        .unwrap();
    let Capacity { hosts, v4, v6, .. } = maps.geometry().capacity();
    let host_4 = |n: u64| format!("drop 198.18.{}.{}", n / 256, n % 256);
    // A port takes two entries: its own, and that of its prefix.
    let port_6 = |n: u64| format!("drop [2001:db8:ffff::{n:x}]:443");
    let prefix_4 = |n: u64| format!("drop 198.18.{}.{}/31", n / 128, n % 128 * 2);
    let sets: [(Vec<String>, &str); 4] = [
        ((0..=hosts).map(host_4).collect(), "IPv4 address"),
        ((0..=v4).map(prefix_4).collect(), "IPv4 prefix"),
        ((0..=v6 / 2).map(port_6).collect(), "IPv6"),
        ((0..hosts * 4).map(host_4).collect(), "IPv4"),
    ];
    let (generation, in_force) = (maps.generation().unwrap(), maps.entries().unwrap());
    for (rules, family) in sets {
        let error = maps.swap(&entries(&rules).unwrap(), &[0], 9).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, FilterError::Compile(_)), "{message}");
        for part in [family, "full"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(maps.generation().unwrap(), generation);
        assert_eq!(maps.entries().unwrap(), in_force);
        let [drop, ..] = frames();
        assert_eq!(bpf::test_run(&program, &drop, 1).unwrap(), 1, "XDP_DROP");
    }
    for everything in ["0.0.0.0/0", "::/0"] {
        let rules = entries(&[format!("drop {everything}")]).unwrap();
        let message = maps.swap(&rules, &[0], 9).unwrap_err().to_string();
        assert!(
            message.contains(everything) && message.contains("name the prefixes"),
            "{message}"
        );
        assert_eq!(maps.entries().unwrap(), in_force);
    }
    // What just fits is taken.
    let full = (0..hosts).map(host_4).chain((0..v6 / 2).map(port_6));
    let full: Vec<String> = full.chain((0..v4).map(prefix_4)).collect();
    maps.swap(&entries(&full).unwrap(), &[], 10).unwrap();
    let v6 = v6 / 2 * 2;
    let used = maps.used().unwrap();
    assert_eq!((used.hosts, used.v4, used.v6), (hosts, v4, v6));
    for n in [0, hosts / 2, hosts - 1] {
        let server = format!("198.18.{}.{}", n / 256, n % 256);
        let frame = Packet::v4("192.0.2.1", &server).udp(1, 2).build();
        assert_eq!(bpf::test_run(&program, &frame, 1).unwrap(), 1, "{server}");
    }
}

fn every_seed_gives_the_same_answers() {
    let Loaded {
        dir: _dir,
        maps,
        program,
    } = loaded();
    let set = with_fillers(&A);
    for seed in (0..64).map(|bit| 1_u64 << bit).chain([0, u64::MAX]) {
        maps.swap(&set, &[], seed).unwrap();
        assert_eq!(maps.entries().unwrap(), set, "{seed:#x}");
        for frame in frames() {
            assert_eq!(bpf::test_run(&program, &frame, 1).unwrap(), 1, "{seed:#x}");
        }
        let other = Packet::v4("192.0.2.1", "198.51.100.9").tcp(443, 80).build();
        assert_eq!(bpf::test_run(&program, &other, 1).unwrap(), 2, "{seed:#x}");
    }
}
