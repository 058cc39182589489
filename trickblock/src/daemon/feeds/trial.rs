//! A body whose new indicators only monitor until it is known what they would have stopped.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{Content, Feed, HeldUpdate};
use crate::{
    feed::Row,
    indicator::{Indicator, Seen},
    policy::{Action, FeedRows, Label, Terms},
};

/// A feed has at most one; what its source says meanwhile waits for the end.
#[derive(Clone, Debug)]
pub struct OnTrial {
    /// What comes into force where it does no harm.
    pub update: HeldUpdate,
    /// The rows that are new in it.
    pub rows: Arc<Vec<Row>>,
    /// The packets of each new indicator before the trial.
    pub before: BTreeMap<Indicator, u64>,
    /// Those during it that were counted already.
    pub noted: BTreeMap<Indicator, u64>,
    pub until: Seen,
    /// What its source does not name any more: it does not come into force.
    pub retracted: HashSet<Indicator>,
}

impl OnTrial {
    /// The source says `content` meanwhile.
    pub fn hear(&mut self, content: &Content) {
        let named = content.indicators();
        let tried = self.rows.iter().map(|row| row.indicator);
        let is_gone = |indicator: &Indicator| named.binary_search(indicator).is_err();
        self.retracted = tried.filter(is_gone).collect();
    }

    /// The update as far as its source still stands by it.
    pub fn kept(self) -> HeldUpdate {
        let content = match self.retracted.is_empty() {
            true => self.update.content,
            false => self.update.content.without(&self.retracted),
        };
        HeldUpdate {
            content,
            part: !self.retracted.is_empty(),
            ..self.update
        }
    }

    /// Of packets counted now, those since the beginning.
    pub fn since(&self, now: &BTreeMap<Indicator, u64>) -> Vec<(Indicator, u64)> {
        let since = self.before.iter().map(|(indicator, before)| {
            let packets = now.get(indicator).copied().unwrap_or_default();
            let noted = self.noted.get(indicator).copied().unwrap_or_default();
            // A counter that begins anew was taken out of force meanwhile.
            let more = packets.checked_sub(*before).unwrap_or(packets);
            (*indicator, noted.saturating_add(more))
        });
        since.collect()
    }

    /// Notes what was counted by now: what is taken out of force loses its counter.
    pub fn note(&mut self, now: &BTreeMap<Indicator, u64>) {
        self.noted = self.since(now).into_iter().collect();
        for (indicator, before) in &mut self.before {
            *before = now.get(indicator).copied().unwrap_or_default();
        }
    }

    /// For merging: as the feed would say it, but that nothing drops.
    pub fn rows(&self, of: &Label) -> FeedRows<'_> {
        let terms = Terms {
            action: Action::Monitor,
            ..(*of.terms).clone()
        };
        FeedRows {
            label: Label {
                name: format!("{} (on trial)", of.name).into(),
                terms: Arc::new(terms),
                voice: None,
                ..of.clone()
            },
            rows: &self.rows,
        }
    }
}

impl Feed {
    /// Its source says something that is tried.
    pub fn try_out(&mut self) {
        self.last_error = None;
        self.stands = false;
    }

    /// The rows of `content` whose indicators are not in force because of this feed; what has departed still is.
    pub fn new_rows(&self, content: &Content) -> Arc<Vec<Row>> {
        let known = self.content.as_ref().map(Content::indicators);
        let mut known = known.unwrap_or_default();
        known.extend(self.departed.rows().iter().map(|row| row.indicator));
        known.sort_unstable();
        let is_new = |row: &&Row| known.binary_search(&row.indicator).is_err();
        Arc::new(content.all_rows().filter(is_new).cloned().collect())
    }

    /// What waits: for the operator, or for the end of a trial.
    pub fn waiting(&self) -> Option<HeldUpdate> {
        let on_trial = || self.trial.clone().map(OnTrial::kept);
        self.held.clone().or_else(on_trial)
    }
}
