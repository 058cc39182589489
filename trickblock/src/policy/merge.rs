//! One rule set from the rows of all feeds.

mod group;

use std::{cell::LazyCell, collections::BTreeMap, sync::Arc};

use ipnet::IpNet;

use self::group::{Kept, rules};
use super::{Action, Guard, Kind, Kinds, Refusal, Terms, second::Second, width};
use crate::{
    feed::Row,
    indicator::{Indicator, Seen, Sighting},
};

/// Refused rows kept with their reason; `RuleSet::refused` counts all of them.
pub(super) const MAX_REFUSALS: usize = 50_000;

/// The rows of one feed, or of one of its files.
#[derive(Clone, Debug)]
pub struct FeedRows<'a> {
    pub label: Label,
    pub rows: &'a [Row],
}

/// What all rows of one [`FeedRows`] have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub name: Arc<str>,
    /// Which feed: its files belong together.
    pub feed: u32,
    /// Whose word it is, where feeds are counted: a list under two names says nothing twice, and what is on trial nothing
    /// yet.
    pub voice: Option<u32>,
    pub terms: Arc<Terms>,
    /// The feed does not name them any more.
    pub departed: bool,
}

impl Label {
    /// A feed of its own that is trusted as it is.
    pub fn new(name: impl Into<Arc<str>>, feed: u32, terms: Terms) -> Self {
        Self {
            name: name.into(),
            feed,
            voice: Some(feed),
            terms: Arc::new(terms),
            departed: false,
        }
    }
}

/// Where a rule comes from: the index into `RuleSet::feeds`, and the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    pub feed: u32,
    pub line: u32,
}

/// Nearly every rule has exactly one source, and there may be a million rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    One([Source; 1]),
    Many(Box<[Source]>),
}

impl Sources {
    /// At least one, sorted by feed and line.
    pub fn as_slice(&self) -> &[Source] {
        match self {
            Self::One(one) => one,
            Self::Many(many) => many,
        }
    }
}

/// An indicator that is enforced, with what all feeds together say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub indicator: Indicator,
    /// The strictest one of its feeds.
    pub action: Action,
    pub sources: Sources,
    /// The first family named, the oldest `first_seen`, the newest `last_seen`.
    pub sighting: Sighting,
}

/// A row that a guard refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub source: Source,
    pub indicator: Indicator,
    pub refusal: Refusal,
}

/// What all feeds together ask for, as far as the guard lets them. A pure function of both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    pub feeds: Vec<Label>,
    /// Sorted by indicator, each indicator once.
    pub rules: Vec<Rule>,
    /// Rows that repeat an indicator, of the same feed or another one.
    pub duplicates: u64,
    /// All rows refused.
    pub refused: u64,
    /// The first refused rows, by feed and line.
    pub refusals: Vec<Refused>,
    /// Rows that are kept, but only count, whatever their feed's action: in networks of one's own.
    pub softened: u64,
    /// The first of these, by feed and line. They are among the rules as well.
    pub notices: Vec<Refused>,
    /// Rows that only monitor because of what stands behind them, by feed (an index into `feeds`) and kind.
    pub narrowed: BTreeMap<(u32, Kind), u64>,
    /// Rows whose end has come.
    pub lapsed: u64,
    /// When the next of the others ends.
    pub next_end: Option<Seen>,
}

/// What rows are judged by, besides the terms of their feeds.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub guard: &'a Guard,
    pub kinds: &'a Kinds,
    /// Without it nothing ends.
    pub now: Option<Seen>,
}

/// Guards and merges. The order of `feeds` decides nothing but their indices and, where feeds
/// disagree, whose family name is kept. What has ended by now is left out.
pub fn merge(feeds: &[FeedRows<'_>], context: Context<'_>) -> RuleSet {
    merge_some(feeds, feeds, context)
}

/// As [`merge`], of some rows out of `all`: what another feed says around them counts as well.
pub fn merge_some(feeds: &[FeedRows<'_>], all: &[FeedRows<'_>], context: Context<'_>) -> RuleSet {
    // All rows are looked at once more only where one asks for it.
    let second = LazyCell::new(|| Second::new(all, context.guard));
    let mut set = RuleSet {
        feeds: feeds.iter().map(|feed| feed.label.clone()).collect(),
        ..RuleSet::default()
    };
    let mut kept = set.keep(feeds, context, &|prefix, voice| {
        second.confirms(prefix, voice)
    });
    kept.sort_unstable();
    set.rules = rules(&kept, feeds);
    let rows = u64::try_from(kept.len()).unwrap_or(u64::MAX);
    set.duplicates = rows.saturating_sub(u64::try_from(set.rules.len()).unwrap_or(u64::MAX));
    set.rules.shrink_to_fit();
    set
}

impl RuleSet {
    /// Of the feed number `index` of `feeds`, which is that of a [`Source`].
    pub fn label(&self, index: u32) -> Option<&Label> {
        self.feeds.get(usize::try_from(index).ok()?)
    }

    /// `confirms`: whether somebody else names all of a wide prefix.
    fn keep(
        &mut self,
        feeds: &[FeedRows<'_>],
        context: Context<'_>,
        confirms: &dyn Fn(&IpNet, Option<u32>) -> bool,
    ) -> Vec<Kept> {
        let mut kept = Vec::with_capacity(feeds.iter().map(|feed| feed.rows.len()).sum());
        let mut start = 0;
        for (index, feed) in (0_u32..).zip(feeds) {
            for (number, row) in (start..).zip(feed.rows) {
                let source = Source {
                    feed: index,
                    line: row.line,
                };
                let terms = &feed.label.terms;
                let refusal = context.guard.refuse(&row.indicator);
                let prefix = &row.indicator.prefix;
                let may = || terms.wide || confirms(prefix, feed.label.voice);
                let too_wide = || width::refuse(prefix).filter(|_| !may());
                if let Some(refusal) = refusal.or_else(too_wide) {
                    let refused = Refused {
                        source,
                        indicator: row.indicator,
                        refusal,
                    };
                    note(&mut self.refused, &mut self.refusals, refused);
                } else {
                    let action = self.living(row, source, terms, context);
                    kept.extend(action.map(|action| Kept::new(row, number, action)));
                }
            }
            start += feed.rows.len();
        }
        kept
    }

    /// The action of a row that no guard refuses, if it has not ended.
    fn living(
        &mut self,
        row: &Row,
        source: Source,
        terms: &Terms,
        context: Context<'_>,
    ) -> Option<Action> {
        let kind = context.kinds.of(&row.indicator.prefix, terms.kind);
        let ends = [
            row.sighting.expires,
            terms.authority.until,
            context.kinds.end(kind, row),
        ];
        if self.has_ended(ends, context.now) {
            self.lapsed = self.lapsed.saturating_add(1);
            return None;
        }
        let action = terms.action_at(row.sighting.confidence);
        let limit = kind.limit(&row.indicator);
        if limit < action {
            self.note_narrowed(source, kind);
        }
        Some(self.softened(source, row, action.min(limit), context.guard))
    }

    fn note_narrowed(&mut self, source: Source, kind: Kind) {
        let count = self.narrowed.entry((source.feed, kind)).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether one of the ends has come; notes the next one otherwise.
    fn has_ended(&mut self, ends: [Option<Seen>; 3], now: Option<Seen>) -> bool {
        let (Some(end), Some(now)) = (ends.into_iter().flatten().min(), now) else {
            return false;
        };
        if end > now {
            self.next_end = Some(self.next_end.map_or(end, |next| next.min(end)));
        }
        end <= now
    }

    /// The action that a row may have.
    fn softened(&mut self, source: Source, row: &Row, action: Action, guard: &Guard) -> Action {
        let Some(refusal) = guard.soften(&row.indicator) else {
            return action;
        };
        let notice = Refused {
            source,
            indicator: row.indicator,
            refusal,
        };
        note(&mut self.softened, &mut self.notices, notice);
        Action::Monitor
    }
}

/// Counts all and keeps the first.
fn note(count: &mut u64, list: &mut Vec<Refused>, refused: Refused) {
    *count = count.saturating_add(1);
    if list.len() < MAX_REFUSALS {
        list.push(refused);
    }
}

#[cfg(test)]
mod tests;
