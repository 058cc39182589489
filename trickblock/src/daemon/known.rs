//! Since when each feed names what it names, by this daemon's own clock: most lists do not say, and of
//! those that do not all say the truth. On disk and not in memory, since only `why` asks for it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Write},
    net::IpAddr,
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, JoinHandle},
};

use sha2::{Digest as _, Sha256};

use crate::{
    config::FeedConfig,
    feed::{
        Row,
        cache::{Cache, CacheError},
    },
    indicator::{Indicator, Seen},
};

/// Beside the last good copy: [`Head`], then a [`Record`] for each indicator, sorted by key.
const FILE: &str = "known";
const MAGIC: [u8; 8] = *b"tbknown1";
/// Magic, and the SHA-256 of the feed's source.
const HEAD: usize = 8 + 32;
/// Key, first and last, little-endian.
const RECORD: usize = 8 + 4 + 4;

/// When a feed named an indicator first, and last as far as that is over or the file knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    pub first: Seen,
    pub last: Seen,
}

type Record = (u64, Named);

/// What a feed says now.
struct Statement {
    feed: FeedConfig,
    /// One for each of its files.
    named: Vec<Arc<Vec<Row>>>,
    /// Not named any more, and still in force.
    departed: Vec<Indicator>,
    at: Seen,
}

/// Writes the files behind the engine's back: no start and no update waits for them.
#[derive(Debug)]
pub struct Known {
    cache: Cache,
    /// `None` only while it is dropped.
    statements: Option<Sender<Statement>>,
    writer: Option<JoinHandle<()>>,
}

impl Known {
    /// Of the feeds whose copies `cache` holds.
    pub fn new(cache: &Cache) -> Self {
        let (statements, received) = channel();
        let theirs = cache.clone();
        let writer = thread::spawn(move || write_all(&theirs, &received));
        Self {
            cache: cache.clone(),
            statements: Some(statements),
            writer: Some(writer),
        }
    }

    /// `feed` names these rows at `at`; `departed` is what it named before and is still in force.
    pub fn note(
        &self,
        feed: &FeedConfig,
        named: Vec<Arc<Vec<Row>>>,
        departed: Vec<Indicator>,
        at: Seen,
    ) {
        let statement = Statement {
            feed: feed.clone(),
            named,
            departed,
            at,
        };
        if let Some(statements) = &self.statements {
            // Only a writer that panicked is gone, and then there is nothing to write with.
            statements.send(statement).ok();
        }
    }

    /// When `feed` named `indicator`; `None` where that is not known, or not yet written.
    pub fn of(&self, feed: &FeedConfig, indicator: &Indicator) -> Option<Named> {
        let file = File::open(self.cache.beside(&feed.name, FILE)).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        (head == self::head(feed)).then_some(())?;
        let records = (file.metadata().ok()?.len().checked_sub(HEAD as u64)?) / RECORD as u64;
        find(&file, records, key(indicator))
    }
}

/// What was noted is written before the daemon ends.
impl Drop for Known {
    fn drop(&mut self) {
        drop(self.statements.take());
        if let Some(writer) = self.writer.take() {
            // It has said why it ended, if it panicked.
            writer.join().ok();
        }
    }
}

/// The newest statement of each feed counts; older ones that still wait are part of it as far as it matters.
fn write_all(cache: &Cache, received: &Receiver<Statement>) {
    while let Ok(statement) = received.recv() {
        let mut newest = BTreeMap::from([(statement.feed.name.clone(), statement)]);
        for statement in received.try_iter() {
            newest.insert(statement.feed.name.clone(), statement);
        }
        for statement in newest.values() {
            write(cache, statement).unwrap_or_else(|error| tracing::warn!("{error}"));
        }
    }
}

fn write(cache: &Cache, statement: &Statement) -> Result<(), CacheError> {
    let before = read(cache, &statement.feed);
    let records = merged(&before, statement);
    if records == before {
        return Ok(());
    }
    cache.write_beside(&statement.feed.name, FILE, |to| {
        to.write_all(&head(&statement.feed))?;
        records.iter().try_for_each(|record| put(to, record))
    })
}

/// Of another source, or damaged, it is none: then everything is new.
fn read(cache: &Cache, feed: &FeedConfig) -> Vec<Record> {
    let mut bytes = Vec::new();
    let file = File::open(cache.beside(&feed.name, FILE));
    if file
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .is_err()
    {
        return Vec::new();
    }
    let Some(records) = bytes.strip_prefix(&head(feed)) else {
        return Vec::new();
    };
    let records: Vec<Record> = records.chunks_exact(RECORD).filter_map(record).collect();
    let sorted = records.is_sorted_by_key(|(key, _)| *key);
    if sorted { records } else { Vec::new() }
}

fn merged(before: &[Record], statement: &Statement) -> Vec<Record> {
    let now = Named {
        first: statement.at,
        last: statement.at,
    };
    let known = |key: u64| {
        let at = before.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        before.get(at).map(|(_, named)| *named)
    };
    let rows = statement.named.iter().flat_map(|rows| rows.iter());
    let named = rows.map(|row| key(&row.indicator)).map(|key| {
        let first = known(key).map_or(now.first, |named| named.first.min(now.first));
        (key, Named { first, ..now })
    });
    let departed = statement.departed.iter().map(key);
    let departed = departed.filter_map(|key| Some((key, known(key)?)));
    let mut records: Vec<Record> = named.chain(departed).collect();
    records.sort_unstable_by_key(|(key, named)| (*key, std::cmp::Reverse(named.last)));
    records.dedup_by_key(|(key, _)| *key);
    records
}

/// IPv4 indicators as they are; of IPv6 ones so many bits of a SHA-256 that of a million no two are alike.
fn key(indicator: &Indicator) -> u64 {
    let protocol = indicator.protocol.map_or(0, |protocol| protocol.0);
    let port = indicator.port.map_or(0, u16::from);
    let length = indicator.prefix.prefix_len();
    match indicator.prefix.addr() {
        IpAddr::V4(address) => {
            u64::from(u32::from(address)) << 31
                | u64::from(length) << 25
                | u64::from(protocol) << 17
                | u64::from(port) << 1
        }
        IpAddr::V6(address) => {
            let mut hash = Sha256::new_with_prefix(address.octets());
            hash.update([length, protocol]);
            hash.update(port.to_le_bytes());
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&hash.finalize()[..8]);
            u64::from_le_bytes(bytes) | 1
        }
    }
}

fn find(file: &File, records: u64, wanted: u64) -> Option<Named> {
    let (mut low, mut high) = (0, records);
    while low < high {
        let middle = low.midpoint(high);
        let mut bytes = [0; RECORD];
        file.read_exact_at(&mut bytes, HEAD as u64 + middle * RECORD as u64)
            .ok()?;
        let (key, named) = record(&bytes)?;
        match key.cmp(&wanted) {
            std::cmp::Ordering::Equal => return Some(named),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

fn head(feed: &FeedConfig) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let (magic, origin) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    origin.copy_from_slice(&Sha256::digest(feed.location.identity()));
    head
}

fn put(to: &mut dyn Write, (key, named): &Record) -> io::Result<()> {
    to.write_all(&key.to_le_bytes())?;
    to.write_all(&seconds(named.first))?;
    to.write_all(&seconds(named.last))
}

fn seconds(seen: Seen) -> [u8; 4] {
    // A `Seen` is a number of so many bits.
    u32::try_from(seen.unix()).unwrap_or(u32::MAX).to_le_bytes()
}

fn record(bytes: &[u8]) -> Option<Record> {
    let (key, times) = bytes.split_first_chunk::<8>()?;
    let (first, last) = times.split_first_chunk::<4>()?;
    let seen = |bytes| Seen::from_unix(i64::from(u32::from_le_bytes(bytes)));
    let named = Named {
        first: seen(*first)?,
        last: seen(last.try_into().ok()?)?,
    };
    Some((u64::from_le_bytes(*key), named))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed;

    fn config(url: &str) -> FeedConfig {
        let config = crate::config::Config::from_flags(&["lo".to_owned()], &[url.to_owned()]);
        config.expect("a configuration").feeds.remove(0)
    }

    fn rows(list: &str) -> Vec<Arc<Vec<Row>>> {
        vec![
            feed::parse(list.as_bytes(), None)
                .expect("a list")
                .rows
                .into(),
        ]
    }

    fn at(seconds: i64) -> Seen {
        Seen::from_unix(seconds).expect("a time")
    }

    /// Notes one statement and waits until it is written.
    fn note(cache: &Cache, feed: &FeedConfig, list: &str, gone: &[&str], seconds: i64) -> Known {
        let gone = gone.iter().map(|text| text.parse().expect("an indicator"));
        let known = Known::new(cache);
        known.note(feed, rows(list), gone.collect(), at(seconds));
        drop(known);
        Known::new(cache)
    }

    fn named(known: &Known, feed: &FeedConfig, text: &str) -> Option<(i64, i64)> {
        let named = known.of(feed, &text.parse().expect("an indicator"))?;
        Some((named.first.unix(), named.last.unix()))
    }

    #[test]
    fn what_stays_keeps_its_first_day_and_what_left_its_last() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(state.path());
        let feed = config("http://192.0.2.1/a");
        const ONE: &str = "203.0.113.1\n203.0.113.1:443\n2001:db8::1\n203.0.113.0/28\n";
        note(&cache, &feed, ONE, &[], 100);
        let known = note(
            &cache,
            &feed,
            "203.0.113.1\n2001:db8::1\n2001:db8::2\n",
            &["203.0.113.1:443"],
            200,
        );
        let expected = [
            ("203.0.113.1", Some((100, 200))),
            ("203.0.113.1:443", Some((100, 100))),
            ("2001:db8::1", Some((100, 200))),
            ("2001:db8::2", Some((200, 200))),
            ("203.0.113.0/28", None),
            ("203.0.113.1:443/tcp", None),
        ];
        for (text, times) in expected {
            assert_eq!(named(&known, &feed, text), times, "{text}");
        }
        let other = FeedConfig {
            name: feed.name.clone(),
            ..config("http://192.0.2.1/b")
        };
        assert_eq!(named(&known, &other, "203.0.113.1"), None, "another source");
    }

    #[test]
    fn a_damaged_file_is_begun_anew() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(state.path());
        let feed = config("http://192.0.2.1/a");
        note(&cache, &feed, "203.0.113.1\n203.0.113.2\n", &[], 100);
        let path = cache.beside(&feed.name, FILE);
        let mut bytes = std::fs::read(&path).expect("written");
        let (first, second) = bytes[HEAD..].split_at_mut(RECORD);
        first.swap_with_slice(second);
        std::fs::write(&path, bytes).expect("written");
        let known = note(&cache, &feed, "203.0.113.1\n", &[], 200);
        assert_eq!(named(&known, &feed, "203.0.113.1"), Some((200, 200)));
    }

    #[test]
    fn no_two_indicators_share_a_key() {
        let texts = [
            "203.0.113.1",
            "203.0.113.1/31",
            "203.0.113.1:1",
            "203.0.113.1:2",
            "203.0.113.1:2/tcp",
            "203.0.113.1:2/udp",
            "203.0.113.3",
            "2001:db8::1",
            "2001:db8::/127",
            "[2001:db8::1]:1",
            "[2001:db8::1]:1/tcp",
        ];
        let parse = |text: &&str| {
            text.replace(".1/31", ".0/31")
                .parse()
                .expect("an indicator")
        };
        let mut keys: Vec<u64> = texts
            .iter()
            .map(parse)
            .map(|one: Indicator| key(&one))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), texts.len());
    }
}
