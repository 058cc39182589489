//! The questions, in the order in which they are asked.

use anyhow::{Context as _, ensure};
use trickblock::{
    kernel::{Capacity, Filter, Load, Mode, ModeChoice, Program},
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
        name: "swap",
        run: swap::under_packets,
    },
];

/// Instructions that the verifier may process. The kernel's limit is a million; the rest is room for
/// kernels that follow more states than these.
const BUDGET: u32 = 60_000;
/// Sizes become constants of the programs, so each is verified anew.
const CAPACITIES: [(u64, u64); 4] = [
    (1, 1),
    (2_000, 2_000),
    (100_000, 25_000),
    (1_000_000, 250_000),
];
/// Packets that must be dropped, and as many that must not.
const PACKETS: usize = 20;

/// Every program at every size of the table, with and without all that can be switched on at load
/// time, within the budget.
fn load(_: &Field, findings: &mut Findings) -> anyhow::Result<String> {
    for (v4, v6) in CAPACITIES {
        for constants in [Constants::default(), everything()] {
            let what = || format!("capacity {v4} + {v6}, tunnels {:#x}", constants.tunnels);
            measure(Capacity { v4, v6 }, constants, findings).with_context(what)?;
        }
    }
    let over = findings.programs.iter().find(|(_, most)| **most > BUDGET);
    let each = findings.programs.iter();
    let each: Vec<_> = each.map(|(name, most)| format!("{name} {most}")).collect();
    let said = format!("verified instructions: {}", each.join(", "));
    ensure!(over.is_none(), "above {BUDGET}: {said}");
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
    ensure!(wrong.is_empty(), "{wrong}");
    findings.fixtures = groups.iter().map(|group| group.cases.len()).sum();
    Ok(format!("{} proved", findings.fixtures))
}

/// In the driver of a veth: what is listed does not arrive, and is counted.
fn native(field: &Field, _: &mut Findings) -> anyhow::Result<String> {
    let dir = PinDir::new();
    let mut filter = Filter::load(&dir.pins(), SMALL)?;
    let attached = filter.attach(field.inner.name, ModeChoice::Native)?;
    ensure!(attached.mode == Mode::Native, "{attached:?}");
    dropped(field, &filter, "source")?;
    detached(field, &dir)?;
    Ok(format!(
        "{PACKETS} of each family dropped, {PACKETS} passed"
    ))
}

/// Fills a filter that sits on the inner end, and sends from the outer one.
fn dropped(field: &Field, filter: &Filter, side: &'static str) -> anyhow::Result<()> {
    let listed = [Packet::v4(C2, CLIENT), Packet::v6(C2_6, CLIENT_6)];
    let others = [
        Packet::v4("203.0.113.8", CLIENT),
        Packet::v6("2001:db8:c2::8", CLIENT_6),
    ];
    let rules = [format!("drop {C2}"), format!("drop {C2_6}")];
    filter.maps.swap(&entries(&rules)?, &[0, 1], 1)?;
    let before = counts(&filter.maps);
    let arrive = |packets: [Packet; 2]| -> anyhow::Result<usize> {
        let arrive = packets.map(|packet| {
            field
                .outer
                .reach(&field.inner, &packet.tcp(443, 4), PACKETS)
        });
        arrive.into_iter().sum()
    };
    let (leaked, passed) = (arrive(listed)?, arrive(others)?);
    ensure!(leaked == 0, "{leaked} listed packets arrived");
    ensure!(
        passed == 2 * PACKETS,
        "{passed} of {} others arrived",
        2 * PACKETS
    );
    let counted = counted_since(&before, &counts(&filter.maps));
    let counted = counted
        .get(&("address", Some(side)))
        .map(|(packets, _)| *packets);
    ensure!(
        counted == Some(2 * PACKETS as u64),
        "{counted:?} were counted"
    );
    Ok(())
}

/// Where the filter is off, everything arrives: it was the filter that dropped.
fn detached(field: &Field, dir: &PinDir) -> anyhow::Result<()> {
    trickblock::kernel::Hooks::new(dir.pins()).off()?;
    let listed = Packet::v4(C2, CLIENT).tcp(443, 4);
    let arrived = field.outer.reach(&field.inner, &listed, PACKETS)?;
    ensure!(
        arrived == PACKETS,
        "{arrived} of {PACKETS} arrived after it was switched off"
    );
    Ok(())
}
