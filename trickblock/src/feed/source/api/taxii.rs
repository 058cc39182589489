//! A collection of a TAXII 2.1 server: pages of objects, and later those that were added.
//!
//! What a later answer leaves out is still there; only a newer version of an object, such as a revoked
//! one, takes its place.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};
use ureq::http::Uri;

use super::{
    super::{
        Body, Part, Reason, SourceError,
        ask::{Answer, Ask},
    },
    address::with_query,
    answer::{MAX_RECORDS, Records, read},
    requests::{Requests, cap},
    session::Merge,
};
use crate::feed::limits::LimitError;

const ACCEPT: &str = "application/taxii+json;version=2.1";
const ADDED_LAST: &str = "x-taxii-date-added-last";
const EXPECTED: &str = "an envelope of TAXII 2.1";
/// A collection of a million objects in pages of a thousand.
const MAX_PAGES: usize = 1_000;
/// No server needs more to know where it was.
const MAX_NEXT: usize = 4_096;

/// What the server has said so far.
#[derive(Debug, Default)]
pub(super) struct Collection {
    /// By their ids, so that the snapshot is the same whatever order they came in.
    objects: BTreeMap<String, Object>,
    /// Bytes of all of them.
    bytes: usize,
    /// When the newest was added, as the server spelt it.
    added: Option<Added>,
}

#[derive(Debug)]
struct Object {
    modified: Option<Timestamp>,
    text: Box<str>,
}

#[derive(Clone, Debug)]
struct Added {
    at: Timestamp,
    text: String,
}

/// Which page comes next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Cursor {
    after: Option<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    more: bool,
    next: Option<String>,
    #[serde(borrow)]
    objects: Option<Records<'a>>,
}

/// What versions are told by.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    modified: Cow<'a, str>,
}

impl Merge for Collection {
    fn update(&mut self, requests: &mut Requests<'_>) -> Result<Body, SourceError> {
        let after = self.added.as_ref().map(|added| added.text.clone());
        let mut cursor = Cursor { after, next: None };
        let mut seen = HashSet::new();
        while seen.len() < MAX_PAGES {
            if !seen.insert(cursor.clone()) {
                let found = "a page whose next is one that came before";
                return Err(requests.error(Reason::answer(EXPECTED, &found)));
            }
            match self.page(requests, &cursor)? {
                Some(next) => cursor = next,
                None => return Ok(self.snapshot(requests.name())),
            }
        }
        let found = format_args!("more than {MAX_PAGES} pages");
        Err(requests.error(Reason::answer(EXPECTED, &found)))
    }
}

impl Collection {
    fn page(
        &mut self,
        requests: &mut Requests<'_>,
        cursor: &Cursor,
    ) -> Result<Option<Cursor>, SourceError> {
        let url = cursor
            .url(requests.url())
            .map_err(|reason| requests.error(reason))?;
        let answer = requests.ask(Ask {
            accept: Some(ACCEPT),
            ..Ask::get(url)
        })?;
        self.merge(&answer, cursor)
            .map_err(|reason| requests.error(reason))
    }

    fn merge(&mut self, answer: &Answer, cursor: &Cursor) -> Result<Option<Cursor>, Reason> {
        let envelope: Envelope<'_> = read(&answer.bytes, EXPECTED)?;
        let Some(objects) = envelope.objects else {
            return no_objects(answer, envelope.more);
        };
        for object in objects.0 {
            self.put(object.get())?;
        }
        let added = added(answer);
        let newest = |added: &Added| self.added.as_ref().is_none_or(|known| known.at < added.at);
        if let Some(added) = added.clone().filter(newest) {
            self.added = Some(added);
        }
        match (envelope.more, envelope.next) {
            (false, _) => Ok(None),
            (true, next) => cursor.following(next, added).map(Some),
        }
    }

    /// Of the versions of an object the one that was modified last stays; of equal ones the one
    /// that came last. What has no id is known by its text.
    fn put(&mut self, text: &str) -> Result<(), Reason> {
        let head = serde_json::from_str::<Head<'_>>(text).ok();
        let head = head.filter(|head| !head.id.is_empty());
        let id = head.as_ref().map_or(text, |head| &head.id);
        let modified = head.as_ref().and_then(|head| head.modified.parse().ok());
        let known = self.objects.get(id);
        if known.is_some_and(|known| known.modified > modified) {
            return Ok(());
        }
        let before = known.map_or(0, |known| known.text.len());
        let bytes = self.bytes.saturating_sub(before).saturating_add(text.len());
        if bytes > cap() || self.objects.len() >= MAX_RECORDS {
            return Err(Reason::Limit(LimitError::Decoded(cap())));
        }
        self.bytes = bytes;
        let text = text.into();
        self.objects
            .insert(id.to_owned(), Object { modified, text });
        Ok(())
    }

    /// A bundle, an object to a line.
    fn snapshot(&self, name: String) -> Body {
        let objects: Vec<&str> = self
            .objects
            .values()
            .map(|object| object.text.as_ref())
            .collect();
        let objects = objects.join(",\n");
        let text = format!("{{\"type\":\"bundle\",\"objects\":[\n{objects}\n]}}\n");
        let bytes = Bytes::from(text);
        Body::from(vec![Part { name, bytes }])
    }
}

impl Cursor {
    fn url(&self, url: &Uri) -> Result<Uri, Reason> {
        let after = self.after.as_deref().map(|after| ("added_after", after));
        let next = self.next.as_deref().map(|next| ("next", next));
        let pairs: Vec<_> = after.into_iter().chain(next).collect();
        with_query(url, &pairs)
    }

    /// A server that names no next page means what was added after this one.
    fn following(&self, next: Option<String>, added: Option<Added>) -> Result<Self, Reason> {
        match (next, added) {
            (Some(next), _) if next.len() > MAX_NEXT => {
                Err(Reason::answer(EXPECTED, &"a `next` that is too long"))
            }
            (Some(next), _) => Ok(Self {
                after: self.after.clone(),
                next: Some(next),
            }),
            (None, Some(added)) => Ok(Self {
                after: Some(added.text),
                next: None,
            }),
            (None, None) => Err(Reason::answer(
                EXPECTED,
                &"`more` without a `next` and without X-TAXII-Date-Added-Last",
            )),
        }
    }
}

/// An envelope without objects is empty, and any other object of JSON no envelope at all.
fn no_objects(answer: &Answer, more: bool) -> Result<Option<Cursor>, Reason> {
    let all: BTreeMap<String, IgnoredAny> = read(&answer.bytes, EXPECTED)?;
    let known = |key: &String| matches!(key.as_str(), "more" | "next" | "objects");
    match more || !all.keys().all(known) {
        true => Err(Reason::answer(EXPECTED, &"no `objects`")),
        false => Ok(None),
    }
}

/// A time that is none is as good as a header that is not there.
fn added(answer: &Answer) -> Option<Added> {
    let text = answer.header(ADDED_LAST)?.trim();
    let at = text.parse().ok()?;
    let text = text.to_owned();
    Some(Added { at, text })
}
