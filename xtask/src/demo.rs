//! `cargo xtask demo`: builds everything in release mode and becomes the demo.

use std::os::unix::process::CommandExt;

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

/// Sets up, builds, and replaces this process by the demo.
///
/// Cargo replaces itself likewise, so one process is left: a signal reaches the demo, which has
/// namespaces to clean up, and its exit code is the task's.
///
/// # Errors
/// If setup or the build fails; it does not return otherwise.
pub fn run(args: &Args) -> Result<bool> {
    setup::ensure()?;
    let mut build = cargo();
    build.args([
        "build",
        "--release",
        "-p",
        "trickblock",
        "-p",
        "trickblock-tests",
        "--bins",
    ]);
    streamed("release build", build)?;
    let mut demo = cargo();
    demo.args([
        "run",
        "--quiet",
        "--release",
        "-p",
        "trickblock-tests",
        "--bin",
        "demo",
        "--",
    ]);
    Err(demo.args(&args.args).exec()).context("cannot start the demo")
}
