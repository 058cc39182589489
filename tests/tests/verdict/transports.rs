//! Which protocols have ports, and what can be said of the others.

use trickblock_tests::packet::{Packet, Transport};

use crate::fixture::{FROM, Group, TO, back, back_6, hit, miss, out, out_6, spared};

pub fn groups() -> Vec<Group> {
    vec![
        any_protocol(),
        given_protocol(),
        without_ports(),
        protocols_alone(),
        port_zero(),
        sides(),
    ]
}

/// Name, and its header with these ports.
fn with_ports(source: u16, destination: u16) -> [(&'static str, Transport); 5] {
    [
        (
            "tcp",
            Transport::Tcp {
                source,
                destination,
                flags: 2,
            },
        ),
        (
            "udp",
            Transport::Udp {
                source,
                destination,
            },
        ),
        (
            "udplite",
            Transport::UdpLite {
                source,
                destination,
            },
        ),
        (
            "sctp",
            Transport::Sctp {
                source,
                destination,
            },
        ),
        (
            "dccp",
            Transport::Dccp {
                source,
                destination,
            },
        ),
    ]
}

const NO_PORTS: [(&str, Transport); 8] = [
    ("ICMP", Transport::Icmp { kind: 8, code: 0 }),
    ("ICMP unreachable", Transport::Icmp { kind: 3, code: 3 }),
    ("ESP", Transport::Esp { index: 0x9c40_01bb }),
    ("GRE", Transport::Raw { protocol: 47 }),
    ("IPIP", Transport::Raw { protocol: 4 }),
    ("OSPF", Transport::Raw { protocol: 89 }),
    ("VRRP", Transport::Raw { protocol: 112 }),
    ("255", Transport::Raw { protocol: 255 }),
];

/// What looks like ports where there are none.
const NOT_PORTS: [u8; 8] = [0x9c, 0x40, 1, 187, 0x9c, 0x40, 1, 187];

fn any_protocol() -> Group {
    let rules = ["drop 203.0.113.7:443", "drop [2001:db8:c2::7]:443"];
    let (v4, v6) = ("203.0.113.7/32:443", "[2001:db8:c2::7/128]:443");
    let mut group = Group::new("a port of any protocol", &rules);
    for (what, transport) in with_ports(40_000, 443) {
        group = group
            .case(
                format!("{what} to v4"),
                &out().transport(transport),
                hit("address_port", TO, v4),
            )
            .case(
                format!("{what} to v6"),
                &out_6().transport(transport),
                hit("address_port", TO, v6),
            )
            .case(
                format!("{what} from, that port at the client"),
                &back().transport(transport),
                miss(),
            );
    }
    for (what, transport) in with_ports(443, 40_000) {
        group = group
            .case(
                format!("{what} from v4"),
                &back().transport(transport),
                hit("address_port", FROM, v4),
            )
            .case(
                format!("{what} from v6"),
                &back_6().transport(transport),
                hit("address_port", FROM, v6),
            )
            .case(
                format!("{what} to, that port at the client"),
                &out().transport(transport),
                miss(),
            );
    }
    // Swapped bytes, one off, and only half of it right.
    for port in [0xbb01, 442, 444, 0x01ff, 0x00bb, 443 ^ 0x8000] {
        group = group.case(format!("port {port}"), &out().tcp(443, port), miss());
    }
    group
}

fn given_protocol() -> Group {
    let names = with_ports(0, 0).map(|(name, _)| name);
    let servers: Vec<String> = (1..=5).map(|n| format!("203.0.113.{n}")).collect();
    let rules: Vec<String> = servers
        .iter()
        .zip(names)
        .map(|(server, name)| format!("drop {server}:443/{name}"))
        .collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let mut group = Group::new("a port of one protocol", &rules);
    for (server, listed) in servers.iter().zip(names) {
        for (what, transport) in with_ports(40_000, 443) {
            let expected = if what == listed {
                hit("address_port", TO, &format!("{server}/32:443/{listed}"))
            } else {
                miss()
            };
            let packet = Packet::v4("192.0.2.10", server).transport(transport);
            group = group.case(
                format!("{what} where {listed} is listed"),
                &packet,
                expected,
            );
        }
    }
    group
}

fn without_ports() -> Group {
    let rules = [
        "drop 203.0.113.7:443",
        "drop [2001:db8:c2::7]:443",
        "drop 203.0.113.8",
    ];
    let mut group = Group::new("protocols without ports", &rules);
    for (what, transport) in NO_PORTS {
        let packet = |packet: Packet| packet.transport(transport).payload(&NOT_PORTS);
        let listed = hit("address", FROM, "203.0.113.8/32");
        group = group
            .case(
                format!("{what} to v4"),
                &packet(out()),
                spared("no_ports", TO),
            )
            .case(
                format!("{what} from v6"),
                &packet(back_6()),
                spared("no_ports", FROM),
            )
            .case(
                format!("{what}, address listed"),
                &packet(Packet::v4("203.0.113.8", "192.0.2.1")),
                listed,
            );
    }
    group
}

fn protocols_alone() -> Group {
    let rules = [
        "drop 203.0.113.7 1",
        "drop 203.0.113.7 sctp",
        "drop 2001:db8:c2::7 58",
        "drop 2001:db8:c2::/64 tcp",
    ];
    let icmp = Transport::Icmp { kind: 8, code: 0 };
    Group::new("protocols without a port", &rules)
        .case(
            "ICMP",
            &out().transport(icmp),
            hit("address_port", TO, "203.0.113.7/32/1"),
        )
        .case(
            "ICMP back",
            &back().transport(icmp),
            hit("address_port", FROM, "203.0.113.7/32/1"),
        )
        .case(
            "SCTP",
            &out().transport(with_ports(1, 2)[3].1),
            hit("address_port", TO, "203.0.113.7/32/sctp"),
        )
        .case("TCP", &out().tcp(1, 2), miss())
        .case(
            "ESP",
            &out().transport(Transport::Esp { index: 1 }),
            spared("no_ports", TO),
        )
        .case(
            "ICMPv6",
            &out_6().transport(icmp),
            hit("address_port", TO, "2001:db8:c2::7/128/58"),
        )
        .case(
            "TCP to v6",
            &out_6().tcp(9, 9),
            hit("prefix_port", TO, "2001:db8:c2::/64/tcp"),
        )
        .case(
            "TCP cut before its ports",
            &out_6().tcp(9, 9).ip_length(2),
            hit("prefix_port", TO, "2001:db8:c2::/64/tcp"),
        )
        .case("UDP to v6", &out_6().udp(9, 9), miss())
}

/// Port 0 is a port like any other, not "any": keys write "any" as 0.
fn port_zero() -> Group {
    let rules = [
        "drop 203.0.113.7:443",
        "drop 203.0.113.8 udp",
        "drop 203.0.113.9",
    ];
    let to = |server| Packet::v4("192.0.2.10", server);
    Group::new("port 0", &rules)
        .case(
            "to an address with another port",
            &out().udp(443, 0),
            miss(),
        )
        .case("from it", &back().udp(0, 443), miss())
        .case(
            "with its protocol listed",
            &to("203.0.113.8").udp(1, 0),
            hit("address_port", TO, "203.0.113.8/32/udp"),
        )
        .case(
            "with another protocol listed",
            &to("203.0.113.8").tcp(1, 0),
            miss(),
        )
        .case(
            "address listed",
            &to("203.0.113.9").tcp(0, 0),
            hit("address", TO, "203.0.113.9/32"),
        )
}

/// Each end is matched with its own port.
fn sides() -> Group {
    let rules = ["drop 203.0.113.7:443", "drop 198.51.100.9:8080"];
    let to =
        |source, destination| Packet::v4("198.51.100.9", "203.0.113.7").tcp(source, destination);
    Group::new("ports of both ends", &rules)
        .case(
            "both match",
            &to(8080, 443),
            hit("address_port", TO, "203.0.113.7/32:443"),
        )
        .case(
            "the destination matches",
            &to(1, 443),
            hit("address_port", TO, "203.0.113.7/32:443"),
        )
        .case(
            "the source matches",
            &to(8080, 1),
            hit("address_port", FROM, "198.51.100.9/32:8080"),
        )
        .case("crosswise", &to(443, 8080), miss())
        .case("neither", &to(1, 2), miss())
        .case(
            "ICMP: destination first",
            &to(1, 2).transport(Transport::Icmp { kind: 8, code: 0 }),
            spared("no_ports", TO),
        )
}
