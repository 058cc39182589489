//! How long a change takes, from entries to the end of the grace period, and what a set takes in memory.

use std::time::Instant;

use anyhow::{Context as _, bail};

use super::{
    figure::Figures,
    milliseconds,
    pool::{List, Pool},
    programs::Loaded,
};
use crate::sys;

/// Measures on the IPv4 filters, as far as they are there.
pub fn measure(
    repetitions: usize,
    filters: &[Loaded],
    pool: &Pool,
    say: &mut dyn FnMut(&str),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let filter = |size: usize| {
        let mut filters = filters.iter();
        let found = filters.find(|one| one.list == List::V4 && one.size == size);
        found.with_context(|| format!("no filter with {size} indicators"))
    };
    for (name, size) in [("swap_100k_ms", 100_000), ("swap_1m_ms", 1_000_000)] {
        say(&format!("swapping whole sets of {size}"));
        sys::stop_if_interrupted()?;
        figures.set(name, filter(size).and_then(|one| swaps(repetitions, one)));
    }
    say("single additions");
    let added = filter(1_000_000).and_then(|filter| adds(repetitions, filter));
    figures.set("adds_per_s", added);
    for (name, size) in [
        ("bytes_per_indicator_1m", 1_000_000),
        ("bytes_per_indicator_10m", 10_000_000),
    ] {
        figures.set(name, memory(pool, size));
    }
    Ok(())
}

/// In milliseconds.
fn swaps(repetitions: usize, filter: &Loaded) -> anyhow::Result<Vec<f64>> {
    let seeds = (2..).step_by(2).take(repetitions);
    let swap = |seed| {
        sys::stop_if_interrupted()?;
        let start = Instant::now();
        filter.swap(seed)?;
        Ok(milliseconds(start.elapsed()))
    };
    seeds.map(swap).collect()
}

/// Per second.
fn adds(_repetitions: usize, _filter: &Loaded) -> anyhow::Result<Vec<f64>> {
    bail!("no in-place updates yet: every change is a whole-set swap")
}

/// Bytes per IPv4 address: one half of the table, with prefilter and exact entries, and the hit counters.
fn memory(pool: &Pool, size: usize) -> anyhow::Result<Vec<f64>> {
    let hosts = pool.hosts(size).map(trickblock::indicator::Indicator::host);
    let filter = Loaded::new(List::V4, hosts)?;
    let maps = &filter.filter.maps;
    let words = maps.geometry().half + u64::from(maps.hit_capacity()?);
    Ok(vec![8.0 * words as f64 / filter.size as f64])
}
