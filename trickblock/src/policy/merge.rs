//! One rule set from the rows of all feeds.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use super::{Action, Guard, Kind, Kinds, Refusal, Terms, width};
use crate::{
    feed::Row,
    indicator::{Indicator, Seen, Sighting},
};

/// Refused rows kept with their reason; `RuleSet::refused` counts all of them.
const MAX_REFUSALS: usize = 50_000;

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
    /// Which feed: its files speak with one voice where feeds are counted.
    pub feed: u32,
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
    let mut set = RuleSet {
        feeds: feeds.iter().map(|feed| feed.label.clone()).collect(),
        ..RuleSet::default()
    };
    let mut kept = set.keep(feeds, context);
    // Stable order of sources within a rule, whatever the order of the rows.
    kept.sort_unstable_by(Kept::order);
    for group in kept.chunk_by(Kept::is_same) {
        set.rules.extend(rule(group, feeds));
    }
    let rows = u64::try_from(kept.len()).unwrap_or(u64::MAX);
    set.duplicates = rows.saturating_sub(u64::try_from(set.rules.len()).unwrap_or(u64::MAX));
    set.rules.shrink_to_fit();
    set
}

impl RuleSet {
    fn keep<'a>(&mut self, feeds: &[FeedRows<'a>], context: Context<'_>) -> Vec<Kept<'a>> {
        let mut kept = Vec::with_capacity(feeds.iter().map(|feed| feed.rows.len()).sum());
        for (index, feed) in (0_u32..).zip(feeds) {
            for row in feed.rows {
                let source = Source {
                    feed: index,
                    line: row.line,
                };
                let terms = &feed.label.terms;
                let refusal = context.guard.refuse(&row.indicator);
                let too_wide = || width::refuse(&row.indicator.prefix).filter(|_| !terms.wide);
                if let Some(refusal) = refusal.or_else(too_wide) {
                    let refused = Refused {
                        source,
                        indicator: row.indicator,
                        refusal,
                    };
                    note(&mut self.refused, &mut self.refusals, refused);
                } else {
                    kept.extend(self.living(row, source, terms, context));
                }
            }
        }
        kept
    }

    /// A row that no guard refuses, if it has not ended.
    fn living<'a>(
        &mut self,
        row: &'a Row,
        source: Source,
        terms: &Terms,
        context: Context<'_>,
    ) -> Option<Kept<'a>> {
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
        let limit = kind.limit(row);
        if limit < action {
            self.note_narrowed(source, kind);
        }
        Some(Kept {
            key: row.indicator.sort_key(),
            source,
            action: self.softened(source, row, action.min(limit), context.guard),
            row,
        })
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

struct Kept<'a> {
    /// Of the indicator: the rows themselves lie too far apart to be compared a million times.
    key: u128,
    source: Source,
    action: Action,
    row: &'a Row,
}

impl Kept<'_> {
    fn order(&self, other: &Self) -> Ordering {
        let by_indicator = || {
            if Indicator::is_told_by(self.key) {
                Ordering::Equal
            } else {
                self.row.indicator.cmp(&other.row.indicator)
            }
        };
        let by_key = self.key.cmp(&other.key).then_with(by_indicator);
        by_key.then_with(|| self.source.cmp(&other.source))
    }

    fn is_same(&self, other: &Self) -> bool {
        let told = Indicator::is_told_by(self.key);
        self.key == other.key && (told || self.row.indicator == other.row.indicator)
    }
}

/// How many feeds name an indicator whose rows these are, sorted by feed.
fn voices(group: &[Kept<'_>], feeds: &[FeedRows<'_>]) -> u32 {
    let feed = |kept: &Kept<'_>| {
        let label = feeds.get(usize::try_from(kept.source.feed).ok()?)?;
        Some(label.label.feed)
    };
    let mut named: Vec<u32> = group.iter().filter_map(feed).collect();
    named.sort_unstable();
    named.dedup();
    u32::try_from(named.len()).unwrap_or(u32::MAX)
}

/// What a row does among `voices` feeds.
fn action(kept: &Kept<'_>, feeds: &[FeedRows<'_>], voices: u32) -> Action {
    let index = usize::try_from(kept.source.feed).ok();
    let needed = index
        .and_then(|index| feeds.get(index))
        .map_or(0, |feed| feed.label.terms.min_feeds);
    match needed > voices {
        true => Action::Monitor,
        false => kept.action,
    }
}

/// All rows of one indicator; `None` for none.
fn rule(group: &[Kept<'_>], feeds: &[FeedRows<'_>]) -> Option<Rule> {
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
        _ => Sources::Many(group.iter().map(|kept| kept.source).collect()),
    };
    Some(Rule {
        indicator: first.row.indicator,
        action: strictest,
        sources,
        sighting,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::{super::Lists, *};
    use crate::feed;

    fn at_time(now: Option<Seen>) -> Context<'static> {
        static PARTS: LazyLock<(Guard, Kinds)> =
            LazyLock::new(|| (Guard::compiled_in(), Kinds::default()));
        Context {
            guard: &PARTS.0,
            kinds: &PARTS.1,
            now,
        }
    }

    fn at_any_time() -> Context<'static> {
        at_time(None)
    }

    fn rows(body: &str) -> Vec<Row> {
        feed::parse(body.as_bytes(), None).unwrap().rows
    }

    fn feed<'a>(name: &str, action: Action, rows: &'a [Row]) -> FeedRows<'a> {
        let number = name.bytes().map(u32::from).sum();
        FeedRows {
            label: Label::new(name, number, Terms::of(action)),
            rows,
        }
    }

    #[test]
    fn rules_are_sorted_and_know_all_their_sources() {
        let a = rows("203.0.113.2\n192.0.2.1:443\n192.0.2.1\n203.0.113.2\n10.0.0.1\n");
        let b = rows("192.0.2.1:443\n");
        let set = merge(
            &[feed("a", Action::Monitor, &a), feed("b", Action::Drop, &b)],
            at_any_time(),
        );
        let shown: Vec<_> = set
            .rules
            .iter()
            .map(|rule| {
                (
                    rule.indicator.to_string(),
                    rule.action,
                    rule.sources.as_slice().len(),
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("192.0.2.1/32".to_owned(), Action::Monitor, 1),
                ("192.0.2.1/32:443".to_owned(), Action::Drop, 2),
                ("203.0.113.2/32".to_owned(), Action::Monitor, 2),
            ]
        );
        assert_eq!(
            set.rules[1].sources.as_slice()[1],
            Source { feed: 1, line: 1 }
        );
        assert_eq!((set.duplicates, set.refused), (2, 1));
        assert_eq!(set.refusals[0].source, Source { feed: 0, line: 5 });
        assert_eq!(set.refusals[0].refusal.guard, "compiled_in");
    }

    #[test]
    fn the_same_address_on_other_ports_stays_apart() {
        let rows = rows("192.0.2.1:443\n192.0.2.1:449\n192.0.2.1:443/tcp\n192.0.2.1\n");
        let set = merge(&[feed("a", Action::Drop, &rows)], at_any_time());
        assert_eq!((set.rules.len(), set.duplicates), (4, 0));
    }

    #[test]
    fn sightings_are_widened_over_feeds() {
        let header = "first_seen_utc,dst_ip,dst_port,c2_status,last_online,malware\n";
        let a = rows(&format!(
            "{header}2021-02-01 00:00:00,192.0.2.1,443,offline,2021-02-02,Dridex\n"
        ));
        let b = rows(&format!(
            "{header}2021-01-01 00:00:00,192.0.2.1,443,online,2021-02-01,Emotet\n"
        ));
        let set = merge(
            &[feed("a", Action::Drop, &a), feed("b", Action::Monitor, &b)],
            at_any_time(),
        );
        let [rule] = set.rules.as_slice() else {
            panic!("{set:?}")
        };
        assert_eq!(rule.action, Action::Drop);
        assert_eq!(rule.sighting.family.as_deref(), Some("Dridex"));
        assert_eq!(
            rule.sighting.first_seen.unwrap().to_string(),
            "2021-01-01T00:00:00Z"
        );
        assert_eq!(
            rule.sighting.last_seen.unwrap().to_string(),
            "2021-02-02T00:00:00Z"
        );
    }

    fn at(seconds: i64) -> Seen {
        Seen::from_unix(seconds).unwrap()
    }

    #[test]
    fn what_has_ended_is_left_out_to_the_second() {
        let mut rows = rows("192.0.2.1\n192.0.2.2\n192.0.2.3\n");
        rows[0].sighting.expires = Some(at(100));
        rows[1].sighting.expires = Some(at(200));
        let merged = |now| merge(&[feed("a", Action::Drop, &rows)], at_time(now));
        let seen = |now| {
            let set = merged(Some(at(now)));
            (set.rules.len(), set.lapsed, set.next_end.map(Seen::unix))
        };
        assert_eq!(seen(99), (3, 0, Some(100)));
        assert_eq!(seen(100), (2, 1, Some(200)));
        assert_eq!(seen(200), (1, 2, None));
        assert_eq!(merged(None).rules.len(), 3, "without a clock nothing ends");
    }

    #[test]
    fn an_authority_ends_with_all_its_rows() {
        let rows = rows("192.0.2.1\n");
        let mut ordered = feed("court", Action::Drop, &rows);
        let mut terms = Terms::of(Action::Drop);
        terms.authority.until = Some(at(100));
        ordered.label.terms = Arc::new(terms);
        let rules = |now| merge(&[ordered.clone()], at_time(Some(at(now)))).rules;
        assert_eq!((rules(99).len(), rules(100).len()), (1, 0));
    }

    #[test]
    fn a_quorum_counts_feeds_and_not_files() {
        let rows = rows("192.0.2.1\n");
        let asking = |number| {
            let terms = Terms {
                min_feeds: 2,
                ..Terms::of(Action::Drop)
            };
            FeedRows {
                label: Label::new("list", number, terms),
                rows: &rows,
            }
        };
        let action = |feeds: &[FeedRows<'_>]| merge(feeds, at_any_time()).rules[0].action;
        assert_eq!(action(&[asking(1), asking(1)]), Action::Monitor);
        assert_eq!(action(&[asking(1), asking(2)]), Action::Drop);
        let second = feed("b", Action::Monitor, &rows);
        assert_eq!(
            action(&[asking(1), second]),
            Action::Drop,
            "it names it as well"
        );
    }

    #[test]
    fn who_is_not_sure_enough_only_monitors() {
        let mut rows = rows("192.0.2.1\n192.0.2.2\n192.0.2.3\n");
        rows[0].sighting.confidence = Some(49);
        rows[1].sighting.confidence = Some(50);
        let mut unsure = feed("a", Action::Drop, &rows);
        unsure.label.terms = Arc::new(Terms {
            min_confidence: 50,
            ..Terms::of(Action::Drop)
        });
        let set = merge(&[unsure], at_any_time());
        let actions: Vec<_> = set.rules.iter().map(|rule| rule.action).collect();
        assert_eq!(actions, [Action::Monitor, Action::Drop, Action::Drop]);
    }

    #[test]
    fn kinds_narrow_what_is_enforced_and_are_counted() {
        let rows = rows("192.0.2.1\n192.0.2.1:443\n198.51.100.1\n");
        let nets = vec!["192.0.2.0/24".parse().unwrap()];
        let kinds = Kinds::new(Vec::new(), nets, Vec::new(), Kinds::LIFE);
        let context = Context {
            kinds: &kinds,
            ..at_any_time()
        };
        let set = merge(&[feed("a", Action::Drop, &rows)], context);
        let actions: Vec<_> = set.rules.iter().map(|rule| rule.action).collect();
        assert_eq!(actions, [Action::Monitor, Action::Drop, Action::Drop]);
        assert_eq!(set.narrowed, BTreeMap::from([((0, Kind::Shared), 1)]));
    }

    #[test]
    fn wide_prefixes_need_the_feeds_leave() {
        let rows = rows("198.51.100.0/23\n192.0.2.0/24\n2001:db8::/40\n10.0.0.0/9\n");
        let mut feeds = [feed("a", Action::Drop, &rows)];
        let set = merge(&feeds, at_any_time());
        let guards: Vec<_> = set
            .refusals
            .iter()
            .map(|refused| refused.refusal.guard)
            .collect();
        assert_eq!(guards, ["width", "width", "compiled_in"]);
        assert_eq!((set.rules.len(), set.refused), (1, 3));
        feeds[0].label.terms = Arc::new(Terms {
            wide: true,
            ..Terms::of(Action::Drop)
        });
        let set = merge(&feeds, at_any_time());
        assert_eq!((set.rules.len(), set.refused), (3, 1));
    }

    #[test]
    fn address_wide_entries_in_own_networks_only_count() {
        let rows = rows("198.51.100.7\n198.51.100.8:443\n198.51.100.0/25\n203.0.113.1\n");
        let guard = Guard::new(Lists {
            own: vec!["198.51.100.0/24".parse().unwrap()],
            ..Lists::default()
        });
        let context = Context {
            guard: &guard,
            ..at_any_time()
        };
        let set = merge(&[feed("a", Action::Drop, &rows)], context);
        let shown: Vec<_> = set
            .rules
            .iter()
            .map(|rule| (rule.indicator.to_string(), rule.action))
            .collect();
        assert_eq!(
            shown,
            [
                ("198.51.100.0/25".to_owned(), Action::Monitor),
                ("198.51.100.7/32".to_owned(), Action::Monitor),
                ("198.51.100.8/32:443".to_owned(), Action::Drop),
                ("203.0.113.1/32".to_owned(), Action::Drop),
            ]
        );
        assert_eq!((set.refused, set.softened), (0, 2));
        assert_eq!(set.notices[0].refusal.guard, "own_network");
        assert!(set.notices[0].refusal.reason.contains("only counts"));
    }

    #[test]
    fn a_rule_stays_small() {
        assert!(size_of::<Rule>() <= 80, "{}", size_of::<Rule>());
    }
}
