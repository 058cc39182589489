//! `cargo xtask fuzz`: builds everything in release mode and becomes the search for differences.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::{
    process::{cargo, streamed},
    setup,
};

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// Goes to the search as it stands, for instance --minutes 5 --seed 7 --json FILE, or --feeds --seconds 60
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    args: Vec<String>,
}

/// Sets up, builds, and replaces this process by the search, as `bench` does. `--asan` and `--feeds` are
/// searches of their own.
///
/// # Errors
/// If setup or the build fails.
pub fn run(args: &Args) -> Result<bool> {
    setup::ensure()?;
    let mut args = args.args.clone();
    if let Some(at) = args.iter().position(|arg| arg == "--asan") {
        args.remove(at);
        return sanitized(&args);
    }
    let search = which(&mut args);
    let features = features(&args);
    let target = ["--release", "-p", "trickblock-tests", "--bin", search];
    let mut build = cargo();
    build.arg("build").args(target).args(features);
    streamed("release build", build)?;
    let mut fuzz = cargo();
    fuzz.args(["run", "--quiet"])
        .args(target)
        .args(features)
        .arg("--")
        .args(&args);
    Err(fuzz.exec()).context("cannot start the search")
}

/// The program that searches packets or, with `--feeds`, feeds.
fn which(args: &mut Vec<String>) -> &'static str {
    match args.iter().position(|arg| arg == "--feeds") {
        Some(at) => {
            args.remove(at);
            "feed-fuzz"
        }
        None => "fuzz",
    }
}

/// A program with a bug is another program.
fn features(args: &[String]) -> &'static [&'static str] {
    let planted = args.windows(2).any(|pair| pair == ["--plant", "program"]);
    if planted {
        &["--features", "trickblock-tests/planted"]
    } else {
        &[]
    }
}

/// Runs the parser under AddressSanitizer, first with a planted read out of bounds that it must catch.
///
/// The sanitizer is unstable, and for that `RUSTC_BOOTSTRAP` is set here and nowhere else; with a target
/// named, build scripts and procedural macros stay as they are.
fn sanitized(args: &[String]) -> Result<bool> {
    const TARGET: &str = "x86_64-unknown-linux-gnu";
    let command = |verb: &str| {
        let mut command = cargo();
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .env("TRICKBLOCK_WITHOUT_PROGRAM", "1")
            .env(
                "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
                "-Zsanitizer=address",
            )
            .args([
                verb,
                "--target",
                TARGET,
                "-p",
                "trickblock-tests",
                "--bin",
                "asan",
            ]);
        command
    };
    streamed("build with AddressSanitizer", command("build"))?;
    let mut planted = command("run");
    planted.args(["--quiet", "--", "--plant"]);
    let output = planted
        .output()
        .context("cannot start the planted search")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() || !said.contains("AddressSanitizer") {
        println!("a planted read out of bounds was not caught:\n{said}");
        return Ok(false);
    }
    println!("a planted read out of bounds is caught");
    let mut search = command("run");
    search.args(["--quiet", "--"]).args(args);
    let status = search.status().context("cannot start the search")?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_searched_by_a_program_of_their_own() {
        let mut args: Vec<String> = ["--seconds", "5", "--feeds"].map(str::to_owned).into();
        assert_eq!(which(&mut args), "feed-fuzz");
        assert_eq!(args, ["--seconds", "5"]);
        assert_eq!(which(&mut args), "fuzz");
    }

    #[test]
    fn only_a_bug_in_the_program_needs_another_program() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(features(&args("--minutes 1 --plant model")).is_empty());
        assert_eq!(features(&args("--plant program --minutes 1")).len(), 2);
    }
}
