//! IPv4 fragments: only a first one has ports, and every one has addresses.

use trickblock_tests::packet::Packet;

use crate::fixture::{FROM, Group, TO, back, hit, miss, out, spared};

pub fn groups() -> Vec<Group> {
    // What would be ports if this were a first fragment.
    let ports = [0x9c, 0x40, 1, 187, 0, 0, 0, 0];
    let first = |packet: Packet| packet.fragment(7, 0, true);
    let later =
        |packet: Packet, offset, more| packet.fragment(7, offset, more).raw(17).payload(&ports);
    let port = "203.0.113.7/32:443";
    let by_port = Group::new("v4 fragments, port listed", &["drop 203.0.113.7:443"])
        .case(
            "first to",
            &first(out().udp(40_000, 443)),
            hit("address_port", TO, port),
        )
        .case(
            "first from",
            &first(back().tcp(443, 40_000)),
            hit("address_port", FROM, port),
        )
        .case("first to another port", &first(out().udp(443, 80)), miss())
        .case(
            "later to",
            &later(out(), 64, true),
            spared("later_fragment", TO),
        )
        .case(
            "later from",
            &later(back(), 64, true),
            spared("later_fragment", FROM),
        )
        .case(
            "last",
            &later(out(), 185, false),
            spared("later_fragment", TO),
        )
        .case(
            "at the smallest offset",
            &later(out(), 1, true),
            spared("later_fragment", TO),
        )
        .case(
            "at the largest offset",
            &later(out(), 8191, false),
            spared("later_fragment", TO),
        )
        .case(
            "later, bad header length",
            &later(out(), 9, true).header_words(3),
            spared("later_fragment", TO),
        )
        .case(
            "not a fragment, but may be",
            &out().fragment(7, 0, false).udp(1, 443),
            hit("address_port", TO, port),
        )
        .frame(
            "the reserved bit alone",
            with_reserved_bit(&out().udp(1, 443)),
            hit("address_port", TO, port),
        )
        .frame(
            "the reserved bit of a later one",
            with_reserved_bit(&later(out(), 3, true)),
            spared("later_fragment", TO),
        );
    let by_address = Group::new("v4 fragments, address listed", &["drop 203.0.113.7"]).cases(
        by_port.cases.iter().map(|case| {
            let side = if case.what.contains("from") { FROM } else { TO };
            (
                case.what.clone(),
                case.frame.clone(),
                hit("address", side, "203.0.113.7/32"),
            )
        }),
    );
    let by_protocol = Group::new("v4 fragments, protocol listed", &["drop 203.0.113.7 udp"])
        .case(
            "later of UDP",
            &later(out(), 5, true),
            hit("address_port", TO, "203.0.113.7/32/udp"),
        )
        .case(
            "later of TCP",
            &later(out(), 5, true).protocol(6),
            spared("later_fragment", TO),
        )
        .case("first of TCP", &first(out().tcp(1, 2)), miss());
    vec![by_port, by_address, by_protocol]
}

fn with_reserved_bit(packet: &Packet) -> Vec<u8> {
    let mut frame = packet.build();
    frame[14 + 6] |= 0x80;
    frame
}
