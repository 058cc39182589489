//! What goes wrong between user space and the kernel, each with its fix.

use std::{
    io,
    path::{Path, PathBuf},
};

use trickblock_common::table::Room;

use crate::table::CompileError;

/// Errors of the kernel layer. Every message names the thing, the reason and the fix.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error(
        "missing privilege: {missing}; run as root or grant {missing} (for a service: AmbientCapabilities={missing}; for a container see docs/docker.md)"
    )]
    Privilege { missing: String },
    #[error(
        "in a user namespace (a rootless or remapped container) the kernel takes no BPF program, whatever the capabilities; run this on the host, or in a container of an engine that runs as root"
    )]
    UserNamespace,
    #[error(
        "{path} is not on a BPF file system, so pins cannot live there; run `mount -t bpf bpf /sys/fs/bpf`, or set `pins` in [paths] (`--pins`; `--bpffs` of `replay`) to a directory on one"
    )]
    NotBpffs { path: PathBuf },
    #[error(
        "{path} is not ours or of another layout: {what}; make sure that no other trickblock uses it, then remove {path} and start again, or set `pins` in [paths] (`--pins`) to another directory"
    )]
    Foreign { path: PathBuf, what: String },
    #[error(
        "{path}: another trickblock daemon runs on these pins; stop it first, or set `pins` in [paths] (`--pins`) to another directory"
    )]
    Held { path: PathBuf },
    #[error(
        "{path}: another `trickblock verify` of these pins has not ended for {seconds} s; wait for it, or end it"
    )]
    Probing { path: PathBuf, seconds: u64 },
    #[error("{path}: permission denied; run this as root")]
    Denied { path: PathBuf },
    #[error(
        "interface {name}: no such interface in this network namespace; `ip link` lists those that exist"
    )]
    NoInterface { name: String },
    #[error(
        "interface {name}: frames of link type {layer} are not known here; choose an Ethernet, VLAN, veth, tun, WireGuard or PPP interface"
    )]
    LinkType { name: String, layer: String },
    #[error(
        "interface {name}: link type {layer} has no Ethernet header, and XDP does not work there; set `hook = \"tcx\"` or `\"auto\"` in its [[interface]]"
    )]
    NoEthernet { name: String, layer: String },
    #[error(
        "interface {name}: another XDP program is attached ({holder}, {mode}) and is left alone; if it is not needed, detach it with the tool that attached it (another trickblock: `trickblock off --pins` with its directory; others: `ip link set dev {name} xdp off`), or filter beside it: `hook = \"tcx\"` in its [[interface]] (`--hook tcx`)"
    )]
    Busy {
        name: String,
        holder: String,
        mode: &'static str,
    },
    #[error(
        "interface {name}: the driver refuses native XDP ({source}); set `xdp = \"auto\"` or `\"generic\"` in [filter] to run in the network stack, several times slower, or `hook = \"tcx\"` in its [[interface]]"
    )]
    NoNative { name: String, source: io::Error },
    #[error("interface {name}: attaching to {hook} failed: {reason}")]
    Attach {
        name: String,
        hook: &'static str,
        reason: String,
    },
    #[error("interface {name}: a private filter is never attached")]
    Private { name: String },
    #[error("the kernel refuses the program: {reason}; trickblock needs Linux 6.1 or newer{hint}")]
    Load { reason: String, hint: &'static str },
    #[error("{}", no_filter(path, other.as_deref()))]
    NoFilter {
        path: PathBuf,
        /// What pins of another version of trickblock are below, if a filter of it may be on.
        other: Option<String>,
    },
    #[error(
        "a table of {} IPv4 addresses, {} IPv4 prefixes and ports and {} IPv6 entries is more than a BPF map can be; shorten the lists, or lower `capacity` in [table] (at most 4000000)",
        .0.hosts, .0.v4, .0.v6
    )]
    Capacity(Room),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(
        "never-block list: the kernel's map refuses {prefix} ({reason}); it holds {capacity} prefixes per family, shorten the allow list"
    )]
    NeverBlock {
        prefix: ipnet::IpNet,
        reason: String,
        capacity: u32,
    },
    #[error("{op} {subject}: {source}")]
    Io {
        op: &'static str,
        subject: String,
        source: io::Error,
    },
    #[error("map {map}: {reason}")]
    Map { map: &'static str, reason: String },
}

impl FilterError {
    pub(super) fn io(
        op: &'static str,
        subject: impl std::fmt::Display,
    ) -> impl FnOnce(io::Error) -> Self {
        let subject = subject.to_string();
        move |source| Self::Io {
            op,
            subject,
            source,
        }
    }

    pub(super) fn map(map: &'static str) -> impl Fn(aya::maps::MapError) -> Self {
        move |error| Self::Map {
            map,
            reason: chain(&error),
        }
    }
}

fn no_filter(path: &Path, other: Option<&str>) -> String {
    let path = path.display();
    match other {
        Some(version) => format!(
            "the filter that is pinned at {path} is that of another version of trickblock ({version}) and may be on: `trickblock run` takes it over, `trickblock off` ends it"
        ),
        None => format!(
            "no filter is pinned at {path}; start one with `trickblock run`, or name its directory with `--pins`"
        ),
    }
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
