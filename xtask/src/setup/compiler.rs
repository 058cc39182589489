//! The compiler of the XDP program: Debian's, or nightly from rustup.
//!
//! Building for BPF needs the source of `core`. Debian packages a recent compiler together with
//! that source; elsewhere nightly with the component `rust-src` is the ordinary way.

use std::{fs, path::Path, time::Instant};

use anyhow::{Result, ensure};

use super::{apt, report::Report};
use crate::{
    probe::{self, Compiler, DEBIAN_TOOLCHAIN},
    process::{command, watched},
};

/// Debian's compiler, the source of its std, and the cargo that belongs to it.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "cargo-web"];
const WHAT: &str = "eBPF compiler";

/// Finds a compiler for the XDP program, or installs one.
pub fn ensure(report: &mut Report) {
    if let Ok(compiler) = probe::bpf_compiler() {
        return report.ok(WHAT, &describe(&compiler));
    }
    let start = Instant::now();
    match install() {
        Ok(compiler) => report.did(WHAT, &describe(&compiler), start),
        Err(error) => report.failed(WHAT, &format!("{error:#}"), &by_hand()),
    }
}

fn install() -> Result<Compiler> {
    let debian = match install_debian() {
        Ok(compiler) => return Ok(compiler),
        Err(error) => error,
    };
    println!("  ...  not with Debian's compiler: {debian:#}");
    install_nightly().map_err(|nightly| nightly.context(format!("{debian:#}")))
}

/// Installs and links Debian's compiler, which the build then prefers.
pub fn install_debian() -> Result<Compiler> {
    ensure!(probe::has_apt(), "this is no Debian");
    if !debian_is_complete() {
        apt::install(&DEBIAN_PACKAGES)?;
    }
    let mut link = command("rustup");
    link.args(["toolchain", "link", DEBIAN_TOOLCHAIN, "/usr"]);
    watched("rustup toolchain link", link)?;
    probe::bpf_compiler()
}

fn debian_is_complete() -> bool {
    let files = [
        "/usr/bin/rustc",
        "/usr/bin/cargo",
        "/usr/lib/rustlib/src/rust/library",
    ];
    files
        .iter()
        .all(|file| fs::metadata(Path::new(file)).is_ok())
}

fn install_nightly() -> Result<Compiler> {
    // The build script prefers the linked toolchain whenever it answers, even an incomplete one.
    if probe::toolchain_answers(DEBIAN_TOOLCHAIN) {
        let mut unlink = command("rustup");
        unlink.args(["toolchain", "uninstall", DEBIAN_TOOLCHAIN]);
        watched("rustup toolchain uninstall", unlink)?;
    }
    let mut install = command("rustup");
    install.args([
        "toolchain",
        "install",
        "nightly",
        "--profile=minimal",
        "--component=rust-src",
    ]);
    watched("rustup toolchain install nightly", install)?;
    probe::bpf_compiler()
}

fn describe(compiler: &Compiler) -> String {
    let Compiler {
        toolchain,
        release,
        llvm,
    } = compiler;
    format!("{toolchain}: rustc {release} with LLVM {llvm} and the std source")
}

fn by_hand() -> String {
    let packages = apt::by_hand(&DEBIAN_PACKAGES);
    format!(
        "{packages}, then: rustup toolchain link {DEBIAN_TOOLCHAIN} /usr; \
         or, on any system: rustup toolchain install nightly --component rust-src"
    )
}
