//! From the start of a frame to what it carries.

use std::net::Ipv4Addr;

use etherparse::{ArpPacketSlice, EtherType, Ethernet2HeaderSlice, SingleVlanHeaderSlice};

/// What stands behind the link header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    /// Nothing that has addresses, for this reason.
    Other(&'static str),
    Arp {
        sender: Ipv4Addr,
        target: Ipv4Addr,
    },
    Ip(Packet<'a>),
}

/// An IP packet, and whatever the frame holds behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) v6: bool,
    /// Nothing in front of it says that it is one.
    pub(super) guess: bool,
}

/// Of a frame that begins with an Ethernet header.
pub(super) fn ethernet(frame: &[u8]) -> Content<'_> {
    let Some((ether_type, behind)) = ether_type(frame) else {
        return Content::Other("truncated_link");
    };
    match skip_tags(ether_type, behind) {
        Tags::Cut => Content::Other("truncated_link"),
        Tags::TooMany => Content::Other("too_many_tags"),
        Tags::Behind(ether_type, payload) => carried(ether_type, payload),
    }
}

/// Of a frame that begins with an IP header. Of a single byte nothing is concluded.
pub(super) fn bare(frame: &[u8]) -> Content<'_> {
    if frame.len() < 2 {
        return Content::Other("truncated_link");
    }
    by_nibble(frame, false).map_or(Content::Other("non_ip"), Content::Ip)
}

/// The type in an Ethernet header, and what follows the header.
pub(super) fn ether_type(frame: &[u8]) -> Option<(u16, &[u8])> {
    let header = Ethernet2HeaderSlice::from_slice(frame).ok()?;
    Some((header.ether_type().0, &frame[header.slice().len()..]))
}

/// What tags, if any, lead to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tags<'a> {
    Cut,
    TooMany,
    Behind(u16, &'a [u8]),
}

/// Up to four tags are skipped.
pub(super) fn skip_tags(mut ether_type: u16, mut behind: &[u8]) -> Tags<'_> {
    for skipped in 0.. {
        if ![0x8100, 0x88a8, 0x9100, 0x9200, 0x9300].contains(&ether_type) {
            break;
        }
        if skipped == 4 {
            return Tags::TooMany;
        }
        let Ok(tag) = SingleVlanHeaderSlice::from_slice(behind) else {
            return Tags::Cut;
        };
        ether_type = tag.ether_type().0;
        behind = &behind[tag.slice().len()..];
    }
    Tags::Behind(ether_type, behind)
}

fn carried(ether_type: u16, payload: &[u8]) -> Content<'_> {
    match ether_type {
        0x0800 => ip(payload, false),
        0x86dd => ip(payload, true),
        0x0806 => arp(payload),
        0x8847 | 0x8848 => mpls(payload),
        0x8864 => pppoe(payload),
        _ => Content::Other("non_ip"),
    }
}

const fn ip(bytes: &[u8], v6: bool) -> Content<'_> {
    Content::Ip(Packet {
        bytes,
        v6,
        guess: false,
    })
}

/// Whatever the first half byte says; nothing of 0 bytes.
pub(super) fn by_nibble(bytes: &[u8], guess: bool) -> Option<Packet<'_>> {
    let v6 = match bytes.first()? >> 4 {
        4 => false,
        6 => true,
        _ => return None,
    };
    Some(Packet { bytes, v6, guess })
}

fn arp(payload: &[u8]) -> Content<'_> {
    if payload.len() < 28 {
        return Content::Other("truncated_arp");
    }
    // Fails where longer addresses are announced than there is room for.
    let message = ArpPacketSlice::from_slice(payload)
        .ok()
        .filter(|message| message.proto_addr_type() == EtherType::IPV4)
        .filter(|message| (message.hw_addr_size(), message.proto_addr_size()) == (6, 4));
    let Some(message) = message else {
        return Content::Other("non_ip");
    };
    let address = |octets: &[u8]| {
        let octets: [u8; 4] = octets.try_into().expect("four of them");
        Ipv4Addr::from(octets)
    };
    Content::Arp {
        sender: address(message.sender_protocol_addr()),
        target: address(message.target_protocol_addr()),
    }
}

/// Up to four labels, of which the last one says so.
fn mpls(mut rest: &[u8]) -> Content<'_> {
    for _ in 0..4 {
        let Some((label, behind)) = rest.split_first_chunk::<4>() else {
            return Content::Other("truncated_mpls");
        };
        rest = behind;
        if label[2] % 2 == 1 {
            return match rest {
                [] => Content::Other("truncated_mpls"),
                _ => by_nibble(rest, true).map_or(Content::Other("non_ip"), Content::Ip),
            };
        }
    }
    Content::Other("too_many_labels")
}

/// A session: version, type and code, session, length, and then PPP.
fn pppoe(payload: &[u8]) -> Content<'_> {
    let [one_one, code, _, _, _, _, ppp @ ..] = payload else {
        return Content::Other("truncated_pppoe");
    };
    if ppp.is_empty() {
        return Content::Other("truncated_pppoe");
    }
    if (*one_one, *code) != (0x11, 0) {
        return Content::Other("bad_pppoe");
    }
    let (protocol, behind) = match ppp {
        // The last byte of a protocol number is odd, all before it are even.
        [low, behind @ ..] if low % 2 == 1 => (u16::from(*low), behind),
        [high, low, behind @ ..] => (u16::from_be_bytes([*high, *low]), behind),
        _ => return Content::Other("truncated_pppoe"),
    };
    match protocol {
        0x0021 => ip(behind, false),
        0x0057 => ip(behind, true),
        0x0281 | 0x0283 => mpls(behind),
        _ => Content::Other("non_ip"),
    }
}
