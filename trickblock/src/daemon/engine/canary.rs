//! Trials: new indicators only monitor for a while.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Engine, Held, Offer, held::UNKEPT, limits};
use crate::{
    daemon::{
        decisions::Word,
        feeds::{HeldUpdate, OnTrial},
    },
    indicator::{Indicator, Seen},
    policy::{Braked, Harm, Trial},
};

impl Engine {
    /// Tries a body with new indicators, unless the operator approved it. While one is tried, others wait: only what
    /// they do not name any more is heard.
    pub(super) fn canary(&mut self, feed: usize, offer: &Offer) -> Result<(), Held> {
        let known = &self.feeds[feed];
        let canary = known.config.policy.canary;
        let word = known.decisions.word(&offer.digest);
        // What comes from disk was in force before the start.
        if canary.span.is_zero() || word == Some(Word::Approved) || !offer.fresh {
            return Ok(());
        }
        let name = known.config.name.clone();
        if let Some(trial) = &known.trial {
            let until = trial.until;
            return Err(Held::OnTrial { name, until });
        }
        if let Some(Word::Failed(harm)) = word {
            return Err(self.hold(feed, offer, Braked::Canary(Trial::Failed(harm))));
        }
        let until = Seen::now().later(canary.span);
        match self.try_out(feed, offer, until)? {
            true => Err(Held::OnTrial { name, until }),
            false => Ok(()),
        }
    }

    /// False where nothing is new.
    fn try_out(&mut self, feed: usize, offer: &Offer, until: Seen) -> Result<bool, Held> {
        let known = &self.feeds[feed];
        let rows = known.new_rows(&offer.content);
        if rows.is_empty() {
            return Ok(false);
        }
        if let Some(harm) = known.decisions.failed_with(&rows) {
            return Err(self.hold(feed, offer, Braked::Canary(Trial::Failed(harm))));
        }
        self.renew_departed(feed, offer, until);
        let update = HeldUpdate {
            content: offer.content.clone(),
            digest: offer.digest,
            since: Timestamp::now(),
            why: Braked::Canary(Trial::Until(until)),
            part: false,
        };
        self.feeds[feed].held = None;
        self.feeds[feed].trial = Some(OnTrial {
            update,
            rows: Arc::clone(&rows),
            before: BTreeMap::new(),
            noted: BTreeMap::new(),
            until,
            retracted: HashSet::new(),
        });
        if let Err(held) = self.enforce(None) {
            self.feeds[feed].trial = None;
            return Err(held);
        }
        let before = self.counted(rows.iter().map(|row| row.indicator))?;
        let count = before.len();
        tracing::info!(feed = self.feeds[feed].config.name, new = count, %until, "on trial");
        if let Some(trial) = &mut self.feeds[feed].trial {
            trial.before = before;
        }
        Ok(true)
    }

    /// What came back within its hold-down, in a body that is tried, must not lapse meanwhile.
    fn renew_departed(&mut self, feed: usize, offer: &Offer, until: Seen) {
        let known = &mut self.feeds[feed];
        let end = until.later(known.config.policy.hold_down);
        let renewed = known.departed.renewed(&offer.content.indicators(), end);
        known.depart(renewed);
        self.keep_departed(feed);
    }

    /// The packets that matched each of these; what a guard refused is left out.
    fn counted(
        &self,
        indicators: impl Iterator<Item = Indicator>,
    ) -> Result<BTreeMap<Indicator, u64>, Held> {
        let entry = |indicator: Indicator| {
            let at = self
                .live
                .binary_search_by(|entry| entry.indicator.cmp(&indicator));
            Some((indicator, self.live.get(at.ok()?)?.id))
        };
        let (known, ids): (Vec<_>, Vec<_>) = indicators.filter_map(entry).unzip();
        let hits = self.filter.maps.hits(ids)?;
        Ok(known.into_iter().zip(hits).collect())
    }

    /// Notes what trials have counted by now, before what is protected changes: that may take their indicators out.
    pub(super) fn note_trials(&mut self) -> Result<(), Held> {
        for feed in 0..self.feeds.len() {
            let Some(trial) = &self.feeds[feed].trial else {
                continue;
            };
            let counted = self.counted(trial.before.keys().copied())?;
            if let Some(trial) = &mut self.feeds[feed].trial {
                trial.note(&counted);
            }
        }
        Ok(())
    }

    /// Judges the trials whose end has come; the feeds that are to be fetched again, so that what passed is kept.
    pub(super) fn end_trials(&mut self, now: Seen) -> Result<Vec<usize>, Held> {
        let is_over = |feed: &usize| {
            let trial = self.feeds[*feed].trial.as_ref();
            trial.is_some_and(|trial| trial.until <= now)
        };
        let over: Vec<usize> = (0..self.feeds.len()).filter(is_over).collect();
        for feed in &over {
            self.end_trial(*feed)?;
        }
        Ok(over)
    }

    fn end_trial(&mut self, feed: usize) -> Result<(), Held> {
        let harm = self.harm(feed)?;
        let Some(trial) = self.feeds[feed].trial.take() else {
            return Ok(());
        };
        if let Some(harm) = harm {
            return self.fail_trial(feed, &offered(trial.update), harm);
        }
        tracing::info!(feed = self.feeds[feed].config.name, "passed its trial");
        self.let_in(feed, trial.kept())
    }

    /// Puts in force what was tried.
    pub(super) fn let_in(&mut self, feed: usize, update: HeldUpdate) -> Result<(), Held> {
        let whole = !update.part;
        let offer = offered(update);
        limits::check(&self.feeds[feed], &offer.content, &self.guard)?;
        self.brake(feed, &offer)?;
        self.take(feed, offer, false)?;
        // A part of a body is no copy of it.
        match whole {
            true => self.promote(feed),
            false => self.feeds[feed].store_error = Some(UNKEPT.to_owned()),
        }
        Ok(())
    }

    fn fail_trial(&mut self, feed: usize, offer: &Offer, harm: Harm) -> Result<(), Held> {
        self.note_word(feed, offer.digest, Word::Failed(harm), offer.at);
        let held = self.hold(feed, offer, Braked::Canary(Trial::Failed(harm)));
        tracing::warn!("{held}");
        self.feeds[feed].fail(held.to_string());
        self.enforce(None)
    }

    /// Takes what is on trial out of the set.
    pub(super) fn end_trial_of(&mut self, feed: usize) -> Result<(), Held> {
        let Some(trial) = self.feeds[feed].trial.take() else {
            return Ok(());
        };
        self.enforce(None).inspect_err(|_| {
            self.feeds[feed].trial = Some(trial);
        })
    }

    /// What the new indicators of a trial would have stopped, if that is too much.
    fn harm(&self, feed: usize) -> Result<Option<Harm>, Held> {
        let known = &self.feeds[feed];
        let Some(trial) = &known.trial else {
            return Ok(None);
        };
        let tried = trial.before.keys().copied();
        let mut counted = trial.since(&self.counted(tried)?);
        counted.retain(|(indicator, _)| !trial.retracted.contains(indicator));
        let around = |indicator: &Indicator| self.guard.lies_around_allowed(indicator);
        Ok(Harm::of(known.config.policy.canary, &counted, around))
    }
}

fn offered(update: HeldUpdate) -> Offer {
    Offer {
        content: update.content,
        digest: update.digest,
        at: update.since,
        fresh: true,
        back: false,
    }
}
