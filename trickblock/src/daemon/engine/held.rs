//! Updates that wait for the operator.

use std::time::Duration;

use jiff::Timestamp;

use super::{Engine, Held, Offer};
use crate::{
    daemon::{
        decisions::{Decisions, Word},
        feeds::{Content, Feed, HeldUpdate},
        refresh::Accepted,
    },
    feed::cache::{Digest, Stored},
    policy::{Braked, Trial},
};

/// What was approved a moment after it came may still be on its way to the disk.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);
/// Why the disk has something else than what is in force.
pub(super) const UNKEPT: &str =
    "what is in force is not on disk before it is fetched again: a restart would lose it";

impl Engine {
    /// Holds what changes too much, unless the operator approved just that body.
    pub(super) fn brake(&mut self, feed: usize, offer: &Offer) -> Result<(), Held> {
        let known = &self.feeds[feed];
        let name = known.config.name.clone();
        match known.decisions.word(&offer.digest) {
            Some(Word::Rejected) => {
                // What was tried is not what its source says any more, and that is not wanted.
                self.end_trial_of(feed)?;
                return Err(Held::Rejected { name });
            }
            Some(Word::Approved) => return Ok(()),
            _ => {}
        }
        let sizes = known.sizes(&offer.content);
        match sizes.and_then(|sizes| sizes.brake(offer.content.says_empty())) {
            Some(why) => Err(self.hold(feed, offer, why)),
            None => Ok(()),
        }
    }

    /// Has a body wait for the operator; what waits already does so since then.
    pub(super) fn hold(&mut self, feed: usize, offer: &Offer, why: Braked) -> Held {
        let known = &self.feeds[feed];
        let name = known.config.name.clone();
        let since = match known.decisions.of(&offer.digest) {
            Some(known) => known.at,
            None => self.note_held(feed, offer.digest),
        };
        let update = HeldUpdate {
            content: offer.content.clone(),
            digest: offer.digest,
            since,
            why,
            part: false,
        };
        let id = update.id();
        self.feeds[feed].hold(update);
        Held::Braked { name, why, id }
    }

    /// Holds what waited before a restart.
    pub fn hold_again(&mut self, feed: usize, content: Content, digest: Digest) {
        let Some(known) = self.feeds.get(feed) else {
            return;
        };
        let braked = || known.sizes(&content)?.brake(content.says_empty());
        let why = match known.decisions.word(&digest) {
            Some(Word::Failed(harm)) => Some(Braked::Canary(Trial::Failed(harm))),
            _ => braked(),
        };
        let Some(why) = why else {
            return;
        };
        let offer = Offer {
            content,
            digest,
            at: Timestamp::now(),
            fresh: false,
            back: false,
        };
        let held = self.hold(feed, &offer, why);
        tracing::warn!("{held}");
    }

    fn note_held(&mut self, feed: usize, digest: Digest) -> Timestamp {
        let now = Timestamp::now();
        self.note_word(feed, digest, Word::Held, now);
        now
    }

    /// A word that is not the operator's: one that cannot be written is known until the next restart.
    pub(super) fn note_word(&mut self, feed: usize, digest: Digest, word: Word, at: Timestamp) {
        let feed = &mut self.feeds[feed];
        feed.decisions = feed.decisions.with(digest, word, at);
        let kept = feed.decisions.keep(&self.cache, &feed.config.name);
        kept.unwrap_or_else(|error| tracing::warn!("{error}"));
    }

    /// The feed of this name, and its position.
    pub fn feed_named(&self, name: &str) -> Option<(usize, &Feed)> {
        let mut feeds = self.feeds.iter().enumerate();
        feeds.find(|(_, feed)| feed.config.name == name)
    }

    /// Puts an update that waits in force.
    ///
    /// # Errors
    /// If it is not in force, or is and a restart would lose it.
    pub fn approve(&mut self, feed: usize, update: HeldUpdate) -> Result<(), Held> {
        if update.part {
            // Its checksum is that of more than is approved.
            self.let_in(feed, update)?;
            return self.kept(feed);
        }
        let offer = Offer {
            content: update.content,
            digest: update.digest,
            at: Timestamp::now(),
            fresh: true,
            back: false,
        };
        let decided = self.decided(feed, offer.digest, Word::Approved);
        self.decide(feed, decided, |engine| engine.offer(feed, offer))?;
        for _ in 0..ATTEMPTS {
            self.promote(feed);
            if self.feeds[feed].store_error.is_none() {
                break;
            }
            // Its task may be writing it.
            std::thread::sleep(PAUSE);
        }
        self.kept(feed)
    }

    fn kept(&self, feed: usize) -> Result<(), Held> {
        let feed = &self.feeds[feed];
        match feed.store_error.clone() {
            None => Ok(()),
            Some(reason) => Err(Held::Unkept {
                name: feed.config.name.clone(),
                reason,
            }),
        }
    }

    /// Makes the body that waited and is in force now the last good copy.
    pub(super) fn promote(&mut self, feed: usize) {
        let feed = &mut self.feeds[feed];
        let Accepted { format, unread } = feed.accepted();
        let name = &feed.config.name;
        let promoted = self.cache.promote(name, &feed.digest, (format, &unread));
        feed.store_error = match promoted {
            Ok(true) => None,
            Ok(false) => Some(UNKEPT.to_owned()),
            Err(error) => Some(error.to_string()),
        };
    }

    /// Lets the last good set stand, and not the update that waits.
    pub fn reject(&mut self, feed: usize, update: &HeldUpdate) -> Result<(), Held> {
        let decided = self.decided(feed, update.digest, Word::Rejected);
        self.decide(feed, decided, |engine| engine.end_trial_of(feed))?;
        self.feeds[feed].stand();
        Ok(())
    }

    /// Puts an earlier body in force, and makes it the last good copy; what was in force is not taken again.
    pub fn roll_back(&mut self, feed: usize, offer: Offer, stored: &Stored) -> Result<(), Held> {
        let current = self.feeds[feed].digest;
        let rejected = self.decided(feed, current, Word::Rejected);
        let decided = rejected.with(offer.digest, Word::Approved, Timestamp::now());
        self.decide(feed, decided, |engine| engine.offer(feed, offer))?;
        let index = feed;
        let feed = &mut self.feeds[index];
        feed.stand();
        let kept = self.cache.store(&feed.config.name, stored);
        feed.store_error = kept.err().map(|error| error.to_string());
        self.kept(index)
    }

    fn decided(&self, feed: usize, digest: Digest, word: Word) -> Decisions {
        let known = &self.feeds[feed].decisions;
        known.with(digest, word, Timestamp::now())
    }

    /// On disk first: what cannot be remembered is not done, and what cannot be done is not remembered.
    fn decide(
        &mut self,
        feed: usize,
        decisions: Decisions,
        act: impl FnOnce(&mut Self) -> Result<(), Held>,
    ) -> Result<(), Held> {
        let name = self.feeds[feed].config.name.clone();
        decisions.keep(&self.cache, &name)?;
        let before = std::mem::replace(&mut self.feeds[feed].decisions, decisions);
        act(self).inspect_err(|_| {
            let kept = before.keep(&self.cache, &name);
            kept.unwrap_or_else(|error| tracing::warn!("{error}"));
            self.feeds[feed].decisions = before;
        })
    }
}

impl Feed {
    /// What its task has to know of what is in force.
    pub fn accepted(&self) -> Accepted {
        let unread = self.content.iter().flat_map(|content| &content.unread);
        Accepted {
            format: self.format().map(|format| format.to_string()),
            unread: unread.map(|file| file.source.clone()).collect(),
        }
    }
}
