//! One rule set from the rows of all feeds.

use std::{cmp::Ordering, sync::Arc};

use super::{Action, Guard, Refusal, width};
use crate::{
    feed::Row,
    indicator::{Indicator, Sighting},
};

/// Refused rows kept with their reason; `RuleSet::refused` counts all of them.
const MAX_REFUSALS: usize = 50_000;

/// The rows of one feed.
#[derive(Clone, Debug)]
pub struct FeedRows<'a> {
    pub name: Arc<str>,
    pub action: Action,
    /// It may list prefixes of any width.
    pub wide: bool,
    pub rows: &'a [Row],
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
    pub feeds: Vec<Arc<str>>,
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
}

/// Guards and merges. The order of `feeds` decides nothing but their indices and, where feeds
/// disagree, whose family name is kept.
pub fn merge(feeds: &[FeedRows<'_>], guard: &Guard) -> RuleSet {
    let mut set = RuleSet {
        feeds: feeds.iter().map(|feed| Arc::clone(&feed.name)).collect(),
        ..RuleSet::default()
    };
    let mut kept = set.keep(feeds, guard);
    // Stable order of sources within a rule, whatever the order of the rows.
    kept.sort_unstable_by(Kept::order);
    for group in kept.chunk_by(Kept::is_same) {
        set.rules.extend(rule(group));
    }
    let rows = u64::try_from(kept.len()).unwrap_or(u64::MAX);
    set.duplicates = rows.saturating_sub(u64::try_from(set.rules.len()).unwrap_or(u64::MAX));
    set.rules.shrink_to_fit();
    set
}

impl RuleSet {
    fn keep<'a>(&mut self, feeds: &[FeedRows<'a>], guard: &Guard) -> Vec<Kept<'a>> {
        let mut kept = Vec::with_capacity(feeds.iter().map(|feed| feed.rows.len()).sum());
        for (index, feed) in (0_u32..).zip(feeds) {
            for row in feed.rows {
                let source = Source {
                    feed: index,
                    line: row.line,
                };
                let refusal = guard.refuse(&row.indicator);
                let too_wide = || width::refuse(&row.indicator.prefix).filter(|_| !feed.wide);
                match refusal.or_else(too_wide) {
                    None => kept.push(Kept {
                        key: row.indicator.sort_key(),
                        source,
                        action: self.softened(source, row, feed.action, guard),
                        row,
                    }),
                    Some(refusal) => {
                        let refused = Refused {
                            source,
                            indicator: row.indicator,
                            refusal,
                        };
                        note(&mut self.refused, &mut self.refusals, refused);
                    }
                }
            }
        }
        kept
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

/// All rows of one indicator; `None` for none.
fn rule(group: &[Kept<'_>]) -> Option<Rule> {
    let (first, others) = group.split_first()?;
    let mut sighting = first.row.sighting.clone();
    let mut action = first.action;
    for other in others {
        sighting.absorb(&other.row.sighting);
        action = action.max(other.action);
    }
    let sources = match others {
        [] => Sources::One([first.source]),
        _ => Sources::Many(group.iter().map(|kept| kept.source).collect()),
    };
    Some(Rule {
        indicator: first.row.indicator,
        action,
        sources,
        sighting,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::Lists, *};
    use crate::feed;

    fn rows(body: &str) -> Vec<Row> {
        feed::parse(body.as_bytes(), None).unwrap().rows
    }

    fn feed<'a>(name: &str, action: Action, rows: &'a [Row]) -> FeedRows<'a> {
        FeedRows {
            name: name.into(),
            action,
            wide: false,
            rows,
        }
    }

    #[test]
    fn rules_are_sorted_and_know_all_their_sources() {
        let a = rows("203.0.113.2\n192.0.2.1:443\n192.0.2.1\n203.0.113.2\n10.0.0.1\n");
        let b = rows("192.0.2.1:443\n");
        let set = merge(
            &[feed("a", Action::Monitor, &a), feed("b", Action::Drop, &b)],
            &Guard::compiled_in(),
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
        let set = merge(&[feed("a", Action::Drop, &rows)], &Guard::compiled_in());
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
            &Guard::compiled_in(),
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

    #[test]
    fn wide_prefixes_need_the_feeds_leave() {
        let rows = rows("198.51.100.0/23\n192.0.2.0/24\n2001:db8::/40\n10.0.0.0/9\n");
        let mut feeds = [feed("a", Action::Drop, &rows)];
        let set = merge(&feeds, &Guard::compiled_in());
        let guards: Vec<_> = set
            .refusals
            .iter()
            .map(|refused| refused.refusal.guard)
            .collect();
        assert_eq!(guards, ["width", "width", "compiled_in"]);
        assert_eq!((set.rules.len(), set.refused), (1, 3));
        feeds[0].wide = true;
        let set = merge(&feeds, &Guard::compiled_in());
        assert_eq!((set.rules.len(), set.refused), (3, 1));
    }

    #[test]
    fn address_wide_entries_in_own_networks_only_count() {
        let rows = rows("198.51.100.7\n198.51.100.8:443\n198.51.100.0/25\n203.0.113.1\n");
        let guard = Guard::new(Lists {
            own: vec!["198.51.100.0/24".parse().unwrap()],
            ..Lists::default()
        });
        let set = merge(&[feed("a", Action::Drop, &rows)], &guard);
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
