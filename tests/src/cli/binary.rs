//! Finds the binary under test, after building it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context as _, bail};

/// The `trickblock` binary, built once per process, in the profile and target directory of the
/// running program: cargo builds binaries only for tests of their own package. Both packages are
/// named, since with one alone features, and thereby half the build, would differ.
/// `TRICKBLOCK_BIN` names another one to use as it is.
pub fn binary() -> anyhow::Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = BINARY.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    match found {
        Ok(path) => Ok(path),
        Err(reason) => bail!("no trickblock binary: {reason}"),
    }
}

/// What this program was built with: other features would build half of it again.
const FEATURES: &[&str] = if cfg!(feature = "bench") {
    &["--features", "trickblock-tests/bench"]
} else {
    &[]
};

fn build() -> anyhow::Result<PathBuf> {
    if let Some(path) = env::var_os("TRICKBLOCK_BIN") {
        return Ok(path.into());
    }
    let own = env::current_exe().context("where this program is")?;
    let profile_dir = profile_dir(&own)?;
    let profile = profile_of(profile_dir)?;
    let target_dir = profile_dir
        .parent()
        .context("a target directory has a parent")?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    // Variables of the running package would make build scripts, and with them half the tree, run
    // again.
    let own_variables = env::vars_os().map(|(name, _)| name);
    let own_variables = own_variables.filter(|name| name.to_str().is_some_and(is_of_package));
    for name in own_variables {
        build.env_remove(name);
    }
    let output = build
        .args([
            "build",
            "--bins",
            "--package",
            "trickblock",
            "--package",
            "trickblock-tests",
        ])
        .args(FEATURES)
        .args(["--profile", profile])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!(
            "`cargo build -p trickblock`:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(profile_dir.join("trickblock"))
}

fn is_of_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || name == "CARGO_CRATE_NAME"
}

/// Test programs lie in `target/debug/deps`, binaries one level up.
pub(crate) fn profile_dir(program: &Path) -> anyhow::Result<&Path> {
    let dir = program.parent().context("a program lies in a directory")?;
    let outer = if dir.ends_with("deps") {
        dir.parent()
    } else {
        Some(dir)
    };
    outer.with_context(|| format!("{}: not in a target directory", program.display()))
}

/// A profile is named like its directory, but for the two that share `debug`.
fn profile_of(dir: &Path) -> anyhow::Result<&str> {
    let name = dir.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("{}: no profile directory", dir.display()))?;
    Ok(if name == "debug" { "dev" } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profile_follows_from_where_the_program_lies() {
        let cases = [
            ("/t/debug/deps/verdict-0123456789abcdef", "/t/debug", "dev"),
            ("/t/release/demo", "/t/release", "release"),
            ("/t/bench/deps/x", "/t/bench", "bench"),
        ];
        for (program, dir, profile) in cases {
            let found = profile_dir(Path::new(program)).unwrap();
            assert_eq!(
                (found, profile_of(found).unwrap()),
                (Path::new(dir), profile)
            );
        }
    }
}
