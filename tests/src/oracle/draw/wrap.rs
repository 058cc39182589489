//! What stands around a packet: tunnels, labels, sessions, tags, padding.

use crate::{packet::Packet, random::Random};

use super::{
    address::Addresses,
    frame::{nobody, packet, pair},
};

/// How many tags a frame wears.
const TAGS: [usize; 20] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5];

/// Tags, and sometimes labels or a session behind them.
pub(super) fn link(mut packet: Packet, random: &mut Random) -> Packet {
    let tags = random.pick(&TAGS);
    for _ in 0..tags {
        packet = packet.tag(random.pick(&[0x8100, 0x88a8, 0x9100, 0x9200, 0x9300]), 7);
    }
    packet = match random.below(100) {
        0..12 => labels(packet, random),
        12..22 => session(packet, random),
        22 => return packet.ether_type(random.pick(&[0x0800, 0x86dd, 0x8847, 0x8864, 0x0806])),
        _ => return packet,
    };
    if random.percent(8) {
        packet = packet.cut_to(14 + 4 * tags + random.below(10));
    }
    packet
}

fn labels(mut packet: Packet, random: &mut Random) -> Packet {
    for _ in 0..random.pick(&[1, 1, 1, 2, 2, 3, 4, 4, 5]) {
        packet = packet.mpls(16);
    }
    if random.percent(10) {
        packet = packet.endless_labels();
    }
    packet
}

fn session(mut packet: Packet, random: &mut Random) -> Packet {
    packet = packet.pppoe(7);
    if random.percent(15) {
        packet = labels(packet, random);
    }
    match random.below(20) {
        0..6 => packet.short_ppp_protocol(),
        6 => packet.pppoe_start(random.pick(&[0x11, 0x12, 0x21]), random.pick(&[0, 9])),
        7 => packet.ppp_protocol(random.pick(&[0xc021, 0x0021, 0x0057, 0x0281, 0x0283])),
        _ => packet,
    }
}

/// A packet in a tunnel: mostly one that is looked into.
pub(super) fn tunnel(random: &mut Random, addresses: &Addresses, tunnels: &[String]) -> Packet {
    let mut inner = packet(random, addresses);
    if random.percent(5) {
        inner = inner.cut_to(random.below(40));
    }
    // Of the two packets, mostly only the inner one is listed.
    let (mut source, mut destination) = pair(random, addresses);
    if random.percent(70) {
        (source, destination) = (nobody(source), nobody(destination));
    }
    let mut outer = Packet::ip(source, destination);
    if random.percent(8) && source.is_ipv4() {
        outer = outer.fragment(7, random.pick(&[0, 0, 0, 3]), true);
    }
    if random.percent(5) && source.is_ipv4() {
        outer = outer.options(&[1; 8]);
    }
    let all = super::TUNNELS.map(str::to_owned);
    let names = if tunnels.is_empty() || random.percent(10) {
        &all
    } else {
        tunnels
    };
    match names[random.below(names.len())].as_str() {
        "ip" => outer.ip_in_ip(&inner),
        "gre" => gre(outer, &inner, random),
        "vxlan" => vxlan(outer, inner, random),
        "geneve" => geneve(outer, inner, random),
        _ => gtpu(outer, &inner, random),
    }
}

fn gre(outer: Packet, inner: &Packet, random: &mut Random) -> Packet {
    match random.below(4) {
        0 => outer.gre(inner),
        1 => outer.gre_ethernet(&tagged(inner.clone(), random)),
        _ => {
            let flags = random.pick(&[0, 0x80, 0x20, 0x10, 0xb0, 0x40]);
            outer.gre_with(flags, inner)
        }
    }
}

fn vxlan(outer: Packet, inner: Packet, random: &mut Random) -> Packet {
    let outer = outer.vxlan(7, &tagged(inner, random));
    match random.below(12) {
        0..4 => outer.udp(9, 8472),
        // The other way round: no tunnel.
        4 => outer.udp(4789, 9),
        _ => outer,
    }
}

fn geneve(outer: Packet, inner: Packet, random: &mut Random) -> Packet {
    let words = random.pick(&[0, 0, 1, 2, 63]);
    if random.percent(50) {
        outer.geneve_ip(7, words, &inner)
    } else {
        outer.geneve(7, words, &tagged(inner, random))
    }
}

fn gtpu(outer: Packet, inner: &Packet, random: &mut Random) -> Packet {
    let extensions: &[u8] = random.pick(&[&[1_u8][..], &[1, 2], &[1, 1, 1, 1], &[1, 1, 1, 1, 1]]);
    match random.below(4) {
        0..2 => outer.gtpu(7, inner),
        2 => outer.gtpu_with(7, random.pick(&[1, 2, 3]), &[], inner),
        _ => outer.gtpu_with(7, random.pick(&[4, 6, 7]), extensions, inner),
    }
}

/// As the tunnels may carry it.
fn tagged(mut inner: Packet, random: &mut Random) -> Packet {
    for _ in 0..random.pick(&TAGS) {
        inner = inner.vlan(7);
    }
    inner
}

/// Up to what network cards send at least, or beyond it.
pub(super) fn padded(packet: Packet, random: &mut Random) -> Packet {
    if random.percent(20) {
        packet.padded_to(60 + random.below(40))
    } else {
        packet
    }
}
