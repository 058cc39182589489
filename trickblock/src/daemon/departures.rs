//! What feeds do not name any more and is still in force, so that a restart does not forget it.

use std::{
    io::{self, Write},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    config::FeedConfig,
    feed::{
        Row,
        cache::{Cache, CacheError},
    },
    indicator::{Indicator, Seen, Sighting},
    policy::Departed,
};

/// The first line: rows of another source under the same name are none of this feed.
#[derive(PartialEq, Serialize, Deserialize)]
struct Head {
    version: u32,
    origin: String,
}

const VERSION: u32 = 1;
/// Beside the last good copy.
const FILE: &str = "departed";

/// A line for each indicator; times are Unix seconds.
#[derive(Serialize, Deserialize)]
struct Line {
    indicator: String,
    until: Option<i64>,
    line: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    family: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_seen: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_seen: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence: Option<u8>,
}

/// What was kept of `feed`; nothing where there is no file, or it is of another source. What can be read of a damaged one
/// counts, and the damage is told.
pub(super) fn load(cache: &Cache, feed: &FeedConfig) -> (Departed, Option<CacheError>) {
    let text = match cache.read_beside(&feed.name, FILE) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => return (Departed::default(), Some(error)),
    };
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    if serde_json::from_str::<Head>(first).ok() != Some(head(feed)) {
        return (Departed::default(), None);
    }
    let rows: Vec<Row> = lines.clone().filter_map(row).collect();
    let lost = rows.len() < lines.count();
    let error = lost.then(|| CacheError::Lines {
        path: cache.beside(&feed.name, FILE),
    });
    (Departed::new(rows), error)
}

/// Replaces what was kept of `feed`.
///
/// # Errors
/// If it cannot be written: then a restart forgets it, which opens what would have been kept closed.
pub(super) fn keep(
    cache: &Cache,
    feed: &FeedConfig,
    departed: &Departed,
) -> Result<(), CacheError> {
    cache.write_beside(&feed.name, FILE, |to| write(to, feed, departed))
}

fn head(feed: &FeedConfig) -> Head {
    Head {
        version: VERSION,
        origin: feed.location.identity(),
    }
}

fn write(to: &mut dyn Write, feed: &FeedConfig, departed: &Departed) -> io::Result<()> {
    serde_json::to_writer(&mut *to, &head(feed))?;
    to.write_all(b"\n")?;
    for row in departed.rows() {
        serde_json::to_writer(&mut *to, &line(row))?;
        to.write_all(b"\n")?;
    }
    Ok(())
}

fn line(row: &Row) -> Line {
    let Sighting {
        family,
        first_seen,
        last_seen,
        expires,
        confidence,
        ..
    } = &row.sighting;
    Line {
        indicator: row.indicator.to_string(),
        until: expires.map(Seen::unix),
        line: row.line,
        family: family.as_deref().map(str::to_owned),
        first_seen: first_seen.map(Seen::unix),
        last_seen: last_seen.map(Seen::unix),
        confidence: *confidence,
    }
}

fn row(text: &str) -> Option<Row> {
    let line: Line = serde_json::from_str(text).ok()?;
    let indicator: Indicator = line.indicator.parse().ok()?;
    let seen = |unix: Option<i64>| unix.and_then(Seen::from_unix);
    Some(Row {
        line: line.line,
        indicator,
        sighting: Sighting {
            family: line.family.map(Arc::from),
            first_seen: seen(line.first_seen),
            last_seen: seen(line.last_seen),
            expires: seen(line.until),
            confidence: line.confidence,
            online: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::feed;

    fn feed(url: &str) -> FeedConfig {
        let config = crate::config::Config::from_flags(&["lo".to_owned()], &[url.to_owned()]);
        config.expect("a configuration").feeds.remove(0)
    }

    #[test]
    fn what_departed_survives_a_restart_and_not_a_change_of_source() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(state.path());
        let (one, other) = (feed("http://192.0.2.1/a"), feed("http://192.0.2.1/b"));
        assert_eq!(load(&cache, &one).0, Departed::default());
        let body = "first_seen_utc,dst_ip,dst_port,c2_status,last_online,malware\n2021-02-01 00:00:00,192.0.2.1,443,offline,2021-02-02,Dridex\n,2001:db8::1,80,,,\n";
        let rows = feed::parse(body.as_bytes(), None).expect("a list").rows;
        let at = Seen::now();
        let gone = Departed::default().after(rows.iter(), [].iter(), at, Duration::from_secs(60));
        keep(&cache, &one, &gone).expect("written");
        let (read, error) = load(&cache, &one);
        assert!(error.is_none());
        assert_eq!(read.rows().len(), 2);
        assert_eq!(read.rows()[0].sighting.family.as_deref(), Some("Dridex"));
        assert_eq!(
            read.rows()[0].sighting.expires,
            Some(at.later(Duration::from_secs(60)))
        );
        assert_eq!(
            load(
                &cache,
                &FeedConfig {
                    name: one.name.clone(),
                    ..other
                }
            )
            .0,
            Departed::default()
        );
    }
}
