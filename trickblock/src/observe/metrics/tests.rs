use std::collections::BTreeSet;

use super::*;
use crate::observe::feeds::{FeedHealth, Overlap};

fn status() -> Status {
    let text = include_str!("tests/status.json");
    serde_json::from_str(text).expect("a status")
}

fn feed(name: &str) -> FeedHealth {
    FeedHealth {
        name: name.to_owned(),
        state: "ok".to_owned(),
        indicators: 3,
        last_ok: Some("2026-01-02T03:04:05Z".to_owned()),
        ..FeedHealth::default()
    }
}

fn metrics() -> Metrics {
    let other = FeedHealth {
        overlap: vec![Overlap {
            feed: "o\"ne\\\n".to_owned(),
            indicators: 2,
        }],
        ..feed("two")
    };
    let feeds = Feeds {
        schema: 1,
        feeds: vec![feed("o\"ne\\\n"), other],
    };
    Metrics::of(&status(), &feeds, ByHand::default())
}

#[test]
fn each_family_is_described_once_and_has_its_samples_behind_it() {
    let text = metrics().text();
    let mut described = BTreeSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split(' ').next().expect("a name").to_owned();
            assert!(described.insert(current.clone()), "{current} twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert_eq!(rest.split(' ').next(), Some(current.as_str()));
        } else if line != "# EOF" {
            let name = line.split(['{', ' ']).next().expect("a name");
            let total = format!("{current}_total");
            assert!(name == current || name == total, "{name} below {current}");
            assert!(
                line.rsplit(' ')
                    .next()
                    .expect("a value")
                    .parse::<u64>()
                    .is_ok()
            );
        }
    }
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(described.len(), metrics().families.len());
}

#[test]
fn labels_are_escaped() {
    let text = metrics().text();
    let expected = r#"trickblock_feed_overlap_indicators{feed="two",other="o\"ne\\\n"} 2"#;
    assert!(text.lines().any(|line| line == expected), "{text}");
    let time = r#"trickblock_feed_last_success_timestamp_seconds{feed="two"} 1767323045"#;
    assert!(text.lines().any(|line| line == time), "{text}");
}

#[test]
fn the_json_holds_the_same() {
    let json = serde_json::to_string(&metrics()).expect("JSON");
    let back: Metrics = serde_json::from_str(&json).expect("the same");
    assert_eq!(back, metrics());
}

/// The reference must not drift from the code.
#[test]
fn the_reference_lists_all_and_nothing_else() {
    let text = include_str!("../../../../docs/metrics.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<&str> = rows.filter_map(|row| row.split('`').next()).collect();
    let all = metrics();
    let named: Vec<String> = all
        .families
        .iter()
        .map(|family| match family.kind {
            Kind::Counter => format!("{}_total", family.name),
            Kind::Gauge => family.name.clone(),
        })
        .collect();
    assert_eq!(documented, named.iter().map(String::as_str).collect());
}
