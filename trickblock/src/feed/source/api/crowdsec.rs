//! The decisions stream of a CrowdSec local API: first all decisions, then those made and taken back.
//!
//! A duration counts from when it was received, so decisions are handed out with their ends (`until`).

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use ureq::http::Uri;

use super::{
    super::{Body, Part, Reason, SourceError},
    address::{with_path, with_query},
    answer::{MAX_RECORDS, Records, read},
    requests::{Requests, cap},
    session::Merge,
};
use crate::feed::{format::crowdsec::seconds, limits::LimitError};

const PATH: &str = "/v1/decisions/stream";
const EXPECTED: &str = "CrowdSec's decisions";
/// Answers to the same question differ by the time they take: a decision keeps its first end.
const JITTER: SignedDuration = SignedDuration::from_secs(10);

/// The decisions that hold.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    /// What was asked for so far is all there is.
    started: bool,
    active: BTreeMap<Key, Terms>,
    /// Taken back in the last answer that had anything in it.
    deleted: BTreeSet<Key>,
    /// Nobody's decisions: the reader says what is wrong with them.
    odd: BTreeSet<Box<str>>,
    /// Those of before a restart, for their ends.
    former: BTreeMap<Key, Terms>,
}

/// What makes two records the same decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Key {
    scope: Box<str>,
    value: Box<str>,
    #[serde(rename = "type")]
    kind: Box<str>,
    origin: Box<str>,
    scenario: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Terms {
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    simulated: bool,
}

/// A decision as it is handed out.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    key: &'a Key,
    #[serde(flatten)]
    terms: Option<&'a Terms>,
}

#[derive(Deserialize)]
struct Stream<'a> {
    #[serde(borrow)]
    new: Option<Records<'a>>,
    #[serde(borrow)]
    deleted: Option<Records<'a>>,
}

#[derive(Deserialize)]
struct Decision<'a> {
    #[serde(borrow)]
    scope: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
    #[serde(borrow)]
    scenario: Option<Cow<'a, str>>,
    #[serde(borrow)]
    duration: Option<Cow<'a, str>>,
    #[serde(default)]
    simulated: bool,
}

impl Merge for Decisions {
    fn update(&mut self, requests: &mut Requests<'_>) -> Result<Body, SourceError> {
        let startup = if self.started { "false" } else { "true" };
        let url = stream(requests.url(), startup).map_err(|reason| requests.error(reason))?;
        let answer = requests.get(url)?;
        let now = Timestamp::now();
        self.merge(&answer.bytes, now)
            .and_then(|()| self.snapshot(requests.name()))
            .map_err(|reason| requests.error(reason))
    }

    fn restart(&mut self) {
        let former = match self.started {
            true => std::mem::take(&mut self.active),
            false => std::mem::take(&mut self.former),
        };
        *self = Self {
            former,
            ..Self::default()
        };
    }
}

impl Decisions {
    fn merge(&mut self, bytes: &[u8], now: Timestamp) -> Result<(), Reason> {
        let answer: Stream<'_> = read(bytes, EXPECTED)?;
        if answer.new.is_none() && answer.deleted.is_none() && !has_lists(bytes)? {
            return Err(Reason::answer(EXPECTED, &"neither `new` nor `deleted`"));
        }
        let (new, deleted) = (
            answer.new.unwrap_or_default().0,
            answer.deleted.unwrap_or_default().0,
        );
        if !new.is_empty() || !deleted.is_empty() {
            self.deleted.clear();
        }
        // In this order: what was taken back may have been made anew since.
        for record in deleted {
            self.take_back(record.get())?;
        }
        for record in new {
            self.add(record.get(), now)?;
        }
        self.active
            .retain(|_, terms| terms.until.is_none_or(|until| until > now));
        self.former.clear();
        self.started = true;
        Ok(())
    }

    fn add(&mut self, text: &str, now: Timestamp) -> Result<(), Reason> {
        let decision = serde_json::from_str::<Decision<'_>>(text).ok();
        let found = decision.and_then(|decision| Some((decision.key(), decision.terms(now)?)));
        let Some((key, terms)) = found else {
            self.odd.insert(text.into());
            return self.bounded();
        };
        let known = self.active.get(&key).or_else(|| self.former.get(&key));
        let same = known.copied().filter(|known| known.is_about(terms));
        self.active.insert(key, same.unwrap_or(terms));
        self.bounded()
    }

    /// Where it cannot be read, something would stay that was taken back: all is asked for again,
    /// and then there is nothing that could stay.
    fn take_back(&mut self, text: &str) -> Result<(), Reason> {
        match serde_json::from_str::<Decision<'_>>(text) {
            Ok(decision) => {
                let key = decision.key();
                self.active.remove(&key);
                self.deleted.insert(key);
                self.bounded()
            }
            Err(error) if self.started => Err(Reason::answer(EXPECTED, &error)),
            Err(_) => {
                self.odd.insert(text.into());
                self.bounded()
            }
        }
    }

    fn bounded(&self) -> Result<(), Reason> {
        let counts = [self.active.len(), self.deleted.len(), self.odd.len()];
        match counts.iter().sum::<usize>() > MAX_RECORDS {
            true => {
                let found = format_args!("more than {MAX_RECORDS} decisions");
                Err(Reason::answer(EXPECTED, &found))
            }
            false => Ok(()),
        }
    }

    /// An answer to `startup=true` that names what holds now, a decision to a line.
    fn snapshot(&self, name: String) -> Result<Body, Reason> {
        let holds = self.active.iter().filter(|(_, terms)| !terms.simulated);
        let held: BTreeSet<_> = holds.map(|(key, _)| key.target()).collect();
        // Another decision about the same may go on.
        let over = |key: &&Key| !held.contains(&key.target());
        let active = self.active.iter().map(|(key, terms)| (key, Some(terms)));
        let new: Result<Vec<String>, Reason> = active.map(line).collect();
        let mut new = new?;
        new.extend(self.odd.iter().map(ToString::to_string));
        let deleted = self.deleted.iter().filter(over).map(|key| (key, None));
        let deleted: Result<Vec<String>, Reason> = deleted.map(line).collect();
        let text = format!(
            "{{\"new\":[\n{}\n],\"deleted\":[\n{}\n]}}\n",
            new.join(",\n"),
            deleted?.join(",\n")
        );
        if text.len() > cap() {
            return Err(Reason::Limit(LimitError::Decoded(cap())));
        }
        let bytes = Bytes::from(text);
        Ok(Body::from(vec![Part { name, bytes }]))
    }
}

impl Key {
    /// What is decided about, and what.
    fn target(&self) -> (&str, &str, &str) {
        (&self.scope, &self.value, &self.kind)
    }
}

impl Terms {
    fn is_about(self, other: Self) -> bool {
        let close = match (self.until, other.until) {
            (Some(one), Some(two)) => one.duration_since(two).abs() <= JITTER,
            (one, two) => one == two,
        };
        close && self.simulated == other.simulated
    }
}

impl Decision<'_> {
    fn key(&self) -> Key {
        Key {
            scope: self.scope.as_ref().into(),
            value: self.value.as_ref().into(),
            kind: self.kind.as_ref().into(),
            origin: self.origin.as_deref().unwrap_or_default().into(),
            scenario: self.scenario.as_deref().unwrap_or_default().into(),
        }
    }

    /// `None` where the duration is none.
    fn terms(&self, now: Timestamp) -> Option<Terms> {
        let end = |duration: &str| {
            let end = now.as_second().checked_add(seconds(duration)?)?;
            Timestamp::from_second(end).ok()
        };
        let until = match self.duration.as_deref() {
            Some(duration) => Some(end(duration)?),
            None => None,
        };
        let simulated = self.simulated;
        Some(Terms { until, simulated })
    }
}

/// The stream's URL: the operator's may be that of the API as a whole.
fn stream(url: &Uri, startup: &str) -> Result<Uri, Reason> {
    let path = url.path().trim_end_matches('/');
    let base = path.strip_suffix(PATH).unwrap_or(path);
    let url = with_path(url, &format!("{base}{PATH}"))?;
    with_query(&url, &[("startup", startup)])
}

/// Lists without members are null.
fn has_lists(bytes: &[u8]) -> Result<bool, Reason> {
    let all: BTreeMap<String, IgnoredAny> = read(bytes, EXPECTED)?;
    Ok(all.contains_key("new") || all.contains_key("deleted"))
}

fn line((key, terms): (&Key, Option<&Terms>)) -> Result<String, Reason> {
    serde_json::to_string(&Line { key, terms }).map_err(|error| Reason::answer(EXPECTED, &error))
}
