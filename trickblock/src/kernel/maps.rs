//! The maps of a filter, whether just loaded or opened from their pins.

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::{
    Ebpf,
    maps::{Array, LpmTrie, Map, MapData, PerCpuArray},
};
use serde::Serialize;
use trickblock_common::{
    Direction, Outcome, Reason, Side,
    abi::{Interface, Lost, PROBE_COUNT, PROBE_OUTCOME, PROBE_WORDS, Settings, counter},
    table::{
        Geometry,
        layout::{CONSTANTS, ENTRIES_V4, ENTRIES_V6, GENERATION, IDENTITY, MAGIC, PREAMBLE},
    },
};

use super::{
    FilterError, Interfaces, Pins, abi,
    sys::{self, Mapping},
};
use crate::table::{Constants, Entry, Never, Snapshot, compile, dump};

/// Typed maps and the table's geometry.
pub struct Maps {
    table: MapData,
    geometry: Geometry,
    hits: MapData,
    pub(super) never_v4: LpmTrie<MapData, [u8; 4], u32>,
    pub(super) never_v6: LpmTrie<MapData, [u8; 16], u32>,
    counter: PerCpuArray<MapData, [u64; 2]>,
    settings: Array<MapData, [u8; 16]>,
    probe: Probes,
    lost: PerCpuArray<MapData, [u64; 2]>,
    pub interfaces: Interfaces,
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
            return Err(FilterError::NoFilter {
                path: pins.root().to_owned(),
            });
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
        let table = data(source("TABLE")?)?;
        Ok(Self {
            geometry: geometry(&table)?,
            table,
            hits: data(source("HITS")?)?,
            never_v4: LpmTrie::try_from(source("NEVER_V4")?)
                .map_err(FilterError::map("NEVER_V4"))?,
            never_v6: LpmTrie::try_from(source("NEVER_V6")?)
                .map_err(FilterError::map("NEVER_V6"))?,
            counter: PerCpuArray::try_from(source("COUNTER")?)
                .map_err(FilterError::map("COUNTER"))?,
            settings: Array::try_from(source("SETTINGS")?).map_err(FilterError::map("SETTINGS"))?,
            probe: Probes::new(data(source("PROBE")?)?)?,
            lost: PerCpuArray::try_from(source("LOST")?).map_err(FilterError::map("LOST"))?,
            interfaces: Interfaces::new(source("INTERFACES")?)?,
        })
    }

    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    fn table(&self) -> BorrowedFd<'_> {
        self.table.fd().as_fd()
    }

    fn preamble(&self) -> Result<Mapping, FilterError> {
        Mapping::new(self.table(), 0, PREAMBLE).map_err(FilterError::io("map", "TABLE"))
    }

    fn half(&self, generation: u64) -> Result<Mapping, FilterError> {
        let at = self.geometry.half_at(generation);
        Mapping::new(self.table(), at, self.geometry.half).map_err(FilterError::io("map", "TABLE"))
    }

    /// The number of swaps so far.
    pub fn generation(&self) -> Result<u64, FilterError> {
        Ok(self.preamble()?.load(GENERATION))
    }

    /// The entries in force, sorted.
    pub fn entries(&self) -> Result<Vec<Entry>, FilterError> {
        let mut live = self.half(self.generation()?)?;
        Ok(dump(live.words_mut(), &self.geometry))
    }

    /// Table entries in use: (IPv4, IPv6).
    pub fn used(&self) -> Result<(u64, u64), FilterError> {
        let live = self.half(self.generation()?)?;
        Ok((live.load(ENTRIES_V4), live.load(ENTRIES_V6)))
    }

    /// Writes down what the program was loaded with, for whoever opens the pins later.
    pub(super) fn note_constants(&self, constants: &Constants) -> Result<(), FilterError> {
        let preamble = self.preamble()?;
        for (index, word) in (CONSTANTS..).zip(constants.to_words()) {
            preamble.store(index, word);
        }
        Ok(())
    }

    /// What the program was loaded with.
    pub fn constants(&self) -> Result<Constants, FilterError> {
        let preamble = self.preamble()?;
        let mut words = [0; Constants::WORDS];
        for (index, word) in (CONSTANTS..).zip(&mut words) {
            *word = preamble.load(index);
        }
        Ok(Constants::from_words(&words))
    }

    /// The number of probes so far, and what was said of the last one.
    pub(super) fn probed(&self) -> (u64, Outcome) {
        self.probe.last()
    }

    /// A copy of what is in force, for looking things up on the host.
    pub fn snapshot(&self) -> Result<Snapshot, FilterError> {
        let mut live = self.half(self.generation()?)?;
        let half = live.words_mut().to_vec();
        Ok(Snapshot {
            geometry: self.geometry,
            constants: self.constants()?,
            half,
            never: Never::new(self.never_block()?),
        })
    }

    /// Builds `entries` in the idle half, zeroes the counters of `fresh` ids, and flips: every packet
    /// sees the old set or the new one. Returns the new generation after a grace period, when no
    /// packet sees the old set any more. On an error the old set stays in force.
    pub fn swap(&self, entries: &[Entry], fresh: &[u32], seed: u64) -> Result<u64, FilterError> {
        let preamble = self.preamble()?;
        let next = preamble.load(GENERATION) + 1;
        let mut idle = self.half(next)?;
        compile(entries, seed, &self.geometry, idle.words_mut())?;
        self.zero_hits(fresh)?;
        preamble.store(GENERATION, next);
        if sys::grace_period().is_err() {
            // The new set is in force already, so this is no failure; no packet takes a second.
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        Ok(next)
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
        let [limited, full] = sum(&self.lost, 0, "LOST")?;
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
            map: "TABLE, HITS or PROBE",
            reason: "not an array".to_owned(),
        }),
    }
}

/// Reads and checks what the table says of itself.
fn geometry(table: &MapData) -> Result<Geometry, FilterError> {
    let damaged = || FilterError::Map {
        map: "TABLE",
        reason: "its header is damaged".to_owned(),
    };
    let bytes = u64::from(
        table
            .info()
            .map_err(FilterError::map("TABLE"))?
            .value_size(),
    );
    if bytes < PREAMBLE * 8 {
        return Err(damaged());
    }
    let preamble =
        Mapping::new(table.fd().as_fd(), 0, PREAMBLE).map_err(FilterError::io("map", "TABLE"))?;
    let word = |index: u64| preamble.load(IDENTITY + index);
    let fields = [word(1), word(2), word(3), word(4), word(5), word(6)];
    let geometry = Geometry::from_words(fields).filter(|_| word(0) == MAGIC);
    // The program would be bound to a value that does not hold what the header promises.
    geometry
        .filter(|geometry| geometry.words() * 8 == bytes)
        .ok_or_else(damaged)
}

/// Writes what the table says of itself.
pub(super) fn identify(table: BorrowedFd<'_>, geometry: &Geometry) -> Result<(), FilterError> {
    let preamble = Mapping::new(table, 0, PREAMBLE).map_err(FilterError::io("map", "TABLE"))?;
    for (index, field) in (1u64..).zip(geometry.to_words()) {
        preamble.store(IDENTITY + index, field);
    }
    preamble.store(IDENTITY, MAGIC);
    Ok(())
}

fn sum(
    map: &PerCpuArray<MapData, [u64; 2]>,
    index: u32,
    name: &'static str,
) -> Result<[u64; 2], FilterError> {
    let values = map.get(&index, 0).map_err(FilterError::map(name))?;
    Ok(values.iter().fold([0; 2], |[a, b], [c, d]| [a + c, b + d]))
}
