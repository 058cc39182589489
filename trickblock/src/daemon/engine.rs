//! The filter and what is in force in it. Every change goes through here, one at a time.

mod beginning;
mod canary;
mod error;
mod growth;
mod hand;
mod held;
mod inherited;
mod limits;
mod patch;
mod reload;
mod wanted;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use jiff::Timestamp;

use self::inherited::Inherited;
pub use self::{beginning::First, error::Held};
use super::{
    contacts::Ledger,
    feeds::{Content, Feed},
    known::Known,
    operator::Operator,
    roles::Roles,
    terms,
};
use crate::{
    config::Config,
    feed::{
        cache::{Cache, Digest},
        sandbox::Reader,
    },
    indicator::{Indicator, Seen},
    kernel::{Filter, FilterError, Hooks, Lost, Pins, Program, random_seed},
    observe::status::Hashes,
    policy::{Context, Departed, Guard, Kinds, RuleSet, merge},
    table::{Entry, Ids},
};

/// A body to put in force, read.
pub struct Offer {
    pub content: Content,
    /// Of the body.
    pub digest: Digest,
    /// When its source last said so.
    pub at: Timestamp,
    /// The source said so now.
    pub fresh: bool,
    /// The operator went back to it.
    pub back: bool,
}

/// What a feed would say.
struct Candidate<'a> {
    feed: usize,
    content: &'a Content,
    departed: &'a Departed,
}

/// Owns the filter.
pub struct Engine {
    pub config: Config,
    pub filter: Filter,
    pub hooks: Hooks,
    pub feeds: Vec<Feed>,
    pub rules: RuleSet,
    /// Sorted.
    pub live: Vec<Entry>,
    pub started: Timestamp,
    pub events_read: Arc<AtomicU64>,
    pub ledger: Ledger,
    /// Events that were lost before this daemon started.
    pub lost_before: Lost,
    kinds: Kinds,
    /// Of the configuration and the host's surroundings; `guard` has what the operator allows besides.
    configured_guard: Guard,
    pub(super) guard: Guard,
    operator: Operator,
    /// What is on disk of the feeds, besides the last good copies, which their tasks write.
    pub cache: Cache,
    /// Since when feeds name what they name.
    pub(super) known: Known,
    /// When an allowance or an indicator ends next.
    next_end: Option<Seen>,
    /// Reads the bodies of feeds.
    pub(super) reader: Reader,
    ids: Ids,
    /// In force when this daemon started. They stay until every feed has spoken once: a restart must
    /// not lose what a feed that cannot be reached now said before.
    inherited: BTreeMap<Indicator, Inherited>,
    /// Interfaces that could not be attached to, and why.
    pub unattached: BTreeMap<String, String>,
    /// Sections of the configuration that were changed and are only read by a start.
    for_a_restart: Vec<&'static str>,
    /// What is worth knowing of interfaces that are attached to.
    pub notes: BTreeMap<String, String>,
    pub roles: Roles,
    /// A default route led out of one of the interfaces.
    pub(super) had_default_route: bool,
    /// Of the set in force, once somebody asked.
    pub(super) hashes: Mutex<Option<Arc<Hashes>>>,
    /// The table grew, and older programs are still attached.
    outgrown: bool,
    /// Ids of those.
    older: BTreeMap<u32, Program>,
    /// Indices of the interfaces that were attached to at the last look.
    pub(super) seen: BTreeSet<u32>,
    /// Configured interfaces that could not be had at the last look.
    pub(super) missed: BTreeSet<String>,
}

impl Engine {
    fn renew_guard(&mut self) {
        let allowed = self.operator.allowed(Seen::now());
        self.guard = self.configured_guard.allowing(&allowed);
    }

    /// What no indicator acts on, as the never-block list is to hold it.
    pub(super) fn protected(&self) -> Vec<(ipnet::IpNet, u32)> {
        self.guard.protected_values()
    }

    /// Brings settings and the never-block list in line with the configuration.
    fn settle_kernel(&mut self) -> Result<(), FilterError> {
        self.filter
            .maps
            .set_settings(&terms::settings(&self.config))?;
        self.filter
            .maps
            .set_never_block(&self.guard.protected_values())
    }

    /// Puts what a feed says now in force. On an error everything stays as it was.
    pub fn offer(&mut self, feed: usize, offer: Offer) -> Result<(), Held> {
        let Some(known) = self.feeds.get_mut(feed) else {
            return Ok(());
        };
        if let Some(trial) = known.trial.as_mut().filter(|_| offer.fresh) {
            // Also from a body that is not taken: what nobody says any more does not come into force.
            trial.hear(&offer.content);
        }
        // What is in force here is newer than any copy.
        if !offer.fresh && known.content.is_some() && known.digest != offer.digest {
            return Err(Held::Outdated);
        }
        let unchanged = known
            .content
            .as_ref()
            .is_some_and(|current| current.same_rows(&offer.content));
        if !unchanged {
            limits::check(&self.feeds[feed], &offer.content, &self.guard)?;
            self.brake(feed, &offer)?;
            self.canary(feed, &offer)?;
        }
        self.take(feed, offer, unchanged)
    }

    /// The source says that what is in force is right, and not what it said meanwhile.
    pub fn confirm(&mut self, feed: usize, at: Timestamp) -> Result<(), Held> {
        if feed >= self.feeds.len() {
            return Ok(());
        }
        self.end_trial_of(feed)?;
        self.feeds[feed].confirm(at, true);
        Ok(())
    }

    /// As [`Self::offer`], of a body that nothing holds back.
    fn take(&mut self, feed: usize, offer: Offer, unchanged: bool) -> Result<(), Held> {
        let departed = self.feeds[feed].departing(&offer, Seen::now());
        let taken_back = offer.content.withdrawn();
        let unchanged = unchanged && !self.feeds[feed].departed.has_any(&taken_back);
        let trial = self.feeds[feed].trial.take_if(|_| offer.fresh);
        let unchanged = unchanged && trial.is_none();
        if let Err(held) = self.put(feed, &offer, &departed, unchanged) {
            self.feeds[feed].trial = trial;
            return Err(held);
        }
        // The first body of a start is in force before it is offered, with those of the other feeds.
        if !unchanged || self.feeds[feed].last_ok.is_none() {
            self.note_named(feed, &offer, &departed);
        }
        self.feeds[feed].accept(offer, departed);
        self.keep_departed(feed);
        Ok(())
    }

    /// Writes what has departed of a feed, if that is not on disk.
    pub(super) fn keep_departed(&mut self, feed: usize) {
        if let Some(feed) = self.feeds.get_mut(feed) {
            feed.keep_departed(&self.cache);
        }
    }

    fn note_named(&self, feed: usize, offer: &Offer, departed: &Departed) {
        let gone = departed.rows().iter().map(|row| row.indicator);
        let at = Seen::from_unix(offer.at.as_second()).unwrap_or_else(Seen::now);
        let named = offer.content.shared_rows();
        self.known
            .note(&self.feeds[feed].config, named, gone.collect(), at);
    }

    fn put(
        &mut self,
        feed: usize,
        offer: &Offer,
        departed: &Departed,
        unchanged: bool,
    ) -> Result<(), Held> {
        let inherited = self.release_inherited(feed);
        let candidate = Candidate {
            feed,
            content: &offer.content,
            departed,
        };
        if (!unchanged || inherited.is_some())
            && let Err(held) = self.enforce(Some(&candidate))
        {
            self.inherited.extend(inherited.into_iter().flatten());
            return Err(held);
        }
        Ok(())
    }

    /// Takes the inherited set away if `feed` is the last one that had not spoken.
    fn release_inherited(&mut self, feed: usize) -> Option<BTreeMap<Indicator, Inherited>> {
        let mut others = self
            .feeds
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != feed);
        let last = others.all(|(_, other)| other.content.is_some());
        (last && !self.inherited.is_empty()).then(|| std::mem::take(&mut self.inherited))
    }

    /// Puts what all feeds say in force, with `candidate` in place of one feed's content.
    fn enforce(&mut self, candidate: Option<&Candidate<'_>>) -> Result<(), Held> {
        let now = Seen::now();
        let rows = self.rows(candidate);
        let rules = merge(&rows, self.context(now));
        self.inherited = self.still_inherited(&rows, now);
        self.enforce_rules(rules, now)
    }

    /// Puts these rules in force, which are of `now`, and what is inherited.
    fn enforce_rules(&mut self, rules: RuleSet, now: Seen) -> Result<(), Held> {
        let wanted = self.with_inherited(&rules, None);
        self.put_in_force(wanted)?;
        let trials = self.feeds.iter().filter_map(|feed| feed.trial.as_ref());
        let trial = trials.map(|trial| trial.until).min();
        let allowed = self.operator.next_allow_end(now);
        let ends = [rules.next_end, allowed, trial, self.next_inherited_end()];
        self.next_end = ends.into_iter().flatten().min();
        self.rules = rules;
        Ok(())
    }

    /// `wanted` is sorted, each indicator once, with whether it drops.
    fn put_in_force(&mut self, wanted: Vec<(Indicator, bool)>) -> Result<(), Held> {
        self.make_room(&wanted)?;
        let plan = self.plan(wanted)?;
        self.filter.maps.renew(&self.live, &plan, random_seed())?;
        self.ids.commit(&plan);
        if plan.entries != self.live {
            tracing::info!(
                indicators = plan.entries.len(),
                new = plan.fresh.len(),
                gone = plan.retired.len(),
                "new set in force"
            );
        }
        if plan.entries != self.live || self.outgrown {
            self.forget_hashes();
        }
        self.live = plan.entries;
        self.take_over();
        Ok(())
    }

    fn forget_hashes(&self) {
        *self.hashes.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn context(&self, now: Seen) -> Context<'_> {
        Context {
            guard: &self.guard,
            kinds: &self.kinds,
            now: Some(now),
        }
    }

    /// Ends what has come to its end, to the second as far as this is called often enough. Returns the feeds that are
    /// to be fetched again.
    pub fn keep_time(&mut self) -> Result<Vec<usize>, Held> {
        let now = Seen::now();
        if self.next_end.is_none_or(|end| end > now) {
            return Ok(Vec::new());
        }
        self.renew_guard();
        let tried = self.end_trials(now);
        self.reenforce()?;
        tried
    }

    fn config_pins(&self) -> Pins {
        Pins::new(&self.config.paths.pins)
    }
}
