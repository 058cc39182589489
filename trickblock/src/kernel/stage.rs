//! The pins that a load goes through, and its maps on the way.

use std::{
    fs,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use trickblock_common::table::{Geometry, Record, Room};

use super::{
    Capacity, Events, FilterError, Maps, Pins, abi,
    filter::{load_error, random_seed},
    outgrown::Outgrown,
    programs::Programs,
    sys,
    table::identify,
};
use crate::table::Constants;

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trickblock-ebpf"));

fn geometry(room: Room) -> Result<Geometry, FilterError> {
    Geometry::for_entries(room).ok_or(FilterError::Capacity(room))
}

/// One hit counter per indicator. An address takes an entry of its own and one for each of its ports.
fn hits(room: Room) -> u32 {
    let most = u64::from(Record::IDS);
    u32::try_from(room.sum().min(most)).unwrap_or(1).max(1)
}

/// What is in the kernel, before its programs are.
pub(super) struct Loaded {
    pub(super) ebpf: Ebpf,
    pub(super) maps: Maps,
    pub(super) events: Events,
    pub(super) outgrown: Option<Outgrown>,
}

/// The pins that a load goes through: those of an earlier daemon, or new ones beside them.
pub(super) struct Stage {
    pins: Pins,
    table: PathBuf,
    hits: PathBuf,
    geometry: Geometry,
    /// Too small a table, whose contents move into the new one.
    outgrown: Option<Maps>,
}

impl Stage {
    pub(super) fn new(pins: &Pins, capacity: Capacity) -> Result<Self, FilterError> {
        let pinned = match Maps::open(pins) {
            Ok(maps) => Some(maps),
            Err(FilterError::NoFilter { .. }) => None,
            Err(error) => return Err(error),
        };
        let (reused, outgrown) = match pinned {
            Some(maps) if fits(&maps, capacity) => (Some(maps), None),
            other => (None, other),
        };
        let capacity = match &outgrown {
            Some(maps) => beside(capacity, maps)?,
            None => capacity,
        };
        let names = match reused {
            Some(_) => ["TABLE", "HITS"],
            None => ["TABLE_new", "HITS_new"],
        };
        for leftover in ["TABLE_new", "HITS_new"] {
            let _ = fs::remove_file(pins.map(leftover));
        }
        let [table, hits] = names.map(|name| pins.map(name));
        let geometry = match reused {
            Some(maps) => *maps.geometry(),
            None => {
                let geometry = geometry(capacity)?;
                create_table(&geometry, &table)?;
                geometry
            }
        };
        Ok(Self {
            pins: pins.clone(),
            table,
            hits,
            geometry,
            outgrown,
        })
    }

    pub(super) fn load(&mut self, constants: &Constants) -> Result<Loaded, FilterError> {
        let names = abi::SHAPES.iter().map(|shape| shape.name);
        let paths: Vec<(&str, PathBuf)> = names.map(|name| (name, self.path(name))).collect();
        let geometry = self.geometry.to_words();
        let globals = [
            "BITMAP_WORDS",
            "BLOOM_WORDS",
            "BUCKETS_HOST",
            "BUCKETS_V4",
            "BUCKETS_V6",
            "AT_HOST",
            "AT_V4",
            "AT_V6",
            "HALF_WORDS",
        ];
        let mut loader = EbpfLoader::new();
        // No CO-RE relocation is used: kernels without BTF serve as well.
        loader
            .btf(None)
            .map_max_entries("HITS", hits(self.geometry.capacity()));
        loader
            .map_max_entries("NEVER_V4", abi::NEVER_ENTRIES)
            .map_max_entries("NEVER_V6", abi::NEVER_ENTRIES);
        for (name, path) in &paths {
            loader.map_pin_path(name, path.as_path());
        }
        for (name, value) in globals.iter().zip(&geometry) {
            loader.override_global(name, value, true);
        }
        let [tunnels, nat64 @ ..] = constants.to_words();
        loader
            .override_global("TUNNELS", &tunnels, true)
            .override_global("NAT64", &nat64[..], true);
        let mut ebpf = loader.load(OBJECT).map_err(|error| load_error(&error))?;
        #[cfg(feature = "debug-log")]
        super::debug_log::forward(&mut ebpf);
        let maps = Maps::take(&mut ebpf)?;
        let outgrown = self
            .outgrown
            .take()
            .map(|old| Outgrown::move_into(old, &maps, random_seed()))
            .transpose()?;
        let events = ebpf.take_map("EVENTS").ok_or(FilterError::Map {
            map: "EVENTS",
            reason: "absent".to_owned(),
        })?;
        Ok(Loaded {
            ebpf,
            maps,
            events: Events::new(events)?,
            outgrown,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        match name {
            "TABLE" => self.table.clone(),
            "HITS" => self.hits.clone(),
            other => self.pins.map(other),
        }
    }

    /// Gives new maps the names of the old ones, which live on as long as a program uses them. The
    /// table comes last: where it has its name, all maps have theirs, whenever this is interrupted.
    pub(super) fn settle(&self, programs: &Programs) -> Result<(), FilterError> {
        for (from, name) in [(&self.hits, "HITS"), (&self.table, "TABLE")] {
            let to = self.pins.map(name);
            // Not where a former attempt came as far as this.
            if *from != to && from.exists() {
                fs::rename(from, &to).map_err(FilterError::io("pin", to.display()))?;
            }
        }
        programs.pin(&self.pins)
    }
}

/// Room for what a smaller table could hold besides, or at least for what it does: its contents move first.
fn beside(capacity: Capacity, old: &Maps) -> Result<Capacity, FilterError> {
    let all = capacity.map(old.geometry().capacity(), u64::max);
    if Geometry::for_entries(all).is_some() {
        return Ok(all);
    }
    Ok(capacity.map(old.used()?, u64::max))
}

fn fits(maps: &Maps, capacity: Capacity) -> bool {
    let counters = maps.hit_capacity().unwrap_or(0);
    maps.geometry().capacity().holds(capacity) && counters >= hits(capacity)
}

fn create_table(geometry: &Geometry, path: &Path) -> Result<(), FilterError> {
    let bytes = u32::try_from(geometry.words() * 8)
        .map_err(|_| FilterError::Capacity(geometry.capacity()))?;
    let table = sys::create_table(bytes).map_err(FilterError::io("create map", "TABLE"))?;
    identify(table.as_fd(), geometry)?;
    sys::pin(table.as_fd(), path).map_err(FilterError::io("pin", path.display()))
}
