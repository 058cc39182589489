//! `cargo xtask setup`: installs what building and testing needs and this machine lacks.
//!
//! Every task calls it first. With everything in place it only looks, well under a second.

mod apt;
mod compiler;
mod linker;
mod report;

use std::{path::Path, time::Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    matrix::{self, Emulator},
    probe,
    process::{cargo, command, find, stdout_of, watched},
};

pub use report::Detail;
use report::Report;

/// Debian packages that the tests and the demo run, with the program that shows they are there.
const TOOLS: [Tool; 1] = [Tool {
    program: "ip",
    package: "iproute2",
    reason: "namespaces and veth pairs of the test lab",
}];

/// What some tests run: without it they are skipped, and say why.
const OTHERS: [Tool; 4] = [
    Tool {
        program: "openssl",
        package: "openssl",
        reason: "the tests of feeds over TLS make certificates",
    },
    Tool {
        program: "dockerd",
        package: "docker.io",
        reason: "the container tests start an engine of their own",
    },
    // Part of docker.io up to Debian 12.
    Tool {
        program: "docker",
        package: "docker-cli",
        reason: "the container tests start containers",
    },
    Tool {
        program: "busybox",
        package: "busybox-static",
        reason: "images of the container tests",
    },
];

struct Tool {
    program: &'static str,
    package: &'static str,
    reason: &'static str,
}

/// Looks for everything, installs what is missing, says what it found and did.
///
/// # Errors
/// If something needed is missing and cannot be installed; the message says what to do.
pub fn run(detail: Detail) -> Result<bool> {
    let mut report = Report::new(detail);
    host(&mut report);
    compiler::ensure(&mut report);
    linker::ensure(&mut report);
    tools(&mut report);
    bpffs(&mut report);
    emulator(&mut report);
    report.finish()
}

/// Setup as the first step of another task: silent but for what it had to do.
pub fn ensure() -> Result<()> {
    if !run(Detail::Changes)? {
        bail!("setup did not succeed, see above; `cargo xtask doctor` shows the whole picture");
    }
    Ok(())
}

/// Installs cargo-deny if it is missing: only lint needs it, and building it takes minutes.
pub fn ensure_cargo_deny() -> Result<()> {
    if stdout_of(command("cargo-deny").arg("--version")).is_some() {
        return Ok(());
    }
    let mut install = cargo();
    install.args(["install", "--locked", "cargo-deny", "--version", "0.20.2"]);
    watched("cargo install cargo-deny", install)
}

/// Installs what unpacks kernel modules, if it is missing: only the kernel matrix needs it.
///
/// # Errors
/// If it cannot be installed, with the way to get it.
pub fn ensure_unpacker() -> Result<()> {
    const PACKAGE: &str = "xz-utils";
    if find("xz").is_some() {
        return Ok(());
    }
    let by_hand = || format!("the kernel matrix needs xz; {}", apt::by_hand(&[PACKAGE]));
    apt::install(&[PACKAGE]).with_context(by_hand)
}

/// What the benchmark compares with: without it those rows are empty, and say why.
const RIVALS: [Tool; 4] = [
    Tool {
        program: "nft",
        package: "nftables",
        reason: "nft_hash, nft_interval",
    },
    Tool {
        program: "ipset",
        package: "ipset",
        reason: "ipset",
    },
    Tool {
        program: "iptables",
        package: "iptables",
        reason: "ipset",
    },
    Tool {
        program: "xdp-filter",
        package: "xdp-tools",
        reason: "xdp_filter",
    },
];

/// Installs what the benchmark compares with, as far as that is possible; says what is missing.
pub fn ensure_rivals() {
    for tool in RIVALS.iter().filter(|tool| find(tool.program).is_none()) {
        let package = tool.package;
        match apt::install(&[package]) {
            Ok(()) => println!("installed {package}, which the benchmark compares with"),
            Err(error) => println!(
                "no figures of {}: {} is missing and cannot be installed: {error:#}; {}",
                tool.reason,
                tool.program,
                apt::by_hand(&[package])
            ),
        }
    }
}

/// Asks apt's sources what there is now.
///
/// # Errors
/// Without root.
pub fn update_packages() -> Result<()> {
    ensure!(probe::is_root(), "as root: apt-get update");
    apt::update();
    Ok(())
}

/// rustup and the compiler that builds this very task: they cannot be missing, but the log
/// of a failing machine should begin with them.
fn host(report: &mut Report) {
    let rustc = stdout_of(command("rustc").arg("--version"));
    report.ok(
        "host compiler",
        rustc.as_deref().unwrap_or("of the running cargo"),
    );
    if find("rustup").is_none() {
        report.failed(
            "rustup",
            "not found: the XDP program is built by a second toolchain, which rustup selects",
            "install rustup, then run `cargo xtask setup` again",
        );
    }
}

fn tools(report: &mut Report) {
    let needed = TOOLS.iter().map(|tool| (tool, true));
    let others = OTHERS.iter().map(|tool| (tool, false));
    for (tool, needed) in needed.chain(others) {
        if let Some(file) = find(tool.program) {
            report.ok(tool.program, &file.display().to_string());
            continue;
        }
        let start = Instant::now();
        let Err(error) = apt::install(&[tool.package]) else {
            report.did(tool.program, &format!("installed {}", tool.package), start);
            continue;
        };
        let why = format!("missing ({}): {error:#}", tool.reason);
        let fix = apt::by_hand(&[tool.package]);
        if needed {
            report.failed(tool.program, &why, &fix);
        } else {
            report.note(tool.program, &why, &fix);
        }
    }
}

/// Asked for only by `setup` itself: other tasks do without, and must not wait for it.
fn emulator(report: &mut Report) {
    if report.detail() == Detail::Changes {
        return;
    }
    let start = Instant::now();
    let present = Emulator::present();
    match matrix::ensure().and_then(|()| Emulator::get()) {
        Ok(there) if present.is_some() => report.ok("emulator", &there.place()),
        Ok(there) => report.did("emulator", &there.place(), start),
        Err(error) => report.note("emulator", "missing", &format!("{error:#}")),
    }
}

/// Pins live in the BPF filesystem. Building does not need it, so its absence is only noted.
fn bpffs(report: &mut Report) {
    const TARGET: &str = "/sys/fs/bpf";
    const FIX: &str = "as root: mount -t bpf bpf /sys/fs/bpf";
    if let Some(target) = probe::bpffs() {
        return report.ok("bpffs", &target.display().to_string());
    }
    if !probe::is_root() || !Path::new(TARGET).is_dir() {
        return report.note("bpffs", "not mounted (needed to run the filter)", FIX);
    }
    let start = Instant::now();
    match mount_bpffs(TARGET) {
        Ok(()) => report.did("bpffs", "mounted on /sys/fs/bpf", start),
        Err(error) => report.note("bpffs", &format!("not mounted: {error:#}"), FIX),
    }
}

fn mount_bpffs(target: &str) -> Result<()> {
    let mut mount = command("mount");
    mount.args(["-t", "bpf", "bpf", target]);
    watched("mount -t bpf", mount).context("the kernel refused")
}
