//! `cargo xtask demo`: builds everything and becomes the demo.

use std::{env, fs, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context, Result};

use crate::{
    process::{cargo, streamed},
    setup,
};

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Goes to the demo as it stands, for instance --json FILE
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<String>,
}

/// Sets up, builds, and replaces this process by the demo: a signal reaches it directly, which has
/// namespaces to clean up, and its exit code is the task's.
///
/// The profile is the one of the tests, so that both commands share one build; nothing here is timed.
///
/// # Errors
/// If setup or the build fails; it does not return otherwise.
pub fn run(args: &Args) -> Result<bool> {
    if let Err(error) = build() {
        report_failure(&args.args, &error)?;
        return Err(error);
    }
    let own = env::current_exe().context("where this program is")?;
    let mut demo = Command::new(own.with_file_name("demo"));
    // Else the demo would ask cargo for it.
    demo.env("TRICKBLOCK_BIN", own.with_file_name("trickblock"));
    Err(demo.args(&args.args).exec()).context("cannot start the demo")
}

fn build() -> Result<()> {
    setup::ensure()?;
    let mut build = cargo();
    build.args([
        "build",
        "-p",
        "trickblock",
        "-p",
        "trickblock-tests",
        "--bins",
    ]);
    streamed("build", build)
}

/// The demo itself writes what `--json` asks for; without a demo this does. Nothing was sent.
fn report_failure(args: &[String], error: &anyhow::Error) -> Result<()> {
    let after = |flag: &String| flag.strip_prefix("--json=").map(str::to_owned);
    let separate = args.iter().position(|arg| arg == "--json");
    let file = separate.and_then(|at| args.get(at + 1).cloned());
    let Some(file) = file.or_else(|| args.iter().find_map(after)) else {
        return Ok(());
    };
    let report = serde_json::json!({
        "schema": 1, "result": "failed", "error": format!("{error:#}"),
        "c2_packets_sent": 0, "c2_packets_delivered_unfiltered": 0, "c2_packets_leaked": 0,
        "benign_packets_sent": 0, "benign_packets_lost": 0, "time_to_block_ms": null,
        "poll_interval_ms": null, "xdp_mode": null, "indicators": null, "kernel": null,
    });
    fs::write(&file, format!("{report:#}\n")).with_context(|| format!("cannot write {file}"))
}
