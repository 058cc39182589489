//! Does the kernel enforce what the control plane says? Packets of every class go through the programs
//! that are attached, over the maps that are in force; what is expected of them comes from plain lists.

mod class;
mod compare;
mod content;
mod decide;
mod forms;
mod packet;
mod report;
mod rules;
mod sample;
mod seats;
mod switches;
#[cfg(test)]
mod tests;

use std::time::Instant;

use ipnet::IpNet;

pub use class::Class;
pub use report::{ClassReport, Difference, ProgramReport, Report, Verdict};

use self::{compare::Run, rules::Rules};
use crate::{
    kernel::{Described, FilterError, Hooks, Pins, Prober},
    observe::Status,
    table::{Constants, Entry},
};

/// What to look at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Another one looks at other indicators, where not all are looked at.
    pub seed: u64,
    /// Every indicator in every class.
    pub all: bool,
}

/// It could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error("asking the daemon: {0}")]
    Daemon(String),
    #[error(
        "the rules changed {ATTEMPTS} times while they were looked at; wait until the feeds are refreshed, and try again"
    )]
    Restless,
}

/// A run counts only if nothing changed under it.
const ATTEMPTS: usize = 3;

/// Everything that decides on packets, as it is in force.
#[derive(PartialEq)]
struct State {
    /// Swaps, and changes in place: another number after each.
    version: [u64; 2],
    monitor: bool,
    constants: Constants,
    never: Vec<(IpNet, u32)>,
    interfaces: Vec<(u32, Described)>,
}

impl State {
    fn read(prober: &Prober) -> Result<Self, FilterError> {
        let maps = &prober.maps;
        Ok(Self {
            version: [maps.generation()?, maps.revision()?],
            monitor: maps.settings()?.monitor != 0,
            constants: maps.constants()?,
            never: maps.never_block()?,
            interfaces: maps.interfaces.all()?,
        })
    }

    fn rules(&self, entries: Vec<Entry>) -> Rules {
        Rules::new(entries, &self.never, &self.constants, self.monitor)
    }
}

/// Looks at the filter of these pins. `status` asks the daemon, if one runs; `progress` is told of each
/// step.
pub fn verify(
    pins: &Pins,
    options: Options,
    status: &dyn Fn() -> Result<Option<Status>, String>,
    progress: &mut dyn FnMut(&str),
) -> Result<Report, VerifyError> {
    let started = Instant::now();
    let prober = Prober::open(pins)?;
    for _ in 0..ATTEMPTS {
        progress("reading what is in force");
        let state = State::read(&prober)?;
        let told = status().map_err(VerifyError::Daemon)?;
        let entries = prober.maps.entries()?;
        if told
            .as_ref()
            .is_some_and(|told| [told.generation, told.revision] != state.version)
        {
            continue;
        }
        let mut report = look(
            &prober,
            &Hooks::new(pins.clone()),
            &state,
            entries,
            told.as_ref(),
            options,
            progress,
        )?;
        if State::read(&prober)? == state {
            report.settle(started.elapsed());
            return Ok(report);
        }
    }
    Err(VerifyError::Restless)
}

fn look(
    prober: &Prober,
    hooks: &Hooks,
    state: &State,
    entries: Vec<Entry>,
    told: Option<&Status>,
    options: Options,
    progress: &mut dyn FnMut(&str),
) -> Result<Report, VerifyError> {
    let mut report = Report::new(options.seed, entries.len());
    let seats = hooks.seats()?;
    seats::check(prober, &seats, state, &mut report)?;
    seats::numbers(&entries, &mut report);
    match told {
        Some(told) => {
            report.daemon = true;
            seats::compare_told(told, state, &entries, &mut report);
            seats::elsewhere(hooks, &mut report)?;
        }
        None => seats::check_alone(hooks, &mut report)?,
    }
    let rules = state.rules(entries);
    let run = Run::new(prober, &rules, state, options);
    run.all(&seats, &mut report, progress)?;
    Ok(report)
}
