//! Mistakes that other filters make, each a way past the block or a wrong drop.

use trickblock_tests::packet::{Extension, Packet, Transport};

use crate::fixture::{FROM, Group, TO, back, back_6, hit, miss, out, out_6, spared};

const HOST: &str = "203.0.113.7/32";
const HOST_6: &str = "2001:db8:c2::7/128";
const PORT: &str = "203.0.113.7/32:443";

pub fn groups() -> Vec<Group> {
    vec![passed_before_the_lookup(), wrong_drops(), header_length()]
}

/// Tags, tunnels, ESP, SCTP, extension headers and ICMPv6 that pass before any lookup, and packets to
/// the listed server where only those from it are looked at.
fn passed_before_the_lookup() -> Group {
    let icmp = Transport::Icmp { kind: 128, code: 0 };
    let (to, from) = (hit("address", TO, HOST), hit("address", FROM, HOST));
    let (to_6, from_6) = (hit("address", TO, HOST_6), hit("address", FROM, HOST_6));
    Group::new(
        "passed before the lookup",
        &["drop 203.0.113.7", "drop 2001:db8:c2::7"],
    )
    .case("the way out", &out().tcp(40_000, 443), to.clone())
    .case("in a VLAN", &back().vlan(100).tcp(443, 1), from.clone())
    .case("GRE", &back().raw(47).payload(&[0, 0, 8, 0]), from.clone())
    .case(
        "ESP",
        &out().transport(Transport::Esp { index: 9 }),
        to.clone(),
    )
    .case(
        "SCTP",
        &back().transport(Transport::Sctp {
            source: 1,
            destination: 2,
        }),
        from.clone(),
    )
    .case(
        "behind hop-by-hop options",
        &back_6()
            .extension(Extension::HopByHop { extra: 0 })
            .tcp(1, 2),
        from_6.clone(),
    )
    .case(
        "behind a routing header",
        &out_6()
            .extension(Extension::Routing {
                segments_left: 1,
                extra: 2,
            })
            .tcp(1, 2),
        to_6,
    )
    .case("ICMPv6", &back_6().transport(icmp), from_6)
    .case(
        "a later fragment",
        &out().fragment(1, 4, true).raw(17).payload(&[0; 8]),
        to,
    )
    .case("an IP header alone", &back().raw(6), from)
}

/// Every fragment, every short packet, every neighbour.
fn wrong_drops() -> Group {
    let other = || Packet::v4("192.0.2.10", "203.0.113.8");
    Group::new("wrong drops", &["drop 203.0.113.7:443"])
        .case(
            "a fragment of somebody else",
            &other().fragment(1, 4, true).raw(17).payload(&[0; 8]),
            miss(),
        )
        .case(
            "a short fragment of somebody else",
            &other().fragment(1, 0, true).raw(6).payload(&[0; 4]),
            miss(),
        )
        .case(
            "the server on another port",
            &out().tcp(40_000, 8080),
            miss(),
        )
        .case("the client on that port", &out().tcp(443, 8080), miss())
        .case(
            "a later fragment to the server",
            &out().fragment(1, 4, false).raw(6).payload(&[0; 8]),
            spared("later_fragment", TO),
        )
        .case(
            "a short segment",
            &out().raw(6).payload(&[0, 1]).padded_to(60),
            spared("truncated_transport", TO),
        )
        .case(
            "ping",
            &out().transport(Transport::Icmp { kind: 8, code: 0 }),
            spared("no_ports", TO),
        )
}

/// Ports read right behind twenty bytes.
fn header_length() -> Group {
    let router_alert = [0x94, 4, 0, 0];
    Group::new("header length ignored", &["drop 203.0.113.7:443"])
        .case(
            "router alert before the ports",
            &out().options(&router_alert).tcp(1, 443),
            hit("address_port", TO, PORT),
        )
        .case(
            "443 in a timestamp option",
            &out().options(&[68, 8, 1, 187, 0, 0, 1, 187]).tcp(1, 80),
            miss(),
        )
}
