//! A lab of network namespaces, joined by veth pairs.
//!
//! Set up with iproute2's `ip`. Names carry the pid of their maker (`tb-<pid>-<n>-<role>`), so
//! that labs do not meet, and what a killed process left behind is found and removed.

use std::{
    fs::{self, File},
    io::Write as _,
    net::IpAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        Arc, Once,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use anyhow::{Context as _, bail};

use crate::sys;

/// A family of namespaces; each lives as long as its [`Netns`].
#[derive(Debug)]
pub struct Lab {
    prefix: String,
}

impl Lab {
    /// A lab with names of its own. The first of a process removes what dead ones left.
    pub fn new() -> anyhow::Result<Self> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(remove_leftovers);
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            prefix: format!("tb-{}-{number}", process::id()),
        })
    }

    /// A new namespace with its loopback up. Duplicate address detection is off, since it
    /// would delay the first packets; link-local addresses stay, since a router needs one to
    /// find its neighbours.
    pub fn host(&self, role: &str) -> anyhow::Result<Netns> {
        let name = format!("{}-{role}", self.prefix);
        ip(&["netns", "add", &name])?;
        let host = Netns {
            name: Arc::new(Name(name)),
        };
        host.ip(&["link", "set", "lo", "up"])?;
        host.sysctl("net/ipv6/conf/all/accept_dad", "0")?;
        host.sysctl("net/ipv6/conf/default/accept_dad", "0")?;
        Ok(host)
    }
}

/// A network namespace, deleted when the last clone of this handle is dropped.
#[derive(Clone, Debug)]
pub struct Netns {
    name: Arc<Name>,
}

impl Netns {
    /// The name that `ip netns` shows.
    pub fn name(&self) -> &str {
        &self.name.0
    }

    /// The file that stands for the namespace.
    pub fn path(&self) -> PathBuf {
        Path::new(NAMES).join(self.name())
    }

    /// Joins this namespace to `peer` by a veth pair, both ends up.
    pub fn connect(
        &self,
        interface: &str,
        peer: &Self,
        peer_interface: &str,
    ) -> anyhow::Result<()> {
        let (here, there) = (self.name(), peer.name());
        let ends = [
            "type",
            "veth",
            "peer",
            "name",
            peer_interface,
            "netns",
            there,
        ];
        ip(&[&["link", "add", interface, "netns", here][..], &ends[..]].concat())?;
        for (host, name) in [(self, interface), (peer, peer_interface)] {
            host.ip(&["link", "set", name, "up"])?;
        }
        Ok(())
    }

    /// Gives `interface` an address (`192.0.2.1/24`), usable at once.
    pub fn address(&self, interface: &str, address: &str) -> anyhow::Result<()> {
        let v6: &[&str] = if address.contains(':') {
            &["nodad"]
        } else {
            &[]
        };
        self.ip(&[&["address", "add", address, "dev", interface], v6].concat())
    }

    /// Routes `prefix` (or `default`) to the next hop `via`.
    pub fn route(&self, prefix: &str, via: IpAddr) -> anyhow::Result<()> {
        let family = if via.is_ipv6() { "-6" } else { "-4" };
        self.ip(&[family, "route", "add", prefix, "via", &via.to_string()])
    }

    /// Makes the namespace a router for both families.
    pub fn forward(&self) -> anyhow::Result<()> {
        self.sysctl("net/ipv4/ip_forward", "1")?;
        self.sysctl("net/ipv6/conf/all/forwarding", "1")
    }

    /// Writes a `net/…` sysctl of this namespace.
    pub fn sysctl(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let path = Path::new("/proc/sys").join(name);
        self.run(|| fs::write(&path, value))?
            .with_context(|| format!("{} in namespace {}", path.display(), self.name()))
    }

    /// Runs `ip -n <this namespace> <arguments>`.
    pub fn ip(&self, arguments: &[&str]) -> anyhow::Result<()> {
        ip(&[&["-n", self.name()], arguments].concat())
    }

    /// Runs a batch of `ip` commands, one a line, in this namespace: one process for many.
    pub fn ip_batch(&self, commands: &str) -> anyhow::Result<()> {
        let mut child = ip_command()
            .args(["-n", self.name(), "-batch", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context(NO_IP)?;
        let Some(mut input) = child.stdin.take() else {
            bail!("ip -batch: no standard input")
        };
        input.write_all(commands.as_bytes()).context("ip -batch")?;
        drop(input);
        judge(
            &format!("ip -n {} -batch:\n{commands}", self.name()),
            &child.wait_with_output()?,
        )
    }

    /// Runs `work` on a thread inside the namespace. Sockets made there stay there.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
        let namespace = self.open()?;
        let inside = || -> anyhow::Result<T> {
            sys::enter_netns(namespace).with_context(|| format!("setns to {}", self.name()))?;
            Ok(work())
        };
        match thread::scope(|scope| scope.spawn(inside).join()) {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// A command that will start inside the namespace. Unlike `ip netns exec` it keeps the
    /// host's mounts: bpffs stays visible, and `/sys/class/net` shows the host's interfaces.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> anyhow::Result<Command> {
        let mut command = Command::new(program);
        sys::start_in_netns(&mut command, self.open()?);
        Ok(command)
    }

    fn open(&self) -> anyhow::Result<File> {
        let path = self.path();
        File::open(&path).with_context(|| format!("namespace {}", path.display()))
    }
}

#[derive(Debug)]
struct Name(String);

impl Drop for Name {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

const NAMES: &str = "/run/netns";
const NO_IP: &str = "cannot run `ip`: install the package iproute2";

/// Runs `ip` with `arguments`.
fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = ip_command().args(arguments).output().context(NO_IP)?;
    judge(&format!("ip {}", arguments.join(" ")), &output)
}

/// In a process group of its own: a second Ctrl-C must not kill the `ip` that cleans up.
fn ip_command() -> Command {
    let mut command = Command::new("ip");
    command.process_group(0);
    command
}

fn judge(command: &str, output: &process::Output) -> anyhow::Result<()> {
    if !output.status.success() {
        bail!(
            "`{command}` failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// Deletes the veths first: a socket that lingers keeps a nameless namespace alive, and must
/// not keep interfaces, and programs on them, alive with it.
fn remove(name: &str) {
    let links = ip_command()
        .args(["-n", name, "-o", "link", "show", "type", "veth"])
        .output();
    let links = links.map(|output| output.stdout).unwrap_or_default();
    for line in String::from_utf8_lossy(&links).lines() {
        let interface = line
            .split([' ', '@', ':'])
            .find(|word| word.starts_with(char::is_alphabetic));
        if let Some(interface) = interface {
            let _gone_with_its_peer = ip(&["-n", name, "link", "delete", interface]);
        }
    }
    if let Err(error) = ip(&["netns", "delete", name]) {
        eprintln!("namespace {name} is left behind: {error:#}");
    }
}

/// Removes namespaces of this crate whose maker is no longer alive.
fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(NAMES) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(maker) = name
            .strip_prefix("tb-")
            .and_then(|rest| rest.split('-').next())
            .filter(|maker| maker.parse::<u32>().is_ok())
        else {
            continue;
        };
        if !Path::new("/proc").join(maker).exists() {
            remove(&name);
        }
    }
}
