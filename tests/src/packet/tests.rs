use super::{Extension, PROVIDER_TAG, Packet, Transport, checksum};

const CLIENT: &str = "198.51.100.7";
const SERVER: &str = "203.0.113.9";

/// Hexadecimal digits with any white space between them.
fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn v4() -> Packet {
    Packet::v4(CLIENT, SERVER)
}

fn v6() -> Packet {
    Packet::v6("2001:db8::7", "2001:db8::9")
}

#[test]
fn internet_checksum_of_the_worked_example_in_rfc_1071() {
    assert_eq!(checksum::internet(&[&hex("0001 f203 f4f5 f6f7")]), !0xddf2);
    assert_eq!(checksum::internet(&[&hex("ff"), &[]]), !0xff00);
}

#[test]
fn crc32c_of_the_check_string_and_of_rfc_3720() {
    assert_eq!(checksum::crc32c(b"123456789"), 0xe306_9283);
    assert_eq!(checksum::crc32c(&[0; 32]), 0x8a91_36aa);
}

#[test]
fn udp_in_v4_byte_for_byte() {
    let frame = v4().udp(0x1234, 53).payload(b"hi").build();
    let expected = "020000000002 020000000001 0800
        4500 001e 0000 4000 4011 d48a c6336407 cb007109
        1234 0035 000a 1ec3 6869";
    assert_eq!(frame, hex(expected));
}

#[test]
fn tcp_syn_in_v6_byte_for_byte() {
    let frame = v6().tcp(0x1234, 443).build();
    let expected = "020000000002 020000000001 86dd
        6000 0000 0014 06 40 20010db8000000000000000000000007 20010db8000000000000000000000009
        1234 01bb 00000001 00000000 5002 faf0 4580 0000";
    assert_eq!(frame, hex(expected));
}

#[test]
fn every_v4_header_sums_to_zero() {
    let packets = [
        v4(),
        v4().udp(1, 2),
        v4().options(&[7, 7, 4]).tcp(1, 2),
        v4().fragment(9, 100, true).raw(17).payload(&[0; 8]),
        v4().ip_length(20).header_words(5),
    ];
    for packet in packets {
        let frame = packet.without_link_header().build();
        let header = usize::from(frame[0] & 15) * 4;
        assert_eq!(checksum::internet(&[&frame[..header]]), 0, "{frame:02x?}");
    }
}

/// The pseudo header is written out here by hand, as the RFCs draw it.
#[test]
fn transport_checksums_verify() {
    let cases = [
        (
            Transport::Tcp {
                source: 1,
                destination: 2,
                flags: 16,
            },
            6,
        ),
        (
            Transport::Udp {
                source: 1,
                destination: 2,
            },
            17,
        ),
        (
            Transport::UdpLite {
                source: 1,
                destination: 2,
            },
            136,
        ),
        (
            Transport::Dccp {
                source: 1,
                destination: 2,
            },
            33,
        ),
    ];
    for (transport, protocol) in cases {
        let frame = v4()
            .transport(transport)
            .payload(b"odd")
            .without_link_header()
            .build();
        let segment = &frame[20..];
        let length = u8::try_from(segment.len()).unwrap();
        let pseudo = [&frame[12..20], &[0, protocol, 0, length]].concat();
        assert_eq!(
            checksum::internet(&[&pseudo, segment]),
            0,
            "{transport:?} in v4"
        );

        let frame = v6()
            .transport(transport)
            .payload(b"odd")
            .without_link_header()
            .build();
        let pseudo = [&frame[8..40], &[0, 0, 0, length, 0, 0, 0, protocol]].concat();
        assert_eq!(
            checksum::internet(&[&pseudo, &frame[40..]]),
            0,
            "{transport:?} in v6"
        );
    }
}

#[test]
fn icmp_covers_the_pseudo_header_only_in_v6() {
    let echo = Transport::Icmp { kind: 8, code: 0 };
    let frame = v4()
        .transport(echo)
        .payload(b"ping")
        .without_link_header()
        .build();
    assert_eq!((frame[9], checksum::internet(&[&frame[20..]])), (1, 0));

    let frame = v6()
        .transport(echo)
        .payload(b"ping")
        .without_link_header()
        .build();
    let pseudo = [&frame[8..40], &[0, 0, 0, 12, 0, 0, 0, 58]].concat();
    assert_eq!(
        (frame[6], checksum::internet(&[&pseudo, &frame[40..]])),
        (58, 0)
    );
}

#[test]
fn sctp_carries_the_little_endian_crc_of_itself() {
    let frame = v4()
        .transport(Transport::Sctp {
            source: 1,
            destination: 2,
        })
        .payload(b"chunk")
        .build();
    let mut segment = frame[34..].to_vec();
    let carried: [u8; 4] = segment[8..12].try_into().unwrap();
    segment[8..12].fill(0);
    assert_eq!(u32::from_le_bytes(carried), checksum::crc32c(&segment));
}

#[test]
fn tags_stand_between_the_addresses_and_the_type() {
    let frame = v4().tag(PROVIDER_TAG, 7).vlan(100).udp(1, 2).build();
    assert_eq!(frame[12..22], hex("88a8 0007 8100 0064 0800"));
    let lying = v4().vlan(1).ether_type(0x86dd).build();
    assert_eq!(lying[12..18], hex("8100 0001 86dd"));
}

#[test]
fn v4_overrides_change_only_their_field() {
    let plain = v4().udp(1, 2).without_link_header().build();
    let short = v4()
        .udp(1, 2)
        .header_words(3)
        .ip_length(9)
        .version(5)
        .without_link_header()
        .build();
    assert_eq!((short[0], &short[2..4]), (0x53, &[0, 9][..]));
    assert_eq!((short.len(), &short[12..]), (plain.len(), &plain[12..]));
}

#[test]
fn v4_options_are_padded_and_counted() {
    let packet = v4()
        .options(&[1, 1, 1, 1, 1])
        .udp(1, 2)
        .without_link_header()
        .build();
    assert_eq!(packet[0], 0x47);
    assert_eq!(packet[20..28], [1, 1, 1, 1, 1, 0, 0, 0]);
    assert_eq!(packet[28..32], [0, 1, 0, 2]);
}

#[test]
fn v4_fragments_carry_offset_and_flag() {
    let first = v4()
        .fragment(0x0102, 0, true)
        .udp(1, 2)
        .without_link_header()
        .build();
    assert_eq!(first[4..8], [1, 2, 0x20, 0]);
    let last = v4()
        .fragment(0x0102, 0x1abc, false)
        .raw(17)
        .payload(&[9; 8])
        .without_link_header()
        .build();
    assert_eq!(
        (&last[6..8], last[9], &last[20..]),
        (&[0x1a, 0xbc][..], 17, &[9; 8][..])
    );
}

#[test]
fn v6_chain_announces_each_header_and_its_length() {
    let packet = v6()
        .extension(Extension::HopByHop { extra: 1 })
        .extension(Extension::Routing {
            segments_left: 2,
            extra: 0,
        })
        .extension(Extension::Fragment {
            id: 5,
            offset: 3,
            more: true,
        })
        .extension(Extension::Authentication { words: 3 })
        .extension(Extension::Destination { extra: 0 })
        .extension(Extension::Mobility { extra: 0 })
        .extension(Extension::Other {
            number: 140,
            rest: vec![0; 7],
        })
        .udp(1, 2)
        .without_link_header()
        .build();
    assert_eq!(
        (packet[6], packet.len()),
        (0, 40 + 16 + 8 + 8 + 24 + 8 + 8 + 8 + 8)
    );
    assert_eq!(packet[40..42], [43, 1]);
    assert_eq!(packet[56..60], [44, 0, 253, 2]);
    assert_eq!(packet[64..72], [51, 0, 0, 3 << 3 | 1, 0, 0, 0, 5]);
    assert_eq!(packet[72..74], [60, 4]);
    assert_eq!(packet[96..98], [135, 0]);
    assert_eq!(packet[104..106], [140, 0]);
    assert_eq!(packet[112], 17);
    assert_eq!(packet[120..124], [0, 1, 0, 2]);
}

#[test]
fn v6_protocol_override_reaches_the_last_header_of_the_chain() {
    let bare = v6().udp(1, 2).protocol(99).without_link_header().build();
    assert_eq!(bare[6], 99);
    let chained = v6()
        .extension(Extension::HopByHop { extra: 0 })
        .protocol(99);
    assert_eq!(chained.without_link_header().build()[40], 99);
}

#[test]
fn frames_without_ip_padding_and_cuts() {
    let arp = Packet::ethernet(0x0806)
        .payload(&[1, 2])
        .padded_to(60)
        .build();
    assert_eq!((&arp[12..16], arp.len()), (&[8, 6, 1, 2][..], 60));
    let cut = v4().tcp(1, 2).cut_to(36).build();
    assert_eq!((cut.len(), &cut[16..18]), (36, &[0, 40][..]));
}

#[test]
fn remaining_headers_have_their_fixed_sizes() {
    let length = |transport| {
        v4().transport(transport)
            .without_link_header()
            .build()
            .len()
            - 20
    };
    assert_eq!(
        length(Transport::UdpLite {
            source: 1,
            destination: 2
        }),
        8
    );
    assert_eq!(
        length(Transport::Sctp {
            source: 1,
            destination: 2
        }),
        12
    );
    assert_eq!(
        length(Transport::Dccp {
            source: 1,
            destination: 2
        }),
        20
    );
    assert_eq!(length(Transport::Esp { index: 7 }), 8);
    assert_eq!(length(Transport::Raw { protocol: 99 }), 0);
}
