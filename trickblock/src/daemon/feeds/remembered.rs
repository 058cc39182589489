//! What outlives the daemon, besides the last good copy.

use std::time::{Duration, Instant};

use super::Feed;
use crate::{
    daemon::{decisions::Decisions, departures, worth::Worth},
    feed::cache::Cache,
    indicator::Seen,
    policy::Departed,
};

/// Between two attempts to write what could not be written.
const AGAIN: Duration = Duration::from_secs(30);

/// Something that the disk does not have.
#[derive(Clone, Debug, Default)]
pub struct Unsaved {
    tried: Option<Instant>,
    pub why: Option<String>,
}

impl Feed {
    /// Takes up what was kept of it before.
    pub fn remember(&mut self, cache: &Cache) {
        let name = &self.config.name;
        self.worth = Worth::load(cache, name);
        let (decisions, undecided) = Decisions::load(cache, name);
        let (departed, lost) = departures::load(cache, &self.config);
        let damage = [undecided, lost].into_iter().flatten();
        self.damage = damage.map(|error| error.to_string()).collect();
        for error in &self.damage {
            tracing::error!("{error}");
        }
        self.decisions = decisions;
        self.departed = departed;
        self.shorten(self.config.policy.hold_down);
    }

    /// The hold-down may be shorter than it was: that is meant for what has departed as well.
    pub fn shorten(&mut self, hold_down: Duration) {
        let end = Seen::now().later(hold_down);
        self.depart(self.departed.clone().until_at_most(end));
    }

    /// What has departed is this now.
    pub fn depart(&mut self, departed: Departed) {
        if self.departed != departed {
            self.departed = departed;
            self.unsaved = Some(Unsaved::default());
        }
    }

    /// Writes what has departed, if the disk has something else; where that fails, again after a while.
    pub fn keep_departed(&mut self, cache: &Cache) {
        let is_due = |unsaved: &Unsaved| unsaved.tried.is_none_or(|at| at.elapsed() > AGAIN);
        if !self.unsaved.as_ref().is_some_and(is_due) {
            return;
        }
        let kept = departures::keep(cache, &self.config, &self.departed);
        self.unsaved = kept.err().map(|error| Unsaved {
            tried: Some(Instant::now()),
            why: Some(error.to_string()),
        });
    }
}
