//! How long a whole new set takes, from entries to the end of the grace period.

use std::time::Instant;

use anyhow::Context as _;

use super::{corpus::Family, milliseconds, programs::Loaded, report::Report, stats::Summary};
use crate::sys;

/// Swaps every IPv4 table of a size that is reported so many times.
pub fn measure(
    repetitions: usize,
    filters: &[Loaded],
    say: &mut dyn FnMut(&str),
    report: &mut Report,
) -> anyhow::Result<()> {
    let swap = |size: usize| -> anyhow::Result<Summary> {
        let filter = filters
            .iter()
            .find(|one| one.family == Family::V4 && one.size == size);
        median(repetitions, filter.context("no filter of this size")?)
    };
    say("swapping whole sets");
    report.swap_100k_ms = Some(swap(100_000)?);
    report.swap_1m_ms = Some(swap(1_000_000)?);
    Ok(())
}

fn median(repetitions: usize, filter: &Loaded) -> anyhow::Result<Summary> {
    let mut times = Vec::new();
    for seed in (2..).step_by(2).take(repetitions) {
        sys::stop_if_interrupted()?;
        let start = Instant::now();
        filter.swap(seed)?;
        times.push(milliseconds(start.elapsed()));
    }
    Summary::of(times).context("no repetitions")
}
