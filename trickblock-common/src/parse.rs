//! From the first byte of a frame to its two addresses: all that a passing packet pays for.

use network_types::eth::EtherType;

use crate::{Frame, Reason, V4, V6};

/// Length of an Ethernet header without tags, in bytes.
pub const ETHERNET: usize = 14;
const TAG: usize = 4;
/// A frame may wear this many VLAN tags.
pub const MAX_TAGS: usize = 4;

/// Where the IP header starts (bytes from the start of the frame), and of which version it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ip {
    V4(usize),
    V6(usize),
}

/// Walks the Ethernet header and up to [`MAX_TAGS`] VLAN tags.
#[inline(always)]
pub fn ethernet<F: Frame + ?Sized>(frame: &F) -> Result<Ip, Reason> {
    let mut offset = ETHERNET;
    let Some(mut ether_type) = frame.read::<2>(ETHERNET - 2) else {
        return Err(Reason::TruncatedLink);
    };
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
    network(ether_type, offset)
}

#[inline(always)]
fn network(ether_type: [u8; 2], offset: usize) -> Result<Ip, Reason> {
    let ether_type = u16::from_ne_bytes(ether_type);
    if ether_type == EtherType::Ipv4 as u16 {
        Ok(Ip::V4(offset))
    } else if ether_type == EtherType::Ipv6 as u16 {
        Ok(Ip::V6(offset))
    } else if is_tag(ether_type.to_ne_bytes()) {
        Err(Reason::TooManyTags)
    } else {
        Err(Reason::NonIp)
    }
}

#[inline(always)]
fn is_tag(ether_type: [u8; 2]) -> bool {
    let ether_type = u16::from_ne_bytes(ether_type);
    ether_type == EtherType::Ieee8021q as u16
        || ether_type == EtherType::Ieee8021ad as u16
        || ether_type == EtherType::Ieee8021QinQ1 as u16
        || ether_type == EtherType::Ieee8021QinQ2 as u16
        || ether_type == EtherType::Ieee8021QinQ3 as u16
}

/// (source, destination) of the IPv4 header at `ip`.
#[inline(always)]
pub fn addresses_v4<F: Frame + ?Sized>(frame: &F, ip: usize) -> Result<(V4, V4), Reason> {
    // One read for both: it proves the whole fixed header to be there.
    match frame.read::<20>(ip) {
        Some([.., a, b, c, d, e, f, g, h]) => {
            Ok((V4::from_bytes([a, b, c, d]), V4::from_bytes([e, f, g, h])))
        }
        None => Err(Reason::TruncatedIp),
    }
}

/// (source, destination) of the IPv6 header at `ip`.
#[inline(always)]
pub fn addresses_v6<F: Frame + ?Sized>(frame: &F, ip: usize) -> Result<(V6, V6), Reason> {
    match (frame.read::<16>(ip + 8), frame.read::<16>(ip + 24)) {
        (Some(source), Some(destination)) => {
            Ok((V6::from_bytes(source), V6::from_bytes(destination)))
        }
        _ => Err(Reason::TruncatedIp),
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    fn frame(tags: &[u16], ether_type: u16, payload: usize) -> Vec<u8> {
        let mut bytes = std::vec![0; 12];
        for tag in tags {
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0, 7]);
        }
        bytes.extend(ether_type.to_be_bytes());
        bytes.resize(bytes.len() + payload, 0);
        bytes
    }

    #[test]
    fn every_tag_kind_is_walked_up_to_four() {
        for tag in [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300] {
            for depth in 0..=MAX_TAGS {
                let bytes = frame(&std::vec![tag; depth], 0x0800, 20);
                assert_eq!(ethernet(bytes.as_slice()), Ok(Ip::V4(14 + 4 * depth)));
            }
        }
        let bytes = frame(&[0x8100; 5], 0x0800, 20);
        assert_eq!(ethernet(bytes.as_slice()), Err(Reason::TooManyTags));
    }

    #[test]
    fn truncation_and_foreign_types_have_their_reasons() {
        let bytes = frame(&[0x88a8, 0x8100], 0x86dd, 40);
        assert_eq!(ethernet(bytes.as_slice()), Ok(Ip::V6(22)));
        for cut in 0..22 {
            assert_eq!(ethernet(&bytes[..cut]), Err(Reason::TruncatedLink), "{cut}");
        }
        assert_eq!(
            ethernet(frame(&[], 0x0806, 28).as_slice()),
            Err(Reason::NonIp)
        );
        assert_eq!(ethernet(frame(&[], 60, 60).as_slice()), Err(Reason::NonIp));
        assert_eq!(addresses_v6(bytes.as_slice(), 22).map(|_| ()), Ok(()));
        assert_eq!(addresses_v6(&bytes[..61], 22), Err(Reason::TruncatedIp));
        assert_eq!(addresses_v4(&bytes[..41], 22), Err(Reason::TruncatedIp));
    }
}
