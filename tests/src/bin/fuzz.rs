//! `cargo xtask fuzz` builds everything and runs this.

use std::{
    path::PathBuf,
    process::ExitCode,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use trickblock_common::Reason;
use trickblock_tests::{
    harness::Need,
    needs::corpus_dir,
    oracle::{Plan, Plant, captures, run},
};

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Arguments { help: true, .. }) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(arguments) => match show(&arguments) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("fuzz: {error:#}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("fuzz: {error:#}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

const HELP: &str = "\
Asks three who share as little as possible what each of millions of packets is worth: the loaded
program, the same code on the host, and a model. Needs root.

Usage: fuzz [--minutes N] [--seed S] [--json FILE] [--plant WHO]
            [--without-program]

  --minutes N  so long; else until 10 million packets, at most 20 minutes
  --seed S     begins with the round of this seed, to repeat what another run found
  --json FILE  writes the figures there
  --plant WHO  plants a bug in the `model`, the `host` or the `program`: it must be found. The one
               in the program is built in, by the feature `planted`
  --without-program
               asks the host and the model only: faster, and not only for root
  --help       show this

Packets from captures are used too where TRICKBLOCK_CORPUS names the corpus.

Exit code: 0 if there was no difference and enough of everything (30 % hits, every reason 1,000
times), 1 if not, 2 for wrong arguments.
";

/// Without `--minutes`.
const PACKETS: u64 = 10_000_000;
const PATIENCE: Duration = Duration::from_secs(20 * 60);

#[derive(Debug, Default)]
struct Arguments {
    minutes: Option<f64>,
    seed: Option<u64>,
    json: Option<PathBuf>,
    plant: Option<Plant>,
    without_program: bool,
    help: bool,
}

impl Arguments {
    fn parse(mut words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut arguments = Self::default();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match word.as_str() {
                "--minutes" => arguments.minutes = Some(minutes(&value()?)?),
                "--seed" => arguments.seed = Some(value()?.parse().context("--seed")?),
                "--json" => arguments.json = Some(value()?.into()),
                "--plant" => arguments.plant = Some(value()?.parse()?),
                "--without-program" => arguments.without_program = true,
                "--help" | "-h" => arguments.help = true,
                other => bail!("unknown argument `{other}`"),
            }
        }
        Ok(arguments)
    }

    fn plan(&self) -> anyhow::Result<Plan> {
        let time = self
            .minutes
            .map(|minutes| Duration::from_secs_f64(minutes * 60.0));
        Ok(Plan {
            seed: self.seed.map_or_else(seed_of_now, Ok)?,
            packets: if time.is_none() { Some(PACKETS) } else { None },
            time: time.unwrap_or(PATIENCE),
            workers: thread::available_parallelism().map_or(1, usize::from),
            plant: self.plant,
            program: !self.without_program,
            captured: captured()?,
            reasons: Reason::ALL.iter().map(|reason| reason.name()).collect(),
        })
    }
}

fn minutes(text: &str) -> anyhow::Result<f64> {
    let minutes: f64 = text.parse().context("--minutes")?;
    if !(0.0..=100_000.0).contains(&minutes) {
        bail!("--minutes {text}: from 0 to 100000");
    }
    Ok(minutes)
}

/// Rounds count on from here: runs within a second do not meet.
fn seed_of_now() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(now.as_secs() << 20 | u64::from(now.subsec_micros()))
}

fn captured() -> anyhow::Result<Vec<Vec<u8>>> {
    let Ok(corpus) = corpus_dir() else {
        return Ok(Vec::new());
    };
    let mut frames = Vec::new();
    for file in captures::files(&corpus)? {
        frames.extend(captures::frames(&file)?);
    }
    Ok(frames)
}

fn show(arguments: &Arguments) -> anyhow::Result<bool> {
    for need in [Need::Root, Need::Bpf, Need::BpfFs] {
        if arguments.without_program {
            break;
        }
        if let Some(reason) = need.unmet() {
            bail!("the search cannot run here: {reason}");
        }
    }
    let plan = arguments.plan()?;
    println!(
        "seed {}, {} cores, {} captured frames",
        plan.seed,
        plan.workers,
        plan.captured.len()
    );
    let report = run(&plan, |line| println!("{line}"));
    print!("\n{report}");
    if let Some(path) = &arguments.json {
        report.write(path)?;
    }
    Ok(report.passed())
}
