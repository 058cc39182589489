//! The benchmark: what a packet, an update and a start cost, here and elsewhere.
//!
//! It measures and compares; it asserts nothing about speed. What it does check is that each
//! program gives the verdicts that its row claims to have timed.

use std::time::{Duration, Instant};

pub mod cells;
pub mod charts;
pub mod corpus;
pub mod document;
pub mod figure;
pub mod goal;
pub mod goals;
pub mod host;
pub mod lane;
pub mod lookup;
pub mod machine;
pub mod plan;
pub mod pool;
pub mod programs;
pub mod real;
pub mod report;
pub mod rivals;
pub mod row;
pub mod startup;
pub mod stats;
pub mod svg;
pub mod table;
pub mod target;
pub mod updates;
pub mod veth;

use crate::sys;
use figure::first_line;
use lookup::Field;
pub use plan::{Part, Plan};
use pool::{List, Pool};
use programs::Loaded;
use report::Report;
use rivals::Rival;
use row::Row;
use target::Target;

/// What there is, and why something is not: (target, list size, reason).
#[derive(Default)]
struct Set {
    pools: Vec<Pool>,
    filters: Vec<Loaded>,
    rivals: Vec<Rival>,
    missing: Vec<(Target, usize, String)>,
}

/// Measures everything, calling `progress` with a line now and then. What was measured before an
/// error is in the report.
pub fn run(plan: &Plan, mut progress: impl FnMut(&str)) -> Report {
    let started = Instant::now();
    let mut report = Report {
        machine: machine::facts(),
        quick: plan.quick,
        ..Report::default()
    };
    let mut say = |line: &str| {
        let at = started.elapsed().as_secs_f64();
        progress(&format!("[{at:6.1} s] {line}"));
    };
    report.error = measure(plan, &mut say, &mut report)
        .err()
        .map(|error| format!("{error:#}"));
    report.duration = started.elapsed();
    report
}

fn measure(plan: &Plan, say: &mut dyn FnMut(&str), report: &mut Report) -> anyhow::Result<()> {
    let mut set = Set::default();
    for list in plan.lists() {
        let size = plan.largest(list);
        say(&format!("drawing {size} addresses, {list:?}"));
        set.pools.push(Pool::new(list, size));
    }
    if !matches!(plan.only, Some(Part::Starts | Part::Veth)) {
        load_filters(plan, &mut set, say)?;
    }
    if plan.measures(Part::Host) {
        let (rounds, sizes) = (plan.effort.rounds, plan.host_sizes);
        report.host = host::measure(rounds, &set.pools, &set.filters, sizes, say)?;
    }
    costs(plan, &set, say, report)?;
    if plan.measures(Part::Lookup) {
        report.rows = lookups(plan, &mut set, say)?;
    }
    if plan.measures(Part::Veth) {
        drops(plan, set, say, report)?;
    }
    sort(report);
    Ok(())
}

fn lookups(plan: &Plan, set: &mut Set, say: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<Row>> {
    load_rivals(plan, set, say)?;
    let field = Field {
        pools: &set.pools,
        filters: &set.filters,
        rivals: &set.rivals,
        corpora: plan.corpora,
        sizes: plan.sizes,
        missing: &set.missing,
    };
    lookup::measure(&plan.effort, &field, say)
}

fn drops(
    plan: &Plan,
    set: Set,
    say: &mut dyn FnMut(&str),
    report: &mut Report,
) -> anyhow::Result<()> {
    say("freeing the kernel's maps");
    let Set { pools, .. } = set;
    let drops = veth::measure(&plan.frames, &pools[0], plan.frame_sizes, say);
    sys::stop_if_interrupted()?;
    match drops {
        Ok(rows) => report.rows.extend(rows),
        Err(error) => report.gaps.push(format!("frames on veth: {error:#}")),
    }
    Ok(())
}

/// A size that is refused is noted, and missing from then on.
fn load_filters(plan: &Plan, set: &mut Set, say: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    for pool in &set.pools {
        let sizes = plan.sizes.iter().copied();
        for size in sizes.filter(|size| *size <= pool.addresses.len()) {
            sys::stop_if_interrupted()?;
            say(&format!("a filter with {size} indicators, {:?}", pool.list));
            match Loaded::new(pool.list, pool.indicators(size)) {
                Ok(filter) => set.filters.push(filter),
                Err(error) => {
                    let why = first_line(&error);
                    say(&why);
                    set.missing.push((Target::Trickblock, size, why));
                }
            }
        }
    }
    Ok(())
}

fn load_rivals(plan: &Plan, set: &mut Set, say: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    for pool in &set.pools {
        for target in [Target::KernelHash, Target::KernelLpm, Target::XdpFilter] {
            if pool.list == List::V6 && target != Target::XdpFilter {
                continue;
            }
            for size in plan.sizes.iter().filter(|size| **size <= target.most()) {
                sys::stop_if_interrupted()?;
                say(&format!("{} with {size} indicators", target.name()));
                let rival = match target {
                    Target::XdpFilter => Rival::xdp_filter(pool, *size),
                    _ => Rival::kernel(target, pool, *size),
                };
                match rival {
                    Ok(rival) => set.rivals.push(rival),
                    Err(error) => {
                        let why = first_line(&error);
                        say(&why);
                        set.missing.push((target, *size, why));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Updates, starts and memory.
fn costs(
    plan: &Plan,
    set: &Set,
    say: &mut dyn FnMut(&str),
    report: &mut Report,
) -> anyhow::Result<()> {
    let (repetitions, pool) = (plan.repetitions, &set.pools[0]);
    if plan.measures(Part::Updates) {
        updates::measure(repetitions, &set.filters, pool, say, &mut report.figures)?;
    }
    if !plan.measures(Part::Starts) {
        return Ok(());
    }
    let refused = |size| {
        let mut missing = set.missing.iter();
        let found =
            missing.find(|(target, count, _)| (*target, *count) == (Target::Trickblock, size));
        found.map(|(_, _, why)| why.clone())
    };
    startup::measure(&plan.starts, pool, refused, say, &mut report.figures)
}

/// By method, corpus, program and size.
fn sort(report: &mut Report) {
    report.rows.sort_by_key(|row| {
        (
            row.method as u8,
            row.corpus as u8,
            row.target as u8,
            row.indicators,
        )
    });
}

/// In milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
