//! The engine's network, and what is behind its uplink.
//!
//! ```text
//! containers ── bridge ── engine's host ── up0 ── inet ─┬─ c2   203.0.113.7
//! 10.77.0.0/24                     192.0.2.1            └─ web  203.0.113.8
//! ```
//!
//! There is no other way out: nothing that a container sends leaves the machine.

use std::{
    net::{IpAddr, SocketAddr},
    process::Command,
};

use anyhow::Context as _;

use super::{Echo, Engine};
use crate::netns::{Lab, Netns};

/// A server that feeds list.
pub const C2: &str = "203.0.113.7";
/// Its port.
pub const C2_PORT: u16 = 447;
/// A server that no feed lists.
pub const BENIGN: &str = "203.0.113.8";
/// The engine's host, as the internet sees it.
pub const HOST: &str = "192.0.2.1";
/// The containers' way out.
pub const GATEWAY: &str = "10.77.0.1";
/// The bridge of the containers' network.
pub const BRIDGE: &str = "tb-lan";

/// Everything there is. Servers echo on [`C2_PORT`].
#[derive(Debug)]
pub struct World {
    pub c2_server: Echo,
    pub benign_server: Echo,
    pub engine: Engine,
    pub c2: Netns,
    pub benign: Netns,
    _inet: Netns,
}

impl World {
    /// Starts the engine, with the network `lan` and the image `busybox`.
    pub fn new() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let engine = Engine::start(&lab)?;
        super::busybox(&engine)?;
        engine.done(&[
            "network",
            "create",
            "--subnet=10.77.0.0/24",
            "--gateway=10.77.0.1",
            "--opt=com.docker.network.bridge.name=tb-lan",
            "lan",
        ])?;
        let [inet, c2, benign] = ["inet", "c2", "web"].map(|role| lab.host(role));
        let (inet, c2, benign) = (inet?, c2?, benign?);
        engine.host.connect("up0", &inet, "in0")?;
        engine.host.ip_batch(
            "address add 192.0.2.1/24 dev up0\nroute add 203.0.113.0/24 via 192.0.2.2\n",
        )?;
        inet.forward()?;
        inet.address("in0", "192.0.2.2/24")?;
        for (server, name, address) in [(&c2, "c2", C2), (&benign, "web", BENIGN)] {
            attach(&inet, server, name, address)?;
        }
        let serve = |server: &Netns, address: &str| Echo::start(server, endpoint(address)?);
        Ok(Self {
            c2_server: serve(&c2, C2)?,
            benign_server: serve(&benign, BENIGN)?,
            engine,
            c2,
            benign,
            _inet: inet,
        })
    }

    /// Whether the container `name` gets an answer from `address`, on the servers' port.
    pub fn reaches(&self, name: &str, address: &str) -> anyhow::Result<bool> {
        let script = talk(address);
        let output = self.engine.docker(&["exec", name, "sh", "-c", &script])?;
        Ok(output.stdout.contains("hello"))
    }

    /// How many segments that open a connection the container `name` has sent, repeats among them.
    pub fn attempts(&self, name: &str) -> anyhow::Result<u64> {
        let read = ["exec", name, "cat", "/proc/net/snmp"];
        let text = self.engine.done(&read)?;
        let mut tcp = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
        let (names, values) = tcp.next().zip(tcp.next()).context("the lines of TCP")?;
        let counted = names.split(' ').zip(values.split(' '));
        let sent = counted.filter(|(name, _)| ["ActiveOpens", "RetransSegs"].contains(name));
        sent.map(|(_, value)| value.parse::<u64>().context("a count"))
            .sum()
    }

    /// Starts the container `name` in network `lan`.
    pub fn container(&self, name: &str, arguments: &[&str], words: &[&str]) -> anyhow::Result<()> {
        let run = ["run", "--detach", "--network", "lan", "--name", name];
        self.engine
            .done(&[&run, arguments, &["busybox"], words].concat())
            .map(drop)
    }

    /// The host's end of the veth pair of the container `name`.
    pub fn port_of(&self, name: &str) -> anyhow::Result<String> {
        let index = ["exec", name, "cat", "/sys/class/net/eth0/iflink"];
        let peer = self.engine.done(&index)?;
        let links = Command::new("ip")
            .args([
                "-n",
                self.engine.host.name(),
                "-o",
                "link",
                "show",
                "type",
                "veth",
            ])
            .output()
            .context("ip")?;
        let links = String::from_utf8_lossy(&links.stdout).into_owned();
        let line = links
            .lines()
            .find(|line| line.starts_with(&format!("{peer}: ")));
        let name = line.and_then(|line| line.split([' ', '@']).nth(1));
        let name = name.with_context(|| format!("no interface {peer} in {links}"))?;
        Ok(name.to_owned())
    }

    /// The address of the container `name`.
    pub fn address(&self, name: &str) -> anyhow::Result<String> {
        let format = "--format={{.NetworkSettings.Networks.lan.IPAddress}}";
        self.engine.done(&["inspect", format, name])
    }
}

/// What a shell in a container does to get an answer: for two seconds at most.
pub fn talk(address: &str) -> String {
    format!("(echo hello; sleep 1) | timeout 2 nc -w 1 {address} {C2_PORT}")
}

fn endpoint(address: &str) -> anyhow::Result<SocketAddr> {
    let address: IpAddr = address.parse().context("an address")?;
    Ok(SocketAddr::new(address, C2_PORT))
}

/// A server with one address, behind `inet`.
fn attach(inet: &Netns, server: &Netns, name: &str, address: &str) -> anyhow::Result<()> {
    server.connect("eth0", inet, name)?;
    server.ip_batch(&format!(
        "address add {address}/32 dev eth0\n\
         route add 192.0.2.2 dev eth0\n\
         route add default via 192.0.2.2 dev eth0\n"
    ))?;
    inet.ip(&["route", "add", address, "dev", name])
}
