//! `cargo xtask bench`: builds everything in release mode and becomes the benchmark.

use std::{env, os::unix::process::CommandExt, path::Path};

use anyhow::{Context, Result};

use crate::{
    process::{cargo, streamed},
    setup,
};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Goes to the benchmark as it stands, for instance --quick --json FILE
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<String>,
}

/// Sets up, gets what it is compared with, builds, and replaces this process by the benchmark, as `demo` does and for its reasons.
///
/// # Errors
/// If setup or the build fails; it does not return otherwise.
pub fn run(args: &Args) -> Result<bool> {
    const FEATURE: [&str; 2] = ["--features", "trickblock-tests/bench"];
    setup::ensure()?;
    setup::ensure_rivals();
    let mut build = cargo();
    build
        .args(["build", "--release", "--bins"])
        .args(["-p", "trickblock", "-p", "trickblock-tests"])
        .args(FEATURE);
    streamed("release build", build)?;
    let mut bench = cargo();
    // It was built with the benchmark; built by itself it has other features, and half the tree with it.
    let own = env::current_exe().context("where this program is")?;
    let target = own.parent().and_then(Path::parent);
    let target = target.context("no build directory around this program")?;
    bench.env("TRICKBLOCK_BIN", target.join("release/trickblock"));
    bench
        .args(["run", "--quiet", "--release"])
        .args(["-p", "trickblock-tests", "--bin", "bench"])
        .args(FEATURE)
        .arg("--")
        .args(&args.args);
    Err(bench.exec()).context("cannot start the benchmark")
}
