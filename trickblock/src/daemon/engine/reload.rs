//! A configuration that was read again.

use super::{Engine, Feed, Held};
use crate::{
    config::{Config, FeedConfig},
    daemon::terms,
    kernel::{Filter, FilterError, Load, Pins},
    policy::{Guard, Kinds, Surroundings},
};

impl Engine {
    /// Applies a configuration that was read again. The feeds keep what they had where name and
    /// source are the same. Paths, the address of metrics and the table's first capacity need a restart; what was switched off
    /// stays off.
    pub fn reconfigure(
        &mut self,
        mut config: Config,
        (guard, kinds): (Guard, Kinds),
    ) -> Result<(), Held> {
        config.paths.clone_from(&self.config.paths);
        config.metrics.clone_from(&self.config.metrics);
        // The file does not say what was learned.
        let guard = guard
            .moved(&self.guard.lists().surroundings)
            .unwrap_or(guard);
        let filter = self.reloaded_for(&config)?;
        let feeds = config
            .feeds
            .iter()
            .cloned()
            .map(|config| self.carry_over(config))
            .collect();
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
            self.restore(old_filter)?;
            self.reenforce()?;
            return Err(error);
        }
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

    /// Protects what is around this host now. The never-block list comes first, so that nothing new is
    /// unprotected meanwhile; what fails is tried again by the next call.
    pub fn settle_in(&mut self, surroundings: &Surroundings) -> Result<(), Held> {
        let Some(guard) = self.configured_guard.moved(surroundings) else {
            return Ok(());
        };
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
        Filter::load(&pins, wanted).map(Some)
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

    fn carry_over(&self, config: FeedConfig) -> Feed {
        let known = self.feeds.iter().find(|feed| {
            feed.config.name == config.name && feed.config.location == config.location
        });
        match known {
            Some(known) => Feed {
                config,
                store_error: None,
                ..known.clone()
            },
            None => Feed::new(config),
        }
    }
}
