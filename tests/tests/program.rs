//! The loaded program itself: what it costs the verifier, what its pass path does, and its events.

#[path = "program/code.rs"]
mod code;
#[path = "program/events.rs"]
mod events;

use std::{process::ExitCode, thread};

use trickblock::{
    kernel::{Capacity, Filter, Load, Program},
    table::Constants,
};
use trickblock_common::{V6, abi::tunnel, embedded::Nat64};
use trickblock_tests::{
    bpf,
    harness::{self, Need, Test},
    kernel::{BPFFS, PinDir, SMALL, counted_since, counts, entries},
    packet::Packet,
    sys,
};

fn main() -> ExitCode {
    let test = |name, run| Test {
        name,
        needs: BPF,
        run,
    };
    harness::main(&[
        test(
            "every_capacity_loads_within_the_budget",
            every_capacity_loads_within_the_budget,
        ),
        test(
            "the_pass_path_calls_nothing",
            code::the_pass_path_calls_nothing,
        ),
        test("a_miss_is_short", code::a_miss_is_short),
        test(
            "addresses_are_loaded_whole",
            code::addresses_are_loaded_whole,
        ),
        test(
            "counters_are_summed_over_cpus",
            counters_are_summed_over_cpus,
        ),
        test(
            "an_event_tells_the_packet",
            events::an_event_tells_the_packet,
        ),
        test(
            "only_wanted_reasons_are_reported",
            events::only_wanted_reasons_are_reported,
        ),
        test(
            "the_rate_limit_counts_what_it_holds_back",
            events::the_rate_limit_counts_what_it_holds_back,
        ),
        test(
            "every_cpu_has_its_own_rate",
            events::every_cpu_has_its_own_rate,
        ),
        test(
            "a_full_ring_counts_what_it_loses",
            events::a_full_ring_counts_what_it_loses,
        ),
    ])
}

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];
/// The kernel's limit is a million; older ones follow more states than this one.
const BUDGET: u32 = 60_000;
pub const XDP_DROP: u32 = 1;

/// Sizes become constants of the program, and some have made it unverifiable.
fn every_capacity_loads_within_the_budget() {
    let sizes = [
        (0, 0),
        (1, 1),
        (20_000, 20_000),
        (100_000, 25_000),
        (1_000_000, 250_000),
        (4_000_000, 1_000_000),
        (0, 6_000_000),
    ];
    for (v4, v6) in sizes {
        for constants in [Constants::default(), everything()] {
            let capacity = Capacity::any(v4, v6);
            let wanted = Load {
                capacity,
                constants,
            };
            let mut filter = Filter::load_private(BPFFS.as_ref(), wanted).unwrap();
            for program in Program::ALL {
                let verified = filter.verified_instructions(program).unwrap();
                let tunnels = constants.tunnels;
                println!(
                    "{v4} + {v6}, tunnels {tunnels}: {} {verified:?}",
                    program.name()
                );
                assert!(
                    verified.is_none_or(|count| count <= BUDGET),
                    "{v4} + {v6}: {verified:?}"
                );
            }
        }
    }
}

/// Every tunnel, and as many NAT64 prefixes as can be.
fn everything() -> Constants {
    let prefix = V6 {
        high: 0x2001_0db8_0064_0000,
        low: 0,
    };
    Constants {
        tunnels: tunnel::ALL,
        nat64: [32, 40, 64, 96].map(|length| Nat64 { length, prefix }),
    }
}

fn counters_are_summed_over_cpus() {
    let dir = PinDir::new();
    let filter = Filter::load(&dir.pins(), SMALL).unwrap();
    filter
        .maps
        .swap(&entries(&["drop 203.0.113.7"]).unwrap(), &[0], 1)
        .unwrap();
    let program = bpf::open_pin(&dir.version().join("program")).unwrap();
    let frame = Packet::v4("203.0.113.7", "192.0.2.1")
        .udp(1, 2)
        .payload(&[0; 100])
        .build();
    let before = counts(&filter.maps);
    let cpus = thread::available_parallelism().unwrap().get();
    for cpu in 0..cpus {
        thread::scope(|scope| {
            scope.spawn(|| {
                sys::stay_on_cpu(cpu).unwrap();
                for _ in 0..=cpu {
                    assert_eq!(bpf::test_run(&program, &frame, 1).unwrap(), XDP_DROP);
                }
            });
        });
    }
    let packets = u64::try_from(cpus * (cpus + 1) / 2).unwrap();
    let counted = counted_since(&before, &counts(&filter.maps));
    let bytes = packets * u64::try_from(frame.len()).unwrap();
    assert_eq!(
        counted.into_iter().collect::<Vec<_>>(),
        [(("address", Some("source")), (packets, bytes))]
    );
    assert_eq!(filter.maps.hits([0]).unwrap(), [packets]);
}
