//! The benchmark: what a packet, an update and a start cost.
//!
//! It measures and compares; it asserts nothing about speed. What it does check is that each
//! program gives the verdicts that its row claims to have timed.

use std::time::{Duration, Instant};

pub mod corpus;
pub mod host;
pub mod lane;
pub mod lookup;
pub mod machine;
pub mod programs;
pub mod report;
pub mod startup;
pub mod stats;
pub mod table;
pub mod updates;

use corpus::{Family, Pool};
use lookup::Effort;
use programs::Loaded;
use report::Report;

/// Indicators of the tables that are compared.
pub const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];
/// The size that the goals are about.
pub const GOAL_SIZE: usize = 100_000;

/// How long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub effort: Effort,
    /// Times that each update and each start is repeated.
    pub repetitions: usize,
    /// Nothing but the shared code on the host.
    pub host_only: bool,
}

impl Plan {
    /// Within three minutes.
    pub const QUICK: Self = Self {
        effort: Effort {
            rounds: 10,
            packets: 1 << 22,
            limit: Duration::from_secs(120),
        },
        repetitions: 5,
        host_only: false,
    };
    pub const FULL: Self = Self {
        effort: Effort {
            rounds: 15,
            packets: 1 << 24,
            limit: Duration::from_secs(900),
        },
        repetitions: 9,
        host_only: false,
    };
}

/// Measures everything, calling `progress` with a line now and then. What was measured before an
/// error is in the report.
pub fn run(plan: &Plan, mut progress: impl FnMut(&str)) -> Report {
    let started = Instant::now();
    let mut report = Report {
        machine: machine::facts(),
        ..Report::default()
    };
    let mut say = |line: &str| {
        let at = started.elapsed().as_secs_f64();
        progress(&format!("[{at:5.1} s] {line}"));
    };
    report.error = measure(plan, &mut say, &mut report)
        .err()
        .map(|error| format!("{error:#}"));
    report.duration = started.elapsed();
    report
}

fn measure(plan: &Plan, say: &mut dyn FnMut(&str), report: &mut Report) -> anyhow::Result<()> {
    say("making addresses and packets");
    let largest = SIZES.into_iter().max().unwrap_or(GOAL_SIZE);
    let pools = Family::ALL.map(|family| Pool::new(family, largest));
    if !plan.host_only {
        startup::measure(plan.repetitions, &pools[0], say, report)?;
    }
    say("loading a filter of each size");
    let mut filters = Vec::new();
    for pool in &pools {
        for size in SIZES {
            filters.push(Loaded::new(pool, size)?);
        }
    }
    report.host = host::measure(plan.effort.rounds, &pools, &filters, say)?;
    if plan.host_only {
        return Ok(());
    }
    updates::measure(plan.repetitions, &filters, say, report)?;
    report.rows = lookup::measure(&plan.effort, &pools, &filters, say)?;
    Ok(())
}

/// In milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
