//! `cargo xtask lint`: formatting, clippy, dependencies, and the rules of this repository.

mod layers;
mod places;
mod sources;
mod tokens;

use std::{fmt, process::Command};

use anyhow::Result;

use crate::{
    process::{cargo, root, streamed},
    setup,
};

/// Prints what it finds; false if that is a failure.
type Check = fn() -> Result<bool>;

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Relative to the workspace's root.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// What is wrong, which rule says so, and what to do instead.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Runs every check, also after one has failed; false if one failed.
///
/// # Errors
/// If setup fails: clippy needs the XDP program built.
pub fn run() -> Result<bool> {
    setup::ensure()?;
    let checks: [(&str, Check); 4] = [
        ("rules", rules),
        ("fmt", fmt),
        ("clippy", clippy),
        ("deny", deny),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("lint: {name}");
        let passed = check().unwrap_or_else(|error| {
            println!("{error:#}");
            false
        });
        if !passed {
            failed.push(name);
        }
    }
    match failed.as_slice() {
        [] => println!("lint: clean"),
        failed => println!("lint: failed: {}", failed.join(", ")),
    }
    Ok(failed.is_empty())
}

/// The layer rule, and where `unsafe`, aya, long files and local paths may be.
fn rules() -> Result<bool> {
    let mut findings = Vec::new();
    for source in sources::all(&root())? {
        findings.extend(layers::check(&source));
        findings.extend(places::check(&source));
    }
    for finding in &findings {
        println!("{finding}");
    }
    Ok(findings.is_empty())
}

fn fmt() -> Result<bool> {
    step("cargo fmt --check", ["fmt", "--all", "--check"])
}

/// Clippy cannot be had for Debian's compiler, so the XDP program is covered by its host build.
fn clippy() -> Result<bool> {
    let all = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    let logging = [
        "clippy",
        "-p",
        "trickblock-ebpf",
        "--features",
        "debug-log",
        "--",
        "-D",
        "warnings",
    ];
    let bench = [
        "clippy",
        "-p",
        "trickblock-ebpf",
        "-p",
        "trickblock-tests",
        "--features",
        "trickblock-ebpf/bench,trickblock-tests/bench",
        "--bins",
        "--",
        "-D",
        "warnings",
    ];
    Ok(step("cargo clippy", all)?
        && step("cargo clippy with debug-log", logging)?
        && step("cargo clippy with bench", bench)?)
}

fn deny() -> Result<bool> {
    setup::ensure_cargo_deny()?;
    step(
        "cargo deny",
        [
            "deny",
            "--locked",
            "check",
            "--hide-inclusion-graph",
            "bans",
            "licenses",
            "sources",
        ],
    )
}

fn step<const N: usize>(what: &str, args: [&str; N]) -> Result<bool> {
    let mut command: Command = cargo();
    command.args(args);
    streamed(what, command).map(|()| true)
}
