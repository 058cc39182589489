//! Updates that wait for the operator.

use jiff::Timestamp;

use super::{Engine, Held, Offer};
use crate::{
    daemon::{
        feeds::{Feed, HeldUpdate},
        refresh::Order,
    },
    feed::cache::{Decision, Digest},
};

impl Engine {
    /// Has the task of `feed` keep what is in force of it now as the last good copy.
    pub fn take_order(&self, feed: usize) -> Option<Order> {
        let feed = self.feeds.get(feed)?;
        Some(Order::Take {
            digest: feed.digest,
            format: feed.format().map(|format| format.to_string()),
        })
    }

    /// Holds what changes too much, unless the operator approved just that body.
    pub(super) fn brake(&mut self, feed: usize, offer: &Offer) -> Result<(), Held> {
        let known = &mut self.feeds[feed];
        let name = known.config.name.clone();
        if known.decided == Some(Decision::Rejected(offer.digest)) {
            return Err(Held::Rejected { name });
        }
        let braked = known
            .sizes(&offer.content)
            .and_then(|sizes| sizes.brake(offer.content.says_empty()));
        let Some(why) = braked.filter(|_| known.decided != Some(Decision::Approved(offer.digest)))
        else {
            return Ok(());
        };
        known.hold(offer.content.clone(), offer.digest, why, Timestamp::now());
        Err(Held::Braked { name, why })
    }

    /// The feed of this name, and its position.
    pub fn feed_named(&self, name: &str) -> Option<(usize, &Feed)> {
        let mut feeds = self.feeds.iter().enumerate();
        feeds.find(|(_, feed)| feed.config.name == name)
    }

    /// Puts the update in force that waits; `None` where none does. It has to be fetched again to be kept on disk.
    pub fn approve(&mut self, feed: usize) -> Result<Option<HeldUpdate>, Held> {
        let Some(held) = self.waiting(feed) else {
            return Ok(None);
        };
        let offer = Offer {
            content: held.content.clone(),
            digest: held.digest,
            at: Timestamp::now(),
            fresh: true,
        };
        self.take_as_approved(feed, offer)?;
        self.decide(feed, Decision::Approved(held.digest))?;
        Ok(Some(held))
    }

    /// Lets the last good set stand; `None` where nothing waits.
    pub fn reject(&mut self, feed: usize) -> Result<Option<HeldUpdate>, Held> {
        let Some(held) = self.waiting(feed) else {
            return Ok(None);
        };
        self.decide(feed, Decision::Rejected(held.digest))?;
        self.feeds[feed].stand();
        if self.feeds[feed].trial.take().is_some() {
            self.enforce(None)?;
        }
        Ok(Some(held))
    }

    fn waiting(&self, feed: usize) -> Option<HeldUpdate> {
        self.feeds.get(feed)?.waiting().cloned()
    }

    /// Puts an earlier body in force; `current`, which was in force, is not taken again before it changes.
    pub fn roll_back(&mut self, feed: usize, offer: Offer, current: Digest) -> Result<(), Held> {
        // Further back: what the source says is still what was rejected first, not what is in force.
        let rejected = match &self.feeds[feed] {
            Feed {
                stands: true,
                decided: Some(Decision::Rejected(said)),
                ..
            } if *said != offer.digest => *said,
            _ => current,
        };
        self.take_as_approved(feed, offer)?;
        self.decide(feed, Decision::Rejected(rejected))?;
        self.feeds[feed].stand();
        Ok(())
    }

    fn take_as_approved(&mut self, feed: usize, offer: Offer) -> Result<(), Held> {
        let approved = Some(Decision::Approved(offer.digest));
        let before = std::mem::replace(&mut self.feeds[feed].decided, approved);
        let done = self.offer(feed, offer);
        if done.is_err() {
            self.feeds[feed].decided = before;
        }
        done
    }

    fn decide(&mut self, feed: usize, decision: Decision) -> Result<(), Held> {
        let feed = &mut self.feeds[feed];
        self.cache.decide(&feed.config.name, decision)?;
        feed.decided = Some(decision);
        Ok(())
    }
}
