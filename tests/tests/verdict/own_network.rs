//! Addresses of the operator's own network: only ports act on them.

use trickblock_tests::packet::{Packet, Transport};

use crate::fixture::{FROM, Group, TO, back, hit, miss, out, spared};

const HOST: &str = "203.0.113.7/32";
const PORT: &str = "203.0.113.7/32:443";

pub fn groups() -> Vec<Group> {
    vec![own(), own_and_ports(), own_other_end()]
}

fn own() -> Group {
    Group::new(
        "own, address listed",
        &["drop 203.0.113.0/24", "monitor 198.51.100.9"],
    )
    .never(&["own 203.0.113.0/28", "own 198.51.100.9"])
    .case("to", &out().tcp(1, 443), spared("own_network", TO))
    .case("from", &back().tcp(443, 1), spared("own_network", FROM))
    .case(
        "outside of it",
        &Packet::v4("192.0.2.1", "203.0.113.16").tcp(1, 443),
        hit("prefix", TO, "203.0.113.0/24"),
    )
    .case(
        "monitored",
        &Packet::v4("198.51.100.9", "192.0.2.1").tcp(443, 1),
        spared("own_network", FROM),
    )
}

/// A customer's router can be a server of the botnet: its port is blocked, its owner is not.
fn own_and_ports() -> Group {
    let rules = [
        "drop 203.0.113.7",
        "drop 203.0.113.7:443",
        "drop 203.0.113.8:443",
        "drop 203.0.113.9 udp",
    ];
    let to = |server| Packet::v4("192.0.2.10", server);
    Group::new("own, ports listed", &rules)
        .never(&["own 203.0.113.0/24"])
        .case(
            "the port",
            &out().tcp(1, 443),
            hit("address_port", TO, PORT),
        )
        .case(
            "the port, from",
            &back().udp(443, 1),
            hit("address_port", FROM, PORT),
        )
        .case(
            "another port",
            &out().tcp(443, 80),
            spared("own_network", TO),
        )
        .case(
            "no ports",
            &out().transport(Transport::Esp { index: 1 }),
            spared("own_network", TO),
        )
        .case(
            "only a port is listed, another one",
            &to("203.0.113.8").tcp(1, 80),
            miss(),
        )
        .case(
            "only a port is listed, no ports",
            &to("203.0.113.8").transport(Transport::Esp { index: 1 }),
            spared("no_ports", TO),
        )
        .case(
            "a protocol",
            &to("203.0.113.9").udp(1, 80),
            hit("address_port", TO, "203.0.113.9/32/udp"),
        )
}

fn own_other_end() -> Group {
    Group::new(
        "own, the other end",
        &["drop 203.0.113.7", "drop 192.0.2.10"],
    )
    .never(&["own 192.0.2.0/24"])
    .case("to", &out().tcp(1, 443), hit("address", TO, HOST))
    .case("from", &back().tcp(443, 1), hit("address", FROM, HOST))
}
