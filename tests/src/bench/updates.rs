//! How long a change takes, from entries to the end of the grace period, and what a set takes in memory.

use std::time::Instant;

use anyhow::Context as _;
use trickblock::{
    indicator::Indicator,
    table::{Change, Entry},
};

use super::{
    figure::Figures,
    milliseconds,
    pool::{List, Pool, entries},
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
    adds(repetitions, pool, figures);
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

/// A list of a million, and addresses that are not in it.
struct Additions {
    filter: Loaded,
    added: Vec<Entry>,
}

impl Additions {
    /// Addresses that are added, and what the list has room for beyond its million. Nothing is moved in place: a table that
    /// is all but full does not take each address.
    const COUNT: usize = 100_000;
    const ROOM: u64 = 1_000_000;

    fn new(pool: &Pool) -> anyhow::Result<Self> {
        const LISTED: usize = 1_000_000;
        let filter = Loaded::with_room(List::V4, hosts(pool, LISTED), Self::ROOM)?;
        let mut added = entries(hosts(pool, LISTED + Self::COUNT).skip(LISTED));
        anyhow::ensure!(
            added.len() == Self::COUNT,
            "the pool of addresses is too small"
        );
        let first = u32::try_from(LISTED)?;
        added.iter_mut().for_each(|entry| entry.id += first);
        Ok(Self { filter, added })
    }

    /// Adds the first `count`, each a change of its own; seconds until the call returned. What was added is taken out again.
    fn time(&self, count: usize) -> anyhow::Result<f64> {
        sys::stop_if_interrupted()?;
        let (added, maps) = (&self.added[..count], &self.filter.filter.maps);
        let ids: Vec<u32> = added.iter().map(|entry| entry.id).collect();
        let change = |before, after| Change { before, after };
        let add: Vec<_> = added.chunks(1).map(|one| change(&[], one)).collect();
        let remove: Vec<_> = added.chunks(1).map(|one| change(one, &[])).collect();
        let start = Instant::now();
        maps.apply(&add, &ids)?;
        let took = start.elapsed();
        maps.apply(&remove, &[])?;
        Ok(took.as_secs_f64())
    }
}

/// How many additions there are in a second, where many come at once, and how many microseconds one takes that comes alone.
fn adds(repetitions: usize, pool: &Pool, figures: &mut Figures) {
    let additions = Additions::new(pool);
    let times = |count: usize| -> anyhow::Result<Vec<f64>> {
        let additions = additions
            .as_ref()
            .map_err(|error| anyhow::anyhow!("{error:#}"))?;
        (0..repetitions).map(|_| additions.time(count)).collect()
    };
    let many = times(Additions::COUNT);
    let rate = |seconds: &f64| Additions::COUNT as f64 / seconds;
    figures.set("adds_per_s", many.map(|all| all.iter().map(rate).collect()));
    let one = times(1);
    figures.set(
        "one_add_us",
        one.map(|all| all.iter().map(|one| one * 1e6).collect()),
    );
}

fn hosts(pool: &Pool, size: usize) -> impl Iterator<Item = Indicator> {
    pool.hosts(size).map(Indicator::host)
}

/// Bytes per IPv4 address: one half of the table, with prefilter and exact entries, and the hit counters.
fn memory(pool: &Pool, size: usize) -> anyhow::Result<Vec<f64>> {
    anyhow::ensure!(
        pool.addresses.len() >= size,
        "the pool of addresses is too small"
    );
    let filter = Loaded::new(List::V4, hosts(pool, size))?;
    let maps = &filter.filter.maps;
    let words = maps.geometry().half + u64::from(maps.hit_capacity()?);
    Ok(vec![8.0 * words as f64 / filter.size as f64])
}
