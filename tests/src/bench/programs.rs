//! Programs in the kernel: the drivers, what they drive, and running them.

use std::{
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    time::Duration,
};

use anyhow::{Context as _, bail};
use aya::{
    Ebpf, EbpfLoader, include_bytes_aligned,
    maps::{Map, MapData},
    programs::Xdp,
};
use trickblock::{
    indicator::Indicator,
    kernel::Filter,
    policy::Guard,
    table::{Entry, needed_entries},
};
use trickblock_common::{Reason, Verdict, abi::Settings};

use super::pool::{Family, List, PORT, entries};
use crate::{bpf, kernel::PinDir, packet::Packet, sys};

/// Return values of an XDP program.
pub const XDP_DROP: u32 = 1;
pub const XDP_PASS: u32 = 2;

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"));
const PROGRAMS: [&str; 7] = [
    "drive_v4",
    "drive_v6",
    "drive_linear_v4",
    "drive_linear_v6",
    "bare_pass",
    "bare_drop",
    "parse_pass",
];

/// The drivers and the programs that do less than the filter.
pub struct Programs {
    ebpf: Ebpf,
    target: MapData,
    target_linear: MapData,
    pairs: [MapData; 2],
}

impl Programs {
    /// Loads them.
    pub fn load() -> anyhow::Result<Self> {
        let mut ebpf = EbpfLoader::new()
            .btf(None)
            .load(OBJECT)
            .context("the benchmark's own programs")?;
        for name in PROGRAMS {
            let program = ebpf.program_mut(name).context(name)?;
            let program: &mut Xdp = program.try_into()?;
            program.load().context(name)?;
        }
        let mut map = |name| ebpf.take_map(name).context(name);
        let target = data(map("TARGET")?)?;
        let target_linear = data(map("TARGET_LINEAR")?)?;
        let pairs = [data(map("PAIRS_V4")?)?, data(map("PAIRS_V6")?)?];
        Ok(Self {
            ebpf,
            target,
            target_linear,
            pairs,
        })
    }

    /// One of this object's programs.
    pub fn own(&self, name: &str) -> anyhow::Result<BorrowedFd<'_>> {
        let program = self.ebpf.program(name).with_context(|| name.to_owned())?;
        let program: &Xdp = program.try_into()?;
        Ok(program.fd()?.as_fd())
    }

    /// Makes the drivers call `program`; `linear` if it cannot take a frame in several pieces.
    pub fn aim(&self, program: BorrowedFd<'_>, linear: bool) -> anyhow::Result<()> {
        let target = match linear {
            true => &self.target_linear,
            false => &self.target,
        };
        bpf::write_program(target.fd(), program).context("the drivers' target")
    }

    /// Makes the driver of this family start with the first of these pairs.
    pub fn show(&self, family: Family, pairs: &[u64]) -> anyhow::Result<()> {
        bpf::write_words(self.pairs[family as usize].fd(), pairs).context("the driver's pairs")
    }

    /// Runs so many packets; the last verdict and the CPU time of all.
    pub fn run(
        &self,
        family: Family,
        linear: bool,
        packets: u32,
    ) -> anyhow::Result<(u32, Duration)> {
        let name = match (family, linear) {
            (Family::V4, false) => "drive_v4",
            (Family::V6, false) => "drive_v6",
            (Family::V4, true) => "drive_linear_v4",
            (Family::V6, true) => "drive_linear_v6",
        };
        let frame = match family {
            Family::V4 => Packet::v4("192.0.2.1", "198.51.100.1"),
            Family::V6 => Packet::v6("2001:db8::1", "2001:db8::2"),
        };
        let frame = frame.tcp(49_152, PORT).payload(&[0; 64]).build();
        let driver = self.own(name)?;
        let before = sys::thread_cpu_time()?;
        let verdict = bpf::test_run(driver, &frame, packets)?;
        Ok((verdict, sys::thread_cpu_time()? - before))
    }
}

/// A filter of its own with a table of one list, set up as the daemon does it.
pub struct Loaded {
    pub list: List,
    /// Indicators.
    pub size: usize,
    pub filter: Filter,
    pub entries: Vec<Entry>,
    program: OwnedFd,
    _pins: PinDir,
}

impl Loaded {
    /// Loads the shipped program and fills its table.
    pub fn new(list: List, indicators: impl Iterator<Item = Indicator>) -> anyhow::Result<Self> {
        Self::with_room(list, indicators, 0)
    }

    /// The same with room for `more` IPv4 addresses.
    pub fn with_room(
        list: List,
        indicators: impl Iterator<Item = Indicator>,
        more: u64,
    ) -> anyhow::Result<Self> {
        let entries = entries(indicators);
        let mut needed = needed_entries(entries.iter().map(|entry| &entry.indicator));
        needed.hosts += more;
        let pins = PinDir::new();
        let mut filter = Filter::load(&pins.pins(), needed)?;
        let guard = Guard::compiled_in();
        filter.maps.set_never_block(&guard.protected_values())?;
        filter.maps.set_settings(&daemons_settings())?;
        let program = bpf::open_pin(&pins.version().join("program"))?;
        let loaded = Self {
            list,
            size: entries.len(),
            filter,
            entries,
            program,
            _pins: pins,
        };
        loaded.swap(0x5eed)?;
        Ok(loaded)
    }

    /// Compiles the whole set anew, as if none of it had been listed before.
    pub fn swap(&self, seed: u64) -> anyhow::Result<()> {
        let ids: Vec<u32> = self.entries.iter().map(|entry| entry.id).collect();
        self.filter.maps.swap(&self.entries, &ids, seed)?;
        Ok(())
    }

    /// What the drivers are aimed at.
    pub fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// Packets that were dropped so far; fails if any other was counted.
    pub fn dropped(&self) -> anyhow::Result<u64> {
        let mut dropped = 0;
        for tally in self.filter.maps.counters()? {
            if tally.reason.verdict() != Verdict::Drop {
                bail!("{} packets are {}", tally.packets, tally.reason.name());
            }
            dropped += tally.packets;
        }
        Ok(dropped)
    }
}

fn data(map: Map) -> anyhow::Result<MapData> {
    match map {
        Map::Array(data) | Map::ProgramArray(data) => Ok(data),
        _ => bail!("a map of another type"),
    }
}

/// The defaults of the configuration: every hit asks for an event, few get one.
fn daemons_settings() -> Settings {
    let hits = Reason::ALL
        .iter()
        .filter(|reason| reason.verdict() != Verdict::Pass);
    Settings {
        monitor: 0,
        events_per_second: 1_000,
        event_reasons: hits.fold(0, |set, reason| set | 1 << *reason as u8),
    }
}
