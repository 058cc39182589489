//! Second opinions: Python's own modules and libraries, which share nothing with the code under test.
//!
//! A script in `tests/python` reads one JSON value and writes one.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::cli;

/// The libraries of STIX, as `pip` is told them. Others may answer otherwise.
const LIBRARIES: [&str; 2] = ["stix2==3.0.2", "stix2-patterns==2.1.2"];
/// Since then its module `ipaddress` refuses octets with a zero before them.
const OLDEST: &str =
    "import sys; sys.exit('it is older than 3.9.5') if sys.version_info < (3, 9, 5) else None";

/// What scripts draw by: the same each time, so that a test does not fail because of luck; `TRICKBLOCK_SEED` is another.
pub fn seed() -> u64 {
    let given = env::var("TRICKBLOCK_SEED").ok();
    let seed = given.and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("TRICKBLOCK_SEED={seed}");
    seed
}

/// Whether there is a Python that is new enough.
///
/// # Errors
/// If there is not.
pub fn interpreter() -> anyhow::Result<()> {
    let mut python = Command::new("python3");
    finished(python.args(["-c", OLDEST])).map(drop)
}

/// The directory of the libraries, which are put there once, beside the build: nothing is installed.
///
/// # Errors
/// If there is no Python, no `pip`, or nowhere to get them from.
pub fn libraries() -> anyhow::Result<PathBuf> {
    interpreter()?;
    let own = env::current_exe().context("where this program is")?;
    let target = cli::profile_dir(&own)?
        .parent()
        .context("a target directory")?;
    let directory = target.join("python").join(LIBRARIES.join("+"));
    if directory.is_dir() {
        return Ok(directory);
    }
    let parent = directory.parent().context("a directory in another")?;
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    let fresh = tempfile::tempdir_in(parent).context("no directory for libraries")?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]);
    pip.args(["--retries", "1", "--timeout", "20", "--target"]);
    finished(pip.arg(fresh.path()).args(LIBRARIES)).context("the libraries cannot be had")?;
    // Whole or not at all; another test may have been faster.
    if fs::rename(fresh.path(), &directory).is_err() {
        ensure!(
            directory.is_dir(),
            "{}: cannot be made",
            directory.display()
        );
    }
    Ok(directory)
}

/// What `script` says to `question`. With `libraries` it finds those.
///
/// # Errors
/// If it fails, with what it wrote.
pub fn ask(script: &str, libraries: Option<&Path>, question: &Value) -> anyhow::Result<Value> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    let mut python = Command::new("python3");
    python
        .arg("-B")
        .arg(scripts.join(script))
        .env("PYTHONIOENCODING", "utf-8");
    if let Some(libraries) = libraries {
        python.env("PYTHONPATH", libraries);
    }
    let mut child = python
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("python3")?;
    let mut stdin = child.stdin.take().context("no pipe")?;
    stdin
        .write_all(question.to_string().as_bytes())
        .context("a question")?;
    drop(stdin);
    let output = succeeded(child.wait_with_output().context("python3")?)?;
    serde_json::from_slice(&output.stdout).context("an answer that is no JSON")
}

fn finished(command: &mut Command) -> anyhow::Result<Output> {
    let output = command.stdin(Stdio::null()).output();
    succeeded(output.context("python3 (package python3)")?)
}

fn succeeded(output: Output) -> anyhow::Result<Output> {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let last: Vec<&str> = said.lines().rev().take(12).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    ensure!(output.status.success(), "python3: {}", last.join("\n"));
    Ok(output)
}
