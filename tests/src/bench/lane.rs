//! Packets from a client to a C2 through a gateway that begins to filter.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use super::pool::PORT;
use crate::{
    cli::{Daemon, Site},
    netns::{Lab, Netns},
    sys,
};

const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const GATEWAY_INSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const GATEWAY_UPLINK: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// What the feed lists.
pub const C2: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
/// Between two packets: the resolution of what is measured.
const PACE: Duration = Duration::from_micros(500);
/// So many packets in a row that do not arrive were dropped, not late.
const SILENCE: usize = 500;
const PATIENCE: Duration = Duration::from_secs(30);

/// A client, a gateway that filters, and a C2 behind it.
pub struct Lane {
    client: UdpSocket,
    c2: UdpSocket,
    gateway: Netns,
    _ends: [Netns; 2],
}

impl Lane {
    /// In namespaces of its own.
    pub fn new() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let [client, gateway, c2] = ["client", "gateway", "c2"].map(|role| lab.host(role));
        let (client, gateway, c2) = (client?, gateway?, c2?);
        client.connect("veth0", &gateway, "inside")?;
        c2.connect("veth0", &gateway, "uplink")?;
        for (host, interface, address, via) in [
            (&client, "veth0", CLIENT, Some(GATEWAY_INSIDE)),
            (&c2, "veth0", C2, Some(GATEWAY_UPLINK)),
            (&gateway, "inside", GATEWAY_INSIDE, None),
            (&gateway, "uplink", GATEWAY_UPLINK, None),
        ] {
            host.address(interface, &format!("{address}/24"))?;
            if let Some(via) = via {
                host.route("default", via.into())?;
            }
        }
        gateway.forward()?;
        let socket = |host: &Netns, address: SocketAddr| -> anyhow::Result<UdpSocket> {
            let socket = host.run(|| UdpSocket::bind(address))?;
            let socket = socket.with_context(|| address.to_string())?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        Ok(Self {
            client: socket(&client, (CLIENT, 0).into())?,
            c2: socket(&c2, (C2, PORT).into())?,
            gateway,
            _ends: [client, c2],
        })
    }

    /// Sends numbered packets all the while; the time from the start of the process to the first
    /// packet after the last that arrived. Fails after `patience`.
    pub fn time_to_block(
        &self,
        site: &Site,
        patience: Duration,
    ) -> anyhow::Result<(Duration, Daemon)> {
        let mut traffic = Traffic::new(self);
        traffic.wait_until_it_flows()?;
        let started = Instant::now();
        let daemon = Daemon::spawn(site, Some(&self.gateway))?;
        while traffic.silent_for() < SILENCE {
            sys::stop_if_interrupted()?;
            if started.elapsed() > patience {
                bail!("packets still pass after {patience:?}\n{}", daemon.log());
            }
            traffic.step()?;
        }
        let blocked = traffic.sent[traffic.arrived];
        let time = blocked.checked_duration_since(started);
        let time = time.context("packets were lost before the daemon started")?;
        Ok((time, daemon))
    }
}

struct Traffic<'a> {
    path: &'a Lane,
    /// When packet n was sent.
    sent: Vec<Instant>,
    /// One more than the number of the latest packet that arrived.
    arrived: usize,
}

impl<'a> Traffic<'a> {
    fn new(path: &'a Lane) -> Self {
        Self {
            path,
            sent: Vec::new(),
            arrived: 0,
        }
    }

    /// Packets since the latest that arrived.
    fn silent_for(&self) -> usize {
        self.sent.len() - self.arrived
    }

    fn wait_until_it_flows(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.arrived < 100 {
            sys::stop_if_interrupted()?;
            ensure!(Instant::now() < deadline, "the lab delivers no packets");
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> anyhow::Result<()> {
        let number = u64::try_from(self.sent.len())?.to_be_bytes();
        let to = (C2, PORT);
        self.sent.push(Instant::now());
        self.path.client.send_to(&number, to).context("send")?;
        thread::sleep(PACE);
        let mut buffer = [0; 8];
        loop {
            match self.path.c2.recv(&mut buffer) {
                // Packets of an earlier run that were late have numbers beyond what was sent.
                Ok(_) => {
                    let number = usize::try_from(u64::from_be_bytes(buffer))?;
                    if number < self.sent.len() {
                        self.arrived = self.arrived.max(number + 1);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("receive"),
            }
        }
    }
}
