//! The questions, in the order in which they are asked.

use std::fs;

use anyhow::{Context as _, ensure};
use trickblock::{
    kernel::{
        Attached, Capacity, Filter, Hook, HookChoice, Hooks, Load, Mode, ModeChoice, Program, Way,
    },
    table::Constants,
};
use trickblock_common::{V6, abi::tunnel, embedded::Nat64};

use super::{Check, Findings, field::Field, swap};
use crate::{
    fixture::{self, C2, C2_6, CLIENT, CLIENT_6},
    kernel::{BPFFS, PinDir, SMALL, counted_since, counts, entries},
    packet::Packet,
};

pub(super) const ALL: &[Check] = &[
    Check {
        name: "load",
        run: load,
    },
    Check {
        name: "fixtures",
        run: fixtures,
    },
    Check {
        name: "native",
        run: native,
    },
    Check {
        name: "tc",
        run: tc,
    },
    Check {
        name: "clsact",
        run: clsact,
    },
    Check {
        name: "swap",
        run: swap::under_packets,
    },
];

/// Instructions that the verifier may process. The kernel's limit is a million; the rest is room for
/// kernels that follow more states than these.
const BUDGET: u32 = 60_000;
/// Sizes become constants of the programs, so each is verified anew; and with it once what every packet
/// pays for, once all that a configuration can switch on.
const SIZES: [(u64, u64, bool); 3] = [
    (1, 1, true),
    (100_000, 25_000, false),
    (1_000_000, 250_000, true),
];
/// Wrong fixtures that are told: the console is slow, and one bug makes many.
const SHOWN: usize = 10;
/// Packets that must be dropped, and as many that must not.
const PACKETS: usize = 20;

/// Every program, within the budget.
fn load(_: &Field, findings: &mut Findings) -> anyhow::Result<String> {
    for (v4, v6, all) in SIZES {
        let constants = if all {
            everything()
        } else {
            Constants::default()
        };
        let what = || format!("capacity {v4} + {v6}, tunnels {:#x}", constants.tunnels);
        measure(Capacity::any(v4, v6), constants, findings).with_context(what)?;
    }
    let programs = &findings.programs;
    let each: Vec<_> = programs
        .iter()
        .map(|(name, most)| format!("{name} {most}"))
        .collect();
    let said = format!("verified instructions: {}", each.join(", "));
    let within = programs.values().all(|most| *most <= BUDGET);
    ensure!(within, "above {BUDGET}: {said}");
    Ok(said)
}

/// All kinds of tunnels, and as many NAT64 prefixes as there is room for.
fn everything() -> Constants {
    let prefix = |n: u64| Nat64 {
        length: 64,
        prefix: V6 {
            high: 0x2001_0db8_0000_0000 | n,
            low: 0,
        },
    };
    Constants {
        tunnels: tunnel::ALL,
        nat64: [1, 2, 3, 4].map(prefix),
    }
}

/// Loads all programs and notes what they cost the verifier.
fn measure(
    capacity: Capacity,
    constants: Constants,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let load = Load {
        capacity,
        constants,
    };
    let mut filter = Filter::load_private(BPFFS.as_ref(), load)?;
    for program in Program::ALL {
        let processed = filter.verified_instructions(program)?;
        let processed = processed.context("the kernel does not tell verified instructions")?;
        let most = findings.programs.entry(program.name()).or_default();
        *most = processed.max(*most);
    }
    Ok(())
}

/// The whole table, on the host's code and in the kernel.
fn fixtures(_: &Field, findings: &mut Findings) -> anyhow::Result<String> {
    let groups = fixture::all();
    let wrong = fixture::wrong(&groups);
    let first: Vec<_> = wrong.lines().take(SHOWN).collect();
    let (count, first) = (wrong.lines().count(), first.join("\n"));
    ensure!(
        wrong.is_empty(),
        "{count} wrong, the first of them:\n{first}"
    );
    findings.fixtures = groups.iter().map(|group| group.cases.len()).sum();
    Ok(format!(
        "{} proved, in {} groups",
        findings.fixtures,
        groups.len()
    ))
}

/// In the driver of a veth, and by TC on the way out.
fn native(field: &Field, _: &mut Findings) -> anyhow::Result<String> {
    let attached = filtered(field, ModeChoice::Native)?;
    let xdp = attached.iter().find(|on| on.hook == Hook::Xdp);
    let mode = xdp.and_then(|on| on.mode);
    ensure!(mode == Some(Mode::Native), "{attached:?}");
    Ok(summary(&attached))
}

/// By TC in both directions, in the way that is new since Linux 6.6, or its forerunner.
fn tc(field: &Field, _: &mut Findings) -> anyhow::Result<String> {
    const TCX: [Hook; 2] = [Hook::TcxIngress, Hook::TcxEgress];
    let attached = filtered(field, HookChoice::Tcx)?;
    let expected = if knows_tcx() { TCX } else { CLSACT };
    expect(&attached, expected)?;
    Ok(summary(&attached))
}

/// By TC in the way that every kernel knows.
fn clsact(field: &Field, _: &mut Findings) -> anyhow::Result<String> {
    let attached = filtered(field, HookChoice::Clsact)?;
    expect(&attached, CLSACT)?;
    Ok(summary(&attached))
}

const CLSACT: [Hook; 2] = [Hook::ClsactIngress, Hook::ClsactEgress];

fn expect(attached: &[Attached], hooks: [Hook; 2]) -> anyhow::Result<()> {
    let found = attached.iter().map(|on| on.hook);
    ensure!(found.eq(hooks), "{attached:?} instead of {hooks:?}");
    Ok(())
}

fn summary(attached: &[Attached]) -> String {
    let hooks: Vec<_> = attached.iter().map(|on| on.hook.name()).collect();
    let (hooks, packets) = (hooks.join(", "), 2 * PACKETS);
    format!("{hooks}: {packets} dropped and {packets} passed in each direction")
}

/// Since Linux 6.6.
fn knows_tcx() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return false;
    };
    (major, minor) >= (6, 6)
}

/// Attaches to the inner end, sends in both directions, and once more after it is off: it was the
/// filter that dropped.
fn filtered(field: &Field, way: impl Into<Way>) -> anyhow::Result<Vec<Attached>> {
    let dir = PinDir::new();
    let mut filter = Filter::load(&dir.pins(), SMALL)?;
    let rules = [format!("drop {C2}"), format!("drop {C2_6}")];
    filter.maps.swap(&entries(&rules)?, &[0, 1], 1)?;
    let attached = filter.attach(field.inner.name, way)?;
    let said = dropped(field, &filter);
    Hooks::new(dir.pins()).off()?;
    said.with_context(|| format!("{attached:?}"))?;
    for direction in [Direction::In, Direction::Out] {
        let arrived = direction.arrive(field, (C2, C2_6))?;
        ensure!(
            arrived == 2 * PACKETS,
            "{arrived} came {direction:?} when it was off"
        );
    }
    Ok(attached)
}

/// What is listed does not arrive and is counted, in both directions; the rest arrives.
fn dropped(field: &Field, filter: &Filter) -> anyhow::Result<()> {
    const OTHERS: (&str, &str) = ("203.0.113.8", "2001:db8:c2::8");
    let packets = 2 * PACKETS;
    for (direction, side) in [(Direction::In, "source"), (Direction::Out, "destination")] {
        let before = counts(&filter.maps);
        let leaked = direction.arrive(field, (C2, C2_6))?;
        let passed = direction.arrive(field, OTHERS)?;
        ensure!(leaked == 0, "{leaked} listed packets came {direction:?}");
        ensure!(
            passed == packets,
            "{passed} of {packets} others came {direction:?}"
        );
        let mut counted = counted_since(&before, &counts(&filter.maps));
        let counted = counted
            .remove(&("address", Some(side)))
            .unwrap_or_default()
            .0;
        ensure!(
            counted == packets as u64,
            "{counted} of {packets} were counted {direction:?}"
        );
    }
    Ok(())
}

/// Seen from the filtered end.
#[derive(Clone, Copy, Debug)]
enum Direction {
    In,
    Out,
}

impl Direction {
    /// How many packets of both families arrive, from these servers or to them.
    fn arrive(self, field: &Field, (server, server_6): (&str, &str)) -> anyhow::Result<usize> {
        let (inner, outer) = (&field.inner, &field.outer);
        let (from, to, packets) = match self {
            Self::In => {
                let packets = [Packet::v4(server, CLIENT), Packet::v6(server_6, CLIENT_6)];
                (outer, inner, packets)
            }
            Self::Out => {
                let packets = [Packet::v4(CLIENT, server), Packet::v6(CLIENT_6, server_6)];
                (inner, outer, packets)
            }
        };
        let arrive = packets.map(|packet| from.reach(to, &packet.tcp(443, 443), PACKETS));
        arrive.into_iter().sum()
    }
}
