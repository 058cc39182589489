//! The feeds as the daemon holds them: the last good rows of each, and how it is doing.

mod content;
mod continued;
mod drift;
mod held;
mod patience;
mod remembered;
mod trial;

use std::{fmt, sync::Arc};

use jiff::Timestamp;

pub use self::{
    content::{Content, PartRows, Unheard},
    held::{Diff, HeldUpdate},
    remembered::Unsaved,
    trial::OnTrial,
};
use super::{decisions::Decisions, engine::Offer, worth::Worth};
use crate::{
    config::FeedConfig,
    feed::{
        Format,
        cache::Digest,
        sandbox::{Reader, Unread},
        source::{Body, Part},
    },
    indicator::Seen,
    policy::Departed,
};

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
    /// The disk does not have it yet: since when it was last tried, and why not.
    pub unsaved: Option<Unsaved>,
    /// What was lost of what is remembered of it.
    pub damage: Vec<String>,
    /// The newest body, if it waits for the operator.
    pub held: Option<HeldUpdate>,
    /// The body whose new indicators only monitor now.
    pub trial: Option<OnTrial>,
    pub decisions: Decisions,
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
            unsaved: None,
            damage: Vec::new(),
            held: None,
            trial: None,
            decisions: Decisions::default(),
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
        let mut content = Content {
            said: body.digest_of_bytes(),
            ..Content::default()
        };
        let mut first_refusal = None;
        for part in &body.parts {
            match self.read_part(part, body.parts.len() + body.unread.len() > 1, reader) {
                Ok((rows, warnings)) => content.add(rows, warnings),
                Err(refused) => {
                    self.keep_unread(&mut content, &part.name, &refused);
                    first_refusal.get_or_insert(refused);
                }
            }
        }
        for file in &body.unread {
            self.keep_unread(&mut content, &file.name, &file.reason);
        }
        match first_refusal {
            Some(refused)
                if body.parts.len() + body.unread.len() == 1 || content.parts.is_empty() =>
            {
                Err(refused)
            }
            _ => Ok(content),
        }
    }

    /// Of a file that is no feed what it said before stays.
    fn keep_unread(&self, content: &mut Content, source: &str, reason: &dyn fmt::Display) {
        let last = self.last_good(source);
        content.unread.push(Unheard::new(source, reason, last));
        content.parts.extend(last.cloned());
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
        self.depart(departed);
        self.confirm(offer.at, offer.fresh);
    }

    /// What stays in force although the content of `offer`, had at `at`, does not name it. Who goes back does not want
    /// what was named since.
    pub fn departing(&self, offer: &Offer, at: Seen) -> Departed {
        let content = &offer.content;
        // A start must not pay for what cannot have gone: the same rows, or none before.
        let same = |known: &Content| known.same_rows(content);
        if self.departed.is_empty() && self.content.as_ref().is_none_or(same) {
            return Departed::default();
        }
        let left = self.content.iter().filter(|_| !offer.back);
        let old = left.flat_map(Content::all_rows);
        let hold_down = self.config.policy.hold_down;
        self.departed
            .after(old, content.all_rows(), at, hold_down)
            .without(&content.withdrawn())
    }

    /// What is in force is still right: the source says so if `fresh`, else the copy on disk, which knows nothing of
    /// what waits.
    pub fn confirm(&mut self, at: Timestamp, fresh: bool) {
        self.last_ok = Some(at);
        self.fresh |= fresh;
        if fresh {
            self.put_off = None;
            self.last_error = None;
            self.next_try = None;
            self.held = None;
            self.trial = None;
            self.stands = false;
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

#[cfg(test)]
mod tests;
