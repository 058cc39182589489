//! Random rules and frames, from so few addresses and ports that they meet.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use trickblock_tests::{
    kernel::Setup,
    packet::{Extension, Packet, Transport},
    random::Random,
};

const PORTS: [u16; 4] = [53, 443, 447, 8080];

/// How many tags a frame wears.
const TAGS: [usize; 20] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5];

/// Up to 40 rules, up to 4 never-block entries, and seldom the global monitor switch.
pub fn setup(random: &mut Random) -> Setup {
    let count = 1 + random.below(40);
    // The same indicator twice would be for the policy layer to merge.
    let mut seen = BTreeSet::new();
    let rules = (0..count).filter_map(|_| {
        let indicator = indicator(random);
        let action = random.pick(&["drop", "drop", "monitor"]);
        seen.insert(indicator.clone())
            .then(|| format!("{action} {indicator}"))
    });
    let rules: Vec<String> = rules.collect();
    let protected = random.below(5);
    let mut prefixes = BTreeSet::new();
    let never = (0..protected).filter_map(|_| {
        let prefix = prefix(random);
        let class = random.pick(&["hard", "own"]);
        prefixes
            .insert(prefix.clone())
            .then(|| format!("{class} {prefix}"))
    });
    Setup {
        never: never.collect(),
        rules,
        monitor: random.percent(10),
        ..Setup::default()
    }
}

fn indicator(random: &mut Random) -> String {
    let prefix = prefix(random);
    let bracketed = if prefix.contains(':') {
        format!("[{prefix}]")
    } else {
        prefix.clone()
    };
    let port = random.pick(&PORTS);
    match random.below(10) {
        0..5 => prefix,
        5..7 => format!("{bracketed}:{port}"),
        7..9 => {
            let protocol = random.pick(&["tcp", "udp", "sctp", "dccp", "udplite"]);
            format!("{bracketed}:{port}/{protocol}")
        }
        _ => format!(
            "{prefix} {}",
            random.pick(&["tcp", "udp", "1", "47", "50", "51", "58"])
        ),
    }
}

fn prefix(random: &mut Random) -> String {
    let whole = random.percent(60);
    // Short prefixes hide what lies inside of them.
    let short = random.percent(15);
    match address(random) {
        IpAddr::V4(v4) => {
            let length = length(random, whole, short, [12, 24, 32]);
            let host = u32::MAX
                .checked_shr(u32::try_from(length).unwrap())
                .unwrap_or(0);
            format!("{}/{length}", Ipv4Addr::from_bits(v4.to_bits() & !host))
        }
        IpAddr::V6(v6) => {
            let length = length(random, whole, short, [14, 60, 128]);
            let host = u128::MAX
                .checked_shr(u32::try_from(length).unwrap())
                .unwrap_or(0);
            format!("{}/{length}", Ipv6Addr::from_bits(v6.to_bits() & !host))
        }
    }
}

/// The longest of the three, or from the second to the third, or from the first to the third.
fn length(
    random: &mut Random,
    whole: bool,
    short: bool,
    [least, usual, most]: [usize; 3],
) -> usize {
    let from = match (whole, short) {
        (true, _) => return most,
        (false, true) => least,
        (false, false) => usual,
    };
    from + random.below(most + 1 - from)
}

/// Two blocks of sixteen for each family, and a few that lie far away.
fn address(random: &mut Random) -> IpAddr {
    let low = u32::try_from(random.below(16)).unwrap();
    match random.below(10) {
        0..3 => IpAddr::V4((0xcb00_7100 | low).into()),
        3..5 => IpAddr::V4((0xcb00_7180 | low << 2).into()),
        5 => IpAddr::V4(random.pick(&[0xc612_0001, 0xc000_0205, 0xc633_6401]).into()),
        6..8 => IpAddr::V6(((0x2001_0db8_00c2 << 80) | u128::from(low)).into()),
        8 => IpAddr::V6(((0x2001_0db8_00c2 << 80) | u128::from(low) << 62).into()),
        _ => IpAddr::V6(((0x2001_0db8_0000 << 80) | u128::from(low) << 90).into()),
    }
}

/// A packet, right or wrong, or what remains after a few bytes were changed.
pub fn frame(random: &mut Random) -> Vec<u8> {
    if random.percent(1) {
        let ether_type = random.pick(&[0x0806, 0x88cc, 0x8847, 0x8863, 60]);
        return Packet::ethernet(ether_type).payload(&[0x45; 40]).build();
    }
    let mut frame = packet(random).build();
    if random.percent(20) {
        for _ in 0..=random.below(3) {
            let at = 12 + random.below(frame.len().min(110) - 12);
            frame[at] = if random.percent(50) {
                random.byte()
            } else {
                frame[at] ^ 1 << random.below(8)
            };
        }
    }
    if random.percent(8) {
        frame.truncate(14 + random.below(frame.len() - 13));
    }
    frame
}

fn packet(random: &mut Random) -> Packet {
    let (source, destination) = pair(random);
    let v4 = source.is_ipv4();
    let mut packet = Packet::ip(source, destination);
    for _ in 0..random.pick(&TAGS) {
        packet = packet.tag(random.pick(&[0x8100, 0x88a8, 0x9100, 0x9200, 0x9300]), 7);
    }
    packet = packet
        .transport(transport(random))
        .payload(&[0x5a; 24][..random.below(25)]);
    packet = if v4 {
        odd_v4(packet, random)
    } else {
        odd_v6(packet, random)
    };
    if random.percent(4) {
        packet = packet.ip_length(u16::try_from(random.below(90)).unwrap());
    }
    if random.percent(1) {
        packet = packet.version(u8::try_from(random.below(16)).unwrap());
    }
    if random.percent(20) {
        packet.padded_to(60 + random.below(40))
    } else {
        packet
    }
}

/// Two addresses of one family.
fn pair(random: &mut Random) -> (IpAddr, IpAddr) {
    let destination = address(random);
    // Half of all answers can be hidden by a second match.
    let mut source = match destination {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 10)),
    };
    if random.percent(40) {
        let other = address(random);
        if other.is_ipv4() == destination.is_ipv4() {
            source = other;
        }
    }
    if random.percent(50) {
        (source, destination)
    } else {
        (destination, source)
    }
}

fn transport(random: &mut Random) -> Transport {
    let port = |random: &mut Random| {
        if random.percent(70) {
            random.pick(&PORTS)
        } else {
            u16::from(random.byte())
        }
    };
    let (source, destination) = (port(random), port(random));
    match random.below(12) {
        0..4 => Transport::Tcp {
            source,
            destination,
            flags: 2,
        },
        4..8 => Transport::Udp {
            source,
            destination,
        },
        8 => random.pick(&[
            Transport::UdpLite {
                source,
                destination,
            },
            Transport::Sctp {
                source,
                destination,
            },
            Transport::Dccp {
                source,
                destination,
            },
        ]),
        9 => Transport::Icmp { kind: 8, code: 0 },
        10 => Transport::Esp { index: 0x0035_01bb },
        _ => Transport::Raw {
            protocol: random.byte(),
        },
    }
}

fn odd_v4(mut packet: Packet, random: &mut Random) -> Packet {
    if random.percent(15) {
        packet = packet.options(&[1; 40][..random.below(41)]);
    }
    if random.percent(15) {
        let offset = random.pick(&[0, 0, 1, 185, 8191]);
        packet = packet.fragment(7, offset, random.percent(70));
    }
    if random.percent(3) {
        packet = packet.header_words(u8::try_from(random.below(16)).unwrap());
    }
    if random.percent(4) {
        // What the transport header holds is then read as an authentication header.
        packet = packet.protocol(51);
    }
    packet
}

fn odd_v6(mut packet: Packet, random: &mut Random) -> Packet {
    if random.percent(50) {
        return packet;
    }
    for _ in 0..random.pick(&[1, 1, 1, 2, 2, 3, 7, 8, 9]) {
        packet = packet.extension(extension(random));
    }
    if random.percent(25) {
        packet.raw(random.pick(&[6, 17, 60, 44]))
    } else {
        packet
    }
}

fn extension(random: &mut Random) -> Extension {
    let extra = random.pick(&[0, 0, 1, 4]);
    match random.below(8) {
        0 => Extension::HopByHop { extra },
        1 => Extension::Routing {
            segments_left: 0,
            extra,
        },
        2..4 => Extension::Fragment {
            id: 7,
            offset: random.pick(&[0, 0, 0, 0, 1, 8191]),
            more: random.percent(50),
        },
        4 => Extension::Authentication { words: extra },
        5 => Extension::Destination { extra },
        6 => Extension::Mobility { extra },
        _ => Extension::Other {
            number: random.pick(&[139, 140]),
            rest: vec![0; 7],
        },
    }
}
