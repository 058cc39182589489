//! From a feed's text to packets that no longer arrive, and the memory that the daemon keeps.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use trickblock::indicator::Indicator;

use super::{
    GOAL_SIZE,
    corpus::Pool,
    lane::{C2, Lane},
    report::Report,
    stats::Summary,
};
use crate::cli::{Daemon, Site};

const PATIENCE: Duration = Duration::from_secs(30);

/// Starts the daemon on a feed of [`GOAL_SIZE`] rows so many times, on a new state directory each.
pub fn measure(
    repetitions: usize,
    pool: &Pool,
    say: &mut dyn FnMut(&str),
    report: &mut Report,
) -> anyhow::Result<()> {
    let lane = Lane::new()?;
    let feed = feed(pool);
    let (mut starts, mut memory) = (Vec::new(), Vec::new());
    for run in 1..=repetitions {
        let site = site(&feed)?;
        let (time, daemon) = lane.time_to_block(&site)?;
        check(&daemon)?;
        let mib = settled_private_mib(daemon.pid())?;
        say(&format!(
            "start {run} of {repetitions}: {GOAL_SIZE} rows in force after {:.0} ms, {mib:.1} MiB private",
            super::milliseconds(time)
        ));
        starts.push(time.as_secs_f64());
        memory.push(mib);
        daemon.terminate(PATIENCE)?;
    }
    report.text_to_attached_100k_s = Summary::of(starts);
    report.daemon_private_mib_100k = Summary::of(memory);
    Ok(())
}

/// [`GOAL_SIZE`] rows of a plain list, the C2 in the middle of them.
fn feed(pool: &Pool) -> String {
    let mut text = String::new();
    for (row, indicator) in pool.indicators(GOAL_SIZE).enumerate() {
        let _infallible = match (row == GOAL_SIZE / 2, indicator) {
            (true, _) => writeln!(text, "{C2}"),
            (
                false,
                Indicator {
                    prefix,
                    port: Some(port),
                    ..
                },
            ) => {
                writeln!(text, "{}:{port}", prefix.addr())
            }
            (false, Indicator { prefix, .. }) => writeln!(text, "{}", prefix.addr()),
        };
    }
    text
}

fn site(feed: &str) -> anyhow::Result<Site> {
    let site = Site::new()?;
    let path = site.dir().join("feed.txt");
    fs::write(&path, feed).with_context(|| path.display().to_string())?;
    site.configure(&format!(
        r#"
[filter]
xdp = "native"

[[interface]]
name = "inside"
role = "inside"

[[interface]]
name = "uplink"
role = "uplink"

[[feed]]
name = "list"
path = {path:?}
format = "plain"
"#
    ))?;
    Ok(site)
}

/// Everything that was listed is in force, on both interfaces.
fn check(daemon: &Daemon) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = daemon.status();
        let total = |status: &serde_json::Value| status["indicators"]["total"].as_u64();
        match &status {
            Ok(status) if status["state"] == "active" => {
                let total = total(status);
                let expected = u64::try_from(GOAL_SIZE).ok();
                ensure!(total == expected, "{total:?} indicators, not {GOAL_SIZE}");
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
    use crate::bench::corpus::Family;

    #[test]
    fn private_memory_is_clean_and_dirty() {
        let rollup = "Rss: 900 kB\nPrivate_Clean:     12 kB\nPrivate_Dirty:    30 kB\n";
        assert_eq!(private_of(rollup), Some(42));
        assert_eq!(private_of("Rss: 900 kB"), None);
    }

    #[test]
    fn the_feed_has_its_rows_and_the_c2() {
        let feed = feed(&Pool::new(Family::V4, GOAL_SIZE));
        assert_eq!(feed.lines().count(), GOAL_SIZE);
        assert_eq!(
            feed.lines().filter(|line| *line == "203.0.113.7").count(),
            1
        );
        assert_eq!(
            feed.lines().filter(|line| line.ends_with(":443")).count(),
            GOAL_SIZE / 10
        );
    }
}
