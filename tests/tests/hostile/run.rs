//! One daemon, and a feed that turns hostile again and again.

use serde_json::Value;
use trickblock_tests::gateway::{Gateway, INTERFACE, body};

use super::{Caught, Family};

/// The last good list. It states no count, so that any body may follow.
pub const GOOD: &str = "203.0.113.7:443\n198.51.100.77:8080\n";

/// What went otherwise, one sentence a case.
pub fn run(families: &[Family]) -> Vec<String> {
    let gateway = Gateway::new().unwrap();
    let network = "[network]\nown = [\"198.51.100.128/28\"]\n[guard]\nallow = [\"198.51.100.200\", \"2001:db8:a::/48\"]\n";
    let feed = gateway.feed();
    let config = format!("{INTERFACE}{network}{feed}max_addresses = 100000\n");
    gateway.site.configure(&config).unwrap();
    gateway.answer(body(GOOD));
    let _daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    gateway.filters().unwrap();
    let subject = Subject {
        fingerprint: fingerprint(&gateway),
        gateway,
    };
    let mut failures = Vec::new();
    for family in families {
        for (number, case) in family.cases.iter().enumerate() {
            if let Err(why) = subject.face(family.caught, case) {
                failures.push(format!("{} {number}: {why}", family.name));
            }
        }
        if let Err(error) = subject.gateway.filters() {
            failures.push(format!("after {}: {error}", family.name));
        }
    }
    failures
}

struct Subject {
    gateway: Gateway,
    /// Of the good list.
    fingerprint: Value,
}

fn fingerprint(gateway: &Gateway) -> Value {
    gateway.status().unwrap().1["fingerprint"].clone()
}

impl Subject {
    fn face(&self, caught: Caught, case: &[u8]) -> Result<(), String> {
        let whole = match caught {
            Caught::Guard(_) | Caught::Parser => [GOOD.as_bytes(), case, b"\n"].concat(),
            Caught::Body(_) | Caught::Brake(_) => case.to_vec(),
        };
        self.gateway.answer(body(whole));
        self.gateway
            .verb("reload", &[])
            .map_err(|error| error.to_string())?;
        let feed = self.feed();
        if fingerprint(&self.gateway) != self.fingerprint {
            self.restore();
            return Err(format!("the set in force changed: {feed}"));
        }
        match caught {
            Caught::Guard(guard) => self.refused(&feed, guard, case),
            Caught::Parser => malformed(&feed),
            Caught::Body(says) => body_refused(&feed, says),
            Caught::Brake(says) => self.held(&feed, says),
        }
    }

    fn feed(&self) -> Value {
        let output = self.gateway.verb("feeds", &["--json"]).unwrap();
        output.json().unwrap()["feeds"][0].clone()
    }

    /// The first address of the case is refused by just that guard.
    fn refused(&self, feed: &Value, guard: &str, case: &[u8]) -> Result<(), String> {
        if feed["state"] != "ok" {
            return Err(format!("not taken: {feed}"));
        }
        let address = address(&String::from_utf8_lossy(case));
        let why = self.gateway.verb("why", &[&address, "--json"]).unwrap();
        let why = why.json().unwrap_or_default();
        let rows = why["refused"].as_array().cloned().unwrap_or_default();
        match rows.iter().any(|row| row["guard"] == guard) {
            true => Ok(()),
            false => Err(format!("{address} not refused by {guard}: {why}")),
        }
    }

    /// Waits, is approved, comes into force, and goes away again.
    fn held(&self, feed: &Value, says: &str) -> Result<(), String> {
        if !feed["held"]["reason"].to_string().contains(says) {
            return Err(format!("not held for `{says}`: {feed}"));
        }
        let approved = self.gateway.must(0, &["feeds", "approve", "feodo"]);
        if fingerprint(&self.gateway) == self.fingerprint {
            return Err(format!("approved, but not in force: {}", approved.stdout));
        }
        self.gateway.answer(body(GOOD));
        self.gateway
            .verb("reload", &[])
            .map_err(|error| error.to_string())?;
        if self.feed()["held"].is_object() {
            self.gateway.must(0, &["feeds", "approve", "feodo"]);
        }
        match fingerprint(&self.gateway) == self.fingerprint {
            true => Ok(()),
            false => Err(format!("the good list did not come back: {}", self.feed())),
        }
    }

    /// The good list again, if need be by the operator's word.
    fn restore(&self) {
        self.gateway.answer(body(GOOD));
        self.gateway.verb("reload", &[]).unwrap();
        if self.feed()["held"].is_object() {
            self.gateway.must(0, &["feeds", "approve", "feodo"]);
        }
    }
}

/// The address that a row begins with.
fn address(row: &str) -> String {
    let row = row.lines().next().unwrap_or_default();
    let row = row.split("://").last().unwrap_or(row);
    let bare = row.trim_start_matches('[');
    let end = match row.starts_with('[') {
        true => bare.find(']'),
        false if row.matches(':').count() > 1 => bare.find(['/', ' ']),
        false => bare.find([':', '/', '-', ' ']),
    };
    bare[..end.unwrap_or(bare.len())].to_owned()
}

fn malformed(feed: &Value) -> Result<(), String> {
    let counted = |key: &str| feed[key].as_u64().unwrap_or(0);
    match feed["state"] == "ok" && counted("rejected") + counted("ignored") > 0 {
        true => Ok(()),
        false => Err(format!("no malformed or ignored row: {feed}")),
    }
}

fn body_refused(feed: &Value, says: &[&str]) -> Result<(), String> {
    let error = feed["last_error"].to_string();
    match feed["state"] == "stale" && says.iter().any(|part| error.contains(part)) {
        true => Ok(()),
        false => Err(format!("{says:?} not in {error} ({})", feed["state"])),
    }
}
