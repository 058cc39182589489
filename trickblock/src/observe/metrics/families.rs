//! Which families there are. `docs/metrics.md` lists them.

use jiff::Timestamp;

use super::{ByHand, Family, Kind, Sample};
use crate::observe::{
    Status,
    feeds::{AlarmKind, FeedHealth, Feeds},
    status::{Entries, State},
};

const STATES: [(&str, State); 3] = [
    ("active", State::Active),
    ("degraded", State::Degraded),
    ("off", State::Off),
];
const FEED_STATES: [&str; 4] = ["waiting", "ok", "stale", "failed"];

type Labels<'a> = &'a [(&'a str, &'a str)];

/// All of them, also those that have no sample now.
pub(super) fn all(status: &Status, feeds: &Feeds, by_hand: ByHand) -> Vec<Family> {
    let mut all = daemon(status);
    all.extend(packets(status));
    all.extend(table(status));
    all.extend([
        one(
            "trickblock_blocks_by_hand",
            "Blocks that the operator made",
            by_hand.blocks,
        ),
        one(
            "trickblock_allowances_by_hand",
            "Allowances that the operator made",
            by_hand.allowances,
        ),
    ]);
    all.extend(counts(status, feeds));
    all.extend(times(feeds));
    all.extend(judged(feeds));
    all
}

fn daemon(status: &Status) -> Vec<Family> {
    let mut build = gauge("trickblock_build_info", "The daemon's version; always 1");
    let mut started = gauge(
        "trickblock_start_timestamp_seconds",
        "When the daemon started",
    );
    if let Some(daemon) = &status.daemon {
        build.add(&[("version", &daemon.version)], 1);
        started.extend_time(&[], Some(&daemon.started_at));
    }
    let mut state = gauge("trickblock_state", "1 for the state that the filter is in");
    for (name, is) in STATES {
        state.add(&[("state", name)], u64::from(status.state == is));
    }
    let mut attached = gauge(
        "trickblock_interface_attached",
        "1 where an interface is filtered",
    );
    for interface in &status.interfaces {
        let is = u64::from(interface.attached);
        attached.add(&[("interface", &interface.name)], is);
    }
    let problems = status.problems.len();
    vec![
        build,
        started,
        state,
        one(
            "trickblock_problems",
            "Sentences under `problems` of status",
            problems,
        ),
        attached,
    ]
}

fn packets(status: &Status) -> Vec<Family> {
    let mut packets = counter("trickblock_packets", "Packets that were no plain miss");
    let mut bytes = counter("trickblock_bytes", "Bytes of these packets");
    for count in &status.counters {
        let side = count.side.as_deref().unwrap_or("none");
        let labels = [
            ("verdict", count.verdict.as_str()),
            ("reason", &count.reason),
            ("side", side),
            ("direction", &count.direction),
        ];
        packets.add(&labels, count.packets);
        bytes.add(&labels, count.bytes);
    }
    let mut events = counter(
        "trickblock_events",
        "Events of the kernel, by what became of them",
    );
    for (outcome, number) in [
        ("read", status.events.read),
        ("limited", status.events.limited),
        ("lost", status.events.lost),
    ] {
        events.add(&[("outcome", outcome)], number);
    }
    vec![packets, bytes, events]
}

fn table(status: &Status) -> Vec<Family> {
    let is = &status.indicators;
    let mut indicators = gauge("trickblock_indicators", "Indicators in force");
    indicators.add(&[("family", "v4")], number(is.v4));
    indicators.add(&[("family", "v6")], number(is.v6));
    let mut swaps = counter(
        "trickblock_swaps",
        "Whole-set swaps since the table was made",
    );
    swaps.add(&[], status.generation);
    let mut changes = counter(
        "trickblock_changes",
        "Changes in place since the table was made",
    );
    changes.add(&[], status.revision / 2);
    vec![
        indicators,
        one(
            "trickblock_indicators_monitored",
            "Indicators that only count",
            is.monitor,
        ),
        by_table(
            "trickblock_table_entries",
            "Table entries in use",
            &is.entries,
        ),
        by_table(
            "trickblock_table_capacity",
            "Table entries there are",
            &is.capacity,
        ),
        swaps,
        changes,
        one(
            "trickblock_never_block_prefixes",
            "Prefixes that nothing blocks",
            status.never_block,
        ),
    ]
}

fn by_table(name: &str, help: &str, entries: &Entries) -> Family {
    let mut family = gauge(name, help);
    family.add(&[("table", "v4_addresses")], entries.v4_addresses);
    family.add(&[("table", "v4_others")], entries.v4_others);
    family.add(&[("table", "v6")], entries.v6);
    family
}

fn counts(status: &Status, feeds: &Feeds) -> Vec<Family> {
    let count = |name, help, of: fn(&FeedHealth) -> u64| {
        let mut family = gauge(name, help);
        for feed in &feeds.feeds {
            family.add(&[("feed", &feed.name)], of(feed));
        }
        family
    };
    let mut refused = gauge("trickblock_feed_refused_rows", "Rows that a guard refused");
    for feed in &status.feeds {
        refused.add(&[("feed", &feed.name)], feed.refused);
    }
    let mut overlap = gauge(
        "trickblock_feed_overlap_indicators",
        "Indicators that another feed names as well",
    );
    for feed in &feeds.feeds {
        for other in &feed.overlap {
            let labels = [("feed", feed.name.as_str()), ("other", &other.feed)];
            overlap.add(&labels, other.indicators);
        }
    }
    vec![
        count(
            "trickblock_feed_indicators",
            "Indicators in force because of the feed",
            |feed| feed.indicators,
        ),
        count(
            "trickblock_feed_unique_indicators",
            "Of those, what no other feed names",
            |feed| feed.unique,
        ),
        count(
            "trickblock_feed_departed_indicators",
            "Of those, what it does not name any more",
            |feed| feed.departed,
        ),
        overlap,
        count("trickblock_feed_rejected_rows", "Malformed rows", |feed| {
            feed.rejected
        }),
        count(
            "trickblock_feed_ignored_rows",
            "Rows that are no addresses",
            |feed| feed.ignored,
        ),
        refused,
    ]
}

fn times(feeds: &Feeds) -> Vec<Family> {
    let time = |name, help, of: fn(&FeedHealth) -> Option<&String>| {
        let mut family = gauge(name, help);
        for feed in &feeds.feeds {
            family.extend_time(&[("feed", &feed.name)], of(feed));
        }
        family
    };
    vec![
        time(
            "trickblock_feed_last_success_timestamp_seconds",
            "When its source last confirmed it",
            |feed| feed.last_ok.as_ref(),
        ),
        time(
            "trickblock_feed_last_change_timestamp_seconds",
            "When its rows last changed",
            |feed| feed.changed_at.as_ref(),
        ),
        time(
            "trickblock_feed_newest_timestamp_seconds",
            "The newest time that it states",
            |feed| feed.newest.as_ref(),
        ),
    ]
}

fn judged(feeds: &Feeds) -> Vec<Family> {
    let mut state = gauge(
        "trickblock_feed_state",
        "1 for the state that the feed is in",
    );
    let mut held = gauge(
        "trickblock_feed_held",
        "1 while an update waits for the operator",
    );
    let mut trial = gauge(
        "trickblock_feed_on_trial",
        "1 while new indicators only monitor",
    );
    let mut alarm = gauge("trickblock_feed_alarm", "1 for each alarm of the feed");
    for feed in &feeds.feeds {
        let name = ("feed", feed.name.as_str());
        for is in FEED_STATES {
            state.add(&[name, ("state", is)], u64::from(feed.state == is));
        }
        held.add(&[name], u64::from(feed.held.is_some()));
        trial.add(&[name], u64::from(feed.trial.is_some()));
        for kind in AlarmKind::ALL {
            let rings = feed.alarm_kinds.contains(&kind);
            alarm.add(&[name, ("alarm", kind.name())], u64::from(rings));
        }
    }
    vec![state, held, trial, alarm]
}

fn one(name: &str, help: &str, value: usize) -> Family {
    let mut family = gauge(name, help);
    family.add(&[], number(value));
    family
}

fn gauge(name: &str, help: &str) -> Family {
    family(name, help, Kind::Gauge)
}

fn counter(name: &str, help: &str) -> Family {
    family(name, help, Kind::Counter)
}

fn family(name: &str, help: &str, kind: Kind) -> Family {
    Family {
        name: name.to_owned(),
        help: help.to_owned(),
        kind,
        samples: Vec::new(),
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Family {
    fn add(&mut self, labels: Labels<'_>, value: u64) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.samples.push(Sample {
            labels: labels.iter().map(owned).collect(),
            value,
        });
    }

    /// No sample where there is no such time.
    fn extend_time(&mut self, labels: Labels<'_>, time: Option<&String>) {
        let seconds = time.and_then(|time| time.parse::<Timestamp>().ok());
        let seconds = seconds.and_then(|time| u64::try_from(time.as_second()).ok());
        seconds
            .into_iter()
            .for_each(|value| self.add(labels, value));
    }
}
