//! Packets, right ones and wrong ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    packet::{Extension, Packet, Transport},
    random::Random,
};

use super::{
    address::{self, Addresses},
    rules::PORTS,
    wrap,
};

/// A frame; `bare` ones begin with the IP header.
pub(super) fn frame(
    random: &mut Random,
    addresses: &Addresses,
    tunnels: &[String],
    bare: bool,
) -> Vec<u8> {
    let packet = match random.below(100) {
        0..3 if !bare => neighbour(random, addresses),
        3..5 if !bare => return other(random),
        5..35 => wrap::tunnel(random, addresses, tunnels),
        _ => packet(random, addresses),
    };
    let packet = if bare {
        packet.without_link_header()
    } else {
        wrap::link(packet, random)
    };
    let mut frame = wrap::padded(packet, random).build();
    if random.percent(8) {
        // The more so where the headers are.
        let most = random.pick(&[44, 120]);
        frame.truncate(random.below(frame.len().min(most) + 1));
    }
    frame
}

/// ARP, or neighbour discovery.
fn neighbour(random: &mut Random, addresses: &Addresses) -> Packet {
    let own = random.percent(50);
    if random.percent(60) {
        let sender = if own {
            Ipv4Addr::new(192, 0, 2, 10)
        } else {
            address::v4(random)
        };
        return Packet::arp(&sender.to_string(), &address::v4(random).to_string());
    }
    let source = if own { NOBODY_6 } else { addresses.v6(random) }.to_string();
    let target = addresses.v6(random).to_string();
    if random.percent(50) {
        Packet::neighbour_solicitation(&source, &target)
    } else {
        Packet::neighbour_advertisement(&source, &target)
    }
}

/// Frames that carry something else, or that only say that they carry IP.
fn other(random: &mut Random) -> Vec<u8> {
    let kinds = [0x0806, 0x88cc, 0x8863, 60, 0x8847, 0x8864, 0x8100, 0x0800];
    let ether_type = random.pick(&kinds);
    let first = random.pick(&[0x45, 0x60, 0x11, 0]);
    Packet::ethernet(ether_type)
        .payload(&[first; 64][..random.below(65)])
        .build()
}

const NOBODY_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 10);

/// An IP packet without anything around it.
pub(super) fn packet(random: &mut Random, addresses: &Addresses) -> Packet {
    let (source, destination) = pair(random, addresses);
    let mut packet = Packet::ip(source, destination)
        .transport(transport(random))
        .payload(&[0x5a; 24][..random.below(25)]);
    packet = if source.is_ipv4() {
        odd_v4(packet, random)
    } else {
        odd_v6(packet, random)
    };
    match random.below(100) {
        0..12 => spoilt(packet, source.is_ipv4(), random),
        12..14 => packet.version(random.pick(&[0, 4, 5, 6, 15])),
        _ => packet,
    }
}

/// Lengths that contradict each other, or the packet.
fn spoilt(packet: Packet, v4: bool, random: &mut Random) -> Packet {
    match (random.below(4), v4) {
        (0, true) => packet.header_words(random.pick(&[0, 1, 2, 4, 4, 4, 6])),
        (1, true) => packet.ip_length(random.pick(&[0, 0, 1, 19])),
        (2, true) => packet.ip_length(random.pick(&[20, 21, 22, 23, 24])),
        (0 | 1, false) => {
            let packet = packet.extension(extension(random));
            packet.ip_length(random.pick(&[0, 0, 1, 2, 7, 8, 9, 11, 12]))
        }
        (2, false) => packet.ip_length(random.pick(&[0, 1, 2, 3, 4])),
        _ => packet.ip_length(random.pick(&[28, 40, 48, 60, 90, 200])),
    }
}

/// Two addresses of one family.
pub(super) fn pair(random: &mut Random, addresses: &Addresses) -> (IpAddr, IpAddr) {
    let listed = addresses.any(random);
    // Half of all answers can be hidden by a second match.
    let other = if random.percent(40) {
        addresses.like(listed, random)
    } else {
        nobody(listed)
    };
    if random.percent(50) {
        (other, listed)
    } else {
        (listed, other)
    }
}

/// An address that is never listed.
pub(super) fn nobody(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10)),
        IpAddr::V6(_) => IpAddr::V6(NOBODY_6),
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
            flags: random.pick(&[0x02, 0x12, 0x10, 0x04]),
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
        9 => Transport::Icmp {
            kind: random.pick(&[0, 8, 128, 129]),
            code: 0,
        },
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
    if random.percent(12) {
        let offset = random.pick(&[0, 0, 1, 185, 8191]);
        packet = packet.fragment(7, offset, random.percent(70));
    }
    if random.percent(4) {
        // What the transport header holds is then read as an authentication header.
        packet = packet.protocol(51);
    }
    packet
}

fn odd_v6(mut packet: Packet, random: &mut Random) -> Packet {
    match random.below(20) {
        0..10 => return packet,
        10 => return without_ports(packet, random),
        _ => {}
    }
    for _ in 0..random.pick(&[1, 1, 1, 2, 2, 3, 7, 8, 9, 9]) {
        packet = packet.extension(extension(random));
    }
    if random.percent(25) {
        packet.raw(random.pick(&[6, 17, 60, 44]))
    } else {
        packet
    }
}

/// A first fragment that keeps the ports for the second one.
fn without_ports(packet: Packet, random: &mut Random) -> Packet {
    let first = Extension::Fragment {
        id: 7,
        offset: 0,
        more: true,
    };
    packet
        .extension(first)
        .raw(random.pick(&[6, 17]))
        .payload(&[0; 4][..random.below(5)])
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
