//! Who is who in the lab: hosts, addresses, and the pairs that talk.
//!
//! Only documentation and benchmark addresses (RFC 5737, RFC 3849, RFC 2544), and RFC 1918 for
//! clients. C2s stand behind a next hop, as in life: the gateway's own and connected prefixes
//! are protected from address-wide indicators.

use std::net::{IpAddr, SocketAddr};

/// A host of the lab: a client on the LAN or a server beyond the gateway's next hop.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The role in the namespace's name.
    pub name: &'static str,
    /// Its network, as the first three octets of a /24.
    pub network: &'static str,
    /// Its v6 network, as the first four groups of a /64.
    pub network_v6: &'static str,
    /// Addresses that it serves from, besides the one in each of its networks (host part 10).
    pub services: &'static [&'static str],
}

/// Clients, each in a network of its own behind the LAN's router.
pub const CLIENTS: [Host; 4] = [
    Host {
        name: "infected",
        network: "10.66.0",
        network_v6: "2001:db8:66:1",
        services: &[],
    },
    Host {
        name: "desk",
        network: "192.168.66",
        network_v6: "2001:db8:66:2",
        services: &[],
    },
    Host {
        name: "bench",
        network: "198.18.66",
        network_v6: "2001:db8:66:3",
        services: &[],
    },
    Host {
        name: "dmz",
        network: "198.51.100",
        network_v6: "2001:db8:66:4",
        services: &[],
    },
];

/// Servers, each behind the internet's router. The C2s and their neighbour share a /24.
pub const SERVERS: [Host; 3] = [
    Host {
        name: "c2",
        network: "198.19.10",
        network_v6: "2001:db8:10:1",
        services: &[
            "203.0.113.66",
            "203.0.113.67",
            "203.0.113.99",
            "192.0.2.200",
            "2001:db8:c2::66",
        ],
    },
    Host {
        name: "web",
        network: "198.19.11",
        network_v6: "2001:db8:10:2",
        services: &["203.0.113.80", "192.0.2.53", "2001:db8:c2::80"],
    },
    Host {
        name: "feed",
        network: "198.19.12",
        network_v6: "2001:db8:10:3",
        services: &[],
    },
];

/// What a pair's server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Listed from the beginning to the end.
    C2,
    /// Listed at first, and removed from the feed later.
    RemovedC2,
    /// Appears in the feed later.
    NewC2,
    /// Never listed.
    Benign,
}

/// A client and the server endpoint it talks to, over UDP and TCP.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Unique, and small: it travels in every message.
    pub number: u8,
    /// For the reader of the summary.
    pub title: &'static str,
    pub role: Role,
    pub client: usize,
    pub client_address: IpAddr,
    pub server: usize,
    pub endpoint: SocketAddr,
}

/// Every pair; all of them talk in every round, but for the new C2, which has its own phase.
pub fn pairs() -> anyhow::Result<Vec<Pair>> {
    TABLE
        .iter()
        .zip(0..)
        .map(|(row, number)| row.pair(number))
        .collect()
}

/// Rows of the CSV feed at the start, besides those of pairs: nobody lives there.
pub const OTHER_ROWS: u8 = 40;

struct Row {
    title: &'static str,
    role: Role,
    client: usize,
    server: usize,
    endpoint: &'static str,
}

impl Row {
    fn pair(&self, number: u8) -> anyhow::Result<Pair> {
        let endpoint: SocketAddr = self.endpoint.parse()?;
        let client = &CLIENTS[self.client];
        let client_address = if endpoint.is_ipv4() {
            format!("{}.10", client.network).parse()?
        } else {
            format!("{}::10", client.network_v6).parse()?
        };
        let Self {
            title,
            role,
            client,
            server,
            ..
        } = *self;
        Ok(Pair {
            number,
            title,
            role,
            client,
            client_address,
            server,
            endpoint,
        })
    }
}

const fn row(
    role: Role,
    title: &'static str,
    client: usize,
    server: usize,
    endpoint: &'static str,
) -> Row {
    Row {
        title,
        role,
        client,
        server,
        endpoint,
    }
}

const INFECTED: usize = 0;
const DESK: usize = 1;
const BENCH: usize = 2;
const DMZ: usize = 3;
const C2: usize = 0;
const WEB: usize = 1;

const TABLE: &[Row] = &[
    row(Role::C2, "listed ip:port", INFECTED, C2, "203.0.113.66:443"),
    row(
        Role::C2,
        "listed v6 ip:port",
        INFECTED,
        C2,
        "[2001:db8:c2::66]:443",
    ),
    row(
        Role::C2,
        "listed address, any port",
        INFECTED,
        C2,
        "192.0.2.200:8443",
    ),
    row(
        Role::RemovedC2,
        "listed, removed later",
        INFECTED,
        C2,
        "203.0.113.67:449",
    ),
    row(
        Role::NewC2,
        "listed later",
        INFECTED,
        C2,
        "203.0.113.99:447",
    ),
    row(
        Role::Benign,
        "same C2 address, other port",
        INFECTED,
        C2,
        "203.0.113.66:80",
    ),
    row(
        Role::Benign,
        "same v6 C2 address, other port",
        INFECTED,
        C2,
        "[2001:db8:c2::66]:80",
    ),
    row(
        Role::Benign,
        "C2's neighbour, same port",
        INFECTED,
        WEB,
        "203.0.113.80:443",
    ),
    row(
        Role::Benign,
        "C2's v6 neighbour, same port",
        DESK,
        WEB,
        "[2001:db8:c2::80]:443",
    ),
    row(
        Role::Benign,
        "another RFC 1918 client",
        DESK,
        WEB,
        "203.0.113.80:8443",
    ),
    row(
        Role::Benign,
        "a client in 198.18.0.0/15",
        BENCH,
        WEB,
        "192.0.2.53:53",
    ),
    row(
        Role::Benign,
        "a client in 198.51.100.0/24",
        DMZ,
        WEB,
        "203.0.113.80:80",
    ),
];
