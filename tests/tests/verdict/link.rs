//! Ethernet, tags, and what is not IP.

use trickblock_tests::{kernel::Answer, packet::Packet};

use crate::fixture::{FROM, Group, TO, back, back_6, hit, miss, out, out_6, spared};

/// 802.1Q, 802.1ad, and the three older ones of QinQ.
const TAG_TYPES: [u16; 5] = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];

pub fn groups() -> Vec<Group> {
    vec![tags(), foreign()]
}

fn tags() -> Group {
    let rules = ["drop 203.0.113.7:443", "drop 2001:db8:c2::/112"];
    let mut group = Group::new("tags", &rules);
    for kind in TAG_TYPES {
        for depth in 0..=5 {
            let tagged = |packet: Packet| {
                (0..depth)
                    .fold(packet, |packet, id| packet.tag(kind, 100 + id))
                    .build()
            };
            let expected = |answer: Answer| match depth {
                5 => spared("too_many_tags", None),
                _ => answer,
            };
            group = group
                .frame(
                    format!("{depth} × {kind:#06x}, to v4"),
                    tagged(out().tcp(40_000, 443)),
                    expected(hit("address_port", TO, "203.0.113.7/32:443")),
                )
                .frame(
                    format!("{depth} × {kind:#06x}, from v4"),
                    tagged(back().udp(443, 40_000)),
                    expected(hit("address_port", FROM, "203.0.113.7/32:443")),
                )
                .frame(
                    format!("{depth} × {kind:#06x}, from v6"),
                    tagged(back_6().tcp(443, 40_000)),
                    expected(hit("prefix", FROM, "2001:db8:c2::/112")),
                )
                .frame(
                    format!("{depth} × {kind:#06x}, unlisted"),
                    tagged(out().tcp(40_000, 80)),
                    expected(miss()),
                );
        }
    }
    let mixed = TAG_TYPES[..4]
        .iter()
        .fold(out_6(), |packet, kind| packet.tag(*kind, 1));
    group
        .case(
            "four kinds",
            &mixed.tcp(1, 2),
            hit("prefix", TO, "2001:db8:c2::/112"),
        )
        .case(
            "priority tag",
            &out().vlan(0).tcp(1, 443),
            hit("address_port", TO, "203.0.113.7/32:443"),
        )
        .case(
            "ARP in a VLAN",
            &Packet::ethernet(0x0806).payload(&[0; 28]).vlan(7),
            spared("non_ip", None),
        )
}

/// Control protocols always pass, and nothing in them is taken for an address.
fn foreign() -> Group {
    let kinds = [
        ("ARP", 0x0806),
        ("RARP", 0x8035),
        ("LLDP", 0x88cc),
        ("LACP", 0x8809),
        ("EAPOL", 0x888e),
        ("PPPoE discovery", 0x8863),
        ("PPPoE session", 0x8864),
        ("MPLS", 0x8847),
        ("MACsec", 0x88e5),
        ("type 0", 0),
        ("802.3 length 38", 38),
        ("802.3 length 1500", 1_500),
        ("0x0800 with its bytes swapped", 0x0008),
        ("0x86dd with its bytes swapped", 0xdd86),
        ("type 0xffff", 0xffff),
    ];
    let cases = kinds.map(|(what, kind)| {
        // Behind the header stands what would be a listed IPv4 packet.
        let frame = out().tcp(1, 443).ether_type(kind).build();
        (what.to_owned(), frame, spared("non_ip", None))
    });
    Group::new("not IP", &["drop 203.0.113.7"]).cases(cases)
}

/// A frame of 14 bytes is the shortest that `BPF_PROG_TEST_RUN` takes.
pub fn truncation() -> Vec<Group> {
    let wide = ["drop 203.0.113.7", "drop 2001:db8:c2::7"];
    let ports = ["drop 203.0.113.7:443", "drop [2001:db8:c2::7]:443"];
    let hits = [
        hit("address", TO, "203.0.113.7/32"),
        hit("address", TO, "2001:db8:c2::7/128"),
        hit("address_port", TO, "203.0.113.7/32:443"),
        hit("address_port", TO, "[2001:db8:c2::7/128]:443"),
    ];
    let [wide_4, wide_6, port_4, port_6] = hits;
    vec![
        Group::new("cut, addresses listed", &wide)
            .cases(cuts("v4", out().tcp(1, 443), 20, None, &wide_4))
            .cases(cuts("v6", out_6().udp(1, 443), 40, None, &wide_6)),
        Group::new("cut, ports listed", &ports)
            .cases(cuts(
                "v4",
                out().tcp(1, 443),
                20,
                Some("truncated_transport"),
                &port_4,
            ))
            .cases(cuts(
                "v6",
                out_6().udp(1, 443),
                40,
                Some("truncated_transport"),
                &port_6,
            )),
    ]
}

/// Every length of a frame with two tags and an IP header of `header` bytes.
fn cuts(
    what: &str,
    packet: Packet,
    header: usize,
    without_ports: Option<&'static str>,
    complete: &Answer,
) -> Vec<(String, Vec<u8>, Answer)> {
    let packet = packet.vlan(1).vlan(2);
    let ip = 14 + 2 * 4;
    let expected = |length: usize| match (length, without_ports) {
        _ if length < ip => spared("truncated_link", None),
        _ if length < ip + header => spared("truncated_ip", None),
        (_, Some(reason)) if length < ip + header + 4 => spared(reason, TO),
        _ => complete.clone(),
    };
    let lengths = 14..=packet.build().len();
    let cut = |length| {
        (
            format!("{what}, {length} bytes"),
            packet.clone().cut_to(length).build(),
            expected(length),
        )
    };
    lengths.map(cut).collect()
}
