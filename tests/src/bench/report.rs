//! What was measured, as JSON, and what of it meets the goals.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{
    GOAL_SIZE,
    corpus::Corpus,
    host::{Flows, Rate},
    lookup::Row,
    machine::Facts,
    stats::Summary,
};

/// Filled in while the benchmark runs, so that a run cut short still has its part.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub machine: Facts,
    pub rows: Vec<Row>,
    /// The shared code on the host.
    pub host: Vec<Rate>,
    pub swap_100k_ms: Option<Summary>,
    pub swap_1m_ms: Option<Summary>,
    pub text_to_attached_100k_s: Option<Summary>,
    pub daemon_private_mib_100k: Option<Summary>,
    /// Why the run ended early.
    pub error: Option<String>,
    pub duration: Duration,
}

/// A bound, and what was measured against it.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// Stable: programs read it.
    pub name: &'static str,
    pub what: &'static str,
    pub limit: f64,
    /// The limit is the least that is wanted, not the most.
    pub at_least: bool,
    pub unit: &'static str,
    /// `None` where it was not measured.
    pub value: Option<f64>,
}

impl Goal {
    /// `None` where it was not measured.
    pub fn met(&self) -> Option<bool> {
        let met = |value: f64| {
            if self.at_least {
                value >= self.limit
            } else {
                value <= self.limit
            }
        };
        self.value.map(met)
    }
}

impl Report {
    /// In the order of importance.
    pub fn goals(&self) -> [Goal; 4] {
        let median = |summary: &Option<Summary>| summary.map(|summary| summary.median);
        [
            Goal {
                name: "pass_ratio_100k",
                what: "PASS with 100 k indicators against parse and pass, worst corpus",
                limit: 3.0,
                at_least: false,
                unit: "×",
                value: self.worst_pass_ratio(),
            },
            Goal {
                name: "text_to_attached_100k_s",
                what: "100 k indicators from text to attached",
                limit: 1.0,
                at_least: false,
                unit: "s",
                value: median(&self.text_to_attached_100k_s),
            },
            Goal {
                name: "daemon_private_mib_100k",
                what: "the daemon's private memory with 100 k indicators",
                limit: 64.0,
                at_least: false,
                unit: "MiB",
                value: median(&self.daemon_private_mib_100k),
            },
            Goal {
                name: "host_mpps",
                what: "decode and lookup on the host, one core, worst benign corpus",
                limit: 20.0,
                at_least: true,
                unit: "M packets/s",
                value: self.worst_host_rate().map(|rate| rate / 1e6),
            },
        ]
    }

    /// Writes [`Report::json`] there.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = format!("{:#}\n", self.json());
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Keys are stable; a figure that was not measured is null.
    pub fn json(&self) -> Value {
        let summary = |summary: &Option<Summary>| {
            summary.map(|one| json!({"median": one.median, "min": one.min, "max": one.max}))
        };
        let median = |summary: &Option<Summary>| summary.map(|summary| summary.median);
        json!({
            "schema": 1,
            "machine": self.machine.json(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "host": self.host.iter().map(rate).collect::<Vec<_>>(),
            "updates": {
                "swap_100k_ms": median(&self.swap_100k_ms),
                "swap_1m_ms": median(&self.swap_1m_ms),
                "text_to_attached_100k_s": median(&self.text_to_attached_100k_s),
                "daemon_private_mib_100k": median(&self.daemon_private_mib_100k),
            },
            "spread": {
                "swap_100k_ms": summary(&self.swap_100k_ms),
                "swap_1m_ms": summary(&self.swap_1m_ms),
                "text_to_attached_100k_s": summary(&self.text_to_attached_100k_s),
                "daemon_private_mib_100k": summary(&self.daemon_private_mib_100k),
            },
            "goals": self.goals().iter().map(goal).collect::<Vec<_>>(),
            "duration_s": self.duration.as_secs_f64(),
            "error": self.error,
        })
    }

    fn worst_host_rate(&self) -> Option<f64> {
        let benign = self.host.iter().filter(|rate| rate.flows != Flows::Hit);
        benign
            .map(|rate| rate.packets_per_second.median)
            .min_by(f64::total_cmp)
    }

    fn worst_pass_ratio(&self) -> Option<f64> {
        let passing = self
            .rows
            .iter()
            .filter(|row| row.target.indicators() == Some(GOAL_SIZE) && row.corpus != Corpus::Hit);
        passing
            .map(|row| row.ratio_to_parse_pass)
            .max_by(f64::total_cmp)
    }
}

fn row(row: &Row) -> Value {
    json!({
        "method": "test_run",
        "target": row.target.name(),
        "corpus": row.corpus.name(),
        "indicators": row.target.indicators(),
        "ns_per_packet": row.ns_per_packet.median,
        "mpps": 1e3 / row.ns_per_packet.median,
        "min": row.ns_per_packet.min,
        "max": row.ns_per_packet.max,
        "net_ns": row.net_ns,
        "rounds": row.rounds,
        "ratio_to_parse_pass": row.ratio_to_parse_pass,
        "note": row.note(),
    })
}

fn rate(rate: &Rate) -> Value {
    json!({
        "family": format!("{:?}", rate.family).to_lowercase(),
        "corpus": rate.flows.name(),
        "indicators": rate.indicators,
        "packets_per_second": rate.packets_per_second.median,
        "min": rate.packets_per_second.min,
        "max": rate.packets_per_second.max,
        "rounds": rate.rounds,
    })
}

fn goal(goal: &Goal) -> Value {
    json!({
        "name": goal.name,
        "limit": goal.limit,
        "at_least": goal.at_least,
        "unit": goal.unit,
        "value": goal.value,
        "met": goal.met(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::lookup::Target;

    fn measured(corpus: Corpus, size: usize, ratio: f64) -> Row {
        let ns = Summary::of([40.0]).unwrap();
        Row {
            target: Target::Trickblock(size),
            corpus,
            ns_per_packet: ns,
            net_ns: 18.0,
            ratio_to_parse_pass: ratio,
            rounds: 1,
        }
    }

    #[test]
    fn the_worst_passing_corpus_of_the_goals_size_counts() {
        let report = Report {
            rows: vec![
                measured(Corpus::Hot, GOAL_SIZE, 1.1),
                measured(Corpus::Near, GOAL_SIZE, 3.1),
                measured(Corpus::Hit, GOAL_SIZE, 9.0),
                measured(Corpus::Near, 1_000_000, 8.0),
            ],
            ..Report::default()
        };
        let [pass, start, ..] = report.goals();
        assert_eq!((pass.value, pass.met()), (Some(3.1), Some(false)));
        assert_eq!((start.value, start.met()), (None, None));
    }

    #[test]
    fn json_has_the_rows_and_null_for_what_is_missing() {
        let report = Report {
            rows: vec![measured(Corpus::Hit, 1_000, 2.0)],
            swap_100k_ms: Summary::of([5.0, 6.0, 7.0]),
            ..Report::default()
        };
        let json = report.json();
        assert_eq!(json["rows"][0]["corpus"], "hit");
        assert_eq!(json["rows"][0]["mpps"], 25.0);
        assert_eq!(json["updates"]["swap_100k_ms"], 6.0);
        assert_eq!(json["spread"]["swap_100k_ms"]["max"], 7.0);
        assert_eq!(json["updates"]["swap_1m_ms"], Value::Null);
    }
}
