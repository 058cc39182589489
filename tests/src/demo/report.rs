//! What a run found: as JSON for programs, as text for people, and the verdict.

use std::{fs, path::Path, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{channel::Expect, feed::Requests, round::Tally};

/// Filled in while the demo runs, so that a run cut short still has its part.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub phases: Vec<Phase>,
    pub time_to_block: Option<Duration>,
    pub time_to_unblock: Option<Duration>,
    pub poll_interval: Duration,
    pub xdp_mode: Option<String>,
    pub indicators: Option<u64>,
    pub requests: Requests,
    /// Why the run ended early.
    pub error: Option<String>,
    /// Of the daemon, when something went wrong.
    pub log: String,
    pub duration: Duration,
}

/// Sent and arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub sent: usize,
    pub delivered: usize,
}

/// One part of the run.
#[derive(Clone, Debug, Default)]
pub struct Phase {
    pub name: &'static str,
    /// Packets to and from C2s that must be dropped: each arrival is a leak.
    pub blocked: Count,
    /// Packets to and from C2s that must pass: the filter is off, or the C2 is not listed.
    pub passing: Count,
    /// Packets between hosts that were never listed.
    pub benign: Count,
}

impl Count {
    /// Adds what happened besides.
    pub fn add(&mut self, sent: usize, delivered: usize) {
        self.sent += sent;
        self.delivered += delivered;
    }

    /// Sent, but not delivered.
    pub fn lost(self) -> usize {
        self.sent.saturating_sub(self.delivered)
    }
}

impl Phase {
    /// A phase from what its round found; `is_c2` tells pairs apart.
    pub fn new(name: &'static str, tallies: &[Tally], is_c2: impl Fn(u8) -> bool) -> Self {
        let mut phase = Self {
            name,
            ..Self::default()
        };
        for Tally {
            pair,
            expect,
            sent,
            delivered,
        } in tallies
        {
            let count = match expect {
                Expect::Blocked => &mut phase.blocked,
                Expect::Delivered if is_c2(*pair) => &mut phase.passing,
                Expect::Delivered => &mut phase.benign,
            };
            count.add(*sent, *delivered);
        }
        phase
    }

    fn failures(&self) -> Vec<String> {
        let Self {
            name,
            blocked,
            passing,
            benign,
        } = self;
        let faults = [
            (blocked.delivered, "packets of listed C2s arrived"),
            (
                passing.lost(),
                "packets of C2s that were not listed did not arrive",
            ),
            (benign.lost(), "benign packets did not arrive"),
        ];
        let faults = faults.into_iter().filter(|(count, _)| *count > 0);
        faults
            .map(|(count, what)| format!("phase `{name}`: {count} {what}"))
            .collect()
    }
}

/// The phases' names; the verdict asks for some of them.
pub mod names {
    pub const UNFILTERED: &str = "filter off";
    pub const LIVE: &str = "filter on";
    pub const NEW: &str = "new C2 listed";
    pub const REMOVED: &str = "C2 removed";
    pub const STOPPED: &str = "daemon stopped";
    pub const OFF: &str = "trickblock off";
    pub const ALL: [&str; 6] = [UNFILTERED, LIVE, NEW, REMOVED, STOPPED, OFF];
}

impl Report {
    /// What is wrong; nothing if the run passed.
    pub fn failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.phases.iter().flat_map(Phase::failures).collect();
        // A run that ended early lacks phases for that reason alone.
        match &self.error {
            Some(error) => failures.insert(0, error.clone()),
            None => failures.extend(self.gaps()),
        }
        failures
    }

    /// As JSON. `c2_packets_sent` is one full round, which is sent twice: with the filter off
    /// (`c2_packets_delivered_unfiltered`) and with it live; leaks and benign packets are those
    /// of all phases.
    pub fn json(&self) -> Value {
        let failures = self.failures();
        let milliseconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1000.0);
        let unfiltered = self.count(names::UNFILTERED).passing;
        let removed = self.count(names::REMOVED).passing;
        let stopped = self.count(names::STOPPED).blocked;
        let off = self.count(names::OFF).passing;
        json!({
            "schema": 1,
            "result": if failures.is_empty() { "passed" } else { "failed" },
            "error": self.error,
            "failures": failures,
            "c2_packets_sent": unfiltered.sent,
            "c2_packets_delivered_unfiltered": unfiltered.delivered,
            "c2_packets_sent_while_listed": self.sum(|phase| phase.blocked.sent),
            "c2_packets_leaked": self.sum(|phase| phase.blocked.delivered),
            "benign_packets_sent": self.sum(|phase| phase.benign.sent),
            "benign_packets_lost": self.sum(|phase| phase.benign.lost()),
            "time_to_block_ms": milliseconds(self.time_to_block),
            "time_to_unblock_ms": milliseconds(self.time_to_unblock),
            "poll_interval_ms": self.poll_interval.as_millis(),
            "removed_passes_again": removed.sent > 0 && removed.lost() == 0,
            "filter_stays_after_stop": stopped.sent > 0 && stopped.delivered == 0,
            "passes_after_off": off.sent > 0 && off.lost() == 0,
            "xdp_mode": self.xdp_mode,
            "indicators": self.indicators,
            "kernel": kernel(),
            "duration_ms": self.duration.as_millis(),
            "feed_requests": {
                "full": self.requests.full,
                "not_modified": self.requests.not_modified,
                "refused": self.requests.refused,
            },
            "phases": self.phases.iter().map(phase_json).collect::<Vec<_>>(),
            "daemon_log": self.log,
        })
    }

    /// Writes the JSON to `path`.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = format!("{:#}\n", self.json());
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What a complete run must have besides faultless phases.
    fn gaps(&self) -> Vec<String> {
        let missing = names::ALL.iter().filter(|name| self.phase(name).is_none());
        let mut gaps: Vec<_> = missing
            .map(|name| format!("phase `{name}` did not take place"))
            .collect();
        let unfiltered = self.count(names::UNFILTERED).passing.sent;
        let filtered = self.count(names::LIVE).blocked.sent;
        if unfiltered != filtered {
            let gap = format!("{unfiltered} C2 packets were sent unfiltered, {filtered} filtered");
            gaps.push(gap);
        }
        gaps
    }

    fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }

    /// The phase's counts; zero if it did not take place.
    pub(super) fn count(&self, name: &str) -> Phase {
        self.phase(name).cloned().unwrap_or_default()
    }

    fn sum(&self, of: impl Fn(&Phase) -> usize) -> usize {
        self.phases.iter().map(of).sum()
    }
}

/// The running kernel's release.
pub(super) fn kernel() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}

fn phase_json(phase: &Phase) -> Value {
    let count = |count: Count| json!({"sent": count.sent, "delivered": count.delivered});
    json!({
        "name": phase.name,
        "c2_blocked": count(phase.blocked),
        "c2_passing": count(phase.passing),
        "benign": count(phase.benign),
    })
}

#[cfg(test)]
mod tests;
