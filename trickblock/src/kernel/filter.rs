//! A loaded filter: its program, its maps, its place in bpffs.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use aya::{
    Ebpf,
    programs::{SchedClassifier, Xdp},
};
use trickblock_common::{abi::Settings, table::Room};

use super::{
    Attached, Events, FilterError, Hooks, Maps, Pins, Program, Way, ask, check_privilege,
    error::chain,
    outgrown::Outgrown,
    programs::Programs,
    stage::{Loaded, Stage},
};
use crate::table::Constants;

/// Table entries to make room for.
pub type Capacity = Room;

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
        let mut filter = Self::loaded(&mut stage, &constants)?;
        // The verifier's word on all of them before any is replaced.
        filter.programs()?;
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
            .and_then(|()| Self::loaded(&mut Stage::new(&pins, capacity)?, &constants))
            .and_then(|filter| {
                filter.maps.note_constants(&constants)?;
                Ok(filter)
            });
        let _ = pins.remove();
        filter
    }

    fn loaded(stage: &mut Stage, constants: &Constants) -> Result<Self, FilterError> {
        let Loaded {
            ebpf,
            maps,
            events,
            outgrown,
        } = stage.load(constants)?;
        let mut filter = Self {
            ebpf,
            maps,
            events,
            hooks: None,
            outgrown,
            unsettled: None,
        };
        filter.xdp()?.load().map_err(|error| load_error(&error))?;
        Ok(filter)
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
