//! The answers as text.

use std::io::{self, Write};

use jiff::SignedDuration;

use crate::{
    daemon::{History, feeds::Diff},
    observe::feeds::{FeedHealth, Feeds},
};

pub(super) fn health(out: &mut dyn Write, feeds: &Feeds) -> io::Result<()> {
    writeln!(
        out,
        "{:<16} {:<8} {:>10} {:>10} {:>8} {:<20} {:<20} location",
        "feed", "state", "indicators", "unique", "departed", "newest", "last ok"
    )?;
    for feed in &feeds.feeds {
        writeln!(
            out,
            "{:<16} {:<8} {:>10} {:>10} {:>8} {:<20} {:<20} {}",
            feed.name,
            feed.state,
            feed.indicators,
            feed.unique,
            feed.departed,
            seconds(feed.newest.as_deref()),
            seconds(feed.last_ok.as_deref()),
            feed.location
        )?;
        more(out, feed)?;
    }
    Ok(())
}

fn more(out: &mut dyn Write, feed: &FeedHealth) -> io::Result<()> {
    for overlap in &feed.overlap {
        writeln!(
            out,
            "  = {} of them are named by {} as well",
            overlap.indicators, overlap.feed
        )?;
    }
    if let Some(trial) = &feed.trial {
        writeln!(out, "  ~ {}", trial.reason)?;
    }
    if feed.stands {
        writeln!(
            out,
            "  ~ its newest body was rejected by the operator, or gone back from: another one is waited for"
        )?;
    }
    // An update that is held has its alarm.
    if let Some(error) = feed.last_error.as_ref().filter(|_| feed.held.is_none()) {
        let again = seconds(feed.next_try.as_deref());
        match feed.next_try {
            Some(_) => writeln!(out, "  ! {error}; tried again at {again}Z")?,
            None => writeln!(out, "  ! {error}")?,
        }
    }
    feed.alarms
        .iter()
        .try_for_each(|alarm| writeln!(out, "  ! {alarm}"))
}

/// Without fractions of a second.
fn seconds(time: Option<&str>) -> &str {
    time.map_or("-", |time| time.get(..19).unwrap_or(time))
}

pub(super) fn diff(out: &mut dyn Write, diff: &Diff) -> io::Result<()> {
    writeln!(
        out,
        "{}: update {} held since {}: {}",
        diff.feed, diff.update, diff.since, diff.reason
    )?;
    marked(out, '-', &diff.removed_indicators, diff.removed)?;
    if diff.removed > 0 && diff.hold_down_seconds > 0 {
        let span = SignedDuration::from_secs(diff.hold_down_seconds.try_into().unwrap_or(i64::MAX));
        writeln!(
            out,
            "  (these stay in force for {span:#} after it is approved: `hold_down`)"
        )?;
    }
    marked(out, '+', &diff.added_indicators, diff.added)?;
    writeln!(
        out,
        "\n`trickblock feeds approve {0} {1}` puts it in force, `trickblock feeds reject {0} {1}` does not",
        diff.feed, diff.update
    )
}

fn marked(out: &mut dyn Write, mark: char, shown: &[String], all: usize) -> io::Result<()> {
    for indicator in shown {
        writeln!(out, "{mark} {indicator}")?;
    }
    match all.saturating_sub(shown.len()) {
        0 => Ok(()),
        more => writeln!(out, "{mark} and {more} more (--most shows more)"),
    }
}

pub(super) fn history(out: &mut dyn Write, history: &History) -> io::Result<()> {
    if let Some(now) = &history.in_force {
        writeln!(
            out,
            "in force: {} ({}), indicators: {}, confirmed {}",
            now.id,
            now.format.as_deref().unwrap_or("-"),
            now.indicators,
            seconds(now.confirmed_at.as_deref())
        )?;
    }
    if history.versions.is_empty() {
        return writeln!(out, "{} has no earlier version yet", history.feed);
    }
    writeln!(
        out,
        "{:<12} {:<20} {:<16} {:>12}",
        "id", "fetched", "format", "bytes"
    )?;
    for version in &history.versions {
        writeln!(
            out,
            "{:<12} {:<20} {:<16} {:>12}{}",
            version.id,
            seconds(Some(&version.fetched_at)),
            version.format.as_deref().unwrap_or("-"),
            version.bytes,
            if version.rejected { "  rejected" } else { "" }
        )?;
    }
    Ok(())
}
