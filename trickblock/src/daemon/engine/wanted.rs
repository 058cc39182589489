//! What all feeds and the operator together ask for.

use std::sync::Arc;

use super::{Candidate, Engine, Feed, Operator};
use crate::policy::{FeedRows, Label, voices};

impl Engine {
    /// As [`rows`].
    pub(super) fn rows<'a>(&'a self, candidate: Option<&'a Candidate<'a>>) -> Vec<FeedRows<'a>> {
        rows(&self.operator, &self.feeds, candidate)
    }
}

/// The operator's lists, and of every feed what it says and what it said before.
pub(super) fn rows<'a>(
    operator: &'a Operator,
    feeds: &'a [Feed],
    candidate: Option<&'a Candidate<'a>>,
) -> Vec<FeedRows<'a>> {
    let mut all: Vec<FeedRows<'a>> = operator.rows().collect();
    let voices = voices_with(feeds, candidate);
    for (index, feed) in feeds.iter().enumerate() {
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
fn voices_with(feeds: &[Feed], candidate: Option<&Candidate<'_>>) -> Vec<u32> {
    let feeds = feeds.iter().enumerate();
    let said = feeds.map(|(index, feed)| {
        let changed = candidate.filter(|candidate| candidate.feed == index);
        let content = changed.map_or(feed.content.as_ref(), |changed| Some(changed.content));
        let said = content.map(|content| content.said);
        (feed.config.location.identity(), said)
    });
    voices(&said.collect::<Vec<_>>())
}
