//! IPv6 fragments, and first ones that are incomplete (RFC 7112).

use trickblock_tests::packet::{Extension, Packet};

use crate::fixture::{FROM, Group, TO, back_6, hit, miss, out_6, spared};

pub fn groups() -> Vec<Group> {
    vec![
        ports(),
        addresses(),
        incomplete(),
        incomplete_monitored(),
        incomplete_and_listed_otherwise(),
    ]
}

fn fragment(offset: u16, more: bool) -> Extension {
    Extension::Fragment {
        id: 7,
        offset,
        more,
    }
}

const PORT: &str = "[2001:db8:c2::7/128]:443";
const OPTIONS: Extension = Extension::Destination { extra: 0 };

fn ports() -> Group {
    let later = |packet: Packet, offset, more| {
        packet
            .extension(fragment(offset, more))
            .raw(17)
            .payload(&[0x9c, 0x40, 1, 187])
    };
    Group::new(
        "v6 fragments, port listed",
        &["drop [2001:db8:c2::7]:443", "drop 2001:db8:c2::8 udp"],
    )
    .case(
        "atomic to",
        &out_6().extension(fragment(0, false)).udp(1, 443),
        hit("address_port", TO, PORT),
    )
    .case(
        "first to",
        &out_6().extension(fragment(0, true)).udp(1, 443),
        hit("address_port", TO, PORT),
    )
    .case(
        "first from",
        &back_6().extension(fragment(0, true)).tcp(443, 1),
        hit("address_port", FROM, PORT),
    )
    .case(
        "first behind options",
        &out_6()
            .extension(OPTIONS)
            .extension(fragment(0, true))
            .udp(1, 443),
        hit("address_port", TO, PORT),
    )
    .case(
        "first, options behind",
        &out_6()
            .extension(fragment(0, true))
            .extension(OPTIONS)
            .udp(1, 443),
        hit("address_port", TO, PORT),
    )
    .case(
        "first to another port",
        &out_6().extension(fragment(0, true)).udp(443, 80),
        miss(),
    )
    .case(
        "later to",
        &later(out_6(), 64, true),
        spared("later_fragment", TO),
    )
    .case(
        "later from",
        &later(back_6(), 64, true),
        spared("later_fragment", FROM),
    )
    .case(
        "last",
        &later(out_6(), 1, false),
        spared("later_fragment", TO),
    )
    .case(
        "at the largest offset",
        &later(out_6(), 8191, false),
        spared("later_fragment", TO),
    )
    .case(
        "two atomic ones",
        &out_6()
            .extension(fragment(0, false))
            .extension(fragment(0, false))
            .udp(1, 443),
        hit("address_port", TO, PORT),
    )
    .case(
        "a later one in a first one",
        &out_6()
            .extension(fragment(0, true))
            .extension(fragment(9, true))
            .udp(1, 443),
        spared("later_fragment", TO),
    )
    .case(
        "protocol of a later one",
        &later(Packet::v6("2001:db8::1", "2001:db8:c2::8"), 64, true),
        hit("address_port", TO, "2001:db8:c2::8/128/udp"),
    )
    .case(
        "later one of options",
        &Packet::v6("2001:db8::1", "2001:db8:c2::8")
            .extension(fragment(64, true))
            .raw(60)
            .payload(&[17; 8]),
        spared("later_fragment", TO),
    )
}

fn addresses() -> Group {
    let hit = |side| hit("prefix", side, "2001:db8:c2::/48");
    Group::new("v6 fragments, address listed", &["drop 2001:db8:c2::/48"])
        .case(
            "first",
            &out_6().extension(fragment(0, true)).udp(1, 2),
            hit(TO),
        )
        .case(
            "later",
            &out_6().extension(fragment(64, true)).raw(17),
            hit(TO),
        )
        .case(
            "last from",
            &back_6().extension(fragment(64, false)).raw(17),
            hit(FROM),
        )
        .case(
            "incomplete first",
            &out_6().extension(fragment(0, true)).raw(60),
            hit(TO),
        )
}

/// First fragments that end before their ports (RFC 7112).
fn unfinished(packet: impl Fn() -> Packet) -> Vec<(String, Packet)> {
    let first = || packet().extension(fragment(0, true));
    let announced = 60;
    let ports = |count: usize| first().raw(17).payload(&[0x9c, 0x40, 1][..count]);
    let options = |count: usize| first().raw(announced).payload(&[17, 0][..count]);
    let mut all: Vec<_> = (0..4)
        .map(|count| (format!("{count} bytes of ports"), ports(count)))
        .collect();
    all.extend((0..2).map(|count| (format!("{count} bytes of options"), options(count))));
    all.push((
        "options without what follows".to_owned(),
        first().extension(OPTIONS).raw(6),
    ));
    all.push((
        "options, then two bytes".to_owned(),
        first().extension(OPTIONS).raw(6).payload(&[1, 187]),
    ));
    all
}

fn incomplete() -> Group {
    let dropped = |side| spared("incomplete_first_fragment", side);
    let mut group = Group::new("incomplete first fragments", &["drop [2001:db8:c2::7]:443"]);
    for (what, packet) in unfinished(out_6) {
        group = group.case(format!("{what}, to"), &packet, dropped(TO));
        // Bytes behind the IP packet do not complete it.
        group = group.case(
            format!("{what}, padded"),
            &packet.padded_to(120),
            dropped(TO),
        );
    }
    for (what, packet) in unfinished(back_6) {
        group = group.case(format!("{what}, from"), &packet, dropped(FROM));
    }
    for (what, packet) in unfinished(|| Packet::v6("2001:db8::1", "2001:db8::2")) {
        group = group.case(format!("{what}, unlisted"), &packet, miss());
    }
    group
        .case(
            "a protocol without ports",
            &out_6().extension(fragment(0, true)).raw(50),
            spared("no_ports", TO),
        )
        .case(
            "the fragment header itself is cut",
            &out_6().extension(fragment(0, true)).udp(1, 2).ip_length(7),
            spared("truncated_extension", TO),
        )
        .case(
            "atomic, no ports",
            &out_6().extension(fragment(0, false)).raw(6),
            spared("truncated_transport", TO),
        )
}

fn incomplete_monitored() -> Group {
    let seen = |side| spared("monitor_incomplete_first_fragment", side);
    let mut group = Group::new(
        "incomplete first fragments, monitored",
        &["monitor [2001:db8:c2::7]:443"],
    );
    for (what, packet) in unfinished(out_6) {
        group = group.case(what, &packet, seen(TO));
    }
    group
}

/// A port that drops must not be dodged by splitting headers because the same address is also
/// listed in monitor mode; and what is dropped anyway keeps its indicator.
fn incomplete_and_listed_otherwise() -> Group {
    let rules = [
        "monitor 2001:db8:c2::7",
        "drop [2001:db8:c2::7]:443",
        "drop 2001:db8:c2::8",
        "drop [2001:db8:c2::8]:443",
        "monitor 2001:db8:c2::9",
        "monitor [2001:db8:c2::9]:443",
        "monitor 2001:db8:c2::/48",
    ];
    let to = |server: &str| {
        Packet::v6("2001:db8:1::1", server)
            .extension(fragment(0, true))
            .raw(6)
    };
    let between = Packet::v6("2001:db8:c2::7", "2001:db8:c2::8")
        .extension(fragment(0, true))
        .raw(6);
    Group::new(
        "incomplete first fragments to addresses listed otherwise",
        &rules,
    )
    .case(
        "monitored, port drops",
        &to("2001:db8:c2::7"),
        spared("incomplete_first_fragment", TO),
    )
    .case(
        "dropped",
        &to("2001:db8:c2::8"),
        hit("address", TO, "2001:db8:c2::8/128"),
    )
    .case(
        "monitored, port monitored",
        &to("2001:db8:c2::9"),
        hit("monitor_address", TO, "2001:db8:c2::9/128"),
    )
    .case(
        "to a dropped one from one with ports",
        &between,
        hit("address", TO, "2001:db8:c2::8/128"),
    )
}
