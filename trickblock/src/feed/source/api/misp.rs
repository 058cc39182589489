//! A MISP feed: a manifest that names events, and a file for each of them.
//!
//! Only events that are new or have changed are asked for; the others are kept. What the manifest
//! no longer names is gone.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use ureq::http::Uri;

use super::{
    super::{Body, Part, Reason, SourceError, ask::Ask, http::display_url},
    address::with_path,
    answer::read,
    requests::{Requests, cap},
    session::Merge,
};
use crate::feed::limits::LimitError;

const MANIFEST: &str = "manifest.json";
const LIST: &str = "the manifest of a MISP feed";
const EVENT: &str = "the event that the manifest names";
/// As many as a directory may have files.
const MAX_EVENTS: usize = 10_000;
/// Bytes of a manifest: it is held in full, unlike events, of which each is read by itself.
const MAX_MANIFEST: usize = 16 << 20;

/// Between two fetches of all events because a snapshot was not taken.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// The events that are known, by their UUIDs.
#[derive(Debug, Default)]
pub(super) struct Events {
    known: BTreeMap<Uuid, Event>,
    /// When the first of them was asked for.
    since: Option<Instant>,
}

/// Strictly of the form of one, since it becomes part of a URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Uuid(String);

#[derive(Debug)]
struct Event {
    /// Of the manifest when this was asked for.
    stamp: String,
    /// The file says the same, or said something else twice.
    settled: bool,
    bytes: Bytes,
}

/// What the manifest says about an event.
#[derive(Deserialize)]
struct Entry {
    timestamp: Value,
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow, rename = "Event")]
    event: Inner<'a>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    uuid: Option<&'a str>,
    #[serde(default)]
    timestamp: Value,
}

impl Merge for Events {
    fn update(&mut self, requests: &mut Requests<'_>) -> Result<Body, SourceError> {
        self.since.get_or_insert_with(Instant::now);
        let named = manifest(requests)?;
        self.known.retain(|uuid, _| named.contains_key(uuid));
        let kept = |(uuid, event): (&Uuid, &Event)| match named.get(uuid) {
            Some(stamp) if event.is_current(stamp) => event.bytes.len(),
            _ => 0,
        };
        requests.spend(self.known.iter().map(kept).sum());
        for (uuid, stamp) in named {
            if !self
                .known
                .get(&uuid)
                .is_some_and(|event| event.is_current(&stamp))
            {
                let event = self.fetch(requests, &uuid, stamp)?;
                self.known.insert(uuid, event);
            }
        }
        self.snapshot(requests.name())
            .map_err(|reason| requests.error(reason))
    }

    /// One of them may be damaged. But a snapshot that waits for the operator is not taken time and
    /// again, and a server is not to be asked for thousands of events each time.
    fn restart(&mut self) {
        if self.since.is_none_or(|since| since.elapsed() >= AGAIN) {
            *self = Self::default();
        }
    }

    /// What came so far is good, and with it the next fetch may come to an end.
    fn failed(&mut self) {}
}

impl Events {
    fn fetch(
        &self,
        requests: &mut Requests<'_>,
        uuid: &Uuid,
        stamp: String,
    ) -> Result<Event, SourceError> {
        let url = file(requests.url(), &format!("{}.json", uuid.0));
        let url = url.map_err(|reason| requests.error(reason))?;
        let name = display_url(&url);
        let answer = requests.get(url)?;
        let said =
            said(&answer.bytes, uuid).map_err(|reason| SourceError::new(name.clone(), reason))?;
        // The manifest and the file are not written in one moment: it is read once more.
        let again = self
            .known
            .get(uuid)
            .is_some_and(|event| event.stamp == stamp);
        Ok(Event {
            settled: again || said.is_none_or(|said| said == stamp),
            stamp,
            bytes: answer.bytes,
        })
    }

    /// All events in one array, in the order of their UUIDs: one body is read by one process, and
    /// an event that loses its addresses is no feed that does.
    fn snapshot(&self, name: String) -> Result<Body, Reason> {
        let events: Vec<&[u8]> = self.known.values().map(|event| &event.bytes[..]).collect();
        let text = [b"[\n", events.join(&b",\n"[..]).as_slice(), b"\n]\n"].concat();
        if text.len() > cap() {
            return Err(Reason::Limit(LimitError::Decoded(cap())));
        }
        let bytes = Bytes::from(text);
        Ok(Body::from(vec![Part { name, bytes }]))
    }
}

impl Event {
    fn is_current(&self, stamp: &str) -> bool {
        self.settled && self.stamp == stamp
    }
}

impl Uuid {
    fn new(text: &str) -> Option<Self> {
        let sign = |(index, byte): (usize, u8)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        let is_one = text.len() == 36 && text.bytes().enumerate().all(sign);
        is_one.then(|| Self(text.to_owned()))
    }
}

/// The events of the manifest, and when each was changed.
fn manifest(requests: &mut Requests<'_>) -> Result<BTreeMap<Uuid, String>, SourceError> {
    let url = file(requests.url(), MANIFEST).map_err(|reason| requests.error(reason))?;
    let name = display_url(&url);
    let answer = requests.ask(Ask {
        cap: MAX_MANIFEST,
        ..Ask::get(url)
    })?;
    listed(&answer.bytes).map_err(|reason| SourceError::new(name, reason))
}

fn listed(bytes: &[u8]) -> Result<BTreeMap<Uuid, String>, Reason> {
    let entries: BTreeMap<String, Entry> = read(bytes, LIST)?;
    if entries.is_empty() {
        return Err(Reason::answer(LIST, &"no events"));
    }
    if entries.len() > MAX_EVENTS {
        let found = format_args!("more than {MAX_EVENTS} events");
        return Err(Reason::answer(LIST, &found));
    }
    let checked = entries.into_iter().map(|(uuid, entry)| {
        let uuid = Uuid::new(&uuid)
            .ok_or_else(|| Reason::answer(LIST, &format_args!("{uuid:?}, which is no UUID")))?;
        let stamp = stamp(&entry.timestamp);
        stamp
            .map(|stamp| (uuid, stamp))
            .ok_or_else(|| Reason::answer(LIST, &"a `timestamp` that is no time"))
    });
    checked.collect()
}

/// When the event says that it was changed. One of another name is not the one that was asked for.
fn said(bytes: &[u8], uuid: &Uuid) -> Result<Option<String>, Reason> {
    let Wrapped { event } = read(bytes, EVENT)?;
    match event.uuid {
        Some(own) if !own.eq_ignore_ascii_case(&uuid.0) => {
            Err(Reason::answer(EVENT, &format_args!("event {own:?}")))
        }
        _ => Ok(stamp(&event.timestamp)),
    }
}

/// Seconds, as text or as a number.
fn stamp(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() && text.len() <= 20 => Some(text.clone()),
        _ => None,
    }
}

/// A file beside the manifest, which `url` may name.
fn file(url: &Uri, name: &str) -> Result<Uri, Reason> {
    let path = url.path();
    let directory = path.strip_suffix(MANIFEST).unwrap_or(path);
    let slash = if directory.ends_with('/') { "" } else { "/" };
    with_path(url, &format!("{directory}{slash}{name}"))
}
