//! `cargo xtask bench` builds everything and runs this.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use trickblock_tests::{
    bench::{self, Plan, report::Report, table::table},
    cli,
    harness::Need,
    sys,
};

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Arguments { help: true, .. }) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(arguments) => show(&arguments),
        Err(error) => {
            eprintln!("bench: {error:#}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

const HELP: &str = "\
Measures what a packet, a new set and a start cost. Needs root.

Usage: bench [--quick] [--host] [--json FILE]

  --quick      fewer rounds of fewer packets, within three minutes
  --host       only the shared code on the host
  --json FILE  write the figures there, also those of a run that fails
  --help       show this

A goal that is missed is said and is no failure. Other work on the machine shows in the
minima and maxima; run it on an idle one.

Exit code: 0 if everything was measured, 1 if not, 2 for wrong arguments, 128 + n after
signal n.
";

#[derive(Debug, Default)]
struct Arguments {
    quick: bool,
    host: bool,
    json: Option<PathBuf>,
    help: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => arguments.quick = true,
                "--host" => arguments.host = true,
                "--json" => {
                    arguments.json = Some(words.next().context("--json needs a FILE")?.into());
                }
                "--help" | "-h" => arguments.help = true,
                other => bail!("unknown argument `{other}`"),
            }
        }
        Ok(arguments)
    }
}

fn show(arguments: &Arguments) -> ExitCode {
    let plan = Plan {
        host_only: arguments.host,
        ..if arguments.quick {
            Plan::QUICK
        } else {
            Plan::FULL
        }
    };
    let report = prepare().map_or_else(
        |error| Report {
            error: Some(format!("{error:#}")),
            ..Report::default()
        },
        |()| bench::run(&plan, |line| println!("{line}")),
    );
    print!("{}", table(&report));
    if let Some(path) = &arguments.json
        && let Err(error) = report.write(path)
    {
        eprintln!("bench: {error:#}");
        return ExitCode::FAILURE;
    }
    let signal = sys::interrupted().and_then(|signal| u8::try_from(128 + signal).ok());
    match signal {
        Some(code) => ExitCode::from(code),
        None if report.error.is_none() => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

/// What is best done before there is anything to clean up.
fn prepare() -> anyhow::Result<()> {
    for need in [Need::Root, Need::Netns, Need::BpfFs, Need::Xdp] {
        if let Some(reason) = need.unmet() {
            bail!("the benchmark cannot run here: {reason}");
        }
    }
    sys::catch_interrupts().context("signal handlers")?;
    cli::binary().map(drop)
}
