//! `cargo xtask bench` builds everything and runs this.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use trickblock_tests::{
    bench::{self, Part, Plan, document, report::Report, table::table},
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

Usage: bench [--quick] [--only PART] [--up-to N] [--doc] [--json FILE]

  --quick      fewer corpora, sizes and packets, within six minutes instead of forty
  --only PART  only host (the shared code on the host), updates, starts, lookup or veth
  --up-to N    only lists of at most N indicators
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
    only: Option<Part>,
    up_to: Option<usize>,
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
                "--only" => arguments.only = Some(part(&words.next().unwrap_or_default())?),
                "--up-to" => {
                    let most = words.next().unwrap_or_default();
                    arguments.up_to = Some(most.parse().context("--up-to needs a number")?);
                }
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

fn part(name: &str) -> anyhow::Result<Part> {
    let named = Part::ALL.into_iter().find(|part| part.name() == name);
    named.with_context(|| {
        let names = Part::ALL.map(Part::name).join(", ");
        format!("--only `{name}`: use one of {names}")
    })
}

fn show(arguments: &Arguments) -> ExitCode {
    let whole = if arguments.quick {
        Plan::QUICK
    } else {
        Plan::FULL
    };
    let plan = Plan {
        only: arguments.only,
        ..whole.up_to(arguments.up_to.unwrap_or(usize::MAX))
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
    let is_part = arguments.only.is_some() || arguments.up_to.is_some();
    let is_full = !arguments.quick && !is_part && report.error.is_none();
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
