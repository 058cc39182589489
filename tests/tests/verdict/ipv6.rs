//! IPv6 and its chain of extension headers.

use trickblock_tests::packet::{Extension, Packet};

use crate::fixture::{FROM, Group, TO, back_6, hit, miss, out_6, spared};

const PORT: &str = "[2001:db8:c2::7/128]:443";

pub fn groups() -> Vec<Group> {
    vec![
        chains(),
        nine_headers_do_not_hide_an_address(),
        long_headers(),
        cuts(),
        jumbograms(),
        versions(),
    ]
}

/// One of each kind that is walked, whatever order they come in.
pub fn kinds() -> [(&'static str, Extension); 8] {
    [
        ("hop-by-hop", Extension::HopByHop { extra: 0 }),
        (
            "routing",
            Extension::Routing {
                segments_left: 0,
                extra: 2,
            },
        ),
        (
            "atomic fragment",
            Extension::Fragment {
                id: 7,
                offset: 0,
                more: false,
            },
        ),
        ("authentication", Extension::Authentication { words: 3 }),
        ("destination options", Extension::Destination { extra: 1 }),
        ("mobility", Extension::Mobility { extra: 0 }),
        (
            "HIP",
            Extension::Other {
                number: 139,
                rest: vec![0; 7],
            },
        ),
        (
            "Shim6",
            Extension::Other {
                number: 140,
                rest: vec![0; 7],
            },
        ),
    ]
}

fn with(packet: Packet, extension: &Extension, count: usize) -> Packet {
    (0..count).fold(packet, |packet, _| packet.extension(extension.clone()))
}

fn chains() -> Group {
    let mut group = Group::new("chains, port listed", &["drop [2001:db8:c2::7]:443"]);
    for (what, extension) in kinds() {
        for count in 0..=9 {
            let hidden = count == 9;
            let (to, from, other) = if hidden {
                let lost = |side| spared("too_many_extensions", side);
                (lost(TO), lost(FROM), lost(TO))
            } else {
                let hit = |side| hit("address_port", side, PORT);
                (hit(TO), hit(FROM), miss())
            };
            let packet = |packet: Packet| with(packet, &extension, count).build();
            group = group
                .frame(
                    format!("{count} × {what}, to"),
                    packet(out_6().tcp(40_000, 443)),
                    to,
                )
                .frame(
                    format!("{count} × {what}, from"),
                    packet(back_6().udp(443, 40_000)),
                    from,
                )
                .frame(
                    format!("{count} × {what}, port 80"),
                    packet(out_6().tcp(443, 80)),
                    other,
                );
        }
    }
    let all = kinds()
        .into_iter()
        .fold(out_6(), |packet, (_, kind)| packet.extension(kind));
    group
        .case(
            "one of each",
            &all.clone().tcp(1, 443),
            hit("address_port", TO, PORT),
        )
        .case(
            "one of each, then ESP",
            &all.clone().raw(50).payload(&[0; 8]),
            spared("no_ports", TO),
        )
        .case(
            "one of each, then nothing",
            &all.raw(59),
            spared("no_ports", TO),
        )
        .case(
            "an unknown header",
            &out_6().raw(200).payload(&[17; 16]),
            spared("no_ports", TO),
        )
}

/// The address decides where ports cannot be found.
fn nine_headers_do_not_hide_an_address() -> Group {
    let mut group = Group::new("chains, address listed", &["drop 2001:db8:c2::7"]);
    for (what, extension) in kinds() {
        for count in [8, 9, 12] {
            let packet = with(back_6().udp(1, 2), &extension, count);
            group = group.case(
                format!("{count} × {what}"),
                &packet,
                hit("address", FROM, "2001:db8:c2::7/128"),
            );
        }
    }
    group
}

fn long_headers() -> Group {
    let hit = || hit("address_port", TO, PORT);
    let option = |extra| Extension::Destination { extra };
    Group::new("long headers", &["drop [2001:db8:c2::7]:443"])
        .case(
            "2,048 bytes",
            &out_6().extension(option(255)).tcp(1, 443),
            hit(),
        )
        .case(
            "8 × 264 bytes",
            &with(out_6().tcp(1, 443), &option(32), 8),
            hit(),
        )
        .case(
            "announces more than there is",
            &out_6()
                .extension(Extension::Other {
                    number: 60,
                    rest: [vec![9], vec![0; 6]].concat(),
                })
                .tcp(1, 443),
            spared("truncated_transport", TO),
        )
}

/// Cut by the frame's end, and by the payload length with other bytes behind it.
fn cuts() -> Group {
    let packet = out_6()
        .extension(Extension::HopByHop { extra: 0 })
        .extension(Extension::Fragment {
            id: 1,
            offset: 0,
            more: false,
        })
        .extension(Extension::Authentication { words: 3 })
        .tcp(40_000, 443);
    // The headers start at 0, 8 and 16 behind the fixed one, the ports at 40. Of a header only its
    // length must be there, of a fragment header all of it.
    let expected = |length: usize| match length {
        0..18 => spared("truncated_extension", TO),
        18..44 => spared("truncated_transport", TO),
        _ => hit("address_port", TO, PORT),
    };
    let full = packet.build().len() - 54;
    let by_frame = (0..=full).map(|length| {
        (
            format!("frame ends after {length}"),
            packet.clone().cut_to(54 + length).build(),
            expected(length),
        )
    });
    // A payload length of 0 before hop-by-hop options announces a jumbogram.
    let by_length = (1..=full).map(|length| {
        let announced = u16::try_from(length).unwrap();
        (
            format!("payload length {length}"),
            packet.clone().ip_length(announced).build(),
            expected(length),
        )
    });
    Group::new("chains cut", &["drop [2001:db8:c2::7]:443"])
        .cases(by_frame)
        .cases(by_length)
}

fn jumbograms() -> Group {
    let jumbo = Extension::Other {
        number: 0,
        rest: vec![0, 0xc2, 4, 0, 1, 0, 0],
    };
    let hit = || hit("address_port", TO, PORT);
    Group::new("jumbograms", &["drop [2001:db8:c2::7]:443"])
        .case(
            "length 0 before hop-by-hop options",
            &out_6().extension(jumbo.clone()).tcp(1, 443).ip_length(0),
            hit(),
        )
        .case(
            "with a second header",
            &out_6()
                .extension(jumbo)
                .extension(Extension::Destination { extra: 0 })
                .udp(1, 443)
                .ip_length(0),
            hit(),
        )
        .case(
            "length 0 before TCP",
            &out_6().tcp(1, 443).ip_length(0),
            spared("truncated_transport", TO),
        )
        .case(
            "length 0 before other options",
            &out_6()
                .extension(Extension::Destination { extra: 0 })
                .tcp(1, 443)
                .ip_length(0),
            spared("truncated_extension", TO),
        )
        .case(
            "no payload, no next header",
            &out_6().raw(59),
            spared("no_ports", TO),
        )
}

fn versions() -> Group {
    let mut group = Group::new(
        "version nibbles of v6",
        &["drop 2001:db8:c2::7", "drop [2001:db8:c2::8]:443"],
    );
    for version in (0..16).filter(|version| *version != 6) {
        group = group
            .case(
                format!("{version} to"),
                &out_6().tcp(1, 443).version(version),
                spared("bad_version", TO),
            )
            .case(
                format!("{version} from"),
                &back_6().tcp(1, 443).version(version),
                spared("bad_version", FROM),
            )
            .case(
                format!("{version}, unlisted"),
                &Packet::v6("2001:db8::1", "2001:db8::2")
                    .tcp(1, 443)
                    .version(version),
                miss(),
            );
    }
    group
}
