//! The never-block list protects the address that matches, not the packet.

use trickblock_tests::packet::{Extension, Packet, Transport};

use crate::fixture::{FROM, Group, TO, back, back_6, hit, miss, out, out_6, spared};

const HOST: &str = "203.0.113.7/32";

pub fn groups() -> Vec<Group> {
    vec![
        hard(),
        hard_ports(),
        hard_other_end(),
        hard_both_ends(),
        holes(),
        classes(),
        v6(),
        fragments(),
    ]
}

fn hard() -> Group {
    Group::new("hard, address listed", &["drop 203.0.113.7"])
        .never(&["hard 203.0.113.7"])
        .case("to", &out().tcp(1, 443), spared("never_block", TO))
        .case("from", &back().udp(443, 1), spared("never_block", FROM))
        .case(
            "without ports",
            &out().transport(Transport::Icmp { kind: 8, code: 0 }),
            spared("never_block", TO),
        )
        .case(
            "cut",
            &out().tcp(1, 443).ip_length(20),
            spared("never_block", TO),
        )
}

fn hard_ports() -> Group {
    Group::new(
        "hard, port listed",
        &["drop 203.0.113.7:443", "monitor 203.0.113.8:443"],
    )
    .never(&["hard 203.0.113.0/24"])
    .case("to", &out().tcp(1, 443), spared("never_block", TO))
    .case("another port", &out().tcp(1, 80), miss())
    .case("from", &back().tcp(443, 1), spared("never_block", FROM))
    .case(
        "monitored",
        &Packet::v4("192.0.2.1", "203.0.113.8").tcp(1, 443),
        spared("never_block", TO),
    )
    .case(
        "ports unknown",
        &out().transport(Transport::Esp { index: 1 }),
        miss(),
    )
}

/// Or every infected host of a protected network could reach its server.
fn hard_other_end() -> Group {
    Group::new(
        "hard, the other end",
        &["drop 203.0.113.7", "drop 203.0.113.8:443"],
    )
    .never(&["hard 192.0.2.0/24"])
    .case("to", &out().tcp(1, 443), hit("address", TO, HOST))
    .case("from", &back().tcp(443, 1), hit("address", FROM, HOST))
    .case(
        "port",
        &Packet::v4("192.0.2.1", "203.0.113.8").tcp(1, 443),
        hit("address_port", TO, "203.0.113.8/32:443"),
    )
}

fn hard_both_ends() -> Group {
    let rules = [
        "drop 203.0.113.7",
        "drop 192.0.2.10",
        "drop 192.0.2.11",
        "monitor 198.51.100.9",
    ];
    Group::new("hard, both ends listed", &rules)
        .never(&["hard 192.0.2.0/24"])
        .case(
            "protected source",
            &out().tcp(1, 2),
            hit("address", TO, HOST),
        )
        .case(
            "protected destination",
            &back().tcp(1, 2),
            hit("address", FROM, HOST),
        )
        .case(
            "protected destination, monitored source",
            &Packet::v4("198.51.100.9", "192.0.2.10").tcp(1, 2),
            hit("monitor_address", FROM, "198.51.100.9/32"),
        )
        .case(
            "both protected",
            &Packet::v4("192.0.2.10", "192.0.2.11").tcp(1, 2),
            spared("never_block", TO),
        )
}

/// A wide indicator with a protected address inside keeps acting around it.
fn holes() -> Group {
    let to = |server: &str| Packet::v4("192.0.2.10", server).udp(1, 2);
    Group::new("a hole in a prefix", &["drop 198.18.0.0/15"])
        .never(&["hard 198.18.5.5", "hard 198.19.0.0/24"])
        .case("the address", &to("198.18.5.5"), spared("never_block", TO))
        .case(
            "its lower neighbour",
            &to("198.18.5.4"),
            hit("prefix", TO, "198.18.0.0/15"),
        )
        .case(
            "its upper neighbour",
            &to("198.18.5.6"),
            hit("prefix", TO, "198.18.0.0/15"),
        )
        .case(
            "first of the prefix",
            &to("198.19.0.0"),
            spared("never_block", TO),
        )
        .case(
            "last of the prefix",
            &to("198.19.0.255"),
            spared("never_block", TO),
        )
        .case(
            "right before it",
            &to("198.18.255.255"),
            hit("prefix", TO, "198.18.0.0/15"),
        )
        .case(
            "right behind it",
            &to("198.19.1.0"),
            hit("prefix", TO, "198.18.0.0/15"),
        )
}

/// The longest never-block prefix decides the class.
fn classes() -> Group {
    let to = |server: &str| Packet::v4("192.0.2.10", server).tcp(1, 443);
    Group::new("hard and own, nested", &["drop 203.0.113.0/24:443"])
        .never(&[
            "own 203.0.113.0/24",
            "hard 203.0.113.0/28",
            "own 203.0.113.3",
        ])
        .case(
            "own",
            &to("203.0.113.77"),
            hit("prefix_port", TO, "203.0.113.0/24:443"),
        )
        .case("hard inside", &to("203.0.113.7"), spared("never_block", TO))
        .case(
            "own inside hard",
            &to("203.0.113.3"),
            hit("prefix_port", TO, "203.0.113.0/24:443"),
        )
}

fn v6() -> Group {
    Group::new(
        "v6",
        &[
            "drop 2001:db8:c2::/48",
            "drop [2001:db8:c3::7]:443",
            "drop 2001:db8:c3::/48",
        ],
    )
    .never(&[
        "hard 2001:db8:c2::7",
        "own 2001:db8:c3::/64",
        "hard 2001:db8:1::/48",
    ])
    .case("to hard", &out_6().tcp(1, 443), spared("never_block", TO))
    .case(
        "from hard",
        &back_6().tcp(443, 1),
        spared("never_block", FROM),
    )
    .case(
        "beside hard",
        &Packet::v6("2001:db8:1::1", "2001:db8:c2::8").tcp(1, 2),
        hit("prefix", TO, "2001:db8:c2::/48"),
    )
    .case(
        "own, port",
        &Packet::v6("2001:db8:1::1", "2001:db8:c3::7").tcp(1, 443),
        hit("address_port", TO, "[2001:db8:c3::7/128]:443"),
    )
    .case(
        "own, another port",
        &Packet::v6("2001:db8:1::1", "2001:db8:c3::7").tcp(1, 80),
        spared("own_network", TO),
    )
    .case(
        "outside of own",
        &Packet::v6("2001:db8:c3:1::1", "2001:db8:1::1").tcp(1, 80),
        hit("prefix", FROM, "2001:db8:c3::/48"),
    )
}

/// A first fragment without ports is dropped only where ports may be acted on.
fn fragments() -> Group {
    let rules = [
        "drop [2001:db8:c2::7]:443",
        "drop [2001:db8:c2::8]:443",
        "drop 2001:db8:c2::8",
    ];
    let to = |server| {
        let first = Extension::Fragment {
            id: 1,
            offset: 0,
            more: true,
        };
        Packet::v6("2001:db8:1::1", server).extension(first).raw(6)
    };
    Group::new("hard and own, incomplete first fragments", &rules)
        .never(&["hard 2001:db8:c2::7", "own 2001:db8:c2::8"])
        .case("hard", &to("2001:db8:c2::7"), miss())
        .case(
            "own",
            &to("2001:db8:c2::8"),
            spared("incomplete_first_fragment", TO),
        )
}
