//! What was measured, as JSON.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::{
    figure::{Figure, Figures},
    goal::Goal,
    goals::goals,
    host::Rate,
    machine::Facts,
    row::Row,
};

/// Filled in while the benchmark runs, so that a run cut short still has its part.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub machine: Facts,
    /// Whether it is one of a quick run.
    pub quick: bool,
    pub rows: Vec<Row>,
    /// The shared code on the host.
    pub host: Vec<Rate>,
    pub figures: Figures,
    /// What could not be measured at all, and why.
    pub gaps: Vec<String>,
    /// Why the run ended early.
    pub error: Option<String>,
    pub duration: Duration,
}

impl Report {
    /// Writes [`Report::json`] there.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = format!("{:#}\n", self.json());
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Keys are stable; a figure that was not measured is null.
    pub fn json(&self) -> Value {
        let figures = |value: fn(&Figure) -> Value| -> Map<String, Value> {
            let figures = self.figures.0.iter();
            figures
                .map(|figure| (figure.name.to_owned(), value(figure)))
                .collect()
        };
        json!({
            "schema": 2,
            "quick": self.quick,
            "machine": self.machine.json(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "host": self.host.iter().map(rate).collect::<Vec<_>>(),
            "updates": figures(|figure| figure.value.map(|value| value.median).into()),
            "spread": figures(|figure| figure.value.map(|one| {
                json!({"median": one.median, "min": one.min, "max": one.max})
            }).into()),
            "notes": figures(|figure| figure.note.clone().into()),
            "goals": goals(self).iter().map(goal).collect::<Vec<_>>(),
            "gaps": self.gaps,
            "duration_s": self.duration.as_secs_f64(),
            "error": self.error,
        })
    }
}

fn row(row: &Row) -> Value {
    let measured = row.measured.as_ref();
    json!({
        "method": row.method.name(),
        "target": row.target.name(),
        "corpus": row.corpus.name(),
        "indicators": row.indicators,
        "ns_per_packet": row.ns(),
        "mpps": row.ns().map(|ns| 1e3 / ns),
        "min": measured.map(|one| one.ns.min),
        "max": measured.map(|one| one.ns.max),
        "net_ns": measured.map(|one| one.net_ns),
        "rounds": measured.map_or(0, |one| one.rounds),
        "ratio_to_parse_pass": measured.and_then(|one| one.to_parse_pass),
        "with_generator_ns": measured.and_then(|one| one.whole_ns),
        "rate_to_bare_drop": measured.and_then(|one| one.to_bare_drop),
        "note": row.note,
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
        "what": goal.what,
        "limit": goal.limit,
        "at_least": goal.at_least,
        "unit": goal.unit,
        "value": goal.value,
        "met": goal.met(),
        "beside": goal.beside,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{
        corpus::Corpus,
        row::Measured,
        stats::Summary,
        target::{Method, Target},
    };

    #[test]
    fn json_has_the_rows_and_null_for_what_is_missing() {
        let cell = (Target::XdpFilter, Corpus::Hit, 1_000_000);
        let missing = Row::missing(Method::TestRun, cell, "cannot");
        let mut report = Report {
            rows: vec![missing.clone(), missing],
            ..Report::default()
        };
        report.rows[1].measured = Some(Measured {
            ns: Summary::of([40.0]).unwrap(),
            net_ns: 18.0,
            to_parse_pass: Some(2.0),
            whole_ns: None,
            to_bare_drop: None,
            rounds: 1,
        });
        report.figures.set("swap_100k_ms", Ok(vec![5.0, 6.0, 7.0]));
        let json = report.json();
        assert_eq!(json["rows"][0]["ns_per_packet"], Value::Null);
        assert_eq!(json["rows"][0]["note"], "cannot");
        assert_eq!(json["rows"][1]["mpps"], 25.0);
        assert_eq!(json["updates"]["swap_100k_ms"], 6.0);
        assert_eq!(json["spread"]["swap_100k_ms"]["max"], 7.0);
        assert_eq!(json["updates"]["swap_1m_ms"], Value::Null);
    }
}
