//! `cargo xtask docker-bench` builds everything and runs this.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use trickblock_tests::{cli, docker::throughput, harness::Need, sys};

fn main() -> ExitCode {
    let pairs = match pairs(std::env::args().nth(1).as_deref()) {
        Ok(pairs) => pairs,
        Err(error) => {
            eprintln!("docker-bench: {error:#}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match prepare().and_then(|()| throughput::run(pairs, |line| println!("{line}"))) {
        Ok(results) => {
            print!("\n{}", throughput::table(&results));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("docker-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

const HELP: &str = "\
Measures a container's TCP throughput with the filter and without it. Needs root and dockerd.

Usage: docker-bench [PAIRS]

  PAIRS  pairs of slices of 0.4 s for each row, one with the filter and one without (20)
";

fn pairs(word: Option<&str>) -> anyhow::Result<usize> {
    let pairs = word.unwrap_or("20").parse().context("PAIRS is a number")?;
    match pairs {
        1..=10_000 => Ok(pairs),
        _ => bail!("PAIRS is from 1 to 10000"),
    }
}

/// What is best done before there is anything to clean up.
fn prepare() -> anyhow::Result<()> {
    for need in [Need::Root, Need::Netns, Need::BpfFs, Need::Docker] {
        if let Some(reason) = need.unmet() {
            bail!("this cannot be measured here: {reason}");
        }
    }
    sys::catch_interrupts().context("signal handlers")?;
    cli::binary().map(drop)
}
