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

#[test]
fn labels_stand_behind_the_tags_and_the_last_one_says_so() {
    let frame = v4().vlan(9).mpls(16).mpls(0xfffff).udp(1, 2).build();
    assert_eq!(frame[12..27], hex("8100 0009 8847 00010040 fffff140 45"));
    let endless = v4().mpls(16).endless_labels().ether_type(0x8848).build();
    assert_eq!(endless[12..19], hex("8848 00010040 45"));
}

#[test]
fn a_pppoe_session_announces_what_follows() {
    let frame = v4().pppoe(0x1234).build();
    assert_eq!(frame[12..23], hex("8864 11 00 1234 0016 0021 45"));
    let short = v6().pppoe(1).short_ppp_protocol().build();
    assert_eq!(short[12..22], hex("8864 11 00 0001 0029 57 60"));
    let odd = v4().vlan(2).mpls(3).pppoe(1).pppoe_start(0x21, 9);
    assert_eq!(
        odd.build()[12..31],
        hex("8100 0002 8864 21 09 0001 001a 0281 00003140 45")
    );
    let other = v4().pppoe(1).ppp_protocol(0xc021).build();
    assert_eq!(other[20..23], hex("c021 45"));
}

#[test]
fn an_arp_request_byte_for_byte() {
    let expected = "020000000002 020000000001 0806
        0001 0800 06 04 0001 020000000001 c6336407 000000000000 cb007109";
    assert_eq!(Packet::arp(CLIENT, SERVER).build(), hex(expected));
}

#[test]
fn a_neighbour_solicitation_byte_for_byte() {
    let packet = Packet::neighbour_solicitation("2001:db8::7", "2001:db8::12:3456");
    let frame = packet.without_link_header().build();
    let expected = "6000 0000 0020 3a ff 20010db8000000000000000000000007
        ff0200000000000000000001ff123456";
    assert_eq!(frame[..40], hex(expected));
    assert_eq!(frame[40..42], hex("87 00"));
    assert_eq!(
        frame[44..64],
        hex("00000000 20010db8000000000000000000123456")
    );
    assert_eq!(frame[64..], hex("01 01 020000000001"));
    let pseudo = [&frame[8..40], &[0, 0, 0, 32, 0, 0, 0, 58]].concat();
    assert_eq!(checksum::internet(&[&pseudo, &frame[40..]]), 0);
    let answer = Packet::neighbour_advertisement("2001:db8::7", "2001:db8::7").build();
    assert_eq!(answer[38..54], hex("ff020000000000000000000000000001"));
    assert_eq!((answer[54], answer[78]), (136, 2));
}

#[test]
fn tunnels_without_a_header_of_their_own() {
    let bare = |packet: Packet| packet.without_link_header().build();
    for (inner, protocol) in [(v4().udp(1, 2), 4), (v6().udp(1, 2), 41)] {
        let packet = bare(v4().ip_in_ip(&inner));
        assert_eq!((packet[9], &packet[20..]), (protocol, &bare(inner)[..]));
    }
    let packet = bare(v6().ip_in_ip(&v4()));
    assert_eq!((packet[6], &packet[40..]), (4, &bare(v4())[..]));
}

#[test]
fn gre_headers_byte_for_byte() {
    let bare = |packet: Packet| packet.without_link_header().build();
    assert_eq!(bare(v4().gre(&v4()))[20..25], hex("0000 0800 45"));
    assert_eq!(bare(v4().gre(&v6()))[20..25], hex("0000 86dd 60"));
    let full = bare(v4().gre_with(0xb0, &v4()));
    assert_eq!((full[9], &full[20..24]), (47, &hex("b000 0800")[..]));
    assert_eq!(full[24..37], [&[0; 12][..], &[0x45]].concat());
    let bridged = bare(v4().gre_ethernet(&v4().vlan(1)));
    assert_eq!(bridged[20..24], hex("0000 6558"));
    assert_eq!(bridged[24..], v4().vlan(1).build());
}

#[test]
fn udp_tunnels_byte_for_byte() {
    let bare = |packet: Packet| packet.without_link_header().build();
    let vxlan = bare(v4().vxlan(0x123456, &v4().vlan(1)));
    assert_eq!(vxlan[20..24], hex("c000 12b5"));
    assert_eq!(vxlan[28..36], hex("08000000 12345600"));
    assert_eq!(vxlan[36..], v4().vlan(1).build());
    let geneve = bare(v4().geneve(0x123456, 2, &v4()));
    assert_eq!(geneve[22..24], hex("17c1"));
    assert_eq!(geneve[28..44], hex("02006558 12345600 0000000000000000"));
    assert_eq!(geneve[44..], v4().build());
    let geneve = bare(v4().geneve_ip(1, 0, &v6()));
    assert_eq!(geneve[28..37], hex("000086dd 00000100 60"));
    let gtpu = bare(v4().gtpu(0x12345678, &v4()));
    assert_eq!(gtpu[22..24], hex("0868"));
    assert_eq!(gtpu[28..37], hex("30ff0014 12345678 45"));
    let extended = bare(v4().gtpu_with(1, 6, &[1, 2], &v6()));
    assert_eq!(
        extended[28..53],
        hex("36ff0038 00000001 00010085 01000085 0200000000000000 60")
    );
}
