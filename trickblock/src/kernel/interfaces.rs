//! What the programs know of each interface: the map `INTERFACES`.

use aya::maps::{HashMap, Map, MapData, MapError};
use trickblock_common::abi::{Interface, interface, role};

use super::{FilterError, Pins, abi};

const MAP: &str = "INTERFACES";

/// What is behind an interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Unknown,
    /// The operator's clients.
    Inside,
    /// The internet.
    Uplink,
}

impl Role {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Inside => "inside",
            Self::Uplink => "uplink",
        }
    }

    const fn from_number(number: u32) -> Self {
        match number {
            role::INSIDE => Self::Inside,
            role::UPLINK => Self::Uplink,
            _ => Self::Unknown,
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::Unknown => role::UNKNOWN,
            Self::Inside => role::INSIDE,
            Self::Uplink => role::UPLINK,
        }
    }
}

/// One entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Described {
    pub role: Role,
    pub fail_closed: bool,
    /// What arrives here is judged here, so that nobody need judge it again on its way out.
    pub ingress: bool,
}

impl Described {
    fn from_words([role, flags]: [u32; 2]) -> Self {
        Self {
            role: Role::from_number(role),
            fail_closed: flags & interface::CLOSED != 0,
            ingress: flags & interface::INGRESS != 0,
        }
    }

    fn to_abi(self) -> Interface {
        let closed = u32::from(self.fail_closed) * interface::CLOSED;
        let ingress = u32::from(self.ingress) * interface::INGRESS;
        Interface {
            role: self.role.number(),
            flags: closed | ingress,
        }
    }
}

/// The map, by interface index.
pub struct Interfaces(HashMap<MapData, u32, [u32; 2]>);

impl Interfaces {
    pub(super) fn new(map: Map) -> Result<Self, FilterError> {
        HashMap::try_from(map)
            .map(Self)
            .map_err(FilterError::map(MAP))
    }

    /// The map of a pinned filter.
    pub fn open(pins: &Pins) -> Result<Self, FilterError> {
        if pins.check(&abi::INTERFACES)?.is_none() {
            return Err(pins.no_filter());
        }
        let data = MapData::from_pin(pins.map(MAP)).map_err(FilterError::map(MAP))?;
        Self::new(Map::from_map_data(data).map_err(FilterError::map(MAP))?)
    }

    /// What the programs know of the interface with this index.
    pub fn get(&self, index: u32) -> Result<Option<Described>, FilterError> {
        match self.0.get(&index, 0) {
            Ok(words) => Ok(Some(Described::from_words(words))),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(FilterError::map(MAP)(error)),
        }
    }

    /// Changes one entry, which begins empty; the programs see it before or after, never between.
    pub fn change(
        &mut self,
        index: u32,
        change: impl FnOnce(&mut Described),
    ) -> Result<(), FilterError> {
        let before = self.get(index)?;
        let mut described = before.unwrap_or_default();
        change(&mut described);
        if before == Some(described) {
            return Ok(());
        }
        self.set(index, described.to_abi())
    }

    /// Makes `is` the whole entry.
    pub(super) fn set(&mut self, index: u32, is: Interface) -> Result<(), FilterError> {
        self.0
            .insert(index, [is.role, is.flags], 0)
            .map_err(FilterError::map(MAP))
    }

    /// Forgets all interfaces but these: the kernel may give an index again.
    pub fn keep(&mut self, indices: &[u32]) -> Result<(), FilterError> {
        let known: Vec<u32> = self.0.keys().flatten().collect();
        for index in known.iter().filter(|index| !indices.contains(index)) {
            match self.0.remove(index) {
                Ok(()) | Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(FilterError::map(MAP)(error)),
            }
        }
        Ok(())
    }

    /// Every entry, by index.
    pub fn all(&self) -> Result<Vec<(u32, Described)>, FilterError> {
        let mut all = Vec::new();
        for entry in self.0.iter() {
            let (index, words) = entry.map_err(FilterError::map(MAP))?;
            all.push((index, Described::from_words(words)));
        }
        all.sort_unstable_by_key(|(index, _)| *index);
        Ok(all)
    }
}
