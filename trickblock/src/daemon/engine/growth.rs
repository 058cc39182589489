//! Room for a set: counters, and larger tables by programs that take the place of the older ones.

use super::{Engine, Held};
use crate::{
    daemon::terms,
    indicator::Indicator,
    kernel::{Filter, FilterError, Load, random_seed},
    table::{Ids, Plan, needed_entries},
};

impl Engine {
    /// Where so much changes that the counters of what goes are needed for what comes, the former goes first.
    pub(super) fn plan(&mut self, wanted: Vec<(Indicator, bool)>) -> Result<Plan, Held> {
        if let Ok(plan) = self.ids.plan(&self.live, wanted.iter().copied()) {
            return Ok(plan);
        }
        let mut stays = self.live.clone();
        stays.retain(|entry| {
            let found = wanted.binary_search_by_key(&entry.indicator, |(indicator, _)| *indicator);
            found.is_ok()
        });
        let stays = stays.iter().map(|entry| (entry.indicator, entry.drop));
        let fewer = self.ids.plan(&self.live, stays)?;
        self.filter.maps.renew(&self.live, &fewer, random_seed())?;
        self.ids.commit(&fewer);
        self.live = fewer.entries;
        Ok(self.ids.plan(&self.live, wanted)?)
    }

    /// Loads programs with a larger table where `wanted` needs one: it has what was in force, and takes over when it is
    /// attached.
    pub(super) fn make_room(&mut self, wanted: &[(Indicator, bool)]) -> Result<(), FilterError> {
        let needed = needed_entries(wanted.iter().map(|(indicator, _)| indicator));
        let maps = &self.filter.maps;
        let counters = maps.hit_capacity()? as usize;
        if maps.geometry().capacity().holds(needed) && wanted.len() <= counters {
            return Ok(());
        }
        let load = Load {
            capacity: terms::grown(maps.geometry().capacity(), needed),
            constants: maps.constants()?,
        };
        self.take_over();
        self.older.extend(self.hooks.known()?);
        self.filter = Filter::load(&self.config_pins(), load)?;
        self.ids = Ids::new(self.filter.maps.hit_capacity()?, &self.live);
        tracing::info!(
            hosts = load.capacity.hosts,
            v4 = load.capacity.v4,
            v6 = load.capacity.v6,
            covered = needed.covered,
            "the table grew"
        );
        self.outgrown = true;
        Ok(())
    }

    /// Puts the programs of this daemon where older ones of it are. What cannot be replaced now is tried again by the next
    /// look at the interfaces; it goes on with what was in force before.
    pub(in crate::daemon) fn take_over(&mut self) {
        if !self.outgrown {
            return;
        }
        match self.filter.take_over(&self.older) {
            Ok(()) => {
                self.older.clear();
                self.outgrown = false;
            }
            Err(error) => tracing::error!("the larger table is not in force everywhere: {error}"),
        }
    }
}
