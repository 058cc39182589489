//! `trickblock feeds`: what each feed is worth, and what is wrong with it.

use serde::{Deserialize, Serialize};

use crate::policy::Kind;

/// Version of the JSON.
pub const SCHEMA: u32 = 1;
/// A list whose newest statement is older than this is kept by nobody.
const OLD_DAYS: i64 = 30;
/// A list that did not change for as long may be one that nobody writes any more.
const FROZEN_DAYS: i64 = 7;
/// A feed that names alone less than the usual divided by this is not what it was.
const LESS: u64 = 5;
const DAY: i64 = 24 * 60 * 60;

/// The answer to `feeds`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Feeds {
    pub schema: u32,
    pub feeds: Vec<FeedHealth>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedHealth {
    pub name: String,
    pub location: String,
    /// As in `status`: `waiting`, `ok`, `stale` or `failed`.
    pub state: String,
    pub action: String,
    pub authority: String,
    pub format: Option<String>,
    /// In force because of it, what it does not name any more included.
    pub indicators: u64,
    /// Of those, what no other feed names.
    pub unique: u64,
    /// Of those, what it does not name any more.
    pub departed: u64,
    pub rejected: u64,
    pub ignored: u64,
    pub last_ok: Option<String>,
    /// When its rows last changed, as far as this daemon saw it.
    pub changed_at: Option<String>,
    /// The newest time that it states of an indicator.
    pub newest: Option<String>,
    pub overlap: Vec<Overlap>,
    pub held: Option<HeldStatus>,
    /// The update whose new indicators only monitor now.
    #[serde(default)]
    pub trial: Option<HeldStatus>,
    pub last_error: Option<String>,
    /// When its source is tried again after that.
    #[serde(default)]
    pub next_try: Option<String>,
    /// Its source says something else, which the operator rejected.
    #[serde(default)]
    pub stands: bool,
    /// What is wrong, one sentence each; empty for a feed in good health.
    pub alarms: Vec<String>,
    /// Of what kind each of them is.
    #[serde(default)]
    pub alarm_kinds: Vec<AlarmKind>,
}

/// What may be wrong with a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    Held,
    Empty,
    Frozen,
    Old,
    Drift,
    Unread,
    OnlyMonitors,
    AddsNothing,
    AddsLess,
    Ended,
}

impl AlarmKind {
    pub const ALL: [Self; 10] = [
        Self::Held,
        Self::Empty,
        Self::Frozen,
        Self::Old,
        Self::Drift,
        Self::Unread,
        Self::OnlyMonitors,
        Self::AddsNothing,
        Self::AddsLess,
        Self::Ended,
    ];

    /// As in JSON and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Empty => "empty",
            Self::Frozen => "frozen",
            Self::Old => "old",
            Self::Drift => "drift",
            Self::Unread => "unread",
            Self::OnlyMonitors => "only_monitors",
            Self::AddsNothing => "adds_nothing",
            Self::AddsLess => "adds_less",
            Self::Ended => "ended",
        }
    }
}

/// Indicators that another feed names as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    pub feed: String,
    pub indicators: u64,
}

/// An update that waits for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldStatus {
    /// What `feeds approve` calls it.
    #[serde(default)]
    pub update: String,
    pub since: String,
    pub reason: String,
}

impl HeldStatus {
    /// What is to be done about it.
    pub fn notice(&self, feed: &str) -> String {
        let Self {
            update,
            since,
            reason,
        } = self;
        format!(
            "an update is held since {since}: {reason}: look at it with `trickblock feeds diff {feed}`, then `trickblock feeds approve {feed} {update}` or `reject`"
        )
    }
}

/// What a feed's health is judged by, besides what is shown.
#[derive(Clone, Debug, Default)]
pub struct Signs {
    /// Unix seconds, all four.
    pub now: i64,
    pub changed_at: Option<i64>,
    pub newest: Option<i64>,
    /// A body was accepted.
    pub has_content: bool,
    /// What differed in kind from the body before it.
    pub drift: Option<String>,
    /// Files of a directory that were no feed, each with its reason.
    pub unread: Vec<String>,
    /// Other feeds that name something.
    pub others: usize,
    /// Rows that only monitor because of the kind of their addresses.
    pub narrowed: Vec<(Kind, u64)>,
    /// How many indicators it usually named alone, once enough days are known.
    pub usual: Option<u64>,
    /// When its authority ended, if it has.
    pub ended: Option<String>,
}

impl FeedHealth {
    /// Fills `alarms`.
    pub fn judge(&mut self, signs: &Signs) {
        let older = |time: Option<i64>, days: i64| {
            let days_old = signs.now.saturating_sub(time?) / DAY;
            (days_old >= days).then_some(days_old)
        };
        let named = self.indicators.saturating_sub(self.departed);
        if let Some(held) = self.held.clone() {
            self.alarm(AlarmKind::Held, held.notice(&self.name));
        }
        if let Some(until) = &signs.ended {
            let text = format!(
                "ended: its `until`, {until}, has passed and nothing of it is in force: renew it, or take the feed out"
            );
            self.alarm(AlarmKind::Ended, text);
        } else if signs.has_content && named == 0 {
            let text = "alive but empty: it names nothing that can be blocked";
            self.alarm(AlarmKind::Empty, text);
        }
        if let Some(days) = older(signs.changed_at, FROZEN_DAYS) {
            self.alarm(
                AlarmKind::Frozen,
                format!("frozen: the same for {days} days"),
            );
        }
        if let Some(days) = older(signs.newest, OLD_DAYS) {
            let text = format!("old: its newest statement is {days} days old");
            self.alarm(AlarmKind::Old, text);
        }
        if let Some(drift) = &signs.drift {
            self.alarm(AlarmKind::Drift, format!("schema drift: {drift}"));
        }
        for file in &signs.unread {
            self.alarm(AlarmKind::Unread, format!("unread: {file}"));
        }
        for (kind, rows) in &signs.narrowed {
            let text = format!("{rows} of its rows only monitor: {}", because(*kind));
            self.alarm(AlarmKind::OnlyMonitors, text);
        }
        self.judge_worth(signs, named);
    }

    /// What it adds to the other feeds.
    fn judge_worth(&mut self, signs: &Signs, named: u64) {
        let usual = signs.usual.unwrap_or_default();
        if named > 0 && self.unique == 0 && signs.others > 0 {
            let text = "adds nothing: other feeds name all of it";
            self.alarm(AlarmKind::AddsNothing, text);
        } else if named > 0 && self.unique < usual / LESS {
            let text = format!(
                "adds less: {} that no other feed names, usually {usual}",
                self.unique
            );
            self.alarm(AlarmKind::AddsLess, text);
        }
    }

    fn alarm(&mut self, kind: AlarmKind, text: impl Into<String>) {
        self.alarm_kinds.push(kind);
        self.alarms.push(text.into());
    }
}

fn because(kind: Kind) -> &'static str {
    match kind {
        Kind::Sinkhole => "sinkholes harm nobody, and who calls them is infected",
        Kind::Shared => {
            "others' services stand behind these addresses, only address:port would drop"
        }
        Kind::Residential | Kind::Dedicated => {
            "they are people's connections, only address:port would drop"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms(health: &FeedHealth, signs: &Signs) -> Vec<String> {
        let mut health = health.clone();
        health.judge(signs);
        health.alarms
    }

    fn healthy() -> (FeedHealth, Signs) {
        let health = FeedHealth {
            indicators: 10,
            unique: 4,
            ..FeedHealth::default()
        };
        let signs = Signs {
            now: 100 * DAY,
            changed_at: Some(99 * DAY),
            newest: Some(98 * DAY),
            has_content: true,
            drift: None,
            unread: Vec::new(),
            others: 1,
            narrowed: Vec::new(),
            usual: Some(20),
            ended: None,
        };
        (health, signs)
    }

    #[test]
    fn a_healthy_feed_has_no_alarm() {
        let (health, signs) = healthy();
        assert_eq!(alarms(&health, &signs), [""; 0]);
    }

    #[test]
    fn every_sign_has_its_alarm() {
        let (health, signs) = healthy();
        let less = Signs {
            usual: Some(25),
            ..signs.clone()
        };
        assert!(
            alarms(&health, &less)[0].contains("adds less: 4 that no other feed names, usually 25")
        );
        let frozen = Signs {
            changed_at: Some(93 * DAY),
            ..signs.clone()
        };
        assert!(alarms(&health, &frozen)[0].contains("frozen: the same for 7 days"));
        let old = Signs {
            newest: Some(60 * DAY),
            ..signs.clone()
        };
        assert!(alarms(&health, &old)[0].contains("40 days old"));
        let drifted = Signs {
            drift: Some("it was csv".to_owned()),
            ..signs.clone()
        };
        assert!(alarms(&health, &drifted)[0].contains("it was csv"));
        let unread = Signs {
            unread: vec!["/feeds/b.txt: it is empty".to_owned()],
            ..signs.clone()
        };
        assert!(alarms(&health, &unread)[0].contains("unread: /feeds/b.txt: it is empty"));
        let shared = Signs {
            narrowed: vec![(Kind::Shared, 3)],
            ..signs.clone()
        };
        assert!(alarms(&health, &shared)[0].contains("3 of its rows only monitor"));
        let empty = FeedHealth {
            indicators: 3,
            departed: 3,
            ..FeedHealth::default()
        };
        assert!(alarms(&empty, &signs)[0].contains("alive but empty"));
        let ended = Signs {
            ended: Some("2026-01-01T00:00:00Z".to_owned()),
            ..signs.clone()
        };
        let told = alarms(&empty, &ended);
        assert!(told[0].contains("its `until`, 2026") && !told[0].contains("empty"));
        let redundant = FeedHealth {
            unique: 0,
            ..health
        };
        assert!(alarms(&redundant, &signs)[0].contains("adds nothing"));
        let alone = Signs {
            others: 0,
            usual: None,
            ..signs
        };
        assert_eq!(alarms(&redundant, &alone), [""; 0]);
    }
}
