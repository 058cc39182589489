//! What a search came to.

use std::{
    fmt::{self, Write as _},
    fs,
    path::Path,
    time::Duration,
};

use anyhow::Context as _;
use serde_json::json;

use super::{Found, Shares};

#[derive(Clone, Debug)]
pub struct Report {
    pub seed: u64,
    pub elapsed: Duration,
    pub workers: usize,
    pub shares: Shares,
    /// Demands that were not met.
    pub missing: Vec<String>,
    pub found: Option<Found>,
    /// Why it ended early, other than by a difference.
    pub error: Option<String>,
}

impl Report {
    /// No difference, and enough of everything.
    pub fn passed(&self) -> bool {
        self.found.is_none() && self.error.is_none() && self.missing.is_empty()
    }

    pub fn packets_per_second(&self) -> u64 {
        let milliseconds = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        self.shares.packets * 1_000 / milliseconds.max(1)
    }

    /// Writes the figures as JSON.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let shares = &self.shares;
        let report = json!({
            "schema": 1,
            "result": if self.passed() { "passed" } else { "failed" },
            "seed": self.seed,
            "seconds": self.elapsed.as_secs_f64(),
            "workers": self.workers,
            "packets": shares.packets,
            "packets_per_second": self.packets_per_second(),
            "rounds": shares.rounds,
            "hits": shares.hits(),
            "counted": shares.counted,
            "not_shown": shares.not_shown,
            "inner": shares.inner,
            "differences": u64::from(self.found.is_some()),
            "reasons": shares.reasons,
            "directions": shares.directions,
            "programs": shares.hooks,
            "missing": self.missing,
            "found": self.found.as_ref().map(ToString::to_string),
            "error": self.error,
        });
        fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn end(&self) -> String {
        let mut end = String::new();
        if let Some(found) = &self.found {
            let _ = writeln!(end, "{found}\n");
        }
        if let Some(error) = &self.error {
            let _ = writeln!(end, "the search ended early: {error}");
        }
        if self.found.is_none() && self.error.is_none() {
            for demand in &self.missing {
                let _ = writeln!(end, "too little: {demand}");
            }
        }
        end
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = &self.shares;
        let percent = |count: u64| count as f64 * 100.0 / shares.packets.max(1) as f64;
        for (reason, count) in &shares.reasons {
            writeln!(out, "{count:>12}  {:6.2} %  {reason}", percent(*count))?;
        }
        writeln!(out)?;
        for (what, counts) in [
            ("direction", tell(&shares.directions)),
            ("program", tell(&shares.hooks)),
        ] {
            writeln!(out, "{what:<10} {counts}")?;
        }
        writeln!(
            out,
            "\nseed {}: {} packets in {} rounds on {} cores, {} /s; {:.1} % hits, {} counted, {} inner, {} \
             not shown to the program",
            self.seed,
            shares.packets,
            shares.rounds,
            self.workers,
            self.packets_per_second(),
            percent(shares.hits()),
            shares.counted,
            shares.inner,
            shares.not_shown,
        )?;
        write!(out, "{}", self.end())?;
        let verdict = if self.passed() { "PASSED" } else { "FAILED" };
        let differences = usize::from(self.found.is_some());
        writeln!(
            out,
            "{verdict} in {:.1} s: {differences} differences",
            self.elapsed.as_secs_f64()
        )
    }
}

fn tell<K: fmt::Display>(counts: &std::collections::BTreeMap<K, u64>) -> String {
    let told: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Setup;

    fn report() -> Report {
        Report {
            seed: 7,
            elapsed: Duration::from_secs(2),
            workers: 2,
            shares: Shares {
                packets: 400,
                ..Shares::default()
            },
            missing: Vec::new(),
            found: None,
            error: None,
        }
    }

    #[test]
    fn any_fault_is_a_failure_and_is_told() {
        assert!(report().passed() && report().to_string().contains("PASSED in 2.0 s: 0"));
        assert!(report().to_string().contains("200 /s"));
        let found = Found::in_counters(9, Setup::default(), "one too few".to_owned());
        let faulty = [
            Report {
                found: Some(found),
                ..report()
            },
            Report {
                error: Some("one too few".to_owned()),
                ..report()
            },
            Report {
                missing: vec!["one too few".to_owned()],
                ..report()
            },
        ];
        for report in faulty {
            let text = report.to_string();
            assert!(!report.passed() && text.contains("one too few"), "{text}");
            assert!(text.contains("FAILED"), "{text}");
        }
    }

    #[test]
    fn figures_go_to_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        report().write(file.path()).unwrap();
        let text = fs::read_to_string(file.path()).unwrap();
        let figures: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&figures["seed"], &figures["packets"]),
            (&json!(7), &json!(400))
        );
        assert_eq!(figures["result"], "passed");
    }
}
