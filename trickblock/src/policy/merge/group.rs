//! The rows of one indicator, wherever they are, become one rule.

use std::hint::black_box;

use super::{FeedRows, Rule, Source, Sources};
use crate::{feed::Row, policy::Action};

/// A row that counts: the key of its indicator, its number among all rows, and its action. In one number, since
/// the rows themselves lie too far apart to be compared a million times.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept(u128);

impl Kept {
    pub(super) fn new(row: &Row, number: usize, action: Action) -> Self {
        let drop = u128::from(action == Action::Drop);
        Self(u128::from(row.indicator.sort_key()) << 64 | (number as u128) << 1 | drop)
    }

    const fn key(self) -> u64 {
        (self.0 >> 64) as u64
    }

    const fn number(self) -> usize {
        (self.0 as u64 >> 1) as usize
    }

    const fn action(self) -> Action {
        if self.0 & 1 == 0 {
            Action::Monitor
        } else {
            Action::Drop
        }
    }
}

/// The rows of all feeds, numbered through.
struct Rows<'a> {
    feeds: &'a [FeedRows<'a>],
    /// The number of the first row of each.
    starts: Vec<usize>,
}

impl<'a> Rows<'a> {
    fn new(feeds: &'a [FeedRows<'a>]) -> Self {
        let mut next = 0;
        let starts = feeds.iter().map(|feed| {
            let start = next;
            next += feed.rows.len();
            start
        });
        let starts = starts.collect();
        Self { feeds, starts }
    }

    fn said(&self, kept: Kept) -> Said<'a> {
        let feed = self.starts.partition_point(|start| *start <= kept.number()) - 1;
        let row = &self.feeds[feed].rows[kept.number() - self.starts[feed]];
        Said {
            row,
            source: Source {
                feed: feed as u32,
                line: row.line,
            },
            action: kept.action(),
        }
    }

    /// Reads these rows, all at once: the memory is slower than everything that is done with them.
    fn fetch(&self, kept: &[Kept]) {
        // A row lies in two cache lines: its number in the first, its port in the second.
        let lines = kept.iter().map(|kept| {
            let row = self.said(*kept).row;
            row.line ^ u32::from(row.indicator.port.is_some())
        });
        black_box(lines.fold(0, |sum, line| sum ^ line));
    }
}

/// A row that counts.
struct Said<'a> {
    row: &'a Row,
    source: Source,
    action: Action,
}

/// What sorted rows of these feeds come to.
pub(super) fn rules(kept: &[Kept], feeds: &[FeedRows<'_>]) -> Vec<Rule> {
    const BLOCK: usize = 64;
    let rows = Rows::new(feeds);
    let mut rules = Vec::with_capacity(kept.len());
    let (mut group, mut at, mut fetched) = (Vec::new(), 0, 0);
    for same in kept.chunk_by(|one, other| one.key() == other.key()) {
        if at >= fetched {
            fetched = kept.len().min(at + BLOCK);
            rows.fetch(&kept[at..fetched]);
        }
        at += same.len();
        group.clear();
        group.extend(same.iter().map(|kept| rows.said(*kept)));
        // Whatever the order of the rows is, that of sources is always the same.
        group.sort_unstable_by_key(|said| (said.row.indicator, said.source));
        let named = group.chunk_by(|one, other| one.row.indicator == other.row.indicator);
        rules.extend(named.filter_map(|group| rule(group, rows.feeds)));
    }
    rules
}

/// How many voices name an indicator whose rows these are. What has departed still has its voice: a list that flaps must
/// not open, for an hour, what two lists agreed on.
fn voices(group: &[Said<'_>], feeds: &[FeedRows<'_>]) -> u32 {
    let voice = |said: &Said<'_>| {
        let label = feeds.get(usize::try_from(said.source.feed).ok()?)?;
        label.label.voice
    };
    let mut named: Vec<u32> = group.iter().filter_map(voice).collect();
    named.sort_unstable();
    named.dedup();
    u32::try_from(named.len()).unwrap_or(u32::MAX)
}

/// What a row does among `voices` feeds.
fn action(said: &Said<'_>, feeds: &[FeedRows<'_>], voices: u32) -> Action {
    let index = usize::try_from(said.source.feed).ok();
    let needed = index
        .and_then(|index| feeds.get(index))
        .map_or(0, |feed| feed.label.terms.min_feeds);
    match needed > voices {
        true => Action::Monitor,
        false => said.action,
    }
}

/// All rows of one indicator; `None` for none.
fn rule(group: &[Said<'_>], feeds: &[FeedRows<'_>]) -> Option<Rule> {
    let (first, others) = group.split_first()?;
    let voices = if others.is_empty() {
        1
    } else {
        voices(group, feeds)
    };
    let mut sighting = first.row.sighting.clone();
    let mut strictest = action(first, feeds, voices);
    for other in others {
        sighting.absorb(&other.row.sighting);
        strictest = strictest.max(action(other, feeds, voices));
    }
    let sources = match others {
        [] => Sources::One([first.source]),
        _ => Sources::Many(group.iter().map(|said| said.source).collect()),
    };
    Some(Rule {
        indicator: first.row.indicator,
        action: strictest,
        sources,
        sighting,
    })
}
