//! Prefixes of every length, whole or narrowed, at both of their edges and on both sides.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use trickblock_tests::{kernel::Answer, packet::Packet};

use crate::fixture::{C2, C2_6, CLIENT, CLIENT_6, FROM, Group, TO, hit, miss};

/// The narrowings of an indicator: what follows the prefix in a rule, and in its display.
const SCOPES: [Scope; 5] = [
    Scope {
        port: "",
        protocol: "",
        shown: "",
    },
    Scope {
        port: ":443",
        protocol: "",
        shown: ":443",
    },
    Scope {
        port: ":443/tcp",
        protocol: "",
        shown: ":443/tcp",
    },
    Scope {
        port: ":443/udp",
        protocol: "",
        shown: ":443/udp",
    },
    Scope {
        port: "",
        protocol: " tcp",
        shown: "/tcp",
    },
];

pub fn v4() -> Vec<Group> {
    [8, 9, 15, 16, 17, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]
        .into_iter()
        .flat_map(|length| SCOPES.map(|scope| group(&Listed::v4(length), scope)))
        .collect()
}

pub fn v6() -> Vec<Group> {
    let lengths = [
        3, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 127, 128,
    ];
    lengths
        .into_iter()
        .flat_map(|length| SCOPES.map(|scope| group(&Listed::v6(length), scope)))
        .collect()
}

/// Neither the other hosts of a /24 nor addresses that only look alike are touched.
pub fn neighbours() -> Vec<Group> {
    let exact = Group::new(
        "one host of a /24",
        &["drop 203.0.113.7", "drop 203.0.113.9:443"],
    );
    let hosts = (0..=255_u8).filter(|host| ![7, 9].contains(host));
    let exact = exact.cases(hosts.map(|host| {
        let neighbour = Ipv4Addr::new(203, 0, 113, host).to_string();
        let frame = Packet::v4(CLIENT, &neighbour).tcp(40_000, 443).build();
        (neighbour, frame, miss())
    }));
    let bits = Group::new(
        "one bit apart",
        &["drop 203.0.113.7", "drop 2001:db8:c2::7"],
    );
    let v4 = (0..32).map(|bit| {
        let address = Ipv4Addr::from_bits(parse_v4(C2).to_bits() ^ 1 << bit).to_string();
        (
            format!("bit {bit} of 32"),
            Packet::v4(&address, CLIENT).udp(443, 9).build(),
            miss(),
        )
    });
    let v6 = (0..128).map(|bit| {
        let address = Ipv6Addr::from_bits(parse_v6(C2_6).to_bits() ^ 1 << bit).to_string();
        (
            format!("bit {bit} of 128"),
            Packet::v6(&address, CLIENT_6).udp(443, 9).build(),
            miss(),
        )
    });
    let embedded = Group::new(
        "v4 indicators do not match v6 addresses",
        &["drop 203.0.113.0/24"],
    )
    .case(
        "mapped",
        &Packet::v6(CLIENT_6, "::ffff:203.0.113.7").tcp(1, 443),
        miss(),
    )
    .case(
        "the first bytes",
        &Packet::v6(CLIENT_6, "cb00:7107::").tcp(1, 443),
        miss(),
    );
    vec![exact, bits.cases(v4).cases(v6), embedded]
}

#[derive(Clone, Copy)]
struct Scope {
    port: &'static str,
    protocol: &'static str,
    shown: &'static str,
}

impl Scope {
    fn is_wide(self) -> bool {
        self.shown.is_empty()
    }

    fn takes(self, protocol: &str, port: u16) -> bool {
        (self.port.is_empty() || port == 443)
            && !(self.shown.ends_with("tcp") && protocol != "tcp")
            && !(self.shown.ends_with("udp") && protocol != "udp")
    }
}

/// A prefix around a server: its own addresses at both edges, and those right outside.
struct Listed {
    prefix: String,
    length: u8,
    inside: Vec<String>,
    outside: Vec<String>,
    host: bool,
    client: &'static str,
}

impl Listed {
    fn v4(length: u8) -> Self {
        let span = u32::MAX.checked_shr(length.into()).unwrap_or(0);
        let first = parse_v4(C2).to_bits() & !span;
        let shown = |bits: u32| Ipv4Addr::from_bits(bits).to_string();
        Self {
            prefix: shown(first),
            length,
            inside: vec![shown(first), shown(first | span), C2.to_owned()],
            outside: vec![shown(first - 1), shown((first | span) + 1)],
            host: length == 32,
            client: CLIENT,
        }
    }

    fn v6(length: u8) -> Self {
        let span = u128::MAX.checked_shr(length.into()).unwrap_or(0);
        let first = parse_v6(C2_6).to_bits() & !span;
        let shown = |bits: u128| Ipv6Addr::from_bits(bits).to_string();
        Self {
            prefix: shown(first),
            length,
            inside: vec![shown(first), shown(first | span), C2_6.to_owned()],
            outside: vec![shown(first - 1), shown((first | span) + 1)],
            host: length == 128,
            // Outside of every prefix but the very short ones.
            client: "fd00::10",
        }
    }

    /// With brackets where a port follows an IPv6 prefix.
    fn written(&self, port: &str) -> String {
        let prefix = format!("{}/{}", self.prefix, self.length);
        if prefix.contains(':') && !port.is_empty() {
            return format!("[{prefix}]{port}");
        }
        format!("{prefix}{port}")
    }
}

fn group(listed: &Listed, scope: Scope) -> Group {
    let rule = format!("drop {}{}", listed.written(scope.port), scope.protocol);
    let name = match scope.port {
        "" => format!("{}{}", listed.written(""), scope.shown),
        port => listed.written(port),
    };
    let reason = match (listed.host, scope.is_wide()) {
        (true, true) => "address",
        (true, false) => "address_port",
        (false, true) => "prefix",
        (false, false) => "prefix_port",
    };
    let inside: Vec<&String> = {
        let mut unique: Vec<_> = listed.inside.iter().collect();
        unique.dedup();
        unique.truncate(if listed.host { 1 } else { 3 });
        unique
    };
    let inside = inside.into_iter().map(|address| (address, true));
    let outside = listed.outside.iter().map(|address| (address, false));
    let cases = inside.chain(outside).flat_map(|(address, held)| {
        flows(listed.client, address).map(|(what, packet, side, takes)| {
            let expected: Answer = if held && takes(scope) {
                hit(reason, side, &name)
            } else {
                miss()
            };
            (format!("{address} {what}"), packet.build(), expected)
        })
    });
    Group::new(rule.clone(), &[&rule]).cases(cases)
}

type Flow = (
    &'static str,
    Packet,
    Option<&'static str>,
    fn(Scope) -> bool,
);

/// Both directions, the right and a wrong port, and the right port on the wrong end.
fn flows(client: &str, server: &str) -> [Flow; 7] {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let out = || Packet::ip(ip(client), ip(server));
    let back = || Packet::ip(ip(server), ip(client));
    [
        ("to tcp 443", out().tcp(40_000, 443), TO, |scope| {
            scope.takes("tcp", 443)
        }),
        ("to udp 443", out().udp(40_000, 443), TO, |scope| {
            scope.takes("udp", 443)
        }),
        ("to tcp 80", out().tcp(443, 80), TO, |scope| {
            scope.takes("tcp", 80)
        }),
        ("from tcp 443", back().tcp(443, 40_000), FROM, |scope| {
            scope.takes("tcp", 443)
        }),
        ("from udp 443", back().udp(443, 40_000), FROM, |scope| {
            scope.takes("udp", 443)
        }),
        ("from udp 80", back().udp(80, 443), FROM, |scope| {
            scope.takes("udp", 80)
        }),
        ("from tcp 80", back().tcp(80, 443), FROM, |scope| {
            scope.takes("tcp", 80)
        }),
    ]
}

fn parse_v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn parse_v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}
