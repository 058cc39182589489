//! `cargo xtask bench` builds everything and runs this.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use trickblock_tests::{
    bench::{self, Plan, document, report::Report, table::table},
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
Measures what a packet, a new set and a start cost, here and elsewhere. Needs root.

Usage: bench [--quick] [--host] [--doc] [--json FILE]

  --quick      fewer corpora, sizes and packets, within six minutes instead of forty
  --host       only the shared code on the host
  --doc        write docs/benchmarks.md, as a full run that succeeds does anyway
  --json FILE  write the figures there, also those of a run that fails
  --help       show this

A goal that is missed is said and is no failure. Other work on the machine shows in the
minima and maxima; run it on an idle one.

What cannot run here (a program that is not installed, a list that does not fit) has rows without figures
that say why.

Exit code: 0 if the run came to its end, 1 if not, 2 for wrong arguments, 128 + n after
signal n.
";

#[derive(Debug, Default)]
struct Arguments {
    quick: bool,
    host: bool,
    doc: bool,
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
                "--doc" => arguments.doc = true,
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
    if let Err(error) = keep(arguments, &report) {
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

/// Writes the files that were asked for.
fn keep(arguments: &Arguments, report: &Report) -> anyhow::Result<()> {
    if let Some(path) = &arguments.json {
        report.write(path)?;
    }
    let is_full = !arguments.quick && !arguments.host && report.error.is_none();
    if is_full || arguments.doc {
        document::write(report, Path::new(DOCS))?;
    }
    Ok(())
}

/// The documentation of the tree that this was built in.
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

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
