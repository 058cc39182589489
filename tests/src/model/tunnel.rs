//! The packet inside of a packet.

use super::{
    ip::Transport,
    link::{Packet, Tags, by_nibble, ether_type, skip_tags},
};

/// What a packet carries in one of the tunnels that are looked into.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inside<'a> {
    Nothing,
    /// Its header is wrong, for this reason.
    Wrong(&'static str),
    /// The same where the header is not whole.
    Cut(&'static str),
    Packet {
        packet: Packet<'a>,
        /// What it is called if the inner addresses are cut.
        cut: &'static str,
    },
}

/// `names` are the tunnels to look into; `outer` ends where a first fragment does.
pub(super) fn inside<'a>(outer: Packet<'a>, transport: &Transport, names: &[String]) -> Inside<'a> {
    let found = carried(outer, transport, names);
    if !transport.more {
        return found;
    }
    // What is cut here a later fragment would bring.
    match found {
        Inside::Cut(_) => Inside::Wrong(HIDDEN),
        Inside::Packet { packet, .. } if !has_header(packet) => Inside::Wrong(HIDDEN),
        other => other,
    }
}

const HIDDEN: &str = "incomplete_first_fragment";

fn has_header(packet: Packet<'_>) -> bool {
    let length = match packet.bytes.first() {
        Some(first) if !packet.v6 => usize::from(first % 16 * 4).max(20),
        _ => 40,
    };
    packet.bytes.len() >= length
}

fn carried<'a>(outer: Packet<'a>, transport: &Transport, names: &[String]) -> Inside<'a> {
    match transport.failure {
        None | Some("no_ports") => {}
        Some(HIDDEN) if may_be_one(transport.protocol, names) => return Inside::Wrong(HIDDEN),
        Some(failure @ "too_many_extensions") if !names.is_empty() => {
            return Inside::Wrong(failure);
        }
        _ => return Inside::Nothing,
    }
    let on = |name: &str| names.iter().any(|named| named == name);
    let bytes = outer.bytes.get(transport.at..).unwrap_or_default();
    let port = transport.ports.map(|(_, destination)| destination);
    let inside = match (transport.protocol, port) {
        (Some(4), _) if on("ip") => packet(bytes, false, TRUNCATED),
        (Some(41), _) if on("ip") => packet(bytes, true, TRUNCATED),
        (Some(47), _) if on("gre") => gre(bytes),
        (Some(17), Some(4789 | 8472)) if on("vxlan") => guess(udp(bytes, vxlan)),
        (Some(17), Some(6081)) if on("geneve") => guess(udp(bytes, geneve)),
        (Some(17), Some(2152)) if on("gtpu") => guess(udp(bytes, gtpu)),
        _ => Inside::Nothing,
    };
    if outer.guess { guess(inside) } else { inside }
}

/// Whether a packet of a protocol that may be unknown, or stand in front of another, can be a tunnel.
fn may_be_one(protocol: Option<u8>, names: &[String]) -> bool {
    let kinds: &[&str] = match protocol {
        Some(4 | 41) => &["ip"],
        Some(47) => &["gre"],
        Some(17) => &["vxlan", "geneve", "gtpu"],
        None | Some(51) => return !names.is_empty(),
        Some(_) => return false,
    };
    names.iter().any(|name| kinds.contains(&name.as_str()))
}

const TRUNCATED: &str = "truncated_tunnel";
const BAD: Inside<'_> = Inside::Wrong("bad_tunnel");

const fn packet<'a>(bytes: &'a [u8], v6: bool, cut: &'static str) -> Inside<'a> {
    let guess = false;
    Inside::Packet {
        packet: Packet { bytes, v6, guess },
        cut,
    }
}

fn guess(inside: Inside<'_>) -> Inside<'_> {
    match inside {
        Inside::Packet { packet, cut } => Inside::Packet {
            packet: Packet {
                guess: true,
                ..packet
            },
            cut,
        },
        other => other,
    }
}

/// By an EtherType, as GRE and Geneve have it.
fn typed<'a>(ether_type: u16, bytes: &'a [u8], cut: &'static str) -> Inside<'a> {
    match ether_type {
        0x0800 => packet(bytes, false, cut),
        0x86dd => packet(bytes, true, cut),
        0x6558 => ethernet(bytes, cut),
        _ => Inside::Nothing,
    }
}

fn ethernet<'a>(frame: &'a [u8], cut: &'static str) -> Inside<'a> {
    let Some((ether_type, behind)) = ether_type(frame) else {
        return Inside::Cut(cut);
    };
    match skip_tags(ether_type, behind) {
        Tags::Cut => Inside::Cut(cut),
        Tags::TooMany => BAD,
        Tags::Behind(0x0800, payload) => packet(payload, false, cut),
        Tags::Behind(0x86dd, payload) => packet(payload, true, cut),
        Tags::Behind(..) => Inside::Nothing,
    }
}

fn gre(bytes: &[u8]) -> Inside<'_> {
    let [flags, version, t0, t1, ..] = bytes else {
        return Inside::Cut(TRUNCATED);
    };
    if version % 8 != 0 || flags & 0x40 != 0 {
        return BAD;
    }
    let fields = [0x80, 0x20, 0x10].iter().filter(|bit| flags & **bit != 0);
    let rest = bytes.get(4 + 4 * fields.count()..).unwrap_or_default();
    typed(u16::from_be_bytes([*t0, *t1]), rest, TRUNCATED)
}

/// Behind a whole UDP header. All of these have headers of at least eight bytes.
fn udp(bytes: &[u8], read: fn([u8; 8], &[u8]) -> Inside<'_>) -> Inside<'_> {
    let datagram = bytes.get(8..).unwrap_or_default();
    match datagram.split_first_chunk() {
        Some((header, rest)) => read(*header, rest),
        None => Inside::Cut("bad_tunnel"),
    }
}

fn vxlan(header: [u8; 8], rest: &[u8]) -> Inside<'_> {
    if header[0] & 0x08 == 0 {
        return BAD;
    }
    ethernet(rest, "bad_tunnel")
}

fn geneve(header: [u8; 8], rest: &[u8]) -> Inside<'_> {
    if header[0] / 64 != 0 {
        return BAD;
    }
    let options = usize::from(header[0] % 64) * 4;
    let protocol = u16::from_be_bytes([header[2], header[3]]);
    typed(
        protocol,
        rest.get(options..).unwrap_or_default(),
        "bad_tunnel",
    )
}

fn gtpu(header: [u8; 8], rest: &[u8]) -> Inside<'_> {
    if header[0] / 32 != 1 || header[0] & 0x10 == 0 {
        return BAD;
    }
    if header[1] != 255 {
        return Inside::Nothing;
    }
    let rest = match gtpu_payload(header[0], rest) {
        Ok(rest) => rest,
        Err(wrong) => return wrong,
    };
    match (rest, by_nibble(rest, true)) {
        ([], _) => Inside::Cut("bad_tunnel"),
        (_, None) => Inside::Nothing,
        (_, Some(packet)) => Inside::Packet {
            packet,
            cut: "bad_tunnel",
        },
    }
}

/// What stands behind the optional fields and up to four extension headers.
fn gtpu_payload(flags: u8, rest: &[u8]) -> Result<&[u8], Inside<'_>> {
    const CUT: Inside<'_> = Inside::Cut("bad_tunnel");
    if flags & 7 == 0 {
        return Ok(rest);
    }
    let ([_, _, _, kind], mut rest) = rest.split_first_chunk::<4>().ok_or(CUT)?;
    let mut kind = if flags & 4 == 0 { 0 } else { *kind };
    for _ in 0..4 {
        if kind == 0 {
            break;
        }
        let size = usize::from(*rest.first().ok_or(CUT)?) * 4;
        if size == 0 {
            return Err(BAD);
        }
        let (extension, behind) = rest.split_at_checked(size).ok_or(CUT)?;
        kind = extension[size - 1];
        rest = behind;
    }
    if kind == 0 { Ok(rest) } else { Err(BAD) }
}
