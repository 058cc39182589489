//! A client, a gateway and the internet, each in a namespace of its own. Counts are those of ordinary
//! sockets at the ends.

use std::{
    io,
    net::{IpAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::netns::{Lab, Netns};

/// The gateway's interfaces, both of them filtered by most tests.
pub const LAN: &str = "lan0";
pub const WAN: &str = "wan0";
/// Two of the client's addresses.
pub const CLIENT: &str = "192.0.2.10";
pub const OTHER_CLIENT: &str = "192.0.2.66";
pub const CLIENT_6: &str = "2001:db8:1::10";
/// The gateway's own address on the uplink.
pub const GATEWAY: &str = "198.51.100.1";
/// Hosts of the internet.
pub const C2: &str = "203.0.113.7";
pub const WATCHED: &str = "203.0.113.9";
pub const BENIGN: &str = "203.0.113.8";
pub const C2_6: &str = "2001:db8:c2::7";
pub const BENIGN_6: &str = "2001:db8:c2::8";

/// Everything up, with routes.
#[derive(Debug)]
pub struct Road {
    pub client: Netns,
    pub gateway: Netns,
    pub internet: Netns,
}

impl Road {
    pub fn new() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let road = Self {
            client: lab.host("client")?,
            gateway: lab.host("gateway")?,
            internet: lab.host("internet")?,
        };
        road.client.connect("c0", &road.gateway, LAN)?;
        road.gateway.connect(WAN, &road.internet, "i0")?;
        // Where the packet builder sends its frames to.
        let address = ["link", "set", WAN, "address", "02:00:00:00:00:02"];
        road.gateway.ip(&address)?;
        road.number()?;
        road.gateway.forward()?;
        for (host, names) in [
            (&road.client, &["all", "c0"][..]),
            (&road.gateway, &["all", LAN, WAN]),
            (&road.internet, &["all", "i0"]),
        ] {
            for name in names {
                host.sysctl(&format!("net/ipv4/conf/{name}/rp_filter"), "0")?;
            }
        }
        Ok(road)
    }

    fn number(&self) -> anyhow::Result<()> {
        for address in ["192.0.2.10/24", "192.0.2.66/24", "2001:db8:1::10/64"] {
            self.client.address("c0", address)?;
        }
        for address in ["192.0.2.1/24", "2001:db8:1::1/64"] {
            self.gateway.address(LAN, address)?;
        }
        for address in ["198.51.100.1/24", "2001:db8:2::1/64"] {
            self.gateway.address(WAN, address)?;
        }
        for address in ["198.51.100.2/24", "2001:db8:2::2/64"] {
            self.internet.address("i0", address)?;
        }
        for address in [C2, WATCHED, BENIGN, C2_6, BENIGN_6] {
            let bits = if address.contains(':') { 128 } else { 32 };
            self.internet.address("lo", &format!("{address}/{bits}"))?;
        }
        let via = |address: &str| address.parse::<IpAddr>().context("an address");
        self.client.route("default", via("192.0.2.1")?)?;
        self.client.route("default", via("2001:db8:1::1")?)?;
        self.gateway.route("default", via("198.51.100.2")?)?;
        self.gateway.route("default", via("2001:db8:2::2")?)?;
        self.internet.route("192.0.2.0/24", via(GATEWAY)?)?;
        self.internet
            .route("2001:db8:1::/64", via("2001:db8:2::1")?)
    }

    /// How many of `count` datagrams from one end arrive at the other.
    pub fn send(&self, from: &End<'_>, to: &End<'_>, count: usize) -> anyhow::Result<usize> {
        self.send_large(from, to, count, 1)
    }

    /// As [`Road::send`], each with so many bytes of payload.
    pub fn send_large(
        &self,
        from: &End<'_>,
        to: &End<'_>,
        count: usize,
        bytes: usize,
    ) -> anyhow::Result<usize> {
        let receiver = to.socket()?;
        let sender = from.socket()?;
        let target = (to.address, to.port);
        let payload = vec![b'c'; bytes];
        for _ in 0..count {
            // A packet that is dropped on its way out may be an error here.
            let _refused = sender.send_to(&payload, target);
        }
        drain(&receiver, bytes)
    }
}

/// One end of a flow.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub host: &'a Netns,
    pub address: &'a str,
    pub port: u16,
}

impl<'a> End<'a> {
    pub fn new(host: &'a Netns, address: &'a str, port: u16) -> Self {
        Self {
            host,
            address,
            port,
        }
    }

    /// A socket of this end. A process that another thread is just starting may hold the last one for
    /// a moment longer.
    pub fn socket(&self) -> anyhow::Result<UdpSocket> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            match self
                .host
                .run(|| UdpSocket::bind((self.address, self.port)))?
            {
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline =>
                {
                    thread::sleep(Duration::from_millis(5));
                }
                bound => {
                    return bound.with_context(|| format!("{} port {}", self.address, self.port));
                }
            }
        }
    }
}

/// Counts what comes until nothing has come for a moment.
fn drain(receiver: &UdpSocket, bytes: usize) -> anyhow::Result<usize> {
    const SILENCE: Duration = Duration::from_millis(60);
    receiver.set_read_timeout(Some(SILENCE))?;
    let (start, mut buffer, mut count) = (Instant::now(), vec![0; 65_536], 0);
    while let Ok(length) = receiver.recv(&mut buffer) {
        if length != bytes || start.elapsed() > Duration::from_secs(20) {
            bail!("{length} bytes, not {bytes}, or packets without end");
        }
        count += 1;
    }
    Ok(count)
}
