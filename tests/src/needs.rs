//! What a test may need, and a real attempt at each to prove whether it is there.

use std::{env, fs, os::fd::OwnedFd, path::PathBuf, process::Command, sync::OnceLock};

use anyhow::{Context as _, ensure};

use crate::{
    bpf,
    docker::{self, Engine},
    matrix,
    netns::Lab,
    python, sys,
};

/// Something that not every machine or user has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The effective user is root.
    Root,
    /// Network namespaces can be made with `ip netns add`, with a veth pair in them.
    Netns,
    /// The kernel lets this user create BPF maps.
    Bpf,
    /// A BPF file system at `/sys/fs/bpf`, mounted here if it is not.
    BpfFs,
    /// XDP attaches to a veth in native mode.
    Xdp,
    /// A container engine can be started, and a container in it.
    Docker,
    /// The directory of feed samples that `TRICKBLOCK_CORPUS` names.
    Corpus,
    /// An emulator and the kernels of the short form of `cargo xtask matrix`, got here if possible.
    Kernels,
    /// Python, whose own modules are asked for a second opinion.
    Python,
    /// Libraries of STIX for Python, got here if possible.
    Stix,
    /// The command `openssl`, for certificates and servers that have them.
    OpenSsl,
}

impl Need {
    /// Why this need is not met, or `None` if it is. Tried once per process.
    pub fn unmet(self) -> Option<String> {
        static TRIED: [OnceLock<Option<String>>; 11] = [const { OnceLock::new() }; 11];
        let (slot, attempt): (usize, fn() -> anyhow::Result<()>) = match self {
            Self::Root => (0, root),
            Self::Netns => (1, network_namespace),
            Self::Bpf => (2, || {
                bpf::create_map(bpf::MapShape::new(bpf::ARRAY, 4, 8, 1, 0)).map(drop)
            }),
            Self::BpfFs => (3, bpf_file_system),
            Self::Xdp => (4, native_xdp),
            Self::Docker => (7, container),
            Self::Corpus => (5, || corpus_dir().map(drop)),
            Self::Python => (8, python::interpreter),
            Self::Stix => (9, || python::libraries().map(drop)),
            Self::OpenSsl => (10, openssl),
            Self::Kernels => (6, || matrix::short_form(&["--fetch"]).map(drop)),
        };
        // One line, since that is what a report of skipped tests has room for.
        let reason = |error| {
            format!("{error:#}")
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        TRIED[slot]
            .get_or_init(|| attempt().err().map(reason))
            .clone()
    }
}

/// The directory of feed samples, from `TRICKBLOCK_CORPUS`.
pub fn corpus_dir() -> anyhow::Result<PathBuf> {
    let dir = env::var_os("TRICKBLOCK_CORPUS")
        .map(PathBuf::from)
        .context("TRICKBLOCK_CORPUS is not set: name the directory of feed samples in it")?;
    let failed = || format!("TRICKBLOCK_CORPUS={}: cannot be listed", dir.display());
    fs::read_dir(&dir).with_context(failed)?;
    Ok(dir)
}

/// Mounts a BPF file system at `/sys/fs/bpf` unless there is one.
pub fn bpf_file_system() -> anyhow::Result<()> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mounts = fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?;
    if mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some("/sys/fs/bpf"))
    {
        return Ok(());
    }
    let output = Command::new("mount")
        .args(["-t", "bpf", "bpf", "/sys/fs/bpf"])
        .output()
        .context("mount (package mount)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "no BPF file system at /sys/fs/bpf: {}",
        said.trim()
    );
    Ok(())
}

fn openssl() -> anyhow::Result<()> {
    let output = Command::new("openssl").arg("version").output();
    let output = output.context("openssl (package openssl)")?;
    ensure!(output.status.success(), "`openssl version` fails");
    Ok(())
}

fn root() -> anyhow::Result<()> {
    let uid = sys::effective_uid();
    ensure!(uid == 0, "the effective uid is {uid}, not 0: run as root");
    Ok(())
}

fn network_namespace() -> anyhow::Result<()> {
    let lab = Lab::new().context("no network namespace")?;
    let (left, right) = (lab.host("left")?, lab.host("right")?);
    left.connect("veth0", &right, "veth0")
        .context("no veth pair")
}

/// Attaches a program that passes everything, in native mode, to one end of a veth pair.
fn native_xdp() -> anyhow::Result<()> {
    let lab = Lab::new().context("no network namespace to try XDP in")?;
    let (left, right) = (lab.host("left")?, lab.host("right")?);
    left.connect("veth0", &right, "veth0")
        .context("no veth pair to try XDP on")?;
    left.run(|| -> anyhow::Result<OwnedFd> {
        let index = sys::interface_index("veth0").context("veth0")?;
        bpf::attach_native(&bpf::load_pass()?, index)
    })?
    .map(drop)
}

/// Starts an engine, and in it a container that ends at once.
fn container() -> anyhow::Result<()> {
    let engine = Engine::start(&Lab::new()?).context("no container engine")?;
    docker::busybox(&engine).context("no image")?;
    engine
        .done(&["run", "--rm", "--network=none", "busybox", "true"])
        .context("no container")
        .map(drop)
}
