//! From the first byte of a frame to its IP header: all that a passing packet pays for.

use network_types::eth::EtherType;

use crate::{Frame, Place, Reason, V4, V6};

/// Length of an Ethernet header without tags, in bytes.
pub const ETHERNET: usize = 14;
const TAG: usize = 4;
/// A frame may wear this many VLAN tags.
pub const MAX_TAGS: usize = 4;
const LABEL: usize = 4;
/// A frame may wear this many MPLS labels.
pub const MAX_LABELS: usize = 4;
const PPPOE: usize = 6;

const MPLS_UNICAST: u16 = 0x8847_u16.to_be();
const MPLS_MULTICAST: u16 = 0x8848_u16.to_be();
const PPPOE_SESSION: u16 = 0x8864_u16.to_be();
/// PPP protocol numbers (RFC 1332, RFC 5072, RFC 3032).
const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;
const PPP_MPLS: [u16; 2] = [0x0281, 0x0283];

/// What begins with the first byte of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Ethernet,
    /// An IP header, as on tun, WireGuard and PPP interfaces.
    Ip,
}

/// The packet in a frame.
#[inline(always)]
pub fn find<F: Frame + ?Sized>(frame: &F, link: Link) -> Result<Place, Reason> {
    match link {
        Link::Ethernet => ethernet(frame),
        Link::Ip => bare(frame),
    }
}

/// The packet right behind an Ethernet header without tags, as nearly every frame has it.
#[inline(always)]
pub fn untagged<F: Frame + ?Sized>(frame: &F, link: Link) -> Option<Place> {
    let Link::Ethernet = link else {
        return None;
    };
    let number = u16::from_ne_bytes(frame.read::<2>(ETHERNET - 2)?);
    if number == EtherType::Ipv4 as u16 {
        Some(Place::v4(ETHERNET))
    } else if number == EtherType::Ipv6 as u16 {
        Some(Place::v6(ETHERNET))
    } else {
        None
    }
}

/// Two bytes, since of one byte at the very start the verifier learns nothing by comparing with the end.
#[inline(always)]
fn bare<F: Frame + ?Sized>(frame: &F) -> Result<Place, Reason> {
    match frame.read::<2>(0) {
        Some([first, _]) => by_version(first >> 4, 0),
        None => Err(Reason::TruncatedLink),
    }
}

/// Walks the Ethernet header and up to [`MAX_TAGS`] VLAN tags, then MPLS labels or a PPPoE header.
#[inline(always)]
fn ethernet<F: Frame + ?Sized>(frame: &F) -> Result<Place, Reason> {
    let Some(mut ether_type) = frame.read::<2>(ETHERNET - 2) else {
        return Err(Reason::TruncatedLink);
    };
    let mut offset = ETHERNET;
    for _ in 0..MAX_TAGS {
        if !is_tag(ether_type) {
            break;
        }
        ether_type = match frame.read::<2>(offset + 2) {
            Some(inner) => inner,
            None => return Err(Reason::TruncatedLink),
        };
        offset += TAG;
    }
    network(frame, ether_type, offset)
}

#[inline(always)]
fn network<F: Frame + ?Sized>(
    frame: &F,
    ether_type: [u8; 2],
    offset: usize,
) -> Result<Place, Reason> {
    let number = u16::from_ne_bytes(ether_type);
    if number == EtherType::Ipv4 as u16 {
        Ok(Place::v4(offset))
    } else if number == EtherType::Ipv6 as u16 {
        Ok(Place::v6(offset))
    } else if number == EtherType::Arp as u16 {
        Ok(Place::arp(offset))
    } else if number == MPLS_UNICAST || number == MPLS_MULTICAST {
        labels(frame, offset)
    } else if number == PPPOE_SESSION {
        pppoe(frame, offset)
    } else if is_tag(ether_type) {
        Err(Reason::TooManyTags)
    } else {
        Err(Reason::NonIp)
    }
}

#[inline(always)]
pub(crate) fn is_tag(ether_type: [u8; 2]) -> bool {
    let ether_type = u16::from_ne_bytes(ether_type);
    ether_type == EtherType::Ieee8021q as u16
        || ether_type == EtherType::Ieee8021ad as u16
        || ether_type == EtherType::Ieee8021QinQ1 as u16
        || ether_type == EtherType::Ieee8021QinQ2 as u16
        || ether_type == EtherType::Ieee8021QinQ3 as u16
}

/// Walks up to [`MAX_LABELS`] MPLS labels. What they carry was agreed upon when the path was set up: only
/// the first nibble gives it away, and that is a guess.
#[inline(always)]
fn labels<F: Frame + ?Sized>(frame: &F, start: usize) -> Result<Place, Reason> {
    let mut offset = start;
    for _ in 0..MAX_LABELS {
        let Some([_, _, bottom, _]) = frame.read::<LABEL>(offset) else {
            return Err(Reason::TruncatedMpls);
        };
        offset += LABEL;
        if bottom & 1 != 0 {
            return match frame.read::<1>(offset) {
                Some([first]) => by_version(first >> 4, offset).map(Place::guessed),
                None => Err(Reason::TruncatedMpls),
            };
        }
    }
    Err(Reason::TooManyLabels)
}

#[inline(always)]
fn by_version(version: u8, offset: usize) -> Result<Place, Reason> {
    match version {
        4 => Ok(Place::v4(offset)),
        6 => Ok(Place::v6(offset)),
        _ => Err(Reason::NonIp),
    }
}

/// A PPPoE session header (RFC 2516), then a PPP protocol number of one byte (if odd) or two.
#[inline(always)]
fn pppoe<F: Frame + ?Sized>(frame: &F, offset: usize) -> Result<Place, Reason> {
    let Some([version_type, code, _, _, _, _, first]) = frame.read::<7>(offset) else {
        return Err(Reason::TruncatedPppoe);
    };
    if version_type != 0x11 || code != 0 {
        return Err(Reason::BadPppoe);
    }
    let mut protocol = u16::from(first);
    let mut behind = offset + PPPOE + 1;
    if first & 1 == 0 {
        let Some([second]) = frame.read::<1>(behind) else {
            return Err(Reason::TruncatedPppoe);
        };
        protocol = protocol << 8 | u16::from(second);
        behind += 1;
    }
    match protocol {
        PPP_IPV4 => Ok(Place::v4(behind)),
        PPP_IPV6 => Ok(Place::v6(behind)),
        _ if protocol == PPP_MPLS[0] || protocol == PPP_MPLS[1] => labels(frame, behind),
        _ => Err(Reason::NonIp),
    }
}

/// (source, destination) in the 20 fixed bytes of an IPv4 header.
#[inline(always)]
pub fn addresses_v4(header: Option<[u8; 20]>) -> Option<(V4, V4)> {
    // One read for both: it proves the whole fixed header to be there.
    let [.., a, b, c, d, e, f, g, h] = header?;
    Some((V4::from_bytes([a, b, c, d]), V4::from_bytes([e, f, g, h])))
}

/// (source, destination) in the last 32 bytes of an IPv6 header, which are read in two halves.
#[inline(always)]
pub fn addresses_v6(source: Option<[u8; 16]>, destination: Option<[u8; 16]>) -> Option<(V6, V6)> {
    Some((V6::from_bytes(source?), V6::from_bytes(destination?)))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn frame(tags: &[u16], ether_type: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = std::vec![0; 12];
        for tag in tags {
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0, 7]);
        }
        bytes.extend(ether_type.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn at(bytes: &[u8]) -> Result<Place, Reason> {
        find(bytes, Link::Ethernet)
    }

    #[test]
    fn every_tag_kind_is_walked_up_to_four() {
        for tag in [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300] {
            for depth in 0..=MAX_TAGS {
                let bytes = frame(&std::vec![tag; depth], 0x0800, &[0; 20]);
                assert_eq!(at(&bytes), Ok(Place::v4(14 + 4 * depth)));
            }
        }
        assert_eq!(
            at(&frame(&[0x8100; 5], 0x0800, &[])),
            Err(Reason::TooManyTags)
        );
    }

    #[test]
    fn truncation_and_foreign_types_have_their_reasons() {
        let bytes = frame(&[0x88a8, 0x8100], 0x86dd, &[0; 40]);
        assert_eq!(at(&bytes), Ok(Place::v6(22)));
        for cut in 0..22 {
            assert_eq!(at(&bytes[..cut]), Err(Reason::TruncatedLink), "{cut}");
        }
        assert_eq!(at(&frame(&[], 0x0806, &[])), Ok(Place::arp(14)));
        assert_eq!(at(&frame(&[], 60, &[0; 60])), Err(Reason::NonIp));
    }

    #[test]
    fn labels_end_at_the_bottom() {
        let bytes = frame(&[7], 0x8847, &[]);
        assert_eq!(at(&bytes), Err(Reason::NonIp), "a tag that is none");
        let stack = [[0, 1, 0, 9], [0, 2, 1, 9]].concat();
        let whole = frame(&[0x8100], 0x8848, &[&stack[..], &[0x45]].concat());
        assert_eq!(at(&whole), Ok(Place::v4(26).guessed()));
        for cut in 18..26 {
            assert_eq!(at(&whole[..cut]), Err(Reason::TruncatedMpls), "{cut}");
        }
        assert_eq!(
            at(&frame(&[], 0x8847, &[0; 17])),
            Err(Reason::TooManyLabels)
        );
        assert_eq!(
            at(&frame(&[], 0x8847, &[0, 0, 1, 0, 0x50])),
            Err(Reason::NonIp)
        );
    }

    #[test]
    fn ppp_numbers_have_one_or_two_bytes() {
        let session = |payload: &[u8]| {
            frame(
                &[],
                0x8864,
                &[&[0x11, 0, 0, 5, 0, 60][..], payload].concat(),
            )
        };
        assert_eq!(at(&session(&[0x00, 0x21])), Ok(Place::v4(22)));
        assert_eq!(at(&session(&[0x57, 0x60])), Ok(Place::v6(21)));
        assert_eq!(
            at(&session(&[2, 0x81, 0, 0, 1, 0, 0x60])),
            Ok(Place::v6(26).guessed())
        );
        assert_eq!(at(&session(&[0xc0, 0x21])), Err(Reason::NonIp));
        assert_eq!(at(&session(&[0])), Err(Reason::TruncatedPppoe));
        assert_eq!(at(&session(&[])), Err(Reason::TruncatedPppoe));
        let padt = frame(&[], 0x8864, &[0x11, 0xa7, 0, 5, 0, 0, 0]);
        assert_eq!(at(&padt), Err(Reason::BadPppoe));
    }

    #[test]
    fn without_a_link_header_the_nibble_decides() {
        let ip = |bytes: &[u8]| find(bytes, Link::Ip);
        assert_eq!(ip(&[0x4f, 0]), Ok(Place::v4(0)));
        assert_eq!(ip(&[0x60, 0]), Ok(Place::v6(0)));
        assert_eq!(ip(&[0x00, 0]), Err(Reason::NonIp));
        assert_eq!(ip(&[0x45]), Err(Reason::TruncatedLink));
    }
}
