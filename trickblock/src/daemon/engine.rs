//! The filter and what is in force in it. Every change goes through here, one at a time.

mod growth;
mod reload;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

use jiff::Timestamp;
use trickblock_common::abi::Lost;

use super::{
    contacts::Ledger,
    feeds::{Content, Feed, PartRows},
    roles::Roles,
    terms,
};
use crate::{
    config::Config,
    feed::{Row, sandbox::Reader},
    indicator::Indicator,
    kernel::{Filter, FilterError, Hooks, Load, Pins, Program, random_seed},
    observe::status::Hashes,
    policy::{Action, FeedRows, Guard, RuleSet, merge},
    table::{Entry, Ids, ids::OutOfIds},
};

/// A body or configuration that was not put in force; the last good set stays.
#[derive(Debug, thiserror::Error)]
pub enum Held {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Ids(#[from] OutOfIds),
    #[error(
        "{name}: all {rows} rows of it are refused by a guard ({first}): this is no list of C2 servers, check the feed at its source"
    )]
    AllRefused {
        name: String,
        rows: usize,
        first: String,
    },
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
    guard: Guard,
    /// Reads the bodies of feeds.
    pub(super) reader: Reader,
    ids: Ids,
    /// In force when this daemon started. They stay until every feed has spoken once: a restart must
    /// not lose what a feed that cannot be reached now said before.
    inherited: BTreeMap<Indicator, bool>,
    /// Interfaces that could not be attached to, and why.
    pub unattached: BTreeMap<String, String>,
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
}

impl Engine {
    /// Loads the filter with room for `first`, taking over what an earlier daemon left.
    pub fn start(
        config: Config,
        guard: Guard,
        reader: Reader,
        first: &[&Content],
    ) -> Result<Self, FilterError> {
        let pins = Pins::new(&config.paths.pins);
        let wanted = Load {
            capacity: terms::capacity(&config, first),
            constants: terms::constants(&config),
        };
        let filter = Filter::load(&pins, wanted)?;
        filter.maps.heal(random_seed())?;
        let live = filter.maps.entries()?;
        let ids = Ids::new(filter.maps.hit_capacity()?, &live);
        let (started, lost_before) = (Timestamp::now(), filter.maps.lost()?);
        let mut engine = Self {
            feeds: config.feeds.iter().cloned().map(Feed::new).collect(),
            hooks: Hooks::new(pins),
            filter,
            rules: RuleSet::default(),
            inherited: live
                .iter()
                .map(|entry| (entry.indicator, entry.drop))
                .collect(),
            live,
            started,
            events_read: Arc::default(),
            ledger: Ledger::new(started),
            lost_before,
            guard,
            reader,
            ids,
            unattached: BTreeMap::new(),
            notes: BTreeMap::new(),
            roles: Roles::default(),
            had_default_route: false,
            hashes: Mutex::default(),
            outgrown: false,
            older: BTreeMap::new(),
            seen: BTreeSet::new(),
            config,
        };
        engine.settle_kernel()?;
        Ok(engine)
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

    /// Puts what several feeds say in force at once, before each is offered by itself: a set that grows feed by
    /// feed is compiled as often. What does not work out is left to those offers.
    pub fn preload<'a>(&mut self, contents: impl Iterator<Item = (usize, &'a Content)>) {
        for (feed, content) in contents {
            let sound = self.check_guarded(content).is_ok();
            if let Some(feed) = self.feeds.get_mut(feed).filter(|_| sound) {
                feed.content.get_or_insert_with(|| content.clone());
            }
        }
        let all = self.feeds.iter().all(|feed| feed.content.is_some());
        let inherited = if all {
            std::mem::take(&mut self.inherited)
        } else {
            BTreeMap::new()
        };
        if self.enforce(None).is_err() {
            self.inherited.extend(inherited);
            self.feeds.iter_mut().for_each(|feed| feed.content = None);
        }
    }

    /// Puts what a feed says now in force. On an error everything stays as it was.
    pub fn offer(
        &mut self,
        feed: usize,
        content: Content,
        at: Timestamp,
        fresh: bool,
    ) -> Result<(), Held> {
        let Some(known) = self.feeds.get(feed) else {
            return Ok(());
        };
        let unchanged = known
            .content
            .as_ref()
            .is_some_and(|current| current.same_rows(&content));
        if !unchanged {
            self.check_guarded(&content)?;
        }
        let inherited = self.release_inherited(feed);
        if (!unchanged || inherited.is_some())
            && let Err(held) = self.enforce(Some((feed, &content)))
        {
            self.inherited.extend(inherited.into_iter().flatten());
            return Err(held);
        }
        self.feeds[feed].accept(content, at, fresh);
        Ok(())
    }

    /// Takes the inherited set away if `feed` is the last one that had not spoken.
    fn release_inherited(&mut self, feed: usize) -> Option<BTreeMap<Indicator, bool>> {
        let mut others = self
            .feeds
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != feed);
        let last = others.all(|(_, other)| other.content.is_some());
        (last && !self.inherited.is_empty()).then(|| std::mem::take(&mut self.inherited))
    }

    /// A list of nothing but protected space is a mistake of its maker: an empty set must not take
    /// the place of a good one. What the operator's own allow list refuses is no mistake.
    fn check_guarded(&self, content: &Content) -> Result<(), Held> {
        let mut rows = content.parts.iter().flat_map(PartRows::rows);
        let refused = |row: &Row| {
            let refusal = self.guard.refuse(&row.indicator)?;
            (refusal.guard == "compiled_in").then_some(refusal.reason)
        };
        let Some(first) = rows.next().and_then(refused) else {
            return Ok(());
        };
        match rows.all(|row| refused(row).is_some()) {
            true => Err(Held::AllRefused {
                name: content.name(),
                rows: content.total(),
                first,
            }),
            false => Ok(()),
        }
    }

    /// Puts what all feeds say in force, with `candidate` in place of one feed's content.
    fn enforce(&mut self, candidate: Option<(usize, &Content)>) -> Result<(), Held> {
        let rules = merge(&self.rows(candidate), &self.guard);
        let wanted = self.wanted_set(&rules);
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
            *self.hashes.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.live = plan.entries;
        self.rules = rules;
        self.take_over();
        Ok(())
    }

    fn config_pins(&self) -> Pins {
        Pins::new(&self.config.paths.pins)
    }

    fn rows<'a>(&'a self, candidate: Option<(usize, &'a Content)>) -> Vec<FeedRows<'a>> {
        let content = |index: usize, feed: &'a Feed| match candidate {
            Some((changed, content)) if changed == index => Some(content),
            _ => feed.content.as_ref(),
        };
        let feeds = self.feeds.iter().enumerate();
        feeds
            .filter_map(|(index, feed)| Some(content(index, feed)?.rows(feed.config.action)))
            .flatten()
            .collect()
    }

    /// What shall be in force, sorted.
    fn wanted_set(&self, rules: &RuleSet) -> Vec<(Indicator, bool)> {
        let wanted = rules
            .rules
            .iter()
            .map(|rule| (rule.indicator, rule.action == Action::Drop));
        if self.inherited.is_empty() {
            return wanted.collect();
        }
        let mut union = self.inherited.clone();
        union.retain(|indicator, _| self.guard.refuse(indicator).is_none());
        union.extend(wanted);
        union.into_iter().collect()
    }
}
