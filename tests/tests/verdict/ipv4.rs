//! IPv4 headers, right and wrong.

use trickblock_tests::packet::Packet;

use crate::fixture::{FROM, Group, TO, back, hit, miss, out, spared};

const PORT: &str = "203.0.113.7/32:443";
const HOST: &str = "203.0.113.7/32";

pub fn groups() -> Vec<Group> {
    vec![
        options(),
        lengths(),
        lengths_with_the_address_listed(),
        versions(),
        authentication(),
    ]
}

fn options() -> Group {
    let hit = || hit("address_port", TO, PORT);
    let group = Group::new("options", &["drop 203.0.113.7:443"]).cases((0..=10).map(|words| {
        let packet = out().options(&vec![1; words * 4]).tcp(40_000, 443);
        (format!("{words} words"), packet.build(), hit())
    }));
    // 443 and 80 in the options, where a parser that ignores the header length looks for ports.
    let fake = |port: u16| [[0x9c, 0x40], port.to_be_bytes()].concat();
    group
        .case(
            "fake port 80 in the options",
            &out().options(&fake(80)).tcp(1, 443),
            hit(),
        )
        .case(
            "fake port 443 in the options",
            &out().options(&fake(443)).tcp(1, 80),
            miss(),
        )
        .case(
            "options of a reply",
            &back().options(&[1; 40]).udp(443, 9),
            crate::fixture::hit("address_port", FROM, PORT),
        )
}

/// Bytes behind the header such that a length of 15 words finds ports at its end.
fn behind() -> Vec<u8> {
    let mut bytes = vec![0; 40 - 20];
    bytes.extend([0, 1, 1, 187]);
    bytes
}

fn lengths() -> Group {
    let bad = || spared("bad_header_length", TO);
    let truncated = || spared("truncated_transport", TO);
    let hit = || hit("address_port", TO, PORT);
    let mut group = Group::new("lengths, port listed", &["drop 203.0.113.7:443"]);
    for words in 0..5 {
        group = group.case(
            format!("header of {words} words"),
            &out().tcp(1, 443).header_words(words),
            bad(),
        );
    }
    for total in 0..20 {
        group = group.case(
            format!("total length {total}"),
            &out().tcp(1, 443).ip_length(total),
            bad(),
        );
    }
    // Ethernet padding and stray bytes behind the packet are not data.
    for total in 20..24 {
        let packet = out().tcp(1, 443).ip_length(total).padded_to(64);
        group = group.case(format!("total length {total}"), &packet, truncated());
    }
    group
        .case("total length 24", &out().tcp(1, 443).ip_length(24), hit())
        .case(
            "total length beyond the frame",
            &out().tcp(1, 443).ip_length(65_535),
            hit(),
        )
        .case(
            "15 words, the frame is shorter",
            &out().udp(1, 443).header_words(15),
            bad(),
        )
        .case(
            "15 words, 59 bytes in total",
            &out()
                .tcp(1, 443)
                .payload(&[0; 40])
                .header_words(15)
                .ip_length(59),
            bad(),
        )
        .case(
            "15 words, ports behind",
            &out().tcp(1, 80).payload(&behind()).header_words(15),
            hit(),
        )
        .case(
            "6 words: ports are the sequence number",
            &out().tcp(1, 443).header_words(6),
            miss(),
        )
        .case(
            "ports only in the padding",
            &out().raw(6).padded_to(60),
            truncated(),
        )
}

/// The same packets, decided by the address whatever their lengths say.
fn lengths_with_the_address_listed() -> Group {
    let cases = lengths()
        .cases
        .into_iter()
        .map(|case| (case.what, case.frame, hit("address", TO, HOST)));
    Group::new("lengths, address listed", &["drop 203.0.113.7"]).cases(cases)
}

fn versions() -> Group {
    let rules = [
        "drop 203.0.113.7",
        "monitor 192.0.2.77:443",
        "drop 198.51.100.9",
    ];
    let mut group = Group::new("version nibbles", &rules).never(&["hard 198.51.100.9"]);
    for version in (0..16).filter(|version| *version != 4) {
        group = group
            .case(
                format!("{version} to"),
                &out().tcp(1, 443).version(version),
                spared("bad_version", TO),
            )
            .case(
                format!("{version} from"),
                &back().tcp(1, 443).version(version),
                spared("bad_version", FROM),
            )
            .case(
                format!("{version}, unlisted"),
                &Packet::v4("192.0.2.1", "192.0.2.2")
                    .tcp(1, 443)
                    .version(version),
                miss(),
            );
    }
    group
        .case(
            "of a monitored port",
            &Packet::v4("192.0.2.77", "192.0.2.2").tcp(443, 1).version(6),
            spared("bad_version", FROM),
        )
        .case(
            "of a protected address",
            &Packet::v4("192.0.2.1", "198.51.100.9")
                .tcp(443, 1)
                .version(6),
            spared("bad_version", TO),
        )
}

/// AH stands before the transport header in IPv4 too.
fn authentication() -> Group {
    let ah = |next: u8, words: u8, rest: &[u8]| {
        let header = [next, words + 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        let check = vec![0xaa; usize::from(words) * 4];
        out().raw(51).payload(&[&header[..], &check, rest].concat())
    };
    let ports = [0x9c, 0x40, 1, 187, 0, 8, 0, 0];
    let mut group = Group::new(
        "authentication header",
        &["drop 203.0.113.7:443", "drop 203.0.113.8 51"],
    );
    for words in [0, 1, 3, 4, 8, 16, 62] {
        let hit = hit("address_port", TO, PORT);
        group = group.case(
            format!("{words} words of check value"),
            &ah(17, words, &ports),
            hit,
        );
    }
    let cut = |length: u16, reason| {
        (
            format!("total length {length}"),
            ah(17, 3, &ports).ip_length(length).build(),
            spared(reason, TO),
        )
    };
    group
        .cases([20, 21].map(|length| cut(length, "truncated_extension")))
        .cases((22..20 + 24 + 4).map(|length| cut(length, "truncated_transport")))
        .case(
            "with options",
            &ah(6, 3, &ports).options(&[1; 8]),
            hit("address_port", TO, PORT),
        )
        .case(
            "with ESP behind",
            &ah(50, 3, &ports),
            spared("no_ports", TO),
        )
        .case("another port", &ah(6, 3, &[1, 187, 0, 80]), miss())
}
