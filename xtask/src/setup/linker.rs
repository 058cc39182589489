//! bpf-linker, whose LLVM must not be older than the compiler's.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    time::Instant,
};

use anyhow::{Context, Error, Result, ensure};

use super::{apt, report::Report};
use crate::{
    probe::{self, Compiler, DEBIAN_TOOLCHAIN},
    process::{cargo, cargo_bin, command, find, watched},
};

/// The release that this workspace is built and tested with.
const RELEASE: &str = "0.13.0";
/// The LLVM versions that this release can be built with.
const BUILDABLE: [u32; 3] = [21, 22, 23];
const RELEASES: &str = "https://github.com/aya-rs/bpf-linker/releases/download";
const WHAT: &str = "bpf-linker";

/// Finds a bpf-linker that fits the compiler, or installs one.
pub fn ensure(report: &mut Report) {
    let Ok(compiler) = probe::bpf_compiler() else {
        return report.failed(WHAT, "not checked: there is no eBPF compiler", "see above");
    };
    let missing = match probe::bpf_linker(&compiler) {
        Ok(version) => return report.ok(WHAT, &describe(&version, &compiler)),
        Err(error) => error,
    };
    let start = Instant::now();
    match install_for(&compiler).or_else(|nightly| with_debian(&compiler, nightly)) {
        Ok(found) => report.did(WHAT, &found, start),
        Err(error) => {
            let why = format!("{missing:#}; installing it: {error:#}");
            report.failed(WHAT, &why, &by_hand(compiler.llvm));
        }
    }
}

fn install_for(compiler: &Compiler) -> Result<String> {
    install(compiler)?;
    Ok(describe(&probe::bpf_linker(compiler)?, compiler))
}

/// Nightly is often ahead of every LLVM that can be had here; Debian's compiler never is.
fn with_debian(compiler: &Compiler, nightly: Error) -> Result<String> {
    if compiler.toolchain == DEBIAN_TOOLCHAIN {
        return Err(nightly);
    }
    println!("  ...  not with nightly: {nightly:#}");
    super::compiler::install_debian()
        .and_then(|debian| match probe::bpf_linker(&debian) {
            Ok(version) => Ok(describe(&version, &debian)),
            Err(_) => install_for(&debian),
        })
        .map_err(|debian| nightly.context(format!("{debian:#}")))
}

/// From source where Debian has the LLVM; otherwise the static program of the project's releases,
/// because no distribution packages the LLVM of a nightly compiler.
fn install(compiler: &Compiler) -> Result<()> {
    let source = match install_from_source(compiler.llvm) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    println!("  ...  not from source: {source:#}");
    install_prebuilt().map_err(|prebuilt| prebuilt.context(format!("{source:#}")))
}

fn install_from_source(llvm: u32) -> Result<()> {
    ensure!(
        BUILDABLE.contains(&llvm),
        "bpf-linker {RELEASE} cannot be built with LLVM {llvm}"
    );
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{llvm}"));
    if !prefix.join("bin/llvm-config").exists() {
        apt::install(&[&format!("llvm-{llvm}-dev")])?;
    }
    // LLVM is C++: the linker needs its runtime in the form that g++ brings.
    if find("c++").is_none() {
        apt::install(&["g++"])?;
    }
    let mut install = cargo();
    install
        .env("LLVM_PREFIX", &prefix)
        .args(["install", "--force", "--locked", "bpf-linker"]);
    install.args(["--version", RELEASE, "--no-default-features"]);
    install.arg(format!("--features=llvm-{llvm}"));
    watched("cargo install bpf-linker", install)
}

/// The static program that bpf-linker's own releases offer, with its own LLVM inside.
fn install_prebuilt() -> Result<()> {
    let bin = cargo_bin().context("neither CARGO_HOME nor HOME is set")?;
    fs::create_dir_all(&bin).with_context(|| format!("cannot create {}", bin.display()))?;
    let file = format!(
        "bpf-linker-{}-unknown-linux-musl.tar.zst",
        env::consts::ARCH
    );
    let archive = env::temp_dir().join(format!("trickblock-{}-{file}", process::id()));
    let fetched = fetch(&format!("{RELEASES}/v{RELEASE}/{file}"), &archive)
        .and_then(|()| unpack(&archive, &bin));
    // Whatever happened, the archive is of no further use.
    let _ = fs::remove_file(&archive);
    fetched
}

fn fetch(url: &str, archive: &Path) -> Result<()> {
    let mut curl = command("curl");
    curl.args([
        "--fail",
        "--silent",
        "--show-error",
        "--location",
        "--proto",
        "=https",
    ]);
    curl.args([
        "--retry",
        "3",
        "--connect-timeout",
        "15",
        "--max-time",
        "300",
        "--output",
    ]);
    curl.arg(archive).arg(url);
    watched(&format!("download of {url}"), curl)
}

fn unpack(archive: &Path, bin: &Path) -> Result<()> {
    let mut tar = command("tar");
    tar.arg("--zstd")
        .arg("-xf")
        .arg(archive)
        .arg("-C")
        .arg(bin)
        .arg("bpf-linker");
    watched("unpacking bpf-linker (needs tar and zstd)", tar)
}

fn describe(version: &str, compiler: &Compiler) -> String {
    format!("{version} links what {} emits", compiler.toolchain)
}

fn by_hand(llvm: u32) -> String {
    let packages = apt::by_hand(&[&format!("llvm-{llvm}-dev"), "g++"]);
    format!(
        "{packages}, then run this again; or put bpf-linker {RELEASE} of \
         https://github.com/aya-rs/bpf-linker/releases into a directory of PATH"
    )
}
