//! A start: what the feeds say is judged and merged while the kernel checks the programs, which takes as long.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::resume_unwind,
    sync::{Arc, Mutex},
    thread,
};

use jiff::Timestamp;

use super::{Engine, Held, Inherited, limits, wanted::rows};
use crate::{
    config::Config,
    daemon::{
        contacts::Ledger,
        decisions::Word,
        feeds::{Content, Feed},
        known::Known,
        operator::Operator,
        roles::Roles,
        terms,
    },
    feed::{
        cache::{Cache, Digest},
        sandbox::Reader,
    },
    indicator::{Indicator, Seen},
    kernel::{Filter, Hooks, Load, Pins, random_seed},
    policy::{Context, Guard, Kinds, RuleSet, merge},
    table::{Entry, Ids},
};

/// What a feed says at the start.
pub struct First<'a> {
    /// Its position.
    pub feed: usize,
    pub content: &'a Content,
    /// Of the body.
    pub digest: Digest,
    /// Its source says so now.
    pub fresh: bool,
}

impl Engine {
    /// Loads the filter with room for `first`, taking over what an earlier daemon left, and puts in force what all of it
    /// says together: a set that grows feed by feed is compiled as often. What does not work out is left to the offers that
    /// follow.
    pub fn start(
        config: Config,
        (configured_guard, kinds): (Guard, Kinds),
        reader: Reader,
        first: &[First<'_>],
    ) -> Result<Self, Held> {
        let operator = Operator::load(&config.paths.state)?;
        let cache = Cache::new(&config.paths.state);
        let now = Seen::now();
        let guard = configured_guard.allowing(&operator.allowed(now));
        let feeds = said(&config, &cache, &guard, first);
        let pins = Pins::new(&config.paths.pins);
        let wanted = Load {
            capacity: terms::capacity(&config, first.iter().map(|first| first.content)),
            constants: terms::constants(&config),
        };
        let context = Context {
            guard: &guard,
            kinds: &kinds,
            now: Some(now),
        };
        let (filter, rules) = meanwhile(
            || Filter::load(&pins, wanted),
            || merge(&rows(&operator, &feeds, None), context),
        );
        let filter = filter?;
        filter.maps.heal(random_seed())?;
        let live = filter.maps.entries()?;
        let mut engine = Self {
            ids: Ids::new(filter.maps.hit_capacity()?, &live),
            lost_before: filter.maps.lost()?,
            inherited: inherited(&operator, &live),
            hooks: Hooks::new(pins),
            started: Timestamp::now(),
            ledger: Ledger::new(Timestamp::now()),
            known: Known::new(&cache),
            rules: RuleSet::default(),
            events_read: Arc::default(),
            next_end: None,
            unattached: BTreeMap::new(),
            for_a_restart: Vec::new(),
            notes: BTreeMap::new(),
            roles: Roles::default(),
            had_default_route: false,
            hashes: Mutex::default(),
            outgrown: false,
            older: BTreeMap::new(),
            seen: BTreeSet::new(),
            missed: BTreeSet::new(),
            feeds,
            filter,
            live,
            guard,
            configured_guard,
            kinds,
            operator,
            cache,
            reader,
            config,
        };
        engine.settle_kernel()?;
        if engine.filter.is_taking_over() {
            engine.older = engine.hooks.known().unwrap_or_default();
            engine.outgrown = true;
        }
        engine.begin(rules, now);
        Ok(engine)
    }

    /// Puts in force what the feeds have said by now.
    fn begin(&mut self, rules: RuleSet, now: Seen) {
        let left = self.still_inherited(&self.rows(None), now);
        let before = std::mem::replace(&mut self.inherited, left);
        if let Err(error) = self.enforce_rules(rules, now) {
            tracing::warn!("what all feeds say together is not in force yet: {error}");
            self.inherited = before;
            self.feeds.iter_mut().for_each(|feed| feed.content = None);
        }
    }
}

/// The feeds with what they said before the last stop, and what they say now as far as nothing holds it back.
fn said(config: &Config, cache: &Cache, guard: &Guard, first: &[First<'_>]) -> Vec<Feed> {
    let mut feeds: Vec<Feed> = config.feeds.iter().cloned().map(Feed::new).collect();
    for feed in &mut feeds {
        feed.remember(cache);
        feed.keep_departed(cache);
    }
    for first in first {
        let feed = feeds.get_mut(first.feed);
        if let Some(feed) = feed.filter(|feed| feed.content.is_none() && may(feed, first, guard)) {
            feed.content = Some(first.content.clone());
            feed.digest = first.digest;
        }
    }
    feeds
}

/// Whether an offer would go through by itself.
fn may(feed: &Feed, first: &First<'_>, guard: &Guard) -> bool {
    let tried = first.fresh && !feed.config.policy.canary.span.is_zero();
    !tried
        && feed.decisions.word(&first.digest) != Some(Word::Rejected)
        && limits::check(feed, first.content, guard).is_ok()
}

/// What is by hand is known, and has its own end.
fn inherited(operator: &Operator, live: &[Entry]) -> BTreeMap<Indicator, Inherited> {
    let by_hand = operator.lists.blocks.iter();
    let by_hand: BTreeSet<_> = by_hand.map(|block| block.indicator).collect();
    let others = live
        .iter()
        .filter(|entry| !by_hand.contains(&entry.indicator));
    others
        .map(|entry| (entry.indicator, Inherited::of(entry)))
        .collect()
}

/// Does both at once.
fn meanwhile<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (
            one.join().unwrap_or_else(|panic| resume_unwind(panic)),
            other,
        )
    })
}
