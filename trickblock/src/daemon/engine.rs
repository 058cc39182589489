//! The filter and what is in force in it. Every change goes through here, one at a time.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::AtomicU64},
};

use jiff::Timestamp;
use trickblock_common::{Reason, Verdict, abi::Settings};

use super::feeds::{Content, Feed, PartRows};
use crate::{
    config::{Config, FeedConfig, XdpMode},
    feed::Row,
    indicator::Indicator,
    kernel::{Attached, Capacity, Filter, FilterError, Hooks, ModeChoice, Pins, random_seed},
    policy::{Action, FeedRows, Guard, RuleSet, merge},
    table::{Entry, Ids, Plan, ids::OutOfIds, needed_entries},
};

/// Entries that a table has room for when the configuration says nothing.
const DEFAULT_CAPACITY: u64 = 262_144;

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
    guard: Guard,
    ids: Ids,
    /// In force when this daemon started. They stay until every feed has spoken once: a restart must
    /// not lose what a feed that cannot be reached now said before.
    inherited: BTreeMap<Indicator, bool>,
    /// Interfaces that could not be attached to, and why.
    pub unattached: BTreeMap<String, String>,
    /// What is worth knowing of interfaces that are attached to.
    pub notes: BTreeMap<String, String>,
}

impl Engine {
    /// Loads the filter with room for `first`, taking over what an earlier daemon left.
    pub fn start(config: Config, guard: Guard, first: &[&Content]) -> Result<Self, FilterError> {
        let pins = Pins::new(&config.paths.pins);
        let filter = Filter::load(&pins, capacity(&config, &guard, first))?;
        let live = filter.maps.entries()?;
        let ids = Ids::new(filter.maps.hit_capacity()?, &live);
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
            started: Timestamp::now(),
            events_read: Arc::default(),
            guard,
            ids,
            unattached: BTreeMap::new(),
            notes: BTreeMap::new(),
            config,
        };
        engine.settle_kernel()?;
        Ok(engine)
    }

    /// Brings settings and the never-block list in line with the configuration.
    fn settle_kernel(&mut self) -> Result<(), FilterError> {
        self.filter.maps.set_settings(&settings(&self.config))?;
        self.filter
            .maps
            .set_never_block(&self.guard.protected_values())
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

    /// Compiles what all feeds say, with `candidate` in place of one feed's content, and swaps it in.
    fn enforce(&mut self, candidate: Option<(usize, &Content)>) -> Result<(), Held> {
        let rules = merge(&self.rows(candidate), &self.guard);
        let plan = self.plan(&rules)?;
        if plan.entries != self.live {
            self.filter
                .maps
                .swap(&plan.entries, &plan.fresh, random_seed())?;
            self.ids.commit(&plan);
            tracing::info!(
                indicators = plan.entries.len(),
                new = plan.fresh.len(),
                gone = plan.retired.len(),
                "new set in force"
            );
        }
        self.live = plan.entries;
        self.rules = rules;
        Ok(())
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

    fn plan(&self, rules: &RuleSet) -> Result<Plan, OutOfIds> {
        let wanted = rules
            .rules
            .iter()
            .map(|rule| (rule.indicator, rule.action == Action::Drop));
        if self.inherited.is_empty() {
            return self.ids.plan(&self.live, wanted);
        }
        let mut union = self.inherited.clone();
        union.retain(|indicator, _| self.guard.refuse(indicator).is_none());
        union.extend(wanted);
        self.ids.plan(&self.live, union)
    }

    /// Attaches to every configured interface that the filter is not on yet, and then leaves all
    /// others: not before, since a misspelt name must not end the filtering of what is there. What
    /// fails is remembered, said once, and tried again by the next call.
    pub fn attach_all(&mut self) -> Result<Vec<Attached>, FilterError> {
        let wanted = self.wanted();
        let attached: Vec<_> = wanted.iter().filter_map(|name| self.attach(name)).collect();
        self.unattached.retain(|name, _| wanted.contains(name));
        if attached.is_empty() {
            return Ok(attached);
        }
        self.leave_others()?;
        // While an interface could not be had, an older version may be what still filters it.
        if self.unattached.is_empty() {
            self.hooks.forget_other_versions()?;
        }
        Ok(attached)
    }

    fn wanted(&self) -> Vec<String> {
        let interfaces = self.config.interfaces.iter();
        interfaces.map(|interface| interface.name.clone()).collect()
    }

    fn leave_others(&self) -> Result<(), FilterError> {
        for name in self.hooks.detach_others(&self.wanted())? {
            tracing::info!(interface = name, "detached: no longer configured, or gone");
        }
        Ok(())
    }

    fn attach(&mut self, name: &str) -> Option<Attached> {
        match self
            .filter
            .attach(name, mode_choice(self.config.filter.xdp))
        {
            Ok(attached) => {
                self.unattached.remove(name);
                self.notes
                    .extend(attached.note.clone().map(|note| (name.to_owned(), note)));
                tracing::info!(
                    interface = name,
                    mode = attached.mode.name(),
                    adopted = attached.adopted,
                    note = attached.note,
                    "attached"
                );
                Some(attached)
            }
            Err(error) => {
                let reason = error.to_string();
                if self
                    .unattached
                    .insert(name.to_owned(), reason.clone())
                    .as_ref()
                    != Some(&reason)
                {
                    tracing::error!(interface = name, "{reason}");
                }
                None
            }
        }
    }

    /// Re-attaches where an interface came back; does nothing while switched off.
    pub fn keep_attached(&mut self) -> Result<Vec<Attached>, FilterError> {
        if !self.hooks.switched_off().is_empty() {
            return Ok(Vec::new());
        }
        let attached = self.hooks.attached()?;
        let mut missing = self.wanted();
        missing.retain(|name| attached.iter().all(|on| on.name != *name));
        let back: Vec<_> = missing
            .iter()
            .filter_map(|name| self.attach(name))
            .collect();
        if !back.is_empty() {
            self.leave_others()?;
        }
        Ok(back)
    }

    /// `trickblock off`: everything passes. Returns the interfaces.
    pub fn off(&mut self) -> Result<Vec<String>, FilterError> {
        let names = self.hooks.off()?;
        tracing::warn!(interfaces = ?names, "switched off: nothing is filtered");
        Ok(names)
    }

    /// `trickblock on`: the program of this daemon, on every configured interface.
    pub fn on(&mut self) -> Result<Vec<Attached>, FilterError> {
        self.hooks.forget_switched_off()?;
        self.attach_all()
    }

    /// Applies a configuration that was read again. The feeds keep what they had where name and
    /// source are the same. Paths and the table's capacity need a restart; what was switched off
    /// stays off.
    pub fn reconfigure(&mut self, mut config: Config, guard: Guard) -> Result<(), Held> {
        config.paths.clone_from(&self.config.paths);
        let feeds = config
            .feeds
            .iter()
            .cloned()
            .map(|config| self.carry_over(config))
            .collect();
        let before = (
            std::mem::replace(&mut self.config, config),
            std::mem::replace(&mut self.guard, guard),
        );
        let old_feeds = std::mem::replace(&mut self.feeds, feeds);
        if let Err(error) = self.reenforce() {
            (self.config, self.guard) = before;
            self.feeds = old_feeds;
            self.reenforce()?;
            return Err(error);
        }
        if !self.hooks.switched_off().is_empty() {
            return Ok(());
        }
        // From here on the new configuration is in force: what fails now is a problem of interfaces.
        if let Err(error) = self.attach_all() {
            tracing::error!("attaching after a reload: {error}");
        }
        Ok(())
    }

    fn reenforce(&mut self) -> Result<(), Held> {
        self.settle_kernel()?;
        self.enforce(None)
    }

    fn carry_over(&self, config: FeedConfig) -> Feed {
        let known = self.feeds.iter().find(|feed| {
            feed.config.name == config.name && feed.config.location == config.location
        });
        let mut feed = Feed::new(config);
        if let Some(known) = known {
            feed.content.clone_from(&known.content);
            (feed.last_ok, feed.fresh) = (known.last_ok, known.fresh);
            feed.last_error.clone_from(&known.last_error);
        }
        feed
    }
}

fn settings(config: &Config) -> Settings {
    let hits = Reason::ALL
        .iter()
        .filter(|reason| reason.verdict() != Verdict::Pass);
    Settings {
        monitor: u32::from(config.filter.mode == Action::Monitor),
        events_per_second: config.filter.events_per_second,
        event_reasons: hits.fold(0, |set, reason| set | 1 << *reason as u8),
    }
}

fn mode_choice(mode: XdpMode) -> ModeChoice {
    match mode {
        XdpMode::Auto => ModeChoice::Auto,
        XdpMode::Native => ModeChoice::Native,
        XdpMode::Generic => ModeChoice::Generic,
    }
}

/// What the configuration says, else twice what the feeds hold now.
fn capacity(config: &Config, guard: &Guard, first: &[&Content]) -> Capacity {
    if let Some(capacity) = config.table.capacity {
        let v4 = u64::from(capacity.get());
        return Capacity { v4, v6: v4 / 4 };
    }
    let rows: Vec<FeedRows<'_>> = first
        .iter()
        .flat_map(|content| content.rows(Action::Drop))
        .collect();
    let rules = merge(&rows, guard).rules;
    let (v4, v6) = needed_entries(rules.iter().map(|rule| &rule.indicator));
    Capacity {
        v4: (2 * v4).max(DEFAULT_CAPACITY),
        v6: (2 * v6).max(DEFAULT_CAPACITY / 4),
    }
}
