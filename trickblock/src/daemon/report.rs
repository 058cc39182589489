//! Answers of the reading verbs.

mod feeds;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};

use super::{engine::Engine, feeds::Feed};
use crate::{
    indicator::{Indicator, Seen},
    kernel::FilterError,
    observe::{
        Metrics, Status, Why,
        metrics::ByHand,
        status::{Daemon, FeedStatus, Guards, Hashes, InterfaceStatus, SCHEMA},
        why::{self, Listed, Origin, RefusedRow, Target},
    },
    policy::{Authority, Refused, Rule, RuleSet, Source, is_vast},
    table::{Entry, never_block_fingerprint},
};

/// The answer to `list`.
#[derive(Debug, Serialize, Deserialize)]
pub struct List {
    pub schema: u32,
    pub indicators: Vec<Listed>,
}

/// Becomes the text of a [`List`], row by row: all rows of a million indicators would take half a gigabyte.
pub struct Listing<'a> {
    engine: &'a Engine,
    hits: Vec<u64>,
}

impl Serialize for Listing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_struct("List", 2)?;
        list.serialize_field("schema", &SCHEMA)?;
        list.serialize_field("indicators", &Rows(self))?;
        list.end()
    }
}

struct Rows<'a>(&'a Listing<'a>);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Listing { engine, hits } = self.0;
        let rows = engine.live.iter().zip(hits);
        serializer.collect_seq(rows.map(|(entry, hits)| engine.listed(entry, *hits)))
    }
}

impl Engine {
    pub fn status(&self) -> Result<Status, FilterError> {
        let mut status = self.status_with(&self.hashes())?;
        status.never_block_fingerprint = never_block_fingerprint(&self.protected());
        Ok(status)
    }

    /// Without what takes long on large sets, which metrics have no use for.
    pub fn metrics(&self) -> Result<Metrics, FilterError> {
        let status = self.status_with(&Hashes::default())?;
        let lists = self.living_lists();
        let by_hand = ByHand {
            blocks: lists.blocks.len(),
            allowances: lists.allows.len(),
        };
        Ok(Metrics::of(&status, &self.feed_health(), by_hand))
    }

    fn status_with(&self, hashes: &Hashes) -> Result<Status, FilterError> {
        let maps = &self.filter.maps;
        let mut status = Status::of_kernel(maps, &self.live, hashes, &self.hooks)?;
        status.daemon = Some(Daemon {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pins: self.config.paths.pins.display().to_string(),
            started_at: self.started.to_string(),
            sandbox: self
                .reader
                .missing()
                .map_or_else(|| "unknown".to_owned(), |missing| missing.to_string()),
        });
        status.guards = Some(self.guards());
        status.events.read = self.events_read.load(Ordering::Relaxed);
        for prefix in self
            .guard
            .lists()
            .allow
            .iter()
            .filter(|prefix| is_vast(prefix))
        {
            status.problem(format!(
                "{prefix} is allowed, which is so wide that next to nothing is blocked: take it out of `[guard] allow` or of `trickblock allow list`"
            ));
        }
        self.add_interfaces(&mut status);
        self.add_feeds(&mut status);
        status.settle();
        Ok(status)
    }

    fn guards(&self) -> Guards {
        let counts = self.guard.counts();
        let exceptions = self.guard.lists().except.iter();
        Guards {
            compiled_in: counts.compiled_in,
            allowed: counts.allowed,
            learned: counts.learned,
            shipped: counts.shipped,
            own: counts.own,
            exceptions: exceptions.map(ToString::to_string).collect(),
        }
    }

    /// Of what is in force; computed once for each set.
    fn hashes(&self) -> Arc<Hashes> {
        let mut known = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        let of = || Arc::new(Hashes::of(&self.live, self.filter.maps.geometry()));
        Arc::clone(known.get_or_insert_with(of))
    }

    fn add_interfaces(&self, status: &mut Status) {
        status.mode = Some(self.roles.mode.to_owned());
        status.mode_reason = Some(self.roles.reason.to_owned());
        for configured in &self.config.interfaces {
            let name = &configured.name;
            let failure = self.unattached.get(name);
            let known = status
                .interfaces
                .iter()
                .position(|interface| interface.name == *name);
            let at = known.unwrap_or_else(|| {
                let reason = failure.map_or("not attached", String::as_str);
                let detached = InterfaceStatus::detached(name.clone(), reason);
                status.problem(format!("interface {name} is not filtered: {reason}"));
                status.interfaces.push(detached);
                status.interfaces.len() - 1
            });
            let interface = &mut status.interfaces[at];
            let (role, reason) = self.roles.of(name);
            interface.role = Some(role.name().to_owned());
            interface.role_reason = Some(reason.to_owned());
            interface.fail_closed = configured.fail_closed;
            let note = self.notes.get(name).filter(|_| known.is_some());
            interface.note = interface.note.take().or_else(|| note.cloned());
            // Attached, but not as it should be.
            if let Some(failure) = failure.filter(|_| known.is_some()) {
                status.problem(failure.clone());
            }
        }
    }

    fn add_feeds(&self, status: &mut Status) {
        let refused = self.refused_by_label();
        status.indicators.inherited = self.live.len().saturating_sub(self.rules.rules.len());
        for (number, feed) in (0_u32..).zip(&self.feeds) {
            let summary = summary(number, feed, &self.rules, &refused);
            if summary.state != "ok" {
                let trouble = feed.trouble();
                let why = trouble.as_deref().unwrap_or("nothing was fetched yet");
                status.problem(format!("feed {} is {}: {why}", summary.name, summary.state));
            }
            let unread = feed.content.iter().flat_map(|content| &content.unread);
            for file in unread {
                status.problem(format!("feed {}: {}", summary.name, file.why));
            }
            let unsaved = feed
                .unsaved
                .iter()
                .filter_map(|unsaved| unsaved.why.as_ref());
            let lost = feed.damage.iter().chain(unsaved);
            for error in lost {
                status.problem(format!("feed {}: {error}", summary.name));
            }
            let shown = feed.last_error.as_deref().unwrap_or_default();
            if let Some(held) = feed
                .held
                .as_ref()
                .filter(|held| !shown.contains(&held.id()))
            {
                let notice = held.status().notice(&summary.name);
                status.problem(format!("feed {}: {notice}", summary.name));
            }
            if let Some(error) = &feed.store_error {
                status.problem(format!("feed {}: {error}", summary.name));
            }
            status.feeds.push(summary);
        }
    }

    fn refused_by_label(&self) -> BTreeMap<u32, u64> {
        self.rules
            .refusals
            .iter()
            .fold(BTreeMap::new(), |mut counts, refused| {
                *counts.entry(refused.source.feed).or_default() += 1;
                counts
            })
    }

    /// All indicators in force, sorted.
    pub fn list(&self) -> Result<Listing<'_>, FilterError> {
        let hits = self
            .filter
            .maps
            .hits(self.live.iter().map(|entry| entry.id))?;
        Ok(Listing { engine: self, hits })
    }

    pub fn why(&self, target: &Target) -> Result<Why, FilterError> {
        let snapshot = self.filter.maps.snapshot()?;
        let monitor = self.filter.maps.settings()?.monitor != 0;
        let describe = |holding: &[&Entry]| self.described(holding);
        let mut why = why::explain(target, &snapshot, monitor, &self.live, describe)?;
        if let Some(protected) = &mut why.protected_by {
            let prefix = protected.prefix.parse().ok();
            protected.reason = prefix.and_then(|prefix| self.guard.name_of(&prefix));
        }
        let held_back = self.rules.refusals.iter().chain(&self.rules.notices);
        let holds = |refused: &&Refused| refused.indicator.prefix.contains(&target.address);
        why.refused = held_back
            .filter(holds)
            .map(|refused| RefusedRow {
                feed: self.label(refused.source),
                line: refused.source.line,
                indicator: refused.indicator.to_string(),
                guard: refused.refusal.guard.to_owned(),
                reason: refused.refusal.reason.clone(),
            })
            .collect();
        Ok(if self.hooks.is_off()? {
            why.switched_off()
        } else {
            why
        })
    }

    /// With hits, and with the dates that only `why` looks for.
    fn described(&self, entries: &[&Entry]) -> Result<Vec<Listed>, FilterError> {
        let hits = self
            .filter
            .maps
            .hits(entries.iter().map(|entry| entry.id))?;
        let described = entries.iter().zip(hits).map(|(entry, hits)| {
            let mut listed = self.listed(entry, hits);
            self.date(&mut listed, entry);
            listed
        });
        Ok(described.collect())
    }

    pub(super) fn listed(&self, entry: &Entry, hits: u64) -> Listed {
        let rule = self.rule(entry);
        let mut listed = Listed::of_entry(entry, hits);
        listed.inherited = rule.is_none();
        if let Some(rule) = rule {
            let seen = |seen: Option<Seen>| seen.map(|seen| seen.to_string());
            listed.family = rule.sighting.family.as_deref().map(str::to_owned);
            listed.first_seen = seen(rule.sighting.first_seen);
            listed.last_seen = seen(rule.sighting.last_seen);
            let sources = rule.sources.as_slice().iter();
            listed.sources = sources.map(|source| self.origin(*source)).collect();
            listed.until = seen(rule.sighting.expires);
            listed.confidence = rule.sighting.confidence;
        }
        listed
    }

    fn origin(&self, source: Source) -> Origin {
        let label = self.rules.label(source.feed);
        let authority = label.map(|label| &label.terms.authority);
        Origin {
            feed: self.label(source),
            line: source.line,
            departed: label.is_some_and(|label| label.departed),
            authority: authority
                .filter(|authority| **authority != Authority::default())
                .map(ToString::to_string),
            named_first: None,
            named_last: None,
        }
    }

    /// Adds to each source since when it names the indicator.
    fn date(&self, listed: &mut Listed, entry: &Entry) {
        let sources = self.rule(entry).map(|rule| rule.sources.as_slice());
        let origins = listed.sources.iter_mut();
        for (origin, source) in origins.zip(sources.unwrap_or_default()) {
            let Some(feed) = self.feed_of(*source) else {
                continue;
            };
            let named = self.known.of(&feed.config, &entry.indicator);
            origin.named_first = named.map(|named| named.first.to_string());
            let last = match origin.departed {
                true => named.map(|named| named.last.to_string()),
                false => feed.last_ok.map(|at| at.to_string()),
            };
            origin.named_last = last.filter(|_| named.is_some());
        }
    }

    /// `None` for what the operator does by hand.
    fn feed_of(&self, source: Source) -> Option<&Feed> {
        let label = self.rules.label(source.feed)?;
        self.feeds.get(usize::try_from(label.feed).ok()?)
    }

    /// Feeds that name an indicator in force.
    pub fn feeds_naming(&self, indicator: &Indicator) -> Vec<String> {
        let rules = &self.rules.rules;
        let found = rules.binary_search_by_key(indicator, |rule| rule.indicator);
        let rule = found.ok().and_then(|index| rules.get(index));
        let sources = rule.map_or(&[][..], |rule| rule.sources.as_slice());
        let mut named: Vec<_> = sources.iter().map(|source| self.label(*source)).collect();
        // Several rows of a feed may name it.
        named.dedup();
        named
    }

    fn rule(&self, entry: &Entry) -> Option<&Rule> {
        let rules = &self.rules.rules;
        rules
            .binary_search_by_key(&entry.indicator, |rule| rule.indicator)
            .ok()
            .and_then(|index| rules.get(index))
    }

    fn label(&self, source: Source) -> String {
        let label = self.rules.label(source.feed);
        label.map_or_else(String::new, |label| label.name.to_string())
    }
}

/// `number` is the feed's own.
fn summary(number: u32, feed: &Feed, rules: &RuleSet, refused: &BTreeMap<u32, u64>) -> FeedStatus {
    let parts = feed
        .content
        .as_ref()
        .map_or(&[][..], |content| &content.parts);
    let labels: Vec<u32> = (0_u32..)
        .zip(&rules.feeds)
        .filter(|(_, label)| label.feed == number)
        .map(|(index, _)| index)
        .collect();
    let of_feed = |rule: &&Rule| {
        rule.sources
            .as_slice()
            .iter()
            .any(|source| labels.contains(&source.feed))
    };
    let softened = rules
        .notices
        .iter()
        .filter(|notice| labels.contains(&notice.source.feed));
    let softened = match softened.count() {
        0 => None,
        count => Some(format!(
            "{count} rows are inside of your own networks and only count: `trickblock check -c` lists them"
        )),
    };
    FeedStatus {
        name: feed.config.name.clone(),
        location: feed.location(),
        state: feed.state().to_owned(),
        action: feed.config.policy.terms.action.to_string(),
        format: feed.format().map(|format| format.to_string()),
        indicators: rules.rules.iter().filter(of_feed).count() as u64,
        rejected: parts.iter().map(|part| part.rejected).sum(),
        ignored: parts.iter().map(|part| part.ignored).sum(),
        refused: labels.iter().filter_map(|label| refused.get(label)).sum(),
        last_ok: feed.last_ok.map(|at| at.to_string()),
        last_error: feed.last_error.clone(),
        next_try: feed.next_try.map(|at| at.to_string()),
        warnings: feed
            .content
            .iter()
            .flat_map(|content| content.warnings.clone())
            .chain(softened)
            .collect(),
    }
}
