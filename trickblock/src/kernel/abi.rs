//! What each map must look like. aya adopts a pinned map of another shape without a word, so pins are
//! compared with this table first.

use aya::maps::{MapInfo, MapType};
use trickblock_common::abi::{
    COUNTERS, EVENT_RING_BYTES, INTERFACES as MAX_INTERFACES, NEVER_WORDS, PROBE_WORDS,
};

/// Prefixes per family in the never-block maps.
pub(super) const NEVER_ENTRIES: u32 = 65_536;
const NO_PREALLOC: u32 = 1;

/// The shape of one map; `None` sizes are chosen at run time.
pub(super) struct Shape {
    pub name: &'static str,
    kind: MapType,
    key: u32,
    value: Option<u32>,
    entries: Option<u32>,
    flags: u32,
}

const fn shape(
    name: &'static str,
    kind: MapType,
    key: u32,
    value: Option<u32>,
    entries: Option<u32>,
    flags: u32,
) -> Shape {
    Shape {
        name,
        kind,
        key,
        value,
        entries,
        flags,
    }
}

pub(super) const TABLE: Shape = shape(
    "TABLE",
    MapType::Array,
    4,
    None,
    Some(1),
    super::sys::MMAPABLE,
);
pub(super) const HITS: Shape = shape(
    "HITS",
    MapType::Array,
    4,
    Some(8),
    None,
    super::sys::MMAPABLE,
);

pub(super) const INTERFACES: Shape = shape(
    "INTERFACES",
    MapType::Hash,
    4,
    Some(8),
    Some(MAX_INTERFACES),
    0,
);

/// Every map of the program.
pub(super) const SHAPES: [Shape; 11] = [
    TABLE,
    HITS,
    INTERFACES,
    shape(
        "NEVER_16",
        MapType::Array,
        4,
        Some(8 * NEVER_WORDS as u32),
        Some(1),
        super::sys::MMAPABLE,
    ),
    shape(
        "NEVER_V4",
        MapType::LpmTrie,
        8,
        Some(4),
        Some(NEVER_ENTRIES),
        NO_PREALLOC,
    ),
    shape(
        "NEVER_V6",
        MapType::LpmTrie,
        20,
        Some(4),
        Some(NEVER_ENTRIES),
        NO_PREALLOC,
    ),
    shape(
        "COUNTER",
        MapType::PerCpuArray,
        4,
        Some(16),
        Some(COUNTERS),
        0,
    ),
    shape(
        "PROBE",
        MapType::Array,
        4,
        Some(8),
        Some(PROBE_WORDS),
        super::sys::MMAPABLE,
    ),
    shape("SETTINGS", MapType::Array, 4, Some(16), Some(1), 0),
    shape(
        "EVENTS",
        MapType::RingBuf,
        0,
        Some(0),
        Some(EVENT_RING_BYTES),
        0,
    ),
    shape("BUDGET", MapType::PerCpuArray, 4, Some(40), Some(1), 0),
];

impl Shape {
    /// What differs, in words, or `None` where `info` fits.
    pub(super) fn mismatch(&self, info: &MapInfo) -> Option<String> {
        let kind = info.map_type().ok();
        if kind != Some(self.kind) {
            return Some(format!(
                "map {} is of type {kind:?}, not {:?}",
                self.name, self.kind
            ));
        }
        let sizes = [
            ("key size", info.key_size(), Some(self.key)),
            ("value size", info.value_size(), self.value),
            ("entries", info.max_entries(), self.entries),
            ("flags", info.map_flags(), Some(self.flags)),
        ];
        let (what, has, wants) = sizes
            .into_iter()
            .find(|(_, has, wants)| wants.is_some_and(|wants| wants != *has))?;
        Some(format!(
            "map {} has {what} {has}, not {}",
            self.name,
            wants.unwrap_or_default()
        ))
    }
}
