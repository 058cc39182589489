//! A configuration that was read again.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Feed, Held, inherited::Inherited};
use crate::{
    config::{Config, FeedConfig},
    daemon::terms,
    indicator::Indicator,
    kernel::{Filter, FilterError, Load, Pins},
    policy::{Action, Guard, Kinds, Rule, Source, Surroundings},
};

impl Engine {
    /// Applies a configuration that was read again. Feeds keep what they had where the source is the same, and what
    /// a feed said stays until its other source has spoken. Paths, the address of metrics and the table's first capacity need a restart; what was switched off
    /// stays off.
    pub fn reconfigure(
        &mut self,
        mut config: Config,
        (guard, kinds): (Guard, Kinds),
    ) -> Result<(), Held> {
        let for_a_restart = config.needing_a_restart(&self.config);
        config.paths.clone_from(&self.config.paths);
        config.metrics.clone_from(&self.config.metrics);
        // The file does not say what was learned.
        let guard = guard
            .moved(&self.guard.lists().surroundings)
            .unwrap_or(guard);
        self.take_over();
        let filter = self.reloaded_for(&config)?;
        self.note_trials()?;
        let (feeds, renamed) = self.carried_over(&config);
        let inherited = self.inherited.clone();
        self.inherited.extend(self.left_by_old_sources(&config));
        let before = (
            std::mem::replace(&mut self.config, config),
            std::mem::replace(&mut self.configured_guard, guard),
            std::mem::replace(&mut self.kinds, kinds),
        );
        self.renew_guard();
        let old_feeds = std::mem::replace(&mut self.feeds, feeds);
        let old_filter = filter.map(|filter| std::mem::replace(&mut self.filter, filter));
        if let Err(error) = self.reenforce() {
            (self.config, self.configured_guard, self.kinds) = before;
            self.renew_guard();
            self.feeds = old_feeds;
            self.inherited = inherited;
            self.restore(old_filter)?;
            self.reenforce()?;
            return Err(error);
        }
        // What is on disk follows the names.
        if let Err(error) = self.cache.rename(&renamed) {
            tracing::error!("{error}");
        }
        self.for_a_restart = for_a_restart;
        self.had_default_route = false;
        if !self.hooks.switched_off().is_empty() {
            return Ok(());
        }
        // From here on the new configuration is in force: what fails now is a problem of interfaces.
        if let Err(error) = self.attach_all() {
            tracing::error!("attaching after a reload: {error}");
        }
        Ok(())
    }

    /// What is not in force: of the configuration, and files of feeds.
    pub fn unapplied(&self) -> Vec<String> {
        let paths = self.for_a_restart.iter();
        let waiting = paths.map(|what| {
            format!("{what} was changed: that takes effect with the next start of the daemon")
        });
        let unattached = self.unattached.values().cloned();
        let contents = self.feeds.iter().filter_map(|feed| feed.content.as_ref());
        let unread = contents.flat_map(|content| &content.unread);
        let unread = unread.map(|file| file.why.clone());
        waiting.chain(unattached).chain(unread).collect()
    }

    /// Protects what is around this host now. The never-block list comes first, so that nothing new is
    /// unprotected meanwhile; what fails is tried again by the next call.
    pub fn settle_in(&mut self, surroundings: &Surroundings) -> Result<(), Held> {
        let Some(guard) = self.configured_guard.moved(surroundings) else {
            return Ok(());
        };
        self.note_trials()?;
        let before = std::mem::replace(&mut self.configured_guard, guard);
        self.renew_guard();
        let counts = self.guard.counts();
        if let Err(error) = self.reenforce() {
            self.configured_guard = before;
            self.renew_guard();
            return Err(error);
        }
        tracing::info!(
            learned = counts.learned,
            own = counts.own,
            "this host's surroundings changed: the never-block list follows"
        );
        Ok(())
    }

    /// Programs for a configuration whose load-time constants are others; they use the same maps, and
    /// take the place of the old ones when they are attached.
    fn reloaded_for(&self, config: &Config) -> Result<Option<Filter>, FilterError> {
        let constants = terms::constants(config);
        if constants == self.filter.maps.constants()? {
            return Ok(None);
        }
        let pins = Pins::new(&config.paths.pins);
        let capacity = self.filter.maps.geometry().capacity();
        let wanted = Load {
            capacity,
            constants,
        };
        let mut filter = Filter::load(&pins, wanted)?;
        filter.settle()?;
        Ok(Some(filter))
    }

    fn restore(&mut self, filter: Option<Filter>) -> Result<(), FilterError> {
        let Some(filter) = filter else {
            return Ok(());
        };
        self.filter = filter;
        self.filter
            .make_current(&self.config_pins(), &terms::constants(&self.config))
    }

    pub(super) fn reenforce(&mut self) -> Result<(), Held> {
        self.settle_kernel()?;
        self.enforce(None)
    }

    /// The feeds of `config` with what they had, and the old and new names of those that were renamed.
    fn carried_over(&self, config: &Config) -> (Vec<Feed>, Vec<(String, String)>) {
        let mut renamed = Vec::new();
        let continued = |feed: &FeedConfig| match self.same_source(feed, config) {
            Some(known) => {
                let names = (known.config.name.clone(), feed.name.clone());
                renamed.extend(Some(names).filter(|(old, new)| old != new));
                known.continued(feed.clone())
            }
            None => {
                let mut new = Feed::new(feed.clone());
                // It may have been there before.
                new.remember(&self.cache);
                new
            }
        };
        let feeds = config.feeds.iter().map(continued).collect();
        (feeds, renamed)
    }

    /// The feed with the source of `feed`, which may have been renamed.
    fn same_source(&self, feed: &FeedConfig, config: &Config) -> Option<&Feed> {
        let identity = feed.location.identity();
        let known = |wanted: &dyn Fn(&Feed) -> bool| {
            let mut same = self.feeds.iter();
            same.find(|known| known.config.location.identity() == identity && wanted(known))
        };
        // Names may even have been swapped.
        let is_free = |known: &Feed| {
            let mut others = config.feeds.iter();
            !others.any(|new| new.name == known.config.name && new.location.identity() == identity)
        };
        known(&|known| known.config.name == feed.name).or_else(|| known(&is_free))
    }

    /// What is in force because of feeds that have another source in `config`. It stays as over a restart: a slip in an
    /// address must not end the blocking.
    fn left_by_old_sources(&self, config: &Config) -> BTreeMap<Indicator, Inherited> {
        let other = |feed: &Feed, new: &FeedConfig| {
            new.name == feed.config.name
                && new.location.identity() != feed.config.location.identity()
        };
        let feeds = (0_u32..).zip(&self.feeds);
        let changed: BTreeSet<u32> = feeds
            .filter(|(_, feed)| config.feeds.iter().any(|new| other(feed, new)))
            .map(|(number, _)| number)
            .collect();
        let is_changed = |source: &&Source| {
            let label = self.rules.label(source.feed);
            label.is_some_and(|label| changed.contains(&label.feed))
        };
        let left = |rule: &Rule| {
            let source = rule.sources.as_slice().iter().find(is_changed)?;
            let terms = &self.rules.label(source.feed)?.terms;
            let ends = [terms.authority.until, rule.sighting.expires];
            let inherited = Inherited {
                drop: rule.action == Action::Drop,
                until: ends.into_iter().flatten().min(),
            };
            Some((rule.indicator, inherited))
        };
        self.rules.rules.iter().filter_map(left).collect()
    }
}
