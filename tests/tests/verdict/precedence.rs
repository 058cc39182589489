//! Which of several indicators names the hit.

use trickblock_tests::packet::Packet;

use crate::fixture::{Group, TO, hit, miss};

pub fn groups() -> Vec<Group> {
    vec![lengths(), lengths_v6(), scopes(), actions(), monitors()]
}

fn to(server: &str) -> Packet {
    Packet::v4("192.0.2.10", server).tcp(40_000, 443)
}

fn lengths() -> Group {
    let rules = [
        "drop 198.18.0.0/15",
        "drop 198.18.4.0/22",
        "drop 198.18.4.0/24",
        "drop 198.18.4.4/31",
        "drop 198.18.4.5",
    ];
    Group::new("longest prefix", &rules)
        .case(
            "/32",
            &to("198.18.4.5"),
            hit("address", TO, "198.18.4.5/32"),
        )
        .case("/31", &to("198.18.4.4"), hit("prefix", TO, "198.18.4.4/31"))
        .case("/24", &to("198.18.4.6"), hit("prefix", TO, "198.18.4.0/24"))
        .case("/22", &to("198.18.5.6"), hit("prefix", TO, "198.18.4.0/22"))
        .case("/15", &to("198.19.5.6"), hit("prefix", TO, "198.18.0.0/15"))
        .case("outside", &to("198.20.0.0"), miss())
}

fn lengths_v6() -> Group {
    let rules = [
        "drop 2001:db8::/32",
        "drop 2001:db8:c2::/48",
        "drop 2001:db8:c2::/64",
        "drop 2001:db8:c2::/65",
        "drop 2001:db8:c2::7",
        "drop 2001:db8::/31",
    ];
    let to = |server| Packet::v6("fd00::1", server).udp(1, 2);
    Group::new("longest prefix of v6", &rules)
        .case(
            "/128",
            &to("2001:db8:c2::7"),
            hit("address", TO, "2001:db8:c2::7/128"),
        )
        .case(
            "/65",
            &to("2001:db8:c2::8"),
            hit("prefix", TO, "2001:db8:c2::/65"),
        )
        .case(
            "/64",
            &to("2001:db8:c2:0:8000::"),
            hit("prefix", TO, "2001:db8:c2::/64"),
        )
        .case(
            "/48",
            &to("2001:db8:c2:1::"),
            hit("prefix", TO, "2001:db8:c2::/48"),
        )
        .case(
            "/32",
            &to("2001:db8:c3::"),
            hit("prefix", TO, "2001:db8::/32"),
        )
        .case("/31", &to("2001:db9::"), hit("prefix", TO, "2001:db8::/31"))
        .case("outside", &to("2001:dba::"), miss())
}

fn scopes() -> Group {
    let rules = [
        "drop 203.0.113.1",
        "drop 203.0.113.1:443",
        "drop 203.0.113.1:443/tcp",
        "drop 203.0.113.1 tcp",
        "drop 203.0.113.2",
        "drop 203.0.113.2:443",
        "drop 203.0.113.2 tcp",
        "drop 203.0.113.3",
        "drop 203.0.113.3 tcp",
        "drop 203.0.113.4",
        "drop 203.0.113.0/24:443",
        "drop 203.0.112.0/24:443",
        "drop 203.0.112.0/23 tcp",
    ];
    Group::new("port before protocol, both before either", &rules)
        .case(
            "both",
            &to("203.0.113.1"),
            hit("address_port", TO, "203.0.113.1/32:443/tcp"),
        )
        .case(
            "port",
            &to("203.0.113.1").udp(1, 443),
            hit("address_port", TO, "203.0.113.1/32:443"),
        )
        .case(
            "protocol",
            &to("203.0.113.1").tcp(1, 80),
            hit("address_port", TO, "203.0.113.1/32/tcp"),
        )
        .case(
            "neither",
            &to("203.0.113.1").udp(1, 80),
            hit("address", TO, "203.0.113.1/32"),
        )
        .case(
            "port, not protocol",
            &to("203.0.113.2"),
            hit("address_port", TO, "203.0.113.2/32:443"),
        )
        .case(
            "protocol, not the address alone",
            &to("203.0.113.3"),
            hit("address_port", TO, "203.0.113.3/32/tcp"),
        )
        .case(
            "a longer prefix beats a port",
            &to("203.0.113.4"),
            hit("address", TO, "203.0.113.4/32"),
        )
        .case(
            "the port of the shorter one alone",
            &to("203.0.113.5"),
            hit("prefix_port", TO, "203.0.113.0/24:443"),
        )
        .case(
            "a longer prefix with a port",
            &to("203.0.112.9"),
            hit("prefix_port", TO, "203.0.112.0/24:443"),
        )
        .case(
            "the shorter one with a protocol",
            &to("203.0.112.9").tcp(1, 80),
            hit("prefix_port", TO, "203.0.112.0/23/tcp"),
        )
}

/// Somebody monitors what somebody else drops.
fn actions() -> Group {
    let rules = [
        "drop 198.18.0.0/16",
        "monitor 198.18.1.1",
        "monitor 198.18.1.2:443",
        "monitor 198.19.0.0/16",
        "drop 198.19.1.1",
        "drop 198.19.1.2:443",
    ];
    Group::new("drop beats monitor", &rules)
        .case(
            "a monitored host in a dropped prefix",
            &to("198.18.1.1"),
            hit("prefix", TO, "198.18.0.0/16"),
        )
        .case(
            "a monitored port in a dropped prefix",
            &to("198.18.1.2"),
            hit("prefix", TO, "198.18.0.0/16"),
        )
        .case(
            "a dropped host in a monitored prefix",
            &to("198.19.1.1"),
            hit("address", TO, "198.19.1.1/32"),
        )
        .case(
            "a dropped port in a monitored prefix",
            &to("198.19.1.2"),
            hit("address_port", TO, "198.19.1.2/32:443"),
        )
        .case(
            "another port of it",
            &to("198.19.1.2").tcp(1, 80),
            hit("monitor_prefix", TO, "198.19.0.0/16"),
        )
}

fn monitors() -> Group {
    let rules = [
        "monitor 203.0.113.1",
        "monitor 203.0.113.1:443",
        "monitor 198.18.0.0/15",
        "monitor 198.18.0.0/15:443/tcp",
    ];
    Group::new("monitored", &rules)
        .case(
            "address",
            &to("203.0.113.1").udp(1, 80),
            hit("monitor_address", TO, "203.0.113.1/32"),
        )
        .case(
            "address and port",
            &to("203.0.113.1"),
            hit("monitor_address_port", TO, "203.0.113.1/32:443"),
        )
        .case(
            "prefix",
            &to("198.19.1.1").udp(1, 443),
            hit("monitor_prefix", TO, "198.18.0.0/15"),
        )
        .case(
            "prefix and port",
            &to("198.19.1.1"),
            hit("monitor_prefix_port", TO, "198.18.0.0/15:443/tcp"),
        )
}
