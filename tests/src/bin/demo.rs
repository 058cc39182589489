//! `cargo xtask demo` builds everything and runs this.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use trickblock_tests::{
    cli,
    demo::{self, filter::Trickblock, report::Report, summary::summary},
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
            eprintln!("demo: {error:#}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

const HELP: &str = "\
Runs trickblock in a lab of network namespaces and counts what arrives. Needs root.

Usage: demo [--json FILE]

  --json FILE  write the figures there, whether the run succeeds or fails
  --help       show this

What counts as a packet: one UDP datagram, one message in a segment of its own on an open TCP
connection, or one attempt at a new TCP connection (delivered once the client has read the
echo of its message). A C2 packet also counts as leaked if a packet socket at either end sees
any frame of it, though no application does. c2_packets_sent is one round; it is sent with the
filter off and again with it on.

Exit code: 0 if nothing listed arrived, nothing else was lost, and the filter outlived the
daemon; 1 if not; 2 for wrong arguments; 128 + n after signal n.
";

#[derive(Debug, Default)]
struct Arguments {
    json: Option<PathBuf>,
    help: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self::default();
        while let Some(word) = words.next() {
            match word.as_str() {
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
    let report = prepare().map_or_else(
        |error| Report {
            error: Some(format!("{error:#}")),
            ..Report::default()
        },
        |()| demo::run(Trickblock::default(), |line| println!("{line}")),
    );
    print!("{}", summary(&report));
    if let Some(path) = &arguments.json
        && let Err(error) = report.write(path)
    {
        eprintln!("demo: {error:#}");
        return ExitCode::FAILURE;
    }
    let signal = sys::interrupted().and_then(|signal| u8::try_from(128 + signal).ok());
    match signal {
        Some(code) => ExitCode::from(code),
        None if report.failures().is_empty() => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

/// What is best done before there is anything to clean up.
fn prepare() -> anyhow::Result<()> {
    sys::catch_interrupts().context("signal handlers")?;
    cli::binary().map(drop)
}
