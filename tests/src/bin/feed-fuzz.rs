//! `cargo xtask fuzz --feeds` builds this and runs it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use trickblock::feed::Format;
use trickblock_tests::{
    feeds::{self, Plan, Plant, Subject},
    needs::corpus_dir,
    sys::allocation::Counting,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    match Arguments::parse(std::env::args().skip(1)) {
        Ok(Arguments { help: true, .. }) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Ok(arguments) => match arguments.run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("fuzz --feeds: {error:#}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("fuzz --feeds: {error:#}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

const HELP: &str = "\
Gives the readers of feeds documents of every format, right ones and ones that were changed, and checks what
must hold of any. Needs no root.

Usage: fuzz --feeds [--seconds N] [--seed S] [--plant BUG]
       fuzz --feeds --input FILE --format FORMAT

  --seconds N      so long; else a minute
  --seed S         begins with the round of this seed, to repeat what another run found
  --plant BUG      plants a bug in the reader, which must be found: panic, hang, memory, memoir, widen,
                   host-bits, detect, silent, pieces or line
  --input FILE     checks this body only, as --format
  --help           show this

Documents below TRICKBLOCK_CORPUS are changed too where it is set. A body that breaks a promise is made small and
kept in target/fuzz.

Exit code: 0 if every promise was kept, 1 if not, 2 for wrong arguments.
";

/// Without `--seconds`.
const MINUTE: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Arguments {
    time: Option<Duration>,
    seed: Option<u64>,
    plant: Option<Plant>,
    input: Option<PathBuf>,
    format: Option<Format>,
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
                "--seconds" => arguments.time = Some(seconds(&value()?)?),
                "--seed" => arguments.seed = Some(value()?.parse().context("--seed")?),
                "--plant" => arguments.plant = Some(value()?.parse()?),
                "--input" => arguments.input = Some(value()?.into()),
                "--format" => arguments.format = Some(value()?.parse()?),
                "--help" | "-h" => arguments.help = true,
                other => bail!("unknown argument `{other}`"),
            }
        }
        if arguments.input.is_some() != arguments.format.is_some() {
            bail!("--input and --format go together");
        }
        Ok(arguments)
    }

    fn run(&self) -> anyhow::Result<bool> {
        if let (Some(input), Some(format)) = (&self.input, self.format) {
            return again(Subject { plant: self.plant }, format, input);
        }
        let plan = Plan {
            seed: self.seed.map_or_else(seed_of_now, Ok)?,
            time: self.time.unwrap_or(MINUTE),
            workers: thread::available_parallelism().map_or(1, usize::from),
            plant: self.plant,
            real: corpus_dir().map_or(Ok(Vec::new()), |corpus| feeds::real(&corpus))?,
            patience: PATIENCE,
        };
        println!(
            "seed {}, {} cores, {} real documents",
            plan.seed,
            plan.workers,
            plan.real.len()
        );
        let report = feeds::run(&plan, |line| println!("{line}"))?;
        print!("\n{report}");
        if let Some(found) = &report.found {
            println!("{}", found.keep(&kept())?);
        }
        Ok(report.found.is_none())
    }
}

fn again(subject: Subject, format: Format, input: &Path) -> anyhow::Result<bool> {
    let body = fs::read(input).with_context(|| input.display().to_string())?;
    match feeds::check(subject, format, &body) {
        Ok(()) => println!("PASSED: every promise was kept"),
        Err(broken) => {
            println!("FAILED: not kept: {}\n{}", broken.promise, broken.detail);
            return Ok(false);
        }
    }
    Ok(true)
}

/// Beside the build, which nobody checks in.
fn kept() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let target = own.ancestors().nth(2).unwrap_or(Path::new("target"));
    target.join("fuzz")
}

fn seconds(text: &str) -> anyhow::Result<Duration> {
    let seconds: u32 = text.parse().context("--seconds: a whole number")?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Rounds count on from here: runs within a second do not meet.
fn seed_of_now() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(now.as_secs() << 20 | u64::from(now.subsec_micros()))
}
