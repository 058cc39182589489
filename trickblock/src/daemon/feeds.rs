//! The feeds as the daemon holds them: the last good rows of each, and how it is doing.

mod continued;
mod drift;
mod held;
mod patience;
mod trial;

use std::{collections::HashSet, sync::Arc};

use jiff::Timestamp;

pub use self::{
    held::{Diff, HeldUpdate},
    trial::OnTrial,
};
use super::{engine::Offer, worth::Worth};
use crate::{
    config::FeedConfig,
    feed::{
        Format, Row,
        cache::{Decision, Digest},
        sandbox::{Reader, Unread},
        source::{Body, Part},
    },
    indicator::{Indicator, Seen},
    policy::{Departed, FeedRows, Label, Terms},
};

/// Warnings kept per feed.
const MAX_WARNINGS: usize = 20;

/// One configured feed. A clone shares its rows.
#[derive(Clone, Debug)]
pub struct Feed {
    pub config: FeedConfig,
    /// What is in force; `None` until a body was accepted.
    pub content: Option<Content>,
    /// The last confirmation came from the source, not from disk.
    pub fresh: bool,
    /// When the source last confirmed what is in force.
    pub last_ok: Option<Timestamp>,
    pub last_error: Option<String>,
    /// Its server is not asked before this moment, although somebody wanted to.
    pub put_off: Option<Timestamp>,
    /// The last good copy could not be written.
    pub store_error: Option<String>,
    /// What it does not name any more and is still in force.
    pub departed: Departed,
    /// The newest body, if it waits for the operator.
    pub held: Option<HeldUpdate>,
    /// The body whose new indicators only monitor now.
    pub trial: Option<OnTrial>,
    pub decided: Option<Decision>,
    /// Its source says something else, which the operator rejected.
    pub stands: bool,
    /// When its source is tried again after a failure.
    pub next_try: Option<Timestamp>,
    /// Of the body in force.
    pub digest: Digest,
    /// When its rows last changed.
    pub changed_at: Option<Timestamp>,
    /// What was of another kind in the last body than in the one before.
    pub drift: Option<String>,
    /// What it added to the others, day by day.
    pub worth: Worth,
}

/// An accepted body.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// One per file of a directory, else one.
    pub parts: Vec<PartRows>,
    pub warnings: Vec<String>,
}

/// The rows of one file or response.
#[derive(Clone, Debug)]
pub struct PartRows {
    /// The feed's name, with the file's where the feed is a directory.
    pub label: Arc<str>,
    source: String,
    format: Format,
    rows: Arc<[Row]>,
    /// What the body says is not so any more.
    withdrawn: Arc<[Indicator]>,
    pub rejected: u64,
    pub ignored: u64,
    /// The body's own count was there and right.
    counted: bool,
}

/// Why a body is not put in force.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("{name}: {reason}")]
    Unread { name: String, reason: Unread },
    #[error(
        "{name}: {found}: the body was cut short or mangled on the way; it will be fetched again"
    )]
    Incomplete { name: String, found: &'static str },
    #[error(
        "{name}: none of its {ignored} rows is an address any more: this is another list or a notice, check the feed at its source"
    )]
    NoAddress { name: String, ignored: u64 },
    #[error("the source holds no file: put the list there, or correct its path")]
    Nothing,
}

impl Feed {
    pub fn new(config: FeedConfig) -> Self {
        Self {
            config,
            content: None,
            fresh: false,
            last_ok: None,
            last_error: None,
            put_off: None,
            store_error: None,
            departed: Departed::default(),
            held: None,
            trial: None,
            decided: None,
            stands: false,
            next_try: None,
            digest: Digest::default(),
            changed_at: None,
            drift: None,
            worth: Worth::default(),
        }
    }

    /// Has a body read. Nothing is put in force: that is [`Self::accept`], once the table took it.
    ///
    /// A single body must be a feed. Of a directory, a file that is none keeps its last good rows
    /// and is warned about, as long as another one is a feed.
    pub fn read(&self, body: &Body, reader: &Reader) -> Result<Content, Refused> {
        if body.parts.is_empty() {
            return Err(Refused::Nothing);
        }
        let mut content = Content::default();
        let mut first_refusal = None;
        for part in &body.parts {
            match self.read_part(part, body.parts.len() > 1, reader) {
                Ok((rows, warnings)) => content.add(rows, warnings),
                Err(refused) => {
                    content.warn(format!("{refused}"));
                    content.parts.extend(self.last_good(&part.name).cloned());
                    first_refusal.get_or_insert(refused);
                }
            }
        }
        match first_refusal {
            Some(refused) if body.parts.len() == 1 || content.parts.is_empty() => Err(refused),
            _ => Ok(content),
        }
    }

    fn read_part(
        &self,
        part: &Part,
        of_many: bool,
        reader: &Reader,
    ) -> Result<(PartRows, Vec<String>), Refused> {
        let name = || part.name.clone();
        let options = self.config.options(Some(Seen::now()));
        let parsed = reader
            .parse(&part.bytes, &options)
            .map_err(|reason| Refused::Unread {
                name: name(),
                reason,
            })?;
        let last = self.last_good(&part.name);
        if parsed.rows.is_empty()
            && parsed.ignored > 0
            && parsed.withdrawn.is_empty()
            && last.is_some_and(|last| !last.rows.is_empty())
        {
            return Err(Refused::NoAddress {
                name: name(),
                ignored: parsed.ignored,
            });
        }
        let had_count = last.is_some_and(|last| last.counted);
        let incomplete = |found| {
            Err(Refused::Incomplete {
                name: name(),
                found,
            })
        };
        match parsed.complete {
            Some(false) => {
                return incomplete("its own count of entries disagrees with what arrived");
            }
            None if had_count => {
                return incomplete(
                    "the count at its end is missing, which the last good body had (if the list has none any more, give the feed another name)",
                );
            }
            _ => {}
        }
        let rows = PartRows {
            label: self.label(part, of_many),
            source: part.name.clone(),
            format: parsed.format,
            rows: parsed.rows.into(),
            withdrawn: parsed.withdrawn.into(),
            rejected: parsed.rejected,
            ignored: parsed.ignored,
            counted: parsed.complete == Some(true),
        };
        Ok((rows, parsed.warnings))
    }

    fn label(&self, part: &Part, of_many: bool) -> Arc<str> {
        let file = std::path::Path::new(&part.name)
            .file_name()
            .and_then(|name| name.to_str());
        match file.filter(|_| of_many) {
            Some(file) => format!("{}/{file}", self.config.name).into(),
            None => self.config.name.as_str().into(),
        }
    }

    fn last_good(&self, source: &str) -> Option<&PartRows> {
        self.content
            .as_ref()?
            .parts
            .iter()
            .find(|part| part.source == source)
    }

    /// The table took `content`.
    pub fn accept(&mut self, offer: Offer, departed: Departed) {
        let before = self.content.replace(offer.content);
        let both = before.as_ref().zip(self.content.as_ref());
        if !both.is_some_and(|(before, now)| before.same_rows(now)) {
            self.changed_at = Some(offer.at);
            self.drift = both.and_then(|(before, now)| drift::drift(before, now));
        }
        self.changed_at.get_or_insert(offer.at);
        self.digest = offer.digest;
        self.departed = departed;
        self.held = None;
        self.trial = None;
        self.stands = false;
        self.confirm(offer.at, offer.fresh);
    }

    /// What stays in force although `content`, had at `at`, does not name it.
    pub fn departing(&self, content: &Content, at: Seen) -> Departed {
        // A start must not pay for what cannot have gone: the same rows, or none before.
        let same = |known: &Content| known.same_rows(content);
        if self.departed.is_empty() && self.content.as_ref().is_none_or(same) {
            return Departed::default();
        }
        let old = self.content.iter().flat_map(Content::all_rows);
        let hold_down = self.config.policy.hold_down;
        self.departed
            .after(old, content.all_rows(), at, hold_down)
            .without(&content.withdrawn())
    }

    /// The source says that what is in force is still right.
    pub fn confirm(&mut self, at: Timestamp, fresh: bool) {
        self.last_ok = Some(at);
        if fresh {
            self.put_off = None;
        }
        self.fresh |= fresh;
        if fresh {
            self.last_error = None;
            self.next_try = None;
        }
    }

    pub fn fail(&mut self, error: impl Into<String>) {
        self.last_error = Some(error.into());
        self.put_off = None;
        self.next_try = None;
    }

    /// `waiting`, `ok`, `stale` or `failed`.
    pub fn state(&self) -> &'static str {
        match (&self.content, &self.last_error) {
            (Some(_), None) if self.fresh => "ok",
            (Some(_), _) => "stale",
            (None, Some(_)) => "failed",
            (None, None) => "waiting",
        }
    }

    pub fn format(&self) -> Option<Format> {
        self.content.as_ref()?.parts.first().map(|part| part.format)
    }

    pub fn location(&self) -> String {
        self.config.location.to_string()
    }
}

impl PartRows {
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Content {
    fn add(&mut self, rows: PartRows, warnings: Vec<String>) {
        let source = rows.source.clone();
        warnings
            .into_iter()
            .for_each(|warning| self.warn(format!("{source}: {warning}")));
        self.parts.push(rows);
    }

    fn warn(&mut self, warning: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// For merging, as the files of feed number `feed`.
    pub fn rows(&self, feed: u32, terms: &Arc<Terms>) -> impl Iterator<Item = FeedRows<'_>> {
        self.parts.iter().map(move |part| FeedRows {
            label: Label {
                name: Arc::clone(&part.label),
                feed,
                terms: Arc::clone(terms),
                departed: false,
            },
            rows: &part.rows,
        })
    }

    /// What it says is not so any more.
    pub fn withdrawn(&self) -> HashSet<Indicator> {
        let parts = self.parts.iter();
        parts
            .flat_map(|part| part.withdrawn.iter().copied())
            .collect()
    }

    /// Of each of its parts, without a copy.
    pub fn shared_rows(&self) -> Vec<Arc<[Row]>> {
        let parts = self.parts.iter();
        parts.map(|part| Arc::clone(&part.rows)).collect()
    }

    fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.iter().flat_map(PartRows::rows)
    }

    /// Nothing is listed, and the body proves by its own count that nothing is meant to be.
    pub fn says_empty(&self) -> bool {
        let mut parts = self.parts.iter();
        self.total() == 0 && parts.all(|part| part.counted)
    }

    /// The URL or path of the (first) body, for messages.
    pub fn name(&self) -> String {
        let first = self.parts.first();
        first.map_or_else(String::new, |part| part.source.clone())
    }

    pub fn total(&self) -> usize {
        self.parts.iter().map(|part| part.rows.len()).sum()
    }

    /// The same rows as `other`: there is nothing to swap.
    pub fn same_rows(&self, other: &Self) -> bool {
        let rows = |content: &Self| {
            content
                .parts
                .iter()
                .map(|part| (Arc::clone(&part.label), Arc::clone(&part.rows)))
                .collect::<Vec<_>>()
        };
        rows(self) == rows(other)
    }
}

#[cfg(test)]
mod tests;
