//! The model alone, on packets made by hand. A rule is told twice here and in `docs/verdicts.md`.

use crate::{
    kernel::{Answer, Setup},
    packet::{Extension, Packet, Transport},
};

use super::Model;

const CLIENT: &str = "192.0.2.10";
const C2: &str = "203.0.113.7";
const CLIENT_6: &str = "2001:db8:1::10";
const C2_6: &str = "2001:db8:c2::7";
const RULES: [&str; 3] = [
    "drop 203.0.113.7",
    "drop 203.0.113.9:443",
    "drop 2001:db8:c2::7",
];

fn setup() -> Setup {
    Setup {
        rules: RULES.map(str::to_owned).to_vec(),
        ..Setup::default()
    }
}

/// Reason and side, the latter as `to` or `from`, and `inner` where it is.
fn said(setup: &Setup, frame: &[u8]) -> String {
    let Answer {
        reason,
        side,
        inner,
        ..
    } = Model::new(setup).unwrap().judge(frame);
    let side = match side {
        Some("destination") => " to",
        Some(_) => " from",
        None => "",
    };
    format!("{reason}{side}{}", if inner { " inner" } else { "" })
}

fn assert_says(setup: &Setup, cases: &[(Packet, &str)]) {
    for (number, (packet, expected)) in (1..).zip(cases) {
        assert_eq!(
            said(setup, &packet.build()),
            *expected,
            "case {number}: {packet:?}"
        );
    }
}

fn out() -> Packet {
    Packet::v4(CLIENT, C2).udp(1, 2)
}

fn plain() -> Packet {
    Packet::v4(CLIENT, "198.51.100.1").udp(1, 2)
}

fn plain_6() -> Packet {
    Packet::v6(CLIENT_6, "2001:db8:a::2").udp(1, 2)
}

#[test]
fn every_link_leads_to_the_addresses() {
    let cases = [
        (out(), "address to"),
        (out().vlan(1).vlan(2).vlan(3).vlan(4), "address to"),
        (
            out().vlan(1).vlan(2).vlan(3).vlan(4).vlan(5),
            "too_many_tags",
        ),
        (out().mpls(1).mpls(2).mpls(3).mpls(4), "address to"),
        (out().vlan(1).pppoe(7), "address to"),
        (out().pppoe(7).mpls(1), "address to"),
        (out().pppoe(7).short_ppp_protocol(), "address to"),
        (Packet::v4(C2, CLIENT).mpls(1), "address from"),
        (Packet::v6(CLIENT_6, C2_6).pppoe(7), "address to"),
        (Packet::v6(CLIENT_6, C2_6).mpls(7), "address to"),
        (out().pppoe(7).ppp_protocol(0xc021), "non_ip"),
        (out().ether_type(0x88cc), "non_ip"),
        (out().mpls(1).version(9), "non_ip"),
    ];
    assert_says(&setup(), &cases);
}

#[test]
fn every_link_header_can_be_cut_or_wrong() {
    let labels = |count| (0..count).fold(out().endless_labels(), Packet::mpls);
    let cases = [
        (out().cut_to(13), "truncated_link"),
        (out().vlan(1).cut_to(17), "truncated_link"),
        (out().mpls(1).cut_to(17), "truncated_mpls"),
        (out().mpls(1).cut_to(18), "truncated_mpls"),
        (labels(4), "too_many_labels"),
        (labels(3).payload(&[0; 64]).cut_to(29), "truncated_mpls"),
        (out().pppoe(1).cut_to(20), "truncated_pppoe"),
        (out().pppoe(1).cut_to(21), "truncated_pppoe"),
        (out().pppoe(1).pppoe_start(0x12, 0), "bad_pppoe"),
        (out().pppoe(1).pppoe_start(0x11, 9), "bad_pppoe"),
        (out().cut_to(33), "truncated_ip"),
        (out().mpls(1).cut_to(37), "unconfirmed"),
    ];
    assert_says(&setup(), &cases);
}

#[test]
fn without_a_link_header_the_nibble_decides() {
    let setup = Setup {
        link: "ip".to_owned(),
        ..setup()
    };
    let bare = Packet::without_link_header;
    let cases = [
        (bare(out()), "address to"),
        (bare(Packet::v6(C2_6, CLIENT_6)), "address from"),
        (bare(out()).version(5), "non_ip"),
        (bare(out()).cut_to(0), "truncated_link"),
        (bare(out()).cut_to(1), "truncated_link"),
        (bare(out()).cut_to(2), "truncated_ip"),
    ];
    assert_says(&setup, &cases);
}

#[test]
fn neighbours_are_told_but_never_dropped() {
    let cases = [
        (Packet::arp(CLIENT, C2), "neighbour to"),
        (Packet::arp(C2, CLIENT), "neighbour from"),
        (Packet::arp(CLIENT, "203.0.113.9"), "neighbour to"),
        (Packet::arp(CLIENT, CLIENT), "non_ip"),
        (Packet::arp(CLIENT, C2).cut_to(41), "truncated_arp"),
        (Packet::ethernet(0x0806).payload(&[8; 40]), "non_ip"),
        (
            Packet::neighbour_solicitation(CLIENT_6, C2_6),
            "neighbour to",
        ),
        (
            Packet::neighbour_advertisement(CLIENT_6, C2_6),
            "neighbour to",
        ),
        (Packet::neighbour_advertisement(C2_6, C2_6), "address from"),
        (
            Packet::neighbour_solicitation(CLIENT_6, C2_6).cut_to(77),
            "miss",
        ),
        (Packet::neighbour_solicitation(CLIENT_6, CLIENT_6), "miss"),
    ];
    assert_says(&setup(), &cases);
}

#[test]
fn lengths_of_zero_are_a_matter_of_the_hook() {
    let narrow = || Packet::v4(CLIENT, "203.0.113.9").tcp(1, 443);
    let v6 = || Packet::v6(CLIENT_6, C2_6).tcp(1, 443).ip_length(0);
    let rules = vec![
        "drop 203.0.113.9:443".to_owned(),
        "drop [2001:db8:c2::7]:443".to_owned(),
    ];
    let xdp = Setup {
        rules,
        ..Setup::default()
    };
    let tc = Setup {
        hook: "tc_ingress".to_owned(),
        ..xdp.clone()
    };
    let hop = Extension::HopByHop { extra: 0 };
    let cases = |v4, plain, jumbo| {
        [
            (narrow().ip_length(0), v4),
            (v6(), plain),
            (v6().extension(hop.clone()), jumbo),
            (narrow().ip_length(19), "bad_total_length to"),
            (narrow().header_words(4), "bad_header_length to"),
        ]
    };
    let cut = "truncated_transport to";
    let hit = "address_port to";
    assert_says(&xdp, &cases("bad_total_length to", cut, hit));
    assert_says(&tc, &cases(hit, hit, hit));
}

#[test]
fn an_embedded_address_counts_like_the_address() {
    let rules = [
        "drop 203.0.113.7",
        "monitor 203.0.113.0/24",
        "drop 2001:db8:64:cb00:71::/80",
        "monitor 2001:db8:64:cb00:71:0700::",
    ];
    let setup = Setup {
        rules: rules.map(str::to_owned).to_vec(),
        never: vec!["own 203.0.113.8".to_owned()],
        nat64: vec!["2001:db8:64::/48".to_owned(), "2002:cb00::/32".to_owned()],
        ..Setup::default()
    };
    let to = |address| Packet::v6(CLIENT_6, address);
    let cases = [
        (to("64:ff9b::203.0.113.7"), "address to"),
        (to("64:ff9b::203.0.113.9"), "monitor_prefix to"),
        (to("64:ff9b::203.0.113.8"), "own_network to"),
        (to("2002:cb00:7107::1"), "miss"),
        (to("2002:cb01:7107::1"), "miss"),
        // 203.0.113.7 without the byte in the middle, which belongs to nobody.
        (to("2001:db8:64:cb00:71:700::"), "address to"),
        // Only the IPv4 form is of the own network, and the IPv6 one is listed.
        (to("2001:db8:64:cb00:71:800::"), "prefix to"),
        (to("2001:db8:64:cb00:ff71:700::"), "address to"),
    ];
    assert_says(&setup, &cases);
    let without = Setup {
        nat64: Vec::new(),
        ..setup.clone()
    };
    assert_says(&without, &[(to("2002:cb00:7107::1"), "address to")]);
    let model = Model::new(&setup).unwrap();
    let both = model.judge(&to("2001:db8:64:cb00:71:700::").build());
    assert_eq!(both.indicator.as_deref(), Some("203.0.113.7/32"));
}

#[test]
fn labels_are_believed_only_with_proof() {
    let narrow = || Packet::v4(CLIENT, "203.0.113.9").tcp(1, 443).mpls(1);
    let wrong = |mut frame: Vec<u8>| {
        frame[18 + 10] ^= 1; // the header checksum
        said(&setup(), &frame)
    };
    let cases = [
        (out().mpls(1).ip_length(200), "unconfirmed to"),
        (out().mpls(1).header_words(4), "unconfirmed to"),
        (narrow().header_words(4), "unconfirmed to"),
        (narrow().raw(1), "no_ports to"),
        (
            Packet::v6(CLIENT_6, C2_6).mpls(1).ip_length(1),
            "unconfirmed to",
        ),
        (
            Packet::v6(CLIENT_6, C2_6)
                .mpls(1)
                .ip_length(1)
                .padded_to(80),
            "address to",
        ),
    ];
    assert_says(&setup(), &cases);
    assert_eq!(wrong(out().mpls(1).build()), "unconfirmed to");
    assert_eq!(wrong(plain().mpls(1).build()), "miss");
}

fn tunnels() -> Setup {
    let names = ["ip", "gre", "vxlan", "geneve", "gtpu"];
    Setup {
        tunnels: names.map(str::to_owned).to_vec(),
        ..setup()
    }
}

#[test]
fn every_tunnel_is_looked_into_where_it_is_switched_on() {
    let six = Packet::v6(CLIENT_6, C2_6).tcp(1, 2);
    let packets = [
        plain().ip_in_ip(&out()),
        plain().ip_in_ip(&six),
        Packet::v6(CLIENT_6, CLIENT_6).ip_in_ip(&out()),
        plain().gre(&out()),
        plain().gre_with(0xb0, &six),
        plain().gre_ethernet(&out().vlan(1).vlan(2).vlan(3).vlan(4)),
        plain().vxlan(7, &out()),
        plain().vxlan(7, &out()).fragment(1, 0, true),
        plain().geneve(7, 3, &six.clone().vlan(1)),
        plain().geneve_ip(7, 0, &out()),
        plain().gtpu(7, &out()),
        plain().gtpu_with(7, 2, &[], &six),
        plain().gtpu_with(7, 4, &[1, 2, 1, 3], &out()),
        plain().mpls(1).gre(&out()),
    ];
    for packet in packets {
        assert_says(&tunnels(), &[(packet.clone(), "address to inner")]);
        assert_says(&setup(), &[(packet, "miss")]);
    }
}

#[test]
fn a_tunnel_can_be_wrong() {
    let datagram = |port, bytes: &[u8]| plain().udp(1, port).payload(bytes);
    let gre = |bytes: &[u8]| plain().raw(47).payload(bytes);
    let five = out().vlan(1).vlan(2).vlan(3).vlan(4).vlan(5);
    let cases = [
        (
            plain().raw(4).payload(&[0x45; 19]),
            "truncated_tunnel inner",
        ),
        (
            plain().raw(41).payload(&[0x65; 39]),
            "truncated_tunnel inner",
        ),
        (gre(&[0, 0, 8]), "truncated_tunnel inner"),
        (gre(&[0, 1, 8, 0]), "bad_tunnel inner"),
        (gre(&[0x40, 0, 8, 0]), "bad_tunnel inner"),
        (gre(&[0x80, 0, 8, 0]), "truncated_tunnel inner"),
        (gre(&[0x80, 0, 8, 6]), "miss"),
        (plain().gre_ethernet(&five), "bad_tunnel inner"),
        (datagram(4789, &[8; 7]), "bad_tunnel inner"),
        (datagram(4789, &[0; 30]), "bad_tunnel inner"),
        (datagram(8472, &[8; 30]), "miss"),
        (datagram(4789, &[8; 21]), "bad_tunnel inner"),
        (datagram(6081, &[0x40; 30]), "bad_tunnel inner"),
        (datagram(6081, &[0; 8]), "miss"),
        (datagram(2152, &[0x20; 30]), "bad_tunnel inner"),
        (datagram(2152, &[0x30; 30]), "miss"),
        (
            datagram(2152, &[0x30, 255, 0, 0, 0, 0, 0, 0]),
            "bad_tunnel inner",
        ),
        (
            plain().gtpu_with(7, 4, &[1, 1, 1, 1, 1], &out()),
            "bad_tunnel inner",
        ),
        (
            plain().vxlan(1, &out().ip_length(99)),
            "unconfirmed to inner",
        ),
        (plain().vxlan(1, &out().version(5)), "unconfirmed to inner"),
        (plain().gre(&out().version(5)), "bad_version to inner"),
        (plain().gre(&plain()).cut_to(40), "truncated_tunnel inner"),
        (plain().fragment(1, 1, true).gre(&out()), "miss"),
    ];
    assert_says(&tunnels(), &cases);
}

#[test]
fn what_a_first_fragment_of_a_tunnel_does_not_hold() {
    const HIDDEN: &str = "incomplete_first_fragment inner";
    let first = || plain().fragment(1, 0, true);
    let held = |bytes: u16, packet: Packet| packet.ip_length(20 + bytes);
    let chain = |more| Extension::Fragment {
        id: 1,
        offset: 0,
        more,
    };
    let cases = [
        (held(4, first().gre(&out())), HIDDEN),
        (held(3, first().gre(&out())), HIDDEN),
        (held(23, first().gre(&out())), HIDDEN),
        (held(24, first().gre(&out())), "address to inner"),
        (held(16, first().vxlan(1, &out())), HIDDEN),
        (held(49, first().vxlan(1, &out())), HIDDEN),
        (held(50, first().vxlan(1, &out())), "address to inner"),
        (first().gre(&out()).cut_to(50), HIDDEN),
        (first().udp(1, 4789).payload(&[0; 30]), "bad_tunnel inner"),
        (first().raw(47).payload(&[0, 1, 8, 0]), "bad_tunnel inner"),
        (first().gre(&plain()), "miss"),
        (first().udp(1, 2).ip_length(23), HIDDEN),
        (first().tcp(1, 2).ip_length(23), "miss"),
        (
            plain_6().extension(chain(true)).raw(47).ip_length(8),
            HIDDEN,
        ),
        (
            plain_6()
                .extension(chain(true))
                .extension(Extension::Destination { extra: 1 })
                .gre(&plain())
                .ip_length(9),
            HIDDEN,
        ),
    ];
    assert_says(&tunnels(), &cases);
    let off: Vec<_> = cases
        .into_iter()
        .map(|(packet, _)| (packet, "miss"))
        .collect();
    assert_says(&setup(), &off);
}

#[test]
fn the_stronger_of_two_answers_stands() {
    let setup = Setup {
        rules: [
            "drop 203.0.113.7",
            "monitor 203.0.113.8",
            "drop 203.0.113.9:443",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..tunnels()
    };
    let watched = || Packet::v4(CLIENT, "203.0.113.8").udp(1, 2);
    let narrow = || Packet::v4(CLIENT, "203.0.113.9").raw(1);
    let cases = [
        (out().gre(&watched()), "address to"),
        (watched().gre(&out()), "address to inner"),
        (watched().gre(&narrow()), "monitor_address to"),
        (narrow().gre(&watched()), "no_ports to"),
        (plain().gre(&narrow()), "no_ports to inner"),
        (watched().raw(47), "monitor_address to"),
    ];
    assert_says(&setup, &cases);
}

#[test]
fn switches_turn_every_reason_that_they_are_about() {
    let closed = Setup {
        closed: true,
        ..tunnels()
    };
    let monitor = Setup {
        monitor: true,
        ..closed.clone()
    };
    let cases = |hit, cut, tunnel| {
        [
            (out(), hit),
            (out().cut_to(20), cut),
            (plain().gre(&out()).cut_to(36), tunnel),
            (out().mpls(1).cut_to(37), "unconfirmed"),
            (Packet::arp(C2, C2).cut_to(40), "truncated_arp"),
        ]
    };
    let shut = cases(
        "address to",
        "closed_truncated_ip",
        "closed_truncated_tunnel inner",
    );
    assert_says(&closed, &shut);
    let watched = cases(
        "monitor_address to",
        "truncated_ip",
        "truncated_tunnel inner",
    );
    assert_says(&monitor, &watched);
}

#[test]
fn directions_follow_hook_role_and_packet() {
    let direction = |hook: &str, role: &str, packet: &Packet| {
        let setup = Setup {
            hook: hook.to_owned(),
            role: role.to_owned(),
            ..tunnels()
        };
        Model::new(&setup).unwrap().explain(&packet.build()).1
    };
    let back = |transport| Packet::v4(C2, CLIENT).transport(transport);
    let tcp = |flags| Transport::Tcp {
        source: 1,
        destination: 2,
        flags,
    };
    let echo = |kind| Transport::Icmp { kind, code: 0 };
    assert_eq!(direction("xdp", "inside", &out()), "out");
    assert_eq!(direction("tc_egress", "uplink", &out()), "out");
    assert_eq!(direction("xdp", "uplink", &out()), "hosted");
    assert_eq!(direction("tc_egress", "inside", &out()), "hosted");
    assert_eq!(direction("xdp", "", &out()), "unknown");
    assert_eq!(direction("xdp", "inside", &plain()), "unknown");
    assert_eq!(direction("xdp", "inside", &back(tcp(2))), "hosted");
    assert_eq!(direction("xdp", "inside", &Packet::arp(CLIENT, C2)), "out");
    let cases = [
        (back(tcp(2)), "unsolicited"),
        (back(tcp(0x12)), "reply"),
        (back(tcp(0x10)), "reply"),
        (back(tcp(2)).cut_to(47), "unknown"),
        (back(echo(8)), "unsolicited"),
        (back(echo(0)), "reply"),
        (
            Packet::v6(C2_6, CLIENT_6).transport(echo(128)),
            "unsolicited",
        ),
        (Packet::v6(C2_6, CLIENT_6).transport(echo(129)), "reply"),
        (Packet::v4(C2, CLIENT).udp(53, 4000), "reply"),
        (Packet::v4(C2, CLIENT).udp(4000, 53), "unsolicited"),
        (Packet::v4(C2, CLIENT).raw(50), "unknown"),
        (Packet::v4(C2, CLIENT).fragment(1, 1, true), "unknown"),
        (Packet::arp(C2, CLIENT), "unknown"),
        (
            plain().gre(&Packet::v4(C2, CLIENT).udp(4000, 53)),
            "unsolicited",
        ),
    ];
    for (packet, expected) in cases {
        assert_eq!(direction("xdp", "uplink", &packet), expected, "{packet:?}");
    }
}
