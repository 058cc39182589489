//! `trickblock status`: one object, whether the daemon answers or only the pins are left.

use serde::{Deserialize, Serialize};
use trickblock_common::{
    abi::protection,
    table::{Geometry, Room},
};

use super::interface::{SWITCHED_OFF, interfaces};
pub use super::{
    count::{Count, Stopped},
    interface::InterfaceStatus,
};
use crate::{
    kernel::{FilterError, Hooks, Maps, Pins},
    table::{Entry, fingerprint, image_hash, never_block_fingerprint},
};

/// Version of the JSON.
pub const SCHEMA: u32 = 1;

/// How the filter is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Active,
    /// It filters, but something needs attention: see `problems`.
    Degraded,
    /// Switched off by `trickblock off`: nothing is filtered.
    Off,
}

/// Everything there is to know at a glance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub schema: u32,
    pub state: State,
    /// Why the state is not `active`, one sentence each.
    pub problems: Vec<String>,
    pub daemon: Option<Daemon>,
    /// `drop` or `monitor`, for all feeds together.
    pub action: String,
    /// `gateway` or `host`; null without a daemon.
    pub mode: Option<String>,
    /// Why it is that mode.
    pub mode_reason: Option<String>,
    pub interfaces: Vec<InterfaceStatus>,
    pub indicators: Indicators,
    /// Whole-set swaps since the table was made.
    pub generation: u64,
    /// Changes in place since the table was made, times two.
    pub revision: u64,
    /// SHA-256 over the rule set, equal for equal sets.
    pub fingerprint: String,
    /// SHA-256 over the table that it compiles to with seed 0, equal for equal sets, counter numbers and sizes.
    pub image: String,
    pub feeds: Vec<FeedStatus>,
    /// Prefixes on the never-block list.
    pub never_block: usize,
    /// SHA-256 over that list.
    pub never_block_fingerprint: String,
    /// What that list is made of; null without a daemon.
    #[serde(default)]
    pub guards: Option<Guards>,
    /// Dropped packets by what that stopped.
    pub stopped: Stopped,
    pub counters: Vec<Count>,
    pub events: EventStatus,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Daemon {
    pub pid: u32,
    pub version: String,
    /// The directory of its filter's pins.
    pub pins: String,
    pub started_at: String,
    /// How the process is confined that reads feeds: `full`, what is missing, or `unknown` where none has worked.
    pub sandbox: String,
}

/// Prefixes that each guard protects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    pub compiled_in: usize,
    pub allowed: usize,
    pub learned: usize,
    pub shipped: usize,
    /// Configured and connected: only single services of them are dropped.
    pub own: usize,
    /// `[guard] except`: what is learned, shipped or connected there is not protected.
    pub exceptions: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Indicators {
    pub total: usize,
    pub v4: usize,
    pub v6: usize,
    /// Those with a port or protocol.
    pub ports: usize,
    /// Those that only count.
    pub monitor: usize,
    /// Those that no feed has named yet since the daemon started.
    #[serde(default)]
    pub inherited: usize,
    /// Table entries in use and available; an indicator takes one or two. The table grows when they are used up.
    pub entries: Entries,
    pub capacity: Entries,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedStatus {
    pub name: String,
    pub location: String,
    /// `waiting`, `ok`, `stale` (a last good copy is in force) or `failed` (nothing is).
    pub state: String,
    pub action: String,
    pub format: Option<String>,
    /// Distinct rows in force.
    pub indicators: u64,
    pub rejected: u64,
    pub ignored: u64,
    pub refused: u64,
    /// When a body was last accepted or found unchanged.
    pub last_ok: Option<String>,
    pub last_error: Option<String>,
    /// When its source is tried again after that.
    #[serde(default)]
    pub next_try: Option<String>,
    pub warnings: Vec<String>,
}

/// What a rule set is known by. To compute it takes about a second for a million indicators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    pub fingerprint: String,
    pub image: String,
}

impl Hashes {
    pub fn of(entries: &[Entry], geometry: &Geometry) -> Self {
        Self {
            fingerprint: fingerprint(entries),
            image: image_hash(entries, geometry),
        }
    }
}

/// Entries of each exact table.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Entries {
    /// IPv4 addresses.
    pub v4_addresses: u64,
    /// IPv4 prefixes, ports and protocols.
    pub v4_others: u64,
    pub v6: u64,
}

impl From<Room> for Entries {
    fn from(room: Room) -> Self {
        Self {
            v4_addresses: room.hosts,
            v4_others: room.v4,
            v6: room.v6,
        }
    }
}

/// Events since the filter was loaded.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct EventStatus {
    /// Read by this daemon.
    pub read: u64,
    /// Held back by the rate limit.
    pub limited: u64,
    /// Lost because the ring was full.
    pub lost: u64,
}

impl Status {
    /// What the maps and links say, without a daemon.
    pub fn of_kernel(
        maps: &Maps,
        entries: &[Entry],
        hashes: &Hashes,
        hooks: &Hooks,
    ) -> Result<Self, FilterError> {
        let lost = maps.lost()?;
        let monitor = maps.settings()?.monitor != 0;
        let never = maps.never_block()?;
        let tallies = maps.counters()?;
        Ok(Self {
            schema: SCHEMA,
            state: State::Active,
            problems: Vec::new(),
            daemon: None,
            action: if monitor { "monitor" } else { "drop" }.to_owned(),
            mode: None,
            mode_reason: None,
            interfaces: interfaces(hooks, &maps.interfaces)?,
            indicators: Indicators::of(maps, entries)?,
            generation: maps.generation()?,
            revision: maps.revision()?,
            fingerprint: hashes.fingerprint.clone(),
            image: hashes.image.clone(),
            feeds: Vec::new(),
            never_block: never
                .iter()
                .filter(|(_, value)| *value != protection::NONE)
                .count(),
            never_block_fingerprint: never_block_fingerprint(&never),
            guards: None,
            stopped: Stopped::of(&tallies),
            counters: tallies.iter().map(Count::from).collect(),
            events: EventStatus {
                read: 0,
                limited: lost.limited,
                lost: lost.full,
            },
        })
    }

    /// The status of a filter whose daemon is gone, from its pins.
    pub fn of_pins(pins: &Pins) -> Result<Self, FilterError> {
        let maps = Maps::open(pins)?;
        let entries = maps.entries()?;
        let hashes = Hashes::of(&entries, maps.geometry());
        let hooks = Hooks::new(pins.clone());
        let mut status = Self::of_kernel(&maps, &entries, &hashes, &hooks)?;
        status.problem(match pins.are_held() {
            true => "a daemon runs on these pins, and does not listen here: name its socket with `--socket`",
            false => "no daemon is running: the set in force stays as it is, its feeds are not refreshed and nothing in it ends, blocks with `--for` neither; start one with `trickblock run`",
        });
        status.settle();
        Ok(status)
    }

    pub fn problem(&mut self, text: impl Into<String>) {
        self.problems.push(text.into());
    }

    /// Derives the state from problems and interfaces.
    pub fn settle(&mut self) {
        let switched_off = self
            .interfaces
            .iter()
            .any(|interface| interface.note.as_deref() == Some(SWITCHED_OFF));
        let attached = self.interfaces.iter().any(|interface| interface.attached);
        let gaps = self.interfaces.iter().flat_map(InterfaceStatus::gaps);
        self.problems.extend(gaps);
        if switched_off && !attached {
            self.state = State::Off;
            self.problem("the filter is switched off: nothing is dropped until `trickblock on`");
            return;
        }
        if !attached {
            self.problem("the filter is on no interface: nothing is dropped; correct [[interface]] and start `trickblock run`, or bring the interface back");
        }
        if !self.problems.is_empty() {
            self.state = State::Degraded;
        }
    }
}

impl Indicators {
    fn of(maps: &Maps, entries: &[Entry]) -> Result<Self, FilterError> {
        let count = |is: fn(&&Entry) -> bool| entries.iter().filter(is).count();
        let v6 = count(|entry| entry.indicator.prefix.network().is_ipv6());
        Ok(Self {
            total: entries.len(),
            v4: entries.len() - v6,
            v6,
            ports: count(|entry| {
                entry.indicator.port.is_some() || entry.indicator.protocol.is_some()
            }),
            monitor: count(|entry| !entry.drop),
            inherited: 0,
            entries: maps.used()?.into(),
            capacity: maps.geometry().capacity().into(),
        })
    }
}
