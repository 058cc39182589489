//! The answer to `feeds`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    daemon::{
        engine::Engine,
        feeds::{Feed, HeldUpdate},
    },
    indicator::Seen,
    observe::feeds::{FeedHealth, Feeds, HeldStatus, Overlap, SCHEMA, Signs},
    policy::{Kind, Rule},
};

/// Counted over all rules, for each feed by its number.
#[derive(Default)]
struct Tally {
    indicators: u64,
    unique: u64,
    departed: u64,
    newest: Option<Seen>,
    shared: BTreeMap<u32, u64>,
}

impl Engine {
    pub fn feed_health(&self) -> Feeds {
        let tallies = self.tallies();
        let feeds = (0_u32..).zip(&self.feeds);
        Feeds {
            schema: SCHEMA,
            feeds: feeds
                .map(|(number, feed)| self.health(number, feed, tallies.get(&number)))
                .collect(),
        }
    }

    /// Once a day, of the feeds that have been heard since.
    pub fn note_worth(&mut self) {
        let now = Timestamp::now().as_second();
        let is_due = |feed: &Feed| feed.fresh && !feed.worth.has(now);
        if !self.feeds.iter().any(is_due) {
            return;
        }
        let tallies = self.tallies();
        let feeds = (0_u32..).zip(&mut self.feeds);
        for (number, feed) in feeds.filter(|(_, feed)| is_due(feed)) {
            let unique = tallies.get(&number).map_or(0, |tally| tally.unique);
            feed.worth.add(now, unique);
            let kept = feed.worth.keep(&self.cache, &feed.config.name);
            kept.unwrap_or_else(|error| tracing::warn!("{error}"));
        }
    }

    fn tallies(&self) -> BTreeMap<u32, Tally> {
        let mut tallies: BTreeMap<u32, Tally> = BTreeMap::new();
        for rule in &self.rules.rules {
            let voices = self.voices(rule);
            for (number, departed) in &voices {
                let tally = tallies.entry(*number).or_default();
                tally.indicators = tally.indicators.saturating_add(1);
                tally.unique = tally.unique.saturating_add(u64::from(voices.len() == 1));
                tally.departed = tally.departed.saturating_add(u64::from(*departed));
                let times = [rule.sighting.first_seen, rule.sighting.last_seen];
                tally.newest = times.into_iter().flatten().max().max(tally.newest);
                for other in voices.keys().filter(|other| *other != number) {
                    let shared = tally.shared.entry(*other).or_default();
                    *shared = shared.saturating_add(1);
                }
            }
        }
        tallies
    }

    /// The feeds that name a rule, and whether each does so no more.
    fn voices(&self, rule: &Rule) -> BTreeMap<u32, bool> {
        let mut voices = BTreeMap::new();
        for source in rule.sources.as_slice() {
            if let Some(label) = self.rules.label(source.feed) {
                let departed = voices.entry(label.feed).or_insert(true);
                *departed &= label.departed;
            }
        }
        voices
    }

    fn health(&self, number: u32, feed: &Feed, tally: Option<&Tally>) -> FeedHealth {
        let parts = feed.content.iter().flat_map(|content| &content.parts);
        let nothing = Tally::default();
        let tally = tally.unwrap_or(&nothing);
        let mut health = FeedHealth {
            name: feed.config.name.clone(),
            location: feed.location(),
            state: feed.state().to_owned(),
            action: feed.config.policy.terms.action.to_string(),
            authority: feed.config.policy.terms.authority.to_string(),
            format: feed.format().map(|format| format.to_string()),
            indicators: tally.indicators,
            unique: tally.unique,
            departed: tally.departed,
            rejected: parts.clone().map(|part| part.rejected).sum(),
            ignored: parts.map(|part| part.ignored).sum(),
            last_ok: feed.last_ok.map(|at| at.to_string()),
            changed_at: feed.changed_at.map(|at| at.to_string()),
            newest: tally.newest.map(|newest| newest.to_string()),
            overlap: self.overlap(tally),
            held: feed.held.as_ref().map(HeldUpdate::status),
            trial: feed.trial.as_ref().map(|trial| trial.update.status()),
            last_error: feed.last_error.clone(),
            next_try: feed.next_try.map(|at| at.to_string()),
            stands: feed.stands,
            alarms: Vec::new(),
            alarm_kinds: Vec::new(),
        };
        health.judge(&self.signs(number, feed, tally));
        health
    }

    fn overlap(&self, tally: &Tally) -> Vec<Overlap> {
        let named = |(number, shared): (&u32, &u64)| {
            let feed = self.feeds.get(usize::try_from(*number).ok()?)?;
            Some(Overlap {
                feed: feed.config.name.clone(),
                indicators: *shared,
            })
        };
        tally.shared.iter().filter_map(named).collect()
    }

    fn signs(&self, number: u32, feed: &Feed, tally: &Tally) -> Signs {
        let unread = feed.content.iter().flat_map(|content| &content.unread);
        let ended = feed.config.policy.terms.authority.ended(Seen::now());
        Signs {
            now: Timestamp::now().as_second(),
            changed_at: feed.changed_at.map(Timestamp::as_second),
            newest: tally.newest.map(Seen::unix),
            has_content: feed.content.is_some(),
            drift: feed.drift.clone(),
            unread: unread.map(|file| file.why.clone()).collect(),
            others: tally.shared.len(),
            narrowed: self.narrowed(number),
            usual: feed.worth.usual(),
            ended: ended.map(|until| until.to_string()),
        }
    }

    /// Rows of a feed that only monitor because of their kind.
    fn narrowed(&self, number: u32) -> Vec<(Kind, u64)> {
        let is_of_feed = |index: u32| {
            let label = self.rules.label(index);
            label.is_some_and(|label| label.feed == number)
        };
        let narrowed = self.rules.narrowed.iter();
        let counted = narrowed.filter(|((index, _), _)| is_of_feed(*index));
        counted.map(|((_, kind), rows)| (*kind, *rows)).collect()
    }
}

impl HeldUpdate {
    pub(super) fn status(&self) -> HeldStatus {
        HeldStatus {
            update: self.id(),
            since: self.since.to_string(),
            reason: self.why.to_string(),
        }
    }
}
