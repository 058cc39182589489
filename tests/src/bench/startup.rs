//! From a feed's text to packets that no longer arrive, and the memory that the daemon keeps.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use trickblock::{
    indicator::Indicator,
    kernel::{Maps, Pins},
};

use super::{
    figure::Figures,
    lane::{C2, Lane},
    milliseconds,
    plan::Starts,
    pool::Pool,
};
use crate::{
    cli::{Daemon, Site},
    sys,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// Rows of one feed, the most that there may be; a longer list is several feeds.
const ROWS: usize = 2_000_000;
/// The list that the daemon's memory is asked with, and the one that is blocked beside.
const MEMORY: usize = 100_000;
const BESIDE: usize = 1_000_000;
/// The lists that it starts with.
const STARTS: [(&str, usize); 3] = [
    ("text_to_attached_100k_s", MEMORY),
    ("cold_start_1m_s", BESIDE),
    ("cold_start_10m_s", 10_000_000),
];

/// Starts the daemon on feeds of each size some times, on a new state directory each. What fails is
/// noted; `refused` is why a size needs no trying.
pub fn measure(
    plan: &Starts,
    pool: &Pool,
    refused: impl Fn(usize) -> Option<String>,
    say: &mut dyn FnMut(&str),
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let lane = Lane::new()?;
    let drawn = |(_, size): &(&str, usize)| *size <= pool.addresses.len();
    for (name, size) in STARTS.into_iter().filter(drawn) {
        if let Some(why) = refused(size) {
            figures.set(name, Err(anyhow::Error::msg(why)));
            continue;
        }
        let feeds = feeds(pool, size);
        let (mut others, begun) = (BTreeMap::<_, Vec<f64>>::new(), Instant::now());
        let in_time = |run: &usize| *run == 1 || begun.elapsed() < plan.limit;
        let starts = (1..=plan.repetitions).take_while(in_time).map(|run| {
            sys::stop_if_interrupted()?;
            let (time, seen) = start(&lane, &feeds, size, plan.patience)?;
            for (name, value) in seen {
                others.entry(name).or_default().push(value);
            }
            let (time, runs) = (time.as_secs_f64(), plan.repetitions);
            say(&format!(
                "start {run} of {runs}: {size} rows in force after {time:.3} s"
            ));
            Ok(time)
        });
        let starts: anyhow::Result<Vec<f64>> = starts.collect();
        sys::stop_if_interrupted()?;
        figures.set(name, starts);
        for (name, values) in others {
            figures.set(name, Ok(values));
        }
    }
    Ok(())
}

/// A figure and its name.
type Seen = (&'static str, f64);

/// One start; how long it took, and what else is asked of a daemon with such a list.
fn start(
    lane: &Lane,
    feeds: &[String],
    size: usize,
    patience: Duration,
) -> anyhow::Result<(Duration, Vec<Seen>)> {
    let site = site(feeds)?;
    let (time, daemon) = lane.time_to_block(&site, patience)?;
    check(&daemon, size)?;
    let seen = match size {
        MEMORY => vec![(
            "daemon_private_mib_100k",
            settled_private_mib(daemon.pid())?,
        )],
        BESIDE => vec![
            ("daemon_bytes_per_indicator_1m", kernel_bytes(&site, size)?),
            ("daemon_add_ms", one_block(&site)?),
        ],
        _ => Vec::new(),
    };
    daemon.terminate(PATIENCE)?;
    Ok((time, seen))
}

/// Milliseconds that the command takes which blocks one address more, on disk and in the kernel.
fn one_block(site: &Site) -> anyhow::Result<f64> {
    let add = site.verb("block", &["add", "203.0.113.77"]);
    let begun = Instant::now();
    add.output()?.succeeded()?;
    Ok(milliseconds(begun.elapsed()))
}

/// Of one generation, per indicator: half of the table, and the hit counters.
fn kernel_bytes(site: &Site, size: usize) -> anyhow::Result<f64> {
    let maps = Maps::open(&Pins::new(site.pins()))?;
    let words = maps.geometry().half + u64::from(maps.hit_capacity()?);
    Ok(8.0 * words as f64 / size as f64)
}

/// So many rows of plain lists, the C2 in the middle of the last one.
fn feeds(pool: &Pool, size: usize) -> Vec<String> {
    let before_last = (size - 1) / ROWS * ROWS;
    let c2 = before_last.midpoint(size);
    let mut feeds = vec![String::new(); size.div_ceil(ROWS)];
    for (row, indicator) in pool.indicators(size).enumerate() {
        let text = &mut feeds[row / ROWS];
        let Indicator { prefix, port, .. } = indicator;
        let _infallible = match port {
            _ if row == c2 => writeln!(text, "{C2}"),
            Some(port) => writeln!(text, "{}:{port}", prefix.addr()),
            None => writeln!(text, "{}", prefix.addr()),
        };
    }
    feeds
}

const CONFIGURATION: &str = r#"
[filter]
xdp = "native"

[[interface]]
name = "inside"
role = "inside"

[[interface]]
name = "uplink"
role = "uplink"
"#;

fn site(feeds: &[String]) -> anyhow::Result<Site> {
    let site = Site::new()?;
    let mut configuration = CONFIGURATION.to_owned();
    for (number, feed) in feeds.iter().enumerate() {
        let path = site.dir().join(format!("feed-{number}.txt"));
        fs::write(&path, feed).with_context(|| path.display().to_string())?;
        let section =
            format!("\n[[feed]]\nname = \"list-{number}\"\npath = {path:?}\nformat = \"plain\"\n");
        configuration.push_str(&section);
    }
    site.configure(&configuration)?;
    Ok(site)
}

/// Everything that was listed is in force, on both interfaces.
fn check(daemon: &Daemon, size: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = daemon.status();
        let total = |status: &serde_json::Value| status["indicators"]["total"].as_u64();
        match &status {
            Ok(status) if status["state"] == "active" => {
                let total = total(status);
                let expected = u64::try_from(size).ok();
                ensure!(total == expected, "{total:?} indicators, not {size}");
                return Ok(());
            }
            _ if Instant::now() < deadline => thread::sleep(Duration::from_millis(100)),
            _ => bail!("the daemon is not active: {status:?}\n{}", daemon.log()),
        }
    }
}

/// Memory that nobody shares with the process, once two readings half a second apart agree.
fn settled_private_mib(pid: u32) -> anyhow::Result<f64> {
    let mut last = private_kib(pid)?;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(500));
        let now = private_kib(pid)?;
        if now.abs_diff(last) <= 64 {
            return Ok(f64::from(now) / 1024.0);
        }
        last = now;
    }
    bail!("the daemon's memory does not settle, now {last} KiB")
}

fn private_kib(pid: u32) -> anyhow::Result<u32> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(Path::new(&path)).with_context(|| path.clone())?;
    private_of(&text).with_context(|| format!("{path}: no private memory"))
}

/// `Private_Clean:  … kB` and `Private_Dirty:  … kB`.
fn private_of(rollup: &str) -> Option<u32> {
    let field = |name: &str| -> Option<u32> {
        let value = rollup.lines().find_map(|line| line.strip_prefix(name))?;
        value.split_whitespace().next()?.parse().ok()
    };
    field("Private_Clean:")?.checked_add(field("Private_Dirty:")?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::pool::List;

    #[test]
    fn private_memory_is_clean_and_dirty() {
        let rollup = "Rss: 900 kB\nPrivate_Clean:     12 kB\nPrivate_Dirty:    30 kB\n";
        assert_eq!(private_of(rollup), Some(42));
        assert_eq!(private_of("Rss: 900 kB"), None);
    }

    #[test]
    fn the_feeds_have_their_rows_and_the_c2() {
        let feeds = feeds(&Pool::new(List::V4, ROWS + 10), ROWS + 10);
        let lines = || feeds.iter().flat_map(|feed| feed.lines());
        assert_eq!((feeds.len(), lines().count()), (2, ROWS + 10));
        assert_eq!(lines().filter(|line| *line == "203.0.113.7").count(), 1);
        let ported = lines().filter(|line| line.ends_with(":443"));
        // The C2 takes no row with a port here.
        assert_eq!(ported.count(), ROWS / 10 + 1);
    }
}
