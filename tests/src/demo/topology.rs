//! The lab's network.
//!
//! ```text
//! infected ─┐                                        ┌─ c2
//! desk ─────┤       inside            uplink         ├─ web (benign, in the C2s' /24)
//! bench ────┼─ lan ─── lan0 gateway wan0 ─── inet ───┤
//! dmz ──────┘                                        └─ feed
//! ```
//!
//! Routers instead of bridges: some kernels have no bridge. `inet` knows the way back to the
//! clients' private addresses, so no NAT stands between a count and what it counts.

use std::net::IpAddr;

use anyhow::Context as _;

use super::plan::{CLIENTS, Host, SERVERS};
use crate::netns::{Lab, Netns};

/// The namespaces. Dropping it removes them.
#[derive(Debug)]
pub struct Topology {
    /// In the order of [`CLIENTS`].
    pub clients: Vec<Netns>,
    /// In the order of [`SERVERS`].
    pub servers: Vec<Netns>,
    /// Where the filter belongs: [`INSIDE`] and [`UPLINK`] are its interfaces.
    pub gateway: Netns,
    _routers: [Netns; 2],
}

/// The gateway's interface towards the LAN.
pub const INSIDE: &str = "lan0";
/// The gateway's interface towards the internet.
pub const UPLINK: &str = "wan0";

impl Topology {
    /// Builds it all.
    pub fn new() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let [lan, gateway, inet] = ["lan", "gateway", "inet"].map(|role| lab.host(role));
        let (lan, gateway, inet) = (lan?, gateway?, inet?);
        lan.connect("up0", &gateway, INSIDE)?;
        gateway.connect(UPLINK, &inet, "in0")?;
        for router in [&lan, &gateway, &inet] {
            router.forward()?;
        }
        lan.ip_batch(&side("up0", 1, 2, 1))?;
        inet.ip_batch(&side("in0", 2, 2, 1))?;
        gateway.ip_batch(&gateway_addresses())?;
        let clients = attach_all(&lab, &lan, &CLIENTS)?;
        let servers = attach_all(&lab, &inet, &SERVERS)?;
        Ok(Self {
            clients,
            servers,
            gateway,
            _routers: [lan, inet],
        })
    }
}

/// The v4 and v6 addresses of a host in the network that joins it to its router.
pub fn address_of(host: &Host) -> anyhow::Result<(IpAddr, IpAddr)> {
    let parse = |text: String| text.parse().with_context(|| text.clone());
    Ok((
        parse(format!("{}.10", host.network))?,
        parse(format!("{}::10", host.network_v6))?,
    ))
}

/// `ip -batch` lines for an inner router: its end of transit network `net`, and the default
/// route to the other end.
fn side(interface: &str, net: u8, own: u8, other: u8) -> String {
    format!(
        "address add 198.19.{net}.{own}/24 dev {interface}\n\
         address add 2001:db8:{net}::{own}/64 dev {interface}\n\
         route add default via 198.19.{net}.{other}\n\
         route add ::/0 via 2001:db8:{net}::{other}\n"
    )
}

/// The gateway's ends, its default route, and the way to the clients.
fn gateway_addresses() -> String {
    let mut commands = side(UPLINK, 2, 1, 2);
    commands += &format!(
        "address add 198.19.1.1/24 dev {INSIDE}\naddress add 2001:db8:1::1/64 dev {INSIDE}\n"
    );
    for client in CLIENTS {
        commands += &format!("route add {}.0/24 via 198.19.1.2\n", client.network);
        commands += &format!("route add {}::/64 via 2001:db8:1::2\n", client.network_v6);
    }
    commands
}

fn attach_all(lab: &Lab, router: &Netns, hosts: &[Host]) -> anyhow::Result<Vec<Netns>> {
    hosts.iter().map(|host| attach(lab, router, host)).collect()
}

/// Makes `host` and joins it to `router`: `.1` is the router, `.10` the host.
fn attach(lab: &Lab, router: &Netns, host: &Host) -> anyhow::Result<Netns> {
    let Host {
        name,
        network,
        network_v6,
        services,
    } = host;
    let netns = lab.host(name)?;
    netns.connect("eth0", router, name)?;
    let mut inside = format!(
        "address add {network}.10/24 dev eth0\naddress add {network_v6}::10/64 dev eth0\n\
         route add default via {network}.1\nroute add ::/0 via {network_v6}::1\n"
    );
    let mut outside = format!(
        "address add {network}.1/24 dev {name}\naddress add {network_v6}::1/64 dev {name}\n"
    );
    for service in *services {
        inside += &format!("address add {service} dev eth0\n");
        let via = if service.contains(':') {
            format!("{network_v6}::10")
        } else {
            format!("{network}.10")
        };
        outside += &format!("route add {service} via {via}\n");
    }
    netns.ip_batch(&inside)?;
    router.ip_batch(&outside)?;
    Ok(netns)
}
