//! A filter in the kernel and its twin on the host, set up from rules of one line each.
//!
//! Rules read `drop 203.0.113.7:443/tcp`, `monitor 2001:db8::/32` or, with a protocol but no port,
//! `drop 203.0.113.7 udp`; never-block entries `hard 192.0.2.1` or `own 192.0.2.0/24`. What the two answer is given as text, in the stable
//! names that users see, so that expectations share no type with the code under test.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use trickblock::{
    indicator::Indicator,
    kernel::{Capacity, Maps, Pins},
    table::Entry,
};
use trickblock_common::abi::{ABI_VERSION, protection};

mod host;
mod twins;

pub use host::{Host, constants};
pub use twins::Twins;

/// A file system for pins, probed by [`crate::harness::Need::BpfFs`].
pub const BPFFS: &str = "/sys/fs/bpf";

/// A directory for the pins of one test, removed with everything pinned in it.
#[derive(Debug)]
pub struct PinDir(PathBuf);

impl PinDir {
    /// A name of its own; what dead processes left is removed.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(remove_leftovers);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(Path::new(BPFFS).join(format!("{PREFIX}{}-{number}", process::id())))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// As the filter is told.
    pub fn pins(&self) -> Pins {
        Pins::new(&self.0)
    }

    /// Where the documentation says that a map is pinned.
    pub fn map(&self, name: &str) -> PathBuf {
        self.version().join("maps").join(name)
    }

    /// The directory of this ABI version.
    pub fn version(&self) -> PathBuf {
        self.0.join(format!("v{ABI_VERSION}"))
    }
}

impl Default for PinDir {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for PinDir {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                eprintln!("pins are left behind in {}: {error}", self.0.display());
            }
            _ => {}
        }
    }
}

const PREFIX: &str = "trickblock-test-";

fn remove_leftovers() {
    for entry in fs::read_dir(BPFFS).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            let _raced = fs::remove_dir_all(entry.path());
        }
    }
}

/// Room for the rules of any fixture.
pub const SMALL: Capacity = Capacity::any(2_000, 2_000);

/// What was said about one packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Answer {
    /// As in `docs/verdicts.md`.
    pub reason: &'static str,
    /// `destination`, `source`, or neither.
    pub side: Option<&'static str>,
    /// As the indicator writes itself: `203.0.113.7/32:443/tcp`.
    pub indicator: Option<String>,
    /// It is about the packet inside of a tunnel.
    pub inner: bool,
}

impl Answer {
    /// Nothing matched.
    pub const MISS: Self = Self {
        reason: "miss",
        side: None,
        indicator: None,
        inner: false,
    };
}

/// What is in force. The default is an XDP program that looks into no tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setup {
    pub rules: Vec<String>,
    pub never: Vec<String>,
    /// Nothing is dropped.
    pub monitor: bool,
    /// `ethernet`, or `ip` where frames begin at the IP header.
    pub link: String,
    /// `ip`, `gre`, `vxlan`, `geneve`, `gtpu`.
    pub tunnels: Vec<String>,
    /// NAT64 prefixes besides the well-known one.
    pub nat64: Vec<String>,
    /// Malformed packets are dropped.
    pub closed: bool,
    /// `inside`, `uplink`, or none.
    pub role: String,
    /// `xdp`, `tc_ingress`, `tc_egress`.
    pub hook: String,
}

/// Packets and bytes by (reason, side, direction).
pub type Directed = BTreeMap<(&'static str, Option<&'static str>, &'static str), (u64, u64)>;

/// Packets and bytes by (reason, side), over all directions.
pub type Counts = BTreeMap<(&'static str, Option<&'static str>), (u64, u64)>;

/// All counters of a filter.
pub fn counts(maps: &Maps) -> Counts {
    let tallies = maps.counters().expect("counters");
    let mut counts = Counts::new();
    for tally in tallies {
        let key = (tally.reason.name(), tally.side.name());
        let (packets, bytes) = counts.entry(key).or_default();
        *packets += tally.packets;
        *bytes += tally.bytes;
    }
    counts
}

/// The same by direction.
pub fn directed(maps: &Maps) -> Directed {
    let tallies = maps.counters().expect("counters");
    let counted = tallies.into_iter().map(|tally| {
        let key = (
            tally.reason.name(),
            tally.side.name(),
            tally.direction.name(),
        );
        (key, (tally.packets, tally.bytes))
    });
    counted.collect()
}

/// What was counted between two readings.
pub fn counted_since<K: Ord + Copy>(
    before: &BTreeMap<K, (u64, u64)>,
    after: &BTreeMap<K, (u64, u64)>,
) -> BTreeMap<K, (u64, u64)> {
    let grown = after.iter().filter_map(|(key, (packets, bytes))| {
        let (packets_before, bytes_before) = before.get(key).copied().unwrap_or_default();
        let growth = (packets - packets_before, bytes - bytes_before);
        (growth != (0, 0)).then_some((*key, growth))
    });
    grown.collect()
}

/// Entries from rules, sorted, numbered in that order.
pub fn entries(rules: &[impl AsRef<str>]) -> anyhow::Result<Vec<Entry>> {
    let mut entries = rules
        .iter()
        .map(|rule| entry(rule.as_ref()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| entry.indicator);
    for (id, entry) in (0..).zip(&mut entries) {
        entry.id = id;
    }
    Ok(entries)
}

fn entry(rule: &str) -> anyhow::Result<Entry> {
    let words: Vec<&str> = rule.split(' ').collect();
    let [action, indicator, protocol @ ..] = words.as_slice() else {
        bail!("{rule}: a rule is an action and an indicator");
    };
    let drop = match *action {
        "drop" => true,
        "monitor" => false,
        other => bail!("{rule}: {other} is no action"),
    };
    let mut indicator: Indicator = indicator.parse().with_context(|| rule.to_owned())?;
    if let [protocol] = protocol {
        indicator.protocol = Some(protocol.parse().with_context(|| rule.to_owned())?);
    }
    Ok(Entry {
        indicator,
        drop,
        id: 0,
    })
}

/// Never-block entries from their text.
pub fn never(list: &[impl AsRef<str>]) -> anyhow::Result<Vec<(IpNet, u32)>> {
    list.iter().map(|line| shield(line.as_ref())).collect()
}

fn shield(line: &str) -> anyhow::Result<(IpNet, u32)> {
    let (class, prefix) = line.split_once(' ').context("an entry: `hard ADDRESS`")?;
    let value = match class {
        "hard" => protection::HARD,
        "own" => protection::OWN,
        other => bail!("{line}: {other} is no class"),
    };
    let prefix: Indicator = prefix.parse().with_context(|| line.to_owned())?;
    Ok((prefix.prefix, value))
}
