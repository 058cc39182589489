//! `cargo xtask matrix`: the filter on other kernels, in machines without disk or network.
//!
//! One program is packed with its libraries as the only user space of every guest. It asks the kernel
//! everything, prints the answer on the console and powers off. The kernel of this machine is asked by
//! the same program, in a network namespace.

mod archive;
mod emulator;
mod guest;
mod kernels;
mod machine;
mod modules;
mod packages;
mod report;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process, thread,
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    process::{cargo, streamed},
    setup,
};
pub use emulator::Emulator;
use kernels::{ALL, Kernel};

/// Arguments of `cargo xtask matrix`.
#[derive(clap::Args)]
pub struct Args {
    /// Also write the findings as one JSON object to FILE
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only the oldest kernel and this machine's own, in about a minute
    #[arg(long)]
    quick: bool,
    /// Only get what the other kernels need: packages are kept in target/matrix
    #[arg(long)]
    fetch: bool,
    /// The built program, for the test that has one
    #[arg(long, hide = true, value_name = "FILE")]
    guest: Option<PathBuf>,
}

/// Asks every kernel; false if one failed.
///
/// # Errors
/// If setup, the build or the emulator fails, before a kernel was asked.
pub fn run(args: &Args) -> Result<bool> {
    let start = Instant::now();
    let chosen: Vec<&Kernel> = ALL.iter().filter(|one| one.quick || !args.quick).collect();
    ensure()?;
    if args.fetch {
        chosen
            .iter()
            .try_for_each(|kernel| kernel.fetch().map(drop))?;
        return Ok(true);
    }
    let program = match &args.guest {
        Some(program) => program.clone(),
        None => build()?,
    };
    let place = Place::new()?;
    let found = ask_all(&chosen, &program, &place);
    print!("{}", report::table(&found, start.elapsed()));
    if let Some(file) = &args.json {
        let json = format!("{:#}\n", report::json(&found, start.elapsed()));
        fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(found.iter().all(report::is_ok))
}

/// Gets what every run needs.
///
/// # Errors
/// If a program is missing and cannot be had.
pub fn ensure() -> Result<()> {
    setup::ensure_unpacker()?;
    Emulator::get().map(drop)
}

/// The profile is that of the tests, whose build this shares; the guests are not timed.
fn build() -> Result<PathBuf> {
    setup::ensure()?;
    let mut build = cargo();
    build
        .args(["build", "--bins"])
        .args(["-p", "trickblock", "-p", "trickblock-tests"]);
    streamed("build", build)?;
    let own = env::current_exe().context("where this program is")?;
    Ok(own.with_file_name("matrix"))
}

/// Two at a time: the slowest has a lane of its own. The findings keep the order of `kernels`.
fn ask_all(kernels: &[&Kernel], program: &Path, place: &Place) -> Vec<Value> {
    let ask = |slow: bool| -> Vec<(usize, Value)> {
        let lane = kernels.iter().enumerate();
        let lane = lane.filter(|(_, kernel)| kernel.is_slow() == slow);
        lane.map(|(at, kernel)| (at, kernel.ask(program, &place.0)))
            .collect()
    };
    let mut found = thread::scope(|scope| {
        let slow = scope.spawn(|| ask(true));
        let mut found = ask(false);
        found.extend(slow.join().unwrap_or_default());
        found
    });
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, finding)| finding).collect()
}

/// Everything that lasts: packages.
fn cache() -> Result<PathBuf> {
    let own = env::current_exe().context("where this program is")?;
    let target = own.ancestors().nth(2).context("no target directory")?;
    Ok(target.join("matrix"))
}

/// A directory of this run, removed with it.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self> {
        let cache = cache()?;
        remove_leftovers(&cache);
        let dir = cache.join(format!("{PREFIX}{}", process::id()));
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Self(dir))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const PREFIX: &str = "run-";

/// What killed runs left.
fn remove_leftovers(cache: &Path) {
    for entry in fs::read_dir(cache).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let maker = name.strip_prefix(PREFIX);
        if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// An error unless `file` is there.
fn present(file: &Path) -> Result<()> {
    ensure!(file.exists(), "{} is missing", file.display());
    Ok(())
}
