//! The namespaces, and what arrives in them.

use std::{
    fs,
    os::fd::OwnedFd,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;

use super::super::{programs::Loaded, rivals::Rival, target::Target};
use crate::{
    netns::{Lab, Netns},
    sys,
};

/// The address of every receiving interface.
pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// The receiving interface.
pub const INTERFACE: &str = "veth0";

/// Where the generator is.
pub struct Ground {
    lab: Lab,
    pub source: Netns,
    /// Veth pairs so far.
    ends: AtomicU32,
}

/// A filter's namespace, with one veth pair.
pub struct Sink {
    pub target: Target,
    pub size: usize,
    pub netns: Netns,
    /// Index of the generator's end.
    pub port: u32,
    /// What has to live as long as the filter.
    pub link: Option<OwnedFd>,
    pub filter: Option<Loaded>,
    pub rival: Option<Rival>,
}

impl Ground {
    /// A namespace for the generator.
    pub fn new() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let source = lab.host("source")?;
        quiet(&source)?;
        Ok(Self {
            lab,
            source,
            ends: AtomicU32::new(0),
        })
    }

    /// A namespace behind a veth pair, where nothing filters yet.
    pub fn sink(&self, target: Target, size: usize) -> anyhow::Result<Sink> {
        let name = format!("{}-{size}", target.name().replace('_', ""));
        let netns = self.lab.host(&name)?;
        quiet(&netns)?;
        let number = self.ends.fetch_add(1, Ordering::Relaxed);
        let end = format!("to{number}");
        self.source.connect(&end, &netns, INTERFACE)?;
        let mac = MAC.map(|byte| format!("{byte:02x}")).join(":");
        netns.ip(&["link", "set", INTERFACE, "address", &mac])?;
        // Without it a veth end takes no frames from XDP unless a program is attached.
        netns
            .run(|| sys::enable_gro(INTERFACE))?
            .context("GRO on a veth")?;
        let port = self.source.run(|| sys::interface_index(&end))?;
        Ok(Sink {
            target,
            size,
            netns,
            port: port.with_context(|| end.clone())?,
            link: None,
            filter: None,
            rival: None,
        })
    }
}

/// No neighbour or router discovery between the frames that are counted.
fn quiet(netns: &Netns) -> anyhow::Result<()> {
    for set in ["all", "default"] {
        netns.sysctl(&format!("net/ipv6/conf/{set}/disable_ipv6"), "1")?;
    }
    Ok(())
}

impl Sink {
    /// A program to be run in the namespace.
    pub fn command(&self, program: &str) -> anyhow::Result<Command> {
        self.netns.command(program)
    }

    /// Frames that the interface took so far.
    pub fn arrived(&self) -> anyhow::Result<u64> {
        // Behind the name: bytes, packets, …
        let line = self.proc("net/dev", &format!("{INTERFACE}:"))?;
        number(&line, 1)
    }

    /// Packets that the filter let through so far.
    pub fn passed(&self) -> anyhow::Result<u64> {
        // Ip: Forwarding DefaultTTL InReceives …, then a second line with the numbers.
        let line = self.proc("net/snmp", "Ip: ")?;
        let received = number(&line, 2)?;
        match self.target {
            // It filters behind this counter.
            Target::Ipset => Ok(received - self.dropped_by_iptables()?),
            _ => Ok(received),
        }
    }

    /// What follows `prefix` on the last line that begins with it.
    fn proc(&self, file: &str, prefix: &str) -> anyhow::Result<String> {
        let path = format!("/proc/thread-self/{file}");
        let text = self.netns.run(|| fs::read_to_string(&path))?;
        let text = text.with_context(|| path.clone())?;
        let mut lines = text.lines().rev();
        let line = lines.find_map(|line| line.trim_start().strip_prefix(prefix));
        line.map(str::to_owned)
            .with_context(|| format!("{path}: no line {prefix}"))
    }

    /// Of the only rule.
    fn dropped_by_iptables(&self) -> anyhow::Result<u64> {
        let mut command = self.command("iptables")?;
        command.args(["-t", "raw", "-nvxL", "PREROUTING"]);
        let output = command.output().context("iptables")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rule = text.lines().find(|line| line.contains("DROP"));
        number(rule.context("iptables does not show its rule")?, 0)
    }
}

fn number(line: &str, index: usize) -> anyhow::Result<u64> {
    let word = line.split_whitespace().nth(index);
    let word = word.with_context(|| format!("`{line}`: too short"))?;
    word.parse().with_context(|| format!("`{line}`"))
}
