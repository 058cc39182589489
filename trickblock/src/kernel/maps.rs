//! The maps of a filter, whether just loaded or opened from their pins.

use std::{array, os::fd::AsFd as _};

use aya::{
    Ebpf, Pod,
    maps::{Array, LpmTrie, Map, MapData, PerCpuArray},
};
use serde::Serialize;
use trickblock_common::{
    Direction, Outcome, Reason, Side,
    abi::{Interface, PROBE_COUNT, PROBE_OUTCOME, PROBE_WORDS, Settings, counter},
    table::{Geometry, Room},
};

use super::{FilterError, Interfaces, Pins, abi, pages::Pages, sys::Mapping, table::Table};
use crate::table::{Cells as _, Change, Constants, Entry, Never, Plan, Snapshot, changes};

/// Changes that are made in place however small the set is.
const FEW_CHANGES: usize = 1_000;
/// Counters up to which single pages are mapped, not all of them.
const FEW_IDS: usize = 64;

/// Typed maps.
pub struct Maps {
    table: Table,
    hits: MapData,
    pub(super) never_16: MapData,
    pub(super) never_v4: LpmTrie<MapData, [u8; 4], u32>,
    pub(super) never_v6: LpmTrie<MapData, [u8; 16], u32>,
    counter: PerCpuArray<MapData, [u64; 2]>,
    settings: Array<MapData, [u8; 16]>,
    probe: Probes,
    budget: PerCpuArray<MapData, [u64; 5]>,
    pub interfaces: Interfaces,
}

/// Events that no reader will see, over all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Held back by the rate limit.
    pub limited: u64,
    /// The ring was full.
    pub full: u64,
}

/// Packets and bytes with one reason, side and direction, over all CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    #[serde(serialize_with = "name_of_reason")]
    pub reason: Reason,
    #[serde(serialize_with = "name_of_side")]
    pub side: Side,
    #[serde(serialize_with = "name_of_direction")]
    pub direction: Direction,
    pub packets: u64,
    pub bytes: u64,
}

fn name_of_reason<S: serde::Serializer>(reason: &Reason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.name())
}

fn name_of_side<S: serde::Serializer>(side: &Side, serializer: S) -> Result<S::Ok, S::Error> {
    side.name().serialize(serializer)
}

fn name_of_direction<S: serde::Serializer>(
    direction: &Direction,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(direction.name())
}

impl Maps {
    /// Takes the maps out of a loaded object.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, FilterError> {
        let mut take = |name: &'static str| {
            let absent = || FilterError::Map {
                map: name,
                reason: "not in the program".to_owned(),
            };
            ebpf.take_map(name).ok_or_else(absent)
        };
        Self::typed(&mut take)
    }

    /// Opens the pinned maps of a running filter.
    pub fn open(pins: &Pins) -> Result<Self, FilterError> {
        if pins.check(&abi::TABLE)?.is_none() {
            return Err(pins.no_filter());
        }
        pins.check_maps()?;
        let mut open = |name: &'static str| {
            let data = MapData::from_pin(pins.map(name)).map_err(FilterError::map(name))?;
            Map::from_map_data(data).map_err(FilterError::map(name))
        };
        // What has the right shape and still cannot be used is not ours either.
        Self::typed(&mut open).map_err(|error| match error {
            FilterError::Map { map, reason } => pins.foreign(format!("map {map}: {reason}")),
            other => other,
        })
    }

    fn typed(
        source: &mut dyn FnMut(&'static str) -> Result<Map, FilterError>,
    ) -> Result<Self, FilterError> {
        Ok(Self {
            table: Table::new(data(source("TABLE")?)?)?,
            hits: data(source("HITS")?)?,
            never_16: data(source("NEVER_16")?)?,
            never_v4: LpmTrie::try_from(source("NEVER_V4")?)
                .map_err(FilterError::map("NEVER_V4"))?,
            never_v6: LpmTrie::try_from(source("NEVER_V6")?)
                .map_err(FilterError::map("NEVER_V6"))?,
            counter: PerCpuArray::try_from(source("COUNTER")?)
                .map_err(FilterError::map("COUNTER"))?,
            settings: Array::try_from(source("SETTINGS")?).map_err(FilterError::map("SETTINGS"))?,
            probe: Probes::new(data(source("PROBE")?)?)?,
            budget: PerCpuArray::try_from(source("BUDGET")?).map_err(FilterError::map("BUDGET"))?,
            interfaces: Interfaces::new(source("INTERFACES")?)?,
        })
    }

    pub fn geometry(&self) -> &Geometry {
        &self.table.geometry
    }

    /// The number of swaps so far.
    pub fn generation(&self) -> Result<u64, FilterError> {
        self.table.generation()
    }

    /// A number that is another one after every change in place, and odd during one.
    pub fn revision(&self) -> Result<u64, FilterError> {
        self.table.revision()
    }

    /// The entries in force, sorted.
    pub fn entries(&self) -> Result<Vec<Entry>, FilterError> {
        self.table.entries()
    }

    /// Table entries in use.
    pub fn used(&self) -> Result<Room, FilterError> {
        self.table.used()
    }

    /// Writes down what the program was loaded with, for whoever opens the pins later.
    pub(super) fn note_constants(&self, constants: &Constants) -> Result<(), FilterError> {
        self.table.note_constants(constants)
    }

    /// What the program was loaded with.
    pub fn constants(&self) -> Result<Constants, FilterError> {
        self.table.constants()
    }

    /// The number of probes so far, and what was said of the last one.
    pub(super) fn probed(&self) -> (u64, Outcome) {
        self.probe.last()
    }

    /// A copy of what is in force, for looking things up on the host.
    pub fn snapshot(&self) -> Result<Snapshot, FilterError> {
        Ok(Snapshot {
            geometry: *self.geometry(),
            constants: self.constants()?,
            half: self.table.copy()?,
            never: Never::new(self.never_block()?),
        })
    }

    /// Builds `entries` in the idle half, zeroes the counters of `fresh` ids, and flips: every packet
    /// sees the old set or the new one. Returns the new generation after a grace period, when no
    /// packet sees the old set any more.
    ///
    /// # Errors
    /// The old set stays in force then.
    pub fn swap(&self, entries: &[Entry], fresh: &[u32], seed: u64) -> Result<u64, FilterError> {
        self.table.swap(entries, seed, || self.zero_hits(fresh))
    }

    /// Whether [`Self::apply`] is the way to make these changes: the prefilter is as good afterwards.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn takes(&self, changes: &[Change<'_>]) -> Result<bool, FilterError> {
        self.table.takes(changes)
    }

    /// Changes what is in force in place, after zeroing the counters of `fresh` ids: each change is whole for every packet,
    /// all of them together are not. Returns when no packet sees what was taken away.
    ///
    /// # Errors
    /// If a change does not fit; some may be in force then, and the set has to be swapped in as a whole.
    pub fn apply(&self, changes: &[Change<'_>], fresh: &[u32]) -> Result<(), FilterError> {
        self.zero_hits(fresh)?;
        let retired = changes.iter().any(Change::retires);
        self.table.apply(changes, retired)
    }

    /// Compiles what is in force anew where somebody was cut short while changing it: what is half there is no longer so.
    ///
    /// # Errors
    /// If it cannot be compiled; what is in force stays as it is.
    pub fn heal(&self, seed: u64) -> Result<(), FilterError> {
        if self.table.is_half_changed()? {
            self.swap(&self.entries()?, &[], seed)?;
        }
        Ok(())
    }

    /// Brings `next` into force in the place of `live`: in place where little changes, else as a whole.
    ///
    /// # Errors
    /// If it does not fit: what was in force stays.
    pub fn renew(&self, live: &[Entry], next: &Plan, seed: u64) -> Result<(), FilterError> {
        let most = FEW_CHANGES.max(live.len() / 4);
        let changes: Vec<_> = changes(live, &next.entries).take(most + 1).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let in_place = changes.len() <= most && self.takes(&changes)?;
        if in_place && self.apply(&changes, &next.fresh).is_ok() {
            return Ok(());
        }
        let swapped = self.swap(&next.entries, &next.fresh, seed);
        if swapped.is_err() && in_place {
            // The changes may have stopped on their way.
            self.swap(live, &[], seed)?;
        }
        swapped.map(drop)
    }

    fn hits_mapping(&self) -> Result<Mapping, FilterError> {
        let entries = self
            .hits
            .info()
            .map_err(FilterError::map("HITS"))?
            .max_entries();
        Mapping::new(self.hits.fd().as_fd(), 0, u64::from(entries))
            .map_err(FilterError::io("map", "HITS"))
    }

    fn zero_hits(&self, ids: &[u32]) -> Result<(), FilterError> {
        if ids.len() <= FEW_IDS {
            // Mapping millions of counters would take longer than the change that they are zeroed for.
            let mut pages = Pages::new(self.hits.fd().as_fd(), "HITS", 0);
            ids.iter().for_each(|id| pages.store(*id as usize, 0));
            return pages.finish();
        }
        let hits = self.hits_mapping()?;
        ids.iter().for_each(|id| hits.store(u64::from(*id), 0));
        Ok(())
    }

    /// Adds to the counters of some ids, while the program does too.
    pub(super) fn add_hits(&self, growth: &[(u32, u64)]) -> Result<(), FilterError> {
        let hits = self.hits_mapping()?;
        growth
            .iter()
            .for_each(|(id, count)| hits.add(u64::from(*id), *count));
        Ok(())
    }

    /// Packets that each id matched, in the order of `ids`.
    pub fn hits(&self, ids: impl IntoIterator<Item = u32>) -> Result<Vec<u64>, FilterError> {
        let hits = self.hits_mapping()?;
        Ok(ids.into_iter().map(|id| hits.load(u64::from(id))).collect())
    }

    /// Number of hit counters.
    pub fn hit_capacity(&self) -> Result<u32, FilterError> {
        Ok(self
            .hits
            .info()
            .map_err(FilterError::map("HITS"))?
            .max_entries())
    }

    /// Every reason, side and direction with a packet. The plain miss is not counted.
    pub fn counters(&self) -> Result<Vec<Tally>, FilterError> {
        let mut tallies = Vec::new();
        for reason in Reason::ALL {
            for side in Side::ALL {
                for direction in Direction::ALL {
                    let index = counter(*reason as u8, side as u8, direction as u8);
                    let [packets, bytes] = sum(&self.counter, index, "COUNTER")?;
                    let tally = Tally {
                        reason: *reason,
                        side,
                        direction,
                        packets,
                        bytes,
                    };
                    tallies.extend((packets > 0).then_some(tally));
                }
            }
        }
        Ok(tallies)
    }

    /// Events that no reader will see.
    pub fn lost(&self) -> Result<Lost, FilterError> {
        let [.., limited, full] = sum(&self.budget, 0, "BUDGET")?;
        Ok(Lost { limited, full })
    }

    pub fn settings(&self) -> Result<Settings, FilterError> {
        let bytes = self
            .settings
            .get(&0, 0)
            .map_err(FilterError::map("SETTINGS"))?;
        let [a, b, c, d, e, f, g, h, reasons @ ..] = bytes;
        Ok(Settings {
            monitor: u32::from_ne_bytes([a, b, c, d]),
            events_per_second: u32::from_ne_bytes([e, f, g, h]),
            event_reasons: u64::from_ne_bytes(reasons),
        })
    }

    pub fn set_settings(&mut self, settings: &Settings) -> Result<(), FilterError> {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&settings.monitor.to_ne_bytes());
        bytes[4..8].copy_from_slice(&settings.events_per_second.to_ne_bytes());
        bytes[8..].copy_from_slice(&settings.event_reasons.to_ne_bytes());
        self.settings
            .set(0, bytes, 0)
            .map_err(FilterError::map("SETTINGS"))
    }

    /// Says what is known of an interface.
    pub fn set_interface(&mut self, index: u32, is: Interface) -> Result<(), FilterError> {
        self.interfaces.set(index, is)
    }
}

/// Answers to probes. Mapped for as long as the filter is open: they come by the million.
struct Probes {
    words: Mapping,
    /// Programs that are loaded later need its descriptor.
    _map: MapData,
}

impl Probes {
    fn new(map: MapData) -> Result<Self, FilterError> {
        let words = Mapping::new(map.fd().as_fd(), 0, u64::from(PROBE_WORDS))
            .map_err(FilterError::io("map", "PROBE"))?;
        Ok(Self { words, _map: map })
    }

    fn last(&self) -> (u64, Outcome) {
        let word = |index: u32| self.words.load(u64::from(index));
        (word(PROBE_COUNT), Outcome(word(PROBE_OUTCOME)))
    }
}

fn data(map: Map) -> Result<MapData, FilterError> {
    match map {
        Map::Array(data) => Ok(data),
        _ => Err(FilterError::Map {
            map: "TABLE, HITS, NEVER_16 or PROBE",
            reason: "not an array".to_owned(),
        }),
    }
}

/// The values of all CPUs, word by word.
fn sum<const N: usize>(
    map: &PerCpuArray<MapData, [u64; N]>,
    index: u32,
    name: &'static str,
) -> Result<[u64; N], FilterError>
where
    [u64; N]: Pod,
{
    let values = map.get(&index, 0).map_err(FilterError::map(name))?;
    Ok(values.iter().fold([0; N], |sum, one| {
        array::from_fn(|word| sum[word].wrapping_add(one[word]))
    }))
}
