//! `cargo xtask demo`: builds everything and becomes the demo.

use std::{env, os::unix::process::CommandExt as _, process::Command};

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
    streamed("build", build)?;
    let own = env::current_exe().context("where this program is")?;
    let mut demo = Command::new(own.with_file_name("demo"));
    // Else the demo would ask cargo for it.
    demo.env("TRICKBLOCK_BIN", own.with_file_name("trickblock"));
    Err(demo.args(&args.args).exec()).context("cannot start the demo")
}
