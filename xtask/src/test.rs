//! `cargo xtask test`: every test of the workspace, every skip with its reason, one last line.

mod output;
mod tally;

use std::{
    env,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    process::{self, Event, cargo, streamed},
    setup,
};
use output::{Reader, Show};
use tally::Tally;

/// A hung test must not hang the build machine for ever. The promise is 20 minutes.
const LIMIT: Duration = Duration::from_secs(25 * 60);

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Only tests whose name contains this; further options of the test harness may follow
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "FILTER"
    )]
    filter: Vec<String>,
}

/// Sets up, builds, runs all tests, prints the summary; false if a test failed or none ran.
///
/// # Errors
/// Never: whatever goes wrong counts as a failure, because the last line must be the summary.
pub fn run(args: &Args) -> Result<bool> {
    let start = Instant::now();
    let tally = match prepare() {
        Ok(()) => run_tests(args),
        Err(error) => Tally::of_failure("build", &format!("{error:#}")),
    };
    tally.print(start.elapsed());
    Ok(tally.succeeded())
}

fn prepare() -> Result<()> {
    setup::ensure()?;
    // All targets at once: the command-line tests run the program itself, which `cargo test`
    // alone does not build, and a build of its own would compile the XDP program once more.
    let mut build = cargo();
    build.args(["build", "--workspace", "--all-targets"]);
    streamed("build", build)
}

fn run_tests(args: &Args) -> Tally {
    let mut tests = cargo();
    // It was built with everything else; built by itself it has other features, and half the tree with it.
    if let Ok(own) = env::current_exe() {
        tests.env("TRICKBLOCK_BIN", own.with_file_name("trickblock"));
    }
    // The output of a passing test is where it says that it skipped itself.
    tests
        .args([
            "test",
            "--workspace",
            "--no-fail-fast",
            "--",
            "--show-output",
        ])
        .args(&args.filter);
    let mut reader = Reader::default();
    let mut complaint = String::new();
    let status = process::lines(tests, Some(LIMIT), |event| match event {
        Event::Line(line) => {
            if complaint.is_empty() && line.starts_with("error: ") {
                complaint = format!(": {line}");
            }
            if reader.line(line) == Show::Yes {
                println!("{line}");
            }
        }
        Event::Tick(elapsed) => println!("... tests: {} s", elapsed.as_secs()),
    })
    .context("cargo test");
    let mut tally = reader.finish();
    match status {
        Ok(status) if status.success() || tally.has_failures() => {}
        Ok(status) => {
            tally.fail(
                "cargo test",
                &format!("{status} although no test failed{complaint}"),
            );
        }
        Err(error) => tally.fail("cargo test", &format!("{error:#}")),
    }
    tally
}
