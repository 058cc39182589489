//! A loaded filter: its program, its maps, its place in bpffs.

use std::{
    collections::BTreeMap,
    fs,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use aya::{
    Ebpf, EbpfLoader, include_bytes_aligned,
    programs::{SchedClassifier, Xdp},
};
use trickblock_common::{
    abi::Settings,
    table::{Geometry, Record, Room},
};

use super::{
    Attached, Events, FilterError, Hooks, Maps, Pins, Program, Way, abi, ask, check_privilege,
    error::chain, outgrown::Outgrown, programs::Programs, sys, table::identify,
};
use crate::table::Constants;

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trickblock-ebpf"));

/// Table entries to make room for.
pub type Capacity = Room;

fn geometry(room: Room) -> Result<Geometry, FilterError> {
    Geometry::for_entries(room).ok_or(FilterError::Capacity(room))
}

/// One hit counter per indicator. An address takes an entry of its own and one for each of its ports.
fn hits(room: Room) -> u32 {
    let most = u64::from(Record::IDS);
    u32::try_from(room.sum().min(most)).unwrap_or(1).max(1)
}

/// What a filter is loaded with, and keeps for as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    pub capacity: Capacity,
    pub constants: Constants,
}

impl From<Capacity> for Load {
    /// Looks into no tunnel.
    fn from(capacity: Capacity) -> Self {
        Self {
            capacity,
            constants: Constants::default(),
        }
    }
}

/// The program and maps of this process.
pub struct Filter {
    ebpf: Ebpf,
    pub maps: Maps,
    pub events: Events,
    hooks: Option<Hooks>,
    /// The smaller maps that this filter replaces, as long as a program may count in them.
    outgrown: Option<Outgrown>,
    /// Its pins are not in their places yet: those of the programs that are attached still are.
    unsettled: Option<Stage>,
}

impl Filter {
    /// Loads the filter and pins it below `pins`. Pinned maps are adopted where they fit and are large
    /// enough; the table is made anew where it is too small, and then the old one stays in force until
    /// [`Self::attach`] has replaced the program on every interface.
    pub fn load(pins: &Pins, load: impl Into<Load>) -> Result<Self, FilterError> {
        let Load {
            capacity,
            constants,
        } = load.into();
        check_privilege()?;
        pins.create()?;
        pins.check_maps()?;
        let mut stage = Stage::new(pins, capacity)?;
        let mut filter = stage.load(&constants)?;
        filter.unsettled = Some(stage);
        if !(filter.outgrown.is_some() && pins.has_hooks()) {
            filter.outgrown = None;
            filter.settle()?;
        }
        // Not before: where a program is refused, the old ones stay, and what they were loaded with.
        filter.maps.note_constants(&constants)?;
        filter.hooks = Some(Hooks::new(pins.clone()));
        Ok(filter)
    }

    /// Whether others may still be attached that use smaller maps.
    pub fn is_taking_over(&self) -> bool {
        self.outgrown.is_some()
    }

    /// Puts its pins where those of the former filter are. Whoever comes after a crash takes what is pinned for what is in
    /// force, and for what counts: with larger maps this is only so when the programs that use them are attached.
    ///
    /// # Errors
    /// If it cannot be pinned; it can be tried again.
    pub fn settle(&mut self) -> Result<(), FilterError> {
        let Some(stage) = self.unsettled.take() else {
            return Ok(());
        };
        let pinned = self.programs().and_then(|programs| stage.settle(&programs));
        if pinned.is_err() {
            self.unsettled = Some(stage);
        }
        pinned
    }

    /// Loads a filter that nobody else can see and that is attached nowhere: for `replay` and tests.
    /// `bpffs` is a directory on a BPF file system, used for a moment only.
    pub fn load_private(bpffs: &Path, load: impl Into<Load>) -> Result<Self, FilterError> {
        let Load {
            capacity,
            constants,
        } = load.into();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        check_privilege()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let pins = Pins::new(bpffs.join(format!(
            "trickblock-private-{}-{number}",
            std::process::id()
        )));
        let filter = pins
            .create()
            .and_then(|()| Stage::new(&pins, capacity)?.load(&constants))
            .and_then(|filter| {
                filter.maps.note_constants(&constants)?;
                Ok(filter)
            });
        let _ = pins.remove();
        filter
    }

    pub(super) fn xdp(&mut self) -> Result<&mut Xdp, FilterError> {
        ask::xdp(&mut self.ebpf)
    }

    /// A TC program, loaded when it is first asked for.
    pub(super) fn classifier(
        &mut self,
        program: Program,
    ) -> Result<&mut SchedClassifier, FilterError> {
        ask::classifier(&mut self.ebpf, program)
    }

    fn programs(&mut self) -> Result<Programs, FilterError> {
        Programs::of(&mut self.ebpf)
    }

    /// Makes the programs of this process those that `trickblock on` attaches, and `constants` what
    /// they are known to be loaded with.
    pub fn make_current(&mut self, pins: &Pins, constants: &Constants) -> Result<(), FilterError> {
        self.programs()?.pin(pins)?;
        self.maps.note_constants(constants)
    }

    /// Filters an interface in both directions, taking over what an earlier daemon left there in
    /// place. The result begins with the hook that sees what arrives.
    pub fn attach(
        &mut self,
        name: &str,
        way: impl Into<Way>,
    ) -> Result<Vec<Attached>, FilterError> {
        let hooks = self.hooks.clone().ok_or_else(|| FilterError::Private {
            name: name.to_owned(),
        })?;
        self.hand_on()?;
        let attached = hooks.attach(&self.programs()?, name, &way.into())?;
        self.settle()?;
        self.catch_up()?;
        Ok(attached)
    }

    /// Puts these programs wherever those of `older` sit, whatever the interface is called by now and in whichever network
    /// namespace it is, and lets go of the maps that the older ones used.
    ///
    /// # Errors
    /// The first one; all that could be replaced is.
    pub fn take_over(&mut self, older: &BTreeMap<u32, Program>) -> Result<(), FilterError> {
        let Some(hooks) = self.hooks.clone() else {
            return Ok(());
        };
        self.hand_on()?;
        let replaced = hooks.replace(&self.programs()?, older);
        self.settle()?;
        self.catch_up()?;
        replaced?;
        self.outgrown = None;
        Ok(())
    }

    /// Before the first program is replaced: little is left then that a crash could lose.
    fn hand_on(&mut self) -> Result<(), FilterError> {
        match &mut self.outgrown {
            Some(outgrown) if self.unsettled.is_some() => outgrown.hand_on(&self.maps),
            _ => Ok(()),
        }
    }

    fn catch_up(&mut self) -> Result<(), FilterError> {
        match &mut self.outgrown {
            Some(outgrown) => outgrown.catch_up(&self.maps),
            None => Ok(()),
        }
    }

    /// Instructions that the verifier processed for a program, where the kernel tells.
    pub fn verified_instructions(&mut self, program: Program) -> Result<Option<u32>, FilterError> {
        let info = match program {
            Program::Xdp => self.xdp()?.info(),
            _ => self.classifier(program)?.info(),
        };
        let info = info.map_err(|error| load_error(&error))?;
        Ok(info.verified_instruction_count())
    }

    /// An event for every packet that is not a plain miss, without limit.
    pub fn report_everything(&mut self, monitor: bool) -> Result<(), FilterError> {
        let monitor = u32::from(monitor);
        self.maps.set_settings(&Settings {
            monitor,
            events_per_second: u32::MAX,
            event_reasons: u64::MAX,
        })
    }
}

/// The pins that a load goes through: those of an earlier daemon, or new ones beside them.
struct Stage {
    pins: Pins,
    table: PathBuf,
    hits: PathBuf,
    geometry: Geometry,
    capacity: Capacity,
    /// Too small a table, whose contents move into the new one.
    outgrown: Option<Maps>,
}

impl Stage {
    fn new(pins: &Pins, capacity: Capacity) -> Result<Self, FilterError> {
        let pinned = match Maps::open(pins) {
            Ok(maps) => Some(maps),
            Err(FilterError::NoFilter { .. }) => None,
            Err(error) => return Err(error),
        };
        let (reused, outgrown) = match pinned {
            Some(maps) if fits(&maps, capacity) => (Some(maps), None),
            other => (None, other),
        };
        if let Some(maps) = reused {
            let (table, hits) = (pins.map("TABLE"), pins.map("HITS"));
            let geometry = *maps.geometry();
            return Ok(Self {
                pins: pins.clone(),
                table,
                hits,
                geometry,
                capacity,
                outgrown,
            });
        }
        let capacity = match &outgrown {
            Some(maps) => beside(capacity, maps)?,
            None => capacity,
        };
        let (table, hits) = (pins.map("TABLE_new"), pins.map("HITS_new"));
        let _ = (fs::remove_file(&table), fs::remove_file(&hits));
        let geometry = geometry(capacity)?;
        create_table(&geometry, &table)?;
        Ok(Self {
            pins: pins.clone(),
            table,
            hits,
            geometry,
            capacity,
            outgrown,
        })
    }

    fn load(&mut self, constants: &Constants) -> Result<Filter, FilterError> {
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
            .map_max_entries("HITS", hits(self.capacity));
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
        let mut filter = Filter {
            ebpf,
            maps,
            events: Events::new(events)?,
            hooks: None,
            outgrown,
            unsettled: None,
        };
        filter.xdp()?.load().map_err(|error| load_error(&error))?;
        Ok(filter)
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
    fn settle(&self, programs: &Programs) -> Result<(), FilterError> {
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

/// A hash seed that no feed can know.
pub fn random_seed() -> u64 {
    // Without entropy the set is still right, only its layout can be foreseen.
    getrandom::u64().unwrap_or(0x5eed)
}

pub(super) fn load_error(error: &dyn std::error::Error) -> FilterError {
    let reason = chain(error);
    // The verifier's words for a load without CAP_PERFMON.
    let hint = if reason.contains("!root") {
        "; the message points to a missing CAP_PERFMON"
    } else {
        ""
    };
    FilterError::Load {
        reason: shortened(reason),
        hint,
    }
}

/// The verifier explains itself in up to a megabyte, of which the last lines matter.
fn shortened(reason: String) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = reason.lines().collect();
    let (Some(first), Some(start)) = (lines.first(), lines.len().checked_sub(LINES)) else {
        return reason;
    };
    let what: String = first.chars().take(200).collect();
    format!("{what} … {}", lines[start..].join("\n"))
}
