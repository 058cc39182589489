//! What all feeds and the operator together ask for.

use std::{collections::BTreeMap, sync::Arc};

use super::{Candidate, Engine};
use crate::{
    indicator::Indicator,
    policy::{Action, FeedRows, Label, RuleSet, voices},
};

impl Engine {
    /// The operator's lists, and of every feed what it says and what it said before.
    pub(super) fn rows<'a>(&'a self, candidate: Option<&'a Candidate<'a>>) -> Vec<FeedRows<'a>> {
        let mut all: Vec<FeedRows<'a>> = self.operator.rows().collect();
        let voices = self.voices_with(candidate);
        for (index, feed) in self.feeds.iter().enumerate() {
            let changed = candidate.filter(|candidate| candidate.feed == index);
            let content = changed.map_or(feed.content.as_ref(), |changed| Some(changed.content));
            let departed = changed.map_or(&feed.departed, |changed| changed.departed);
            let label = Label {
                name: feed.config.name.as_str().into(),
                feed: u32::try_from(index).unwrap_or(u32::MAX),
                voice: voices.get(index).copied(),
                terms: Arc::clone(&feed.config.policy.terms),
                departed: false,
            };
            let named = content.into_iter();
            all.extend(named.flat_map(|content| content.rows(&label)));
            let trial = feed.trial.as_ref();
            all.extend(trial.map(|trial| trial.rows(&label)));
            if !departed.rows().is_empty() {
                let label = Label {
                    departed: true,
                    ..label
                };
                let rows = departed.rows();
                all.push(FeedRows { label, rows });
            }
        }
        all
    }

    /// Whose word each feed is.
    fn voices_with(&self, candidate: Option<&Candidate<'_>>) -> Vec<u32> {
        let feeds = self.feeds.iter().enumerate();
        let said = feeds.map(|(index, feed)| {
            let changed = candidate.filter(|candidate| candidate.feed == index);
            let content = changed.map_or(feed.content.as_ref(), |changed| Some(changed.content));
            let said = content.map(|content| content.said);
            (feed.config.location.identity(), said)
        });
        voices(&said.collect::<Vec<_>>())
    }

    /// What is inherited and nobody names by now: whoever names an indicator decides what becomes of it, also that it
    /// has ended.
    pub(super) fn unnamed(&self, rows: &[FeedRows<'_>]) -> BTreeMap<Indicator, bool> {
        let mut unnamed = self.inherited.clone();
        if !unnamed.is_empty() {
            for row in rows.iter().flat_map(|feed| feed.rows) {
                unnamed.remove(&row.indicator);
            }
        }
        unnamed
    }

    /// What shall be in force, sorted.
    pub(super) fn wanted_set(&self, rules: &RuleSet) -> Vec<(Indicator, bool)> {
        let wanted = rules
            .rules
            .iter()
            .map(|rule| (rule.indicator, rule.action == Action::Drop));
        if self.inherited.is_empty() {
            return wanted.collect();
        }
        let mut union = self.inherited.clone();
        union.retain(|indicator, _| self.guard.refuse(indicator).is_none());
        for (indicator, drop) in &mut union {
            *drop &= self.guard.soften(indicator).is_none();
        }
        union.extend(wanted);
        union.into_iter().collect()
    }
}
