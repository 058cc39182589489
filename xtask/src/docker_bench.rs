//! `cargo xtask docker-bench`: builds everything and becomes the measurement of containers' throughput.

use std::{env, os::unix::process::CommandExt as _, process::Command};

use anyhow::{Context, Result};

use crate::{
    process::{cargo, streamed},
    setup,
};

/// Arguments of `cargo xtask docker-bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Pairs of slices for each row; the default is the measurement's own
    pairs: Option<u32>,
}

/// Sets up, builds, and replaces this process by the measurement, as `demo` does and for its reasons.
///
/// # Errors
/// If setup or the build fails; it does not return otherwise.
pub fn run(args: &Args) -> Result<bool> {
    setup::ensure()?;
    let mut build = cargo();
    build.args(["build", "--bins"]);
    build.args(["-p", "trickblock", "-p", "trickblock-tests"]);
    streamed("build", build)?;
    let own = env::current_exe().context("where this program is")?;
    let mut bench = Command::new(own.with_file_name("docker-bench"));
    // Else it would ask cargo for it.
    bench.env("TRICKBLOCK_BIN", own.with_file_name("trickblock"));
    bench.args(args.pairs.map(|pairs| pairs.to_string()));
    Err(bench.exec()).context("cannot start the measurement")
}
