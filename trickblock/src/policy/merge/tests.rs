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

/// Prefixes in force of two feeds without permission for wide ones.
fn agreed(a: &str, b: &str) -> (Vec<String>, u64) {
    let (a, b) = (rows(a), rows(b));
    let feeds = [feed("a", Action::Drop, &a), feed("b", Action::Drop, &b)];
    let set = merge(&feeds, at_any_time());
    let shown = set
        .rules
        .iter()
        .map(|rule| rule.indicator.prefix.to_string());
    (shown.collect(), set.refused)
}

#[test]
fn a_wide_prefix_needs_permission_or_a_second_feed() {
    let in_force = |a: &str, b: &str| agreed(a, b).0.join(" ");
    assert_eq!(in_force("198.18.0.0/16\n", "192.0.2.1\n"), "192.0.2.1/32");
    assert_eq!(
        in_force("198.18.0.0/16\n", "198.18.0.0/16\n"),
        "198.18.0.0/16"
    );
    // What the other one says is wider: that is not confirmed, what lies inside of it is.
    assert_eq!(
        in_force("198.18.8.0/22\n", "198.18.0.0/16\n"),
        "198.18.8.0/22"
    );
    assert_eq!(in_force("198.18.0.0/15\n", "198.18.0.0/15\n"), "");
    assert_eq!(
        in_force("2001:db8::/32\n", "2001:db8::/32\n"),
        "2001:db8::/32"
    );
    assert_eq!(in_force("2001:d00::/24\n", "2001:d00::/24\n"), "");
    assert_eq!(agreed("10.0.0.0/16\n", "10.0.0.0/16\n"), (vec![], 2));
}

#[test]
fn a_feed_does_not_confirm_itself() {
    let (a, b) = (
        rows("198.18.0.0/16\n"),
        rows("198.18.0.0/16\n198.18.0.0/16\n"),
    );
    let files = [feed("a", Action::Drop, &a), feed("a", Action::Drop, &b)];
    let set = merge(&files, at_any_time());
    assert_eq!((set.rules.len(), set.refused), (0, 3));
}
