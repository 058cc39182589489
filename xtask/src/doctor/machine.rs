//! Kernel, privilege and what the test lab needs of the machine.

use std::{fs, path::Path, process};

use anyhow::{Context, Result, ensure};

use super::Check;
use crate::{
    probe::{self, Version},
    process::command,
};

/// The oldest kernel that the program is tested on.
const OLDEST_KERNEL: Version = Version { major: 6, minor: 1 };
/// A parallel release build with link-time optimisation stays below this.
const MEMORY_MIB: u64 = 2048;
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// Everything that running the filter and its tests asks of the machine.
pub fn checks() -> Vec<Check> {
    vec![
        kernel(),
        capabilities(),
        bpffs(),
        jit(),
        btf(),
        namespaces(),
        memory(),
    ]
}

fn kernel() -> Check {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let found = format!("Linux {}", release.trim());
    if Version::parse(&release).is_none_or(|version| version < OLDEST_KERNEL) {
        return Check::missing("kernel", found, "boot Linux 6.1 or newer");
    }
    Check::ok("kernel", found)
}

fn capabilities() -> Check {
    const NAME: &str = "privilege";
    let bits = probe::status_field("CapEff:").and_then(|hex| u64::from_str_radix(&hex, 16).ok());
    match lacking(bits.unwrap_or_default()) {
        lacking if lacking.is_empty() => Check::ok(
            NAME,
            "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_ADMIN",
        ),
        lacking => Check::missing(NAME, format!("no {}", lacking.join(", ")), "run as root"),
    }
}

/// The capabilities that loading, attaching and the lab's namespaces need and this set lacks.
fn lacking(bits: u64) -> Vec<&'static str> {
    [
        (CAP_BPF, "CAP_BPF"),
        (CAP_PERFMON, "CAP_PERFMON"),
        (CAP_NET_ADMIN, "CAP_NET_ADMIN"),
        (CAP_SYS_ADMIN, "CAP_SYS_ADMIN"),
    ]
    .into_iter()
    .filter(|(bit, _)| bits & (1 << bit) == 0)
    .map(|(_, name)| name)
    .collect()
}

fn bpffs() -> Check {
    match probe::bpffs() {
        Some(target) => Check::ok("bpffs", target.display().to_string()),
        None => Check::missing(
            "bpffs",
            "not mounted",
            "as root: mount -t bpf bpf /sys/fs/bpf",
        ),
    }
}

/// Without the JIT everything works, many times slower.
fn jit() -> Check {
    const FIX: &str = "as root: sysctl net.core.bpf_jit_enable=1";
    match fs::read_to_string("/proc/sys/net/core/bpf_jit_enable")
        .as_deref()
        .map(str::trim)
    {
        Ok("0") => Check::missing("BPF JIT", "off", FIX).optional(),
        Ok(value) => Check::ok("BPF JIT", format!("on ({value})")),
        Err(error) => Check::missing("BPF JIT", format!("unknown: {error}"), FIX).optional(),
    }
}

fn btf() -> Check {
    const FILE: &str = "/sys/kernel/btf/vmlinux";
    if Path::new(FILE).exists() {
        return Check::ok("kernel BTF", FILE);
    }
    Check::missing(
        "kernel BTF",
        "none, and none is needed",
        "a kernel with CONFIG_DEBUG_INFO_BTF",
    )
    .optional()
}

/// Makes a namespace with a veth pair, as the lab does, and removes it.
fn namespaces() -> Check {
    const NAME: &str = "netns and veth";
    const FIX: &str = "run as root, on a kernel with CONFIG_NET_NS and CONFIG_VETH";
    let namespace = format!("trickblock-doctor-{}", process::id());
    if let Err(error) = ip(&["netns", "add", &namespace]) {
        return Check::missing(NAME, format!("no namespace: {error:#}"), FIX);
    }
    let pair = [
        "link", "add", "name", "veth0", "type", "veth", "peer", "name", "veth1",
    ];
    let veth = ip(&[&["-n", &namespace], &pair[..]].concat());
    let removed = ip(&["netns", "del", &namespace]);
    match veth.and(removed) {
        Ok(()) => Check::ok(NAME, "made and removed"),
        Err(error) => Check::missing(NAME, format!("{error:#}"), FIX),
    }
}

fn ip(args: &[&str]) -> Result<()> {
    let output = command("ip")
        .args(args)
        .output()
        .context("cannot start ip")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "ip {}: {}",
        args.join(" "),
        complaint.trim()
    );
    Ok(())
}

fn memory() -> Check {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mib = available_mib(&meminfo).unwrap_or_default();
    let found = format!("{mib} MiB available");
    if mib < MEMORY_MIB {
        let fix = format!("{MEMORY_MIB} MiB make builds safe; or build with -j1");
        return Check::missing("memory", found, fix).optional();
    }
    Check::ok("memory", found)
}

fn available_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_capability_is_named() {
        assert_eq!(lacking(u64::MAX), Vec::<&str>::new());
        assert_eq!(lacking(!(1 << CAP_PERFMON)), ["CAP_PERFMON"]);
        // What Docker grants by default has none of them.
        assert_eq!(lacking(0xa804_25fb).len(), 4);
    }

    #[test]
    fn available_memory_is_read() {
        let meminfo = "MemTotal:  100 kB\nMemAvailable:    4194304 kB\n";
        assert_eq!(available_mib(meminfo), Some(4096));
        assert_eq!(available_mib("MemTotal: 1 kB"), None);
    }
}
