//! Compilers, linker and the programs that tests and lint run.

use std::env;

use super::Check;
use crate::{
    matrix::Emulator,
    probe::{self, Version},
    process::{command, find, stdout_of},
};

const SETUP: &str = "cargo xtask setup";

/// Everything that building, testing and linting call.
pub fn checks() -> Vec<Check> {
    let mut checks = vec![
        host_compiler(),
        program(
            "C linker",
            "cc",
            "as root: apt-get install -y gcc libc6-dev",
        ),
        program(
            "rustup",
            "rustup",
            "install rustup: it selects the compiler of the XDP program",
        ),
    ];
    checks.extend(bpf());
    checks.push(program("ip", "ip", SETUP));
    checks.push(program("rustfmt", "cargo-fmt", "rustup component add rustfmt").optional());
    checks.push(program("clippy", "cargo-clippy", "rustup component add clippy").optional());
    checks.push(program("cargo-deny", "cargo-deny", "cargo xtask lint installs it").optional());
    checks.push(emulator());
    checks.push(corpus());
    checks
}

fn host_compiler() -> Check {
    const FIX: &str = "rustup update stable";
    let Some(about) = stdout_of(command("rustc").arg("--version")) else {
        return Check::missing("host compiler", "rustc does not start", FIX);
    };
    let version = about.split(' ').nth(1).and_then(Version::parse);
    if version.is_none_or(|version| version < probe::OLDEST_RUST) {
        let needed = format!("{about}, needed is 1.{}", probe::OLDEST_RUST.minor);
        return Check::missing("host compiler", needed, FIX);
    }
    Check::ok("host compiler", about)
}

fn bpf() -> Vec<Check> {
    let compiler = match probe::bpf_compiler() {
        Ok(compiler) => compiler,
        Err(error) => return vec![Check::missing("eBPF compiler", format!("{error:#}"), SETUP)],
    };
    let found = format!(
        "{}: rustc {}, LLVM {}",
        compiler.toolchain, compiler.release, compiler.llvm
    );
    let linker = match probe::bpf_linker(&compiler) {
        Ok(version) => Check::ok(
            "bpf-linker",
            format!("{version}, reads that LLVM's bitcode"),
        ),
        Err(error) => Check::missing("bpf-linker", format!("{error:#}"), SETUP),
    };
    vec![Check::ok("eBPF compiler", found), linker]
}

fn program(name: &'static str, file: &str, fix: &str) -> Check {
    match find(file) {
        Some(path) => Check::ok(name, path.display().to_string()),
        None => Check::missing(name, format!("no {file} in PATH"), fix),
    }
}

fn emulator() -> Check {
    const NAME: &str = "QEMU";
    let Some(emulator) = Emulator::present() else {
        let found = "not in PATH, nor unpacked by an earlier run";
        return Check::missing(NAME, found, "cargo xtask matrix gets it").optional();
    };
    Check::ok(NAME, emulator.place())
}

/// The corpus is real feeds, which are not ours to publish: its tests are skipped without it.
fn corpus() -> Check {
    const NAME: &str = "corpus";
    let Some(dir) = env::var_os("TRICKBLOCK_CORPUS") else {
        let fix = "set TRICKBLOCK_CORPUS to its directory";
        return Check::missing(NAME, "corpus tests are skipped", fix).optional();
    };
    if !std::path::Path::new(&dir).is_dir() {
        let found = format!("TRICKBLOCK_CORPUS={} is no directory", dir.display());
        return Check::missing(NAME, found, "correct or unset it");
    }
    Check::ok(NAME, dir.display().to_string())
}
