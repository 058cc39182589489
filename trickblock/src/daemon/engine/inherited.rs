//! What was in force before the last start or reload, and is not known from any feed: it stays until all feeds have
//! answered, since a lost copy or a slip in an address must not end the blocking.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    indicator::{Indicator, Seen},
    policy::{Action, FeedRows, Reach, Rule, RuleSet},
    table::Entry,
};

/// An indicator that was in force.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inherited {
    pub drop: bool,
    /// When it ends by itself, as far as that is known.
    pub until: Option<Seen>,
}

impl Inherited {
    pub fn of(entry: &Entry) -> Self {
        Self {
            drop: entry.drop,
            until: None,
        }
    }
}

impl Engine {
    /// Whether every feed has answered, or has nothing to say any more.
    pub(super) fn has_heard_all(&self, now: Seen) -> bool {
        let mut feeds = self.feeds.iter();
        feeds.all(|feed| {
            let authority = &feed.config.policy.terms.authority;
            feed.content.is_some() || authority.ended(now).is_some()
        })
    }

    /// What is still inherited: neither has it ended, nor does a feed say of it that it has.
    pub(super) fn still_inherited(
        &self,
        rows: &[FeedRows<'_>],
        now: Seen,
    ) -> BTreeMap<Indicator, Inherited> {
        // There may be a million, and nearly always there is none.
        if self.inherited.is_empty() || self.has_heard_all(now) {
            return BTreeMap::new();
        }
        let mut left = self.inherited.clone();
        let has_come = |end: Option<Seen>| end.is_some_and(|end| end <= now);
        left.retain(|_, inherited| !has_come(inherited.until));
        for feed in rows {
            let all = has_come(feed.label.terms.authority.until);
            let ended = feed.rows.iter();
            let ended = ended.filter(|row| all || has_come(row.sighting.expires));
            for row in ended {
                left.remove(&row.indicator);
            }
        }
        left
    }

    /// When the next of it ends.
    pub(super) fn next_inherited_end(&self) -> Option<Seen> {
        let ends = self.inherited.values();
        ends.filter_map(|inherited| inherited.until).min()
    }

    /// What rules want, of all or of what is in reach, and what is inherited besides; sorted.
    pub(super) fn with_inherited(
        &self,
        rules: &RuleSet,
        reach: Option<&Reach>,
    ) -> Vec<(Indicator, bool)> {
        let drops = |rule: &Rule| rule.action == Action::Drop || self.is_open(rules, rule);
        let wanted = rules.rules.iter();
        let mut wanted: Vec<_> = wanted.map(|rule| (rule.indicator, drops(rule))).collect();
        if self.inherited.is_empty() {
            return wanted;
        }
        let is_named = |indicator: &Indicator| {
            let found = wanted.binary_search_by_key(indicator, |(named, _)| *named);
            found.is_ok()
        };
        let others = self.inherited.iter().filter(|(indicator, _)| {
            reach.is_none_or(|reach| reach.holds(indicator))
                && !is_named(indicator)
                && self.guard.refuse(indicator).is_none()
        });
        let others = others.map(|(indicator, inherited)| {
            let is_soft = self.guard.soften(indicator).is_some();
            (*indicator, inherited.drop && !is_soft)
        });
        let others: Vec<_> = others.collect();
        wanted.extend(others);
        // Two sorted runs: this is a merge of them.
        wanted.sort();
        wanted
    }

    /// A rule that decides nothing yet, since it is on trial or lacks a voice, of an indicator that dropped before.
    fn is_open(&self, rules: &RuleSet, rule: &Rule) -> bool {
        let dropped = self.inherited.get(&rule.indicator);
        if !dropped.is_some_and(|inherited| inherited.drop) {
            return false;
        }
        let mut labels = rule.sources.as_slice().iter();
        let undecided = labels.any(|source| {
            let label = rules.label(source.feed);
            label.is_some_and(|label| label.voice.is_none() || label.terms.min_feeds > 1)
        });
        undecided && self.guard.soften(&rule.indicator).is_none()
    }
}
