//! What came of it.

use std::time::Duration;

use serde::Serialize;

use super::Class;

/// Version of the JSON.
const SCHEMA: u32 = 1;
/// Differences that are told one by one.
const TOLD: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Ok,
    /// Every program does what it should, but not everywhere.
    Degraded,
    Different,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub schema: u32,
    pub result: Verdict,
    /// A daemon was asked what it enforces.
    pub daemon: bool,
    pub seed: u64,
    /// In force.
    pub indicators: usize,
    /// Looked at in every class.
    pub sampled: usize,
    pub programs: Vec<ProgramReport>,
    pub classes: Vec<ClassReport>,
    pub differences: Vec<Difference>,
    /// Differences beyond those.
    pub more_differences: usize,
    /// What keeps the filter from being everywhere.
    pub problems: Vec<String>,
    pub duration_ms: u64,
}

/// A program at a hook.
#[derive(Clone, Debug, Serialize)]
pub struct ProgramReport {
    /// Null where the filter is attached nowhere.
    pub interface: Option<String>,
    pub ifindex: u32,
    pub hook: Option<String>,
    /// Its name in the object.
    pub program: &'static str,
    /// Of what sits there.
    pub id: Option<u32>,
    pub pinned_id: u32,
    pub probes: u64,
    pub wrong: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct ClassReport {
    pub class: Class,
    pub probes: u64,
    pub wrong: u64,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// A class of packets, or `attachment`, `interfaces`, `table` or `never_block_list`.
    pub class: &'static str,
    pub what: String,
    pub interface: Option<String>,
    pub program: Option<&'static str>,
    /// The frame, in hexadecimal digits.
    pub packet: Option<String>,
    pub expected: String,
    pub got: String,
    /// That the packet is about.
    pub indicator: Option<String>,
    /// What to do.
    pub fix: &'static str,
}

impl Report {
    pub(super) fn new(seed: u64, indicators: usize) -> Self {
        let class = |class: &Class| ClassReport {
            class: *class,
            probes: 0,
            wrong: 0,
        };
        Self {
            schema: SCHEMA,
            result: Verdict::Ok,
            daemon: false,
            seed,
            indicators,
            sampled: 0,
            programs: Vec::new(),
            classes: Class::ALL.iter().map(class).collect(),
            differences: Vec::new(),
            more_differences: 0,
            problems: Vec::new(),
            duration_ms: 0,
        }
    }

    /// A difference that is not about a packet.
    pub(super) fn differs(
        &mut self,
        class: &'static str,
        what: impl Into<String>,
        [expected, got]: [String; 2],
        fix: &'static str,
    ) {
        self.add(Difference {
            class,
            what: what.into(),
            interface: None,
            program: None,
            packet: None,
            expected,
            got,
            indicator: None,
            fix,
        });
    }

    pub(super) fn add(&mut self, difference: Difference) {
        if self.differences.len() < TOLD {
            self.differences.push(difference);
        } else {
            self.more_differences += 1;
        }
    }

    pub(super) fn settle(&mut self, took: Duration) {
        self.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.result = match (self.differences.is_empty(), self.problems.is_empty()) {
            (false, _) => Verdict::Different,
            (true, false) => Verdict::Degraded,
            (true, true) => Verdict::Ok,
        };
    }

    pub fn probes(&self) -> u64 {
        self.classes.iter().map(|class| class.probes).sum()
    }
}
