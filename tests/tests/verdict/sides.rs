//! Both ends listed, and the global monitor switch.

use trickblock_tests::packet::{Extension, Packet, Transport};

use crate::fixture::{FROM, Group, TO, hit, miss, out, out_6, spared};

pub fn groups() -> Vec<Group> {
    vec![sides(), actions_of_sides(), monitor_all()]
}

fn to(server: &str) -> Packet {
    Packet::v4("192.0.2.10", server).tcp(40_000, 443)
}

fn sides() -> Group {
    let rules = [
        "drop 203.0.113.7",
        "drop 198.51.100.9",
        "drop 198.51.100.9:8080",
        "drop 198.18.0.0/15",
        "drop 192.0.2.0/24",
    ];
    let between = |from, to| Packet::v4(from, to);
    Group::new("destination before source", &rules)
        .case(
            "equals",
            &between("198.51.100.9", "203.0.113.7").tcp(1, 2),
            hit("address", TO, "203.0.113.7/32"),
        )
        .case(
            "equals, turned around",
            &between("203.0.113.7", "198.51.100.9").tcp(1, 2),
            hit("address", TO, "198.51.100.9/32"),
        )
        .case(
            "a source with its port",
            &between("198.51.100.9", "203.0.113.7").tcp(8080, 2),
            hit("address_port", FROM, "198.51.100.9/32:8080"),
        )
        .case(
            "a longer source",
            &between("203.0.113.7", "198.18.1.1").tcp(1, 2),
            hit("address", FROM, "203.0.113.7/32"),
        )
        .case(
            "a longer source prefix",
            &between("192.0.2.1", "198.18.1.1").tcp(1, 2),
            hit("prefix", FROM, "192.0.2.0/24"),
        )
        .case(
            "a longer destination",
            &between("198.18.1.1", "203.0.113.7").tcp(1, 2),
            hit("address", TO, "203.0.113.7/32"),
        )
        .case(
            "the same address twice",
            &between("203.0.113.7", "203.0.113.7").tcp(1, 2),
            hit("address", TO, "203.0.113.7/32"),
        )
}

fn actions_of_sides() -> Group {
    let rules = [
        "monitor 203.0.113.7",
        "drop 198.18.0.0/15",
        "monitor 203.0.113.8:443",
    ];
    let between = |from, to| Packet::v4(from, to).tcp(443, 443);
    Group::new("drop on one side, monitor on the other", &rules)
        .case(
            "monitored destination",
            &between("198.18.1.1", "203.0.113.7"),
            hit("prefix", FROM, "198.18.0.0/15"),
        )
        .case(
            "monitored source",
            &between("203.0.113.7", "198.18.1.1"),
            hit("prefix", TO, "198.18.0.0/15"),
        )
        .case(
            "monitored port",
            &between("198.18.1.1", "203.0.113.8"),
            hit("prefix", FROM, "198.18.0.0/15"),
        )
        .case(
            "monitored both",
            &between("203.0.113.7", "203.0.113.8"),
            hit("monitor_address_port", TO, "203.0.113.8/32:443"),
        )
}

/// The global switch turns every drop into its twin, and nothing else changes.
fn monitor_all() -> Group {
    let rules = [
        "drop 203.0.113.7",
        "drop 203.0.113.8:443",
        "drop 198.18.0.0/15",
        "drop 198.18.0.0/15:443",
        "monitor 203.0.113.9",
        "drop [2001:db8:c2::7]:443",
        "drop 203.0.113.10",
    ];
    let first = Extension::Fragment {
        id: 1,
        offset: 0,
        more: true,
    };
    Group::new("everything monitored", &rules)
        .never(&["hard 203.0.113.10"])
        .monitor_all()
        .case(
            "address",
            &out().udp(1, 2),
            hit("monitor_address", TO, "203.0.113.7/32"),
        )
        .case(
            "port",
            &to("203.0.113.8"),
            hit("monitor_address_port", TO, "203.0.113.8/32:443"),
        )
        .case(
            "prefix",
            &to("198.18.0.1").tcp(1, 80),
            hit("monitor_prefix", TO, "198.18.0.0/15"),
        )
        .case(
            "port of a prefix",
            &to("198.18.0.1"),
            hit("monitor_prefix_port", TO, "198.18.0.0/15:443"),
        )
        .case(
            "monitored anyway",
            &to("203.0.113.9"),
            hit("monitor_address", TO, "203.0.113.9/32"),
        )
        .case(
            "first fragment",
            &out_6().extension(first).raw(6),
            spared("monitor_incomplete_first_fragment", TO),
        )
        .case(
            "never-block",
            &to("203.0.113.10"),
            spared("never_block", TO),
        )
        .case(
            "no ports",
            &to("203.0.113.8").transport(Transport::Esp { index: 1 }),
            spared("no_ports", TO),
        )
        .case(
            "ARP",
            &Packet::ethernet(0x0806).payload(&[0; 28]),
            spared("non_ip", None),
        )
        .case("another port", &to("203.0.113.8").tcp(1, 80), miss())
}
