//! An update that waits for the operator, and what was decided about it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Content, Feed};
use crate::{
    daemon::protocol::SCHEMA,
    feed::cache::{Digest, hex, id},
    indicator::Indicator,
    policy::{Braked, Sizes},
};

/// A body that changes too much to be believed.
#[derive(Clone, Debug)]
pub struct HeldUpdate {
    pub content: Content,
    pub digest: Digest,
    /// When it was held first.
    pub since: Timestamp,
    pub why: Braked,
    /// Its source took some of it back meanwhile, which is not in it any more.
    pub part: bool,
}

impl HeldUpdate {
    /// What `feeds approve` calls it: the first digits of its checksum.
    pub fn id(&self) -> String {
        id(&self.digest)
    }

    /// Whether it is the one that is meant; nothing means whatever waits.
    pub fn is_meant(&self, id: &str) -> bool {
        id.is_empty() || (id.len() >= 4 && hex(&self.digest).starts_with(id))
    }
}

/// The answer to `feeds diff`: what a held update would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    #[serde(default)]
    pub schema: u32,
    pub feed: String,
    /// What `feeds approve` calls it.
    #[serde(default)]
    pub update: String,
    pub since: String,
    pub reason: String,
    pub before: usize,
    pub after: usize,
    pub added: usize,
    pub removed: usize,
    /// The first of them, sorted.
    pub added_indicators: Vec<String>,
    pub removed_indicators: Vec<String>,
    /// How long those that are removed stay in force.
    #[serde(default)]
    pub hold_down_seconds: u64,
}

impl Feed {
    /// What the body in force is called.
    pub fn id(&self) -> String {
        id(&self.digest)
    }

    /// What a change to `content` amounts to; `None` before a first set is in force.
    pub fn sizes(&self, content: &Content) -> Option<Sizes> {
        let (before, after) = (self.content.as_ref()?.indicators(), content.indicators());
        let kept = common(&before, &after);
        Some(Sizes {
            before: before.len(),
            after: after.len(),
            kept,
        })
    }

    /// Remembers a body that waits for the operator.
    pub fn hold(&mut self, update: HeldUpdate) {
        self.stands = false;
        self.held = Some(update);
    }

    /// The operator does not want what the source says now: what is in force is meant to be, and that is no failure.
    pub fn stand(&mut self) {
        self.held = None;
        self.last_error = None;
        self.next_try = None;
        self.fresh = true;
        // Its source was heard, and what is in force is what is meant to be.
        self.last_ok = Some(Timestamp::now());
        self.stands = true;
    }

    /// What the update that waits would change, at most `most` indicators of either kind by name.
    pub fn diff(&self, most: usize) -> Option<Diff> {
        let held = self.waiting()?;
        let before = self.content.as_ref().map(Content::indicators);
        let (before, after) = (before.unwrap_or_default(), held.content.indicators());
        let (added, removed) = (missing(&after, &before), missing(&before, &after));
        let named = |indicators: &[Indicator]| {
            let first = indicators.iter().take(most);
            first.map(ToString::to_string).collect()
        };
        Some(Diff {
            schema: SCHEMA,
            feed: self.config.name.clone(),
            update: held.id(),
            since: held.since.to_string(),
            reason: held.why.to_string(),
            before: before.len(),
            after: after.len(),
            added: added.len(),
            removed: removed.len(),
            added_indicators: named(&added),
            removed_indicators: named(&removed),
            hold_down_seconds: self.config.policy.hold_down.as_secs(),
        })
    }
}

impl Content {
    /// Distinct indicators, sorted: there may be a million.
    pub fn indicators(&self) -> Vec<Indicator> {
        let mut distinct: Vec<Indicator> = self.all_rows().map(|row| row.indicator).collect();
        distinct.sort_unstable();
        distinct.dedup();
        distinct
    }
}

/// Members of one sorted set that are not in another.
fn missing(some: &[Indicator], others: &[Indicator]) -> Vec<Indicator> {
    let is_missing = |indicator: &&Indicator| others.binary_search(indicator).is_err();
    some.iter().filter(is_missing).copied().collect()
}

/// How many members two sorted sets share.
fn common(one: &[Indicator], other: &[Indicator]) -> usize {
    let mut rest = other.iter().peekable();
    let shared = one.iter().filter(|indicator| {
        while rest.next_if(|other| other < indicator).is_some() {}
        rest.next_if(|other| other == indicator).is_some()
    });
    shared.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(hosts: &[u8]) -> Vec<Indicator> {
        let host = |host: &u8| format!("192.0.2.{host}").parse().expect("an indicator");
        hosts.iter().map(host).collect()
    }

    #[test]
    fn shared_members_are_counted_once() {
        assert_eq!(common(&set(&[1, 2, 3, 9]), &set(&[0, 2, 3, 4])), 2);
        assert_eq!(common(&set(&[]), &set(&[1])), 0);
        assert_eq!(common(&set(&[1]), &set(&[1])), 1);
    }
}
