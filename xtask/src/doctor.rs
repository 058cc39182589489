//! `cargo xtask doctor`: what this machine lacks to build, test and run, and how to get it.

mod machine;
mod toolchain;

use anyhow::Result;
use serde::Serialize;

/// Arguments of `cargo xtask doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// Print one JSON object instead of lines
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Check {
    name: &'static str,
    state: State,
    /// What is there, or what exactly is not.
    found: String,
    /// How to get it; absent when it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// Useful, but everything works without it.
    Optional,
    /// Building, testing or running does not work without it.
    Missing,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Ok,
            found: found.into(),
            fix: None,
        }
    }

    fn missing(name: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name,
            state: State::Missing,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    /// The same finding about something that is only useful.
    fn optional(self) -> Self {
        let state = if self.state == State::Missing {
            State::Optional
        } else {
            self.state
        };
        Self { state, ..self }
    }
}

#[derive(Serialize)]
struct Diagnosis {
    schema: u32,
    ok: bool,
    checks: Vec<Check>,
}

/// Looks at everything and prints it; false if something needed is missing.
///
/// # Errors
/// Only if the JSON cannot be written.
pub fn run(args: &Args) -> Result<bool> {
    let diagnosis = diagnose(
        [toolchain::checks(), machine::checks()]
            .into_iter()
            .flatten(),
    );
    if args.json {
        println!("{}", serde_json::to_string_pretty(&diagnosis)?);
    } else {
        print(&diagnosis);
    }
    Ok(diagnosis.ok)
}

fn diagnose(checks: impl Iterator<Item = Check>) -> Diagnosis {
    let checks: Vec<_> = checks.collect();
    let ok = checks.iter().all(|check| check.state != State::Missing);
    Diagnosis {
        schema: 1,
        ok,
        checks,
    }
}

fn print(diagnosis: &Diagnosis) {
    for Check {
        name,
        state,
        found,
        fix,
    } in &diagnosis.checks
    {
        let state = match state {
            State::Ok => "ok",
            State::Optional => "optional",
            State::Missing => "MISSING",
        };
        println!("{state:<8}  {name}: {found}");
        if let Some(fix) = fix {
            println!("          fix: {fix}");
        }
    }
    let missing = diagnosis
        .checks
        .iter()
        .filter(|check| check.state == State::Missing)
        .count();
    println!(
        "doctor: {missing} missing of {} checks",
        diagnosis.checks.len()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_needed_fails_the_diagnosis() {
        let optional = || Check::missing("btf", "none", "another kernel").optional();
        assert!(diagnose([Check::ok("a", "b"), optional()].into_iter()).ok);
        let needed = Check::missing("kernel", "4.19", "upgrade");
        assert!(!diagnose([needed, optional()].into_iter()).ok);
    }

    #[test]
    fn json_names_the_state_and_leaves_out_an_absent_fix() {
        let diagnosis = diagnose([Check::ok("kernel", "6.18")].into_iter());
        let json = serde_json::to_value(diagnosis).unwrap();
        let check = serde_json::json!({"name": "kernel", "state": "ok", "found": "6.18"});
        assert_eq!(
            json,
            serde_json::json!({"schema": 1, "ok": true, "checks": [check]})
        );
    }
}
