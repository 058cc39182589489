//! Whether bytes that might be an IP packet are one.

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice, checksum::Sum16BitWords};

use super::link::Packet;

/// `cut` says that the frame need not hold all of the packet.
pub(super) fn is_sound(packet: Packet<'_>, cut: bool) -> bool {
    let length = if packet.v6 {
        length_v6(packet.bytes)
    } else {
        length_v4(packet.bytes)
    };
    length.is_some_and(|length| cut || length <= packet.bytes.len())
}

/// Of the whole packet, if its header holds.
fn length_v4(bytes: &[u8]) -> Option<usize> {
    let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
    let total = usize::from(header.total_len());
    let sum = Sum16BitWords::new().add_slice(header.slice());
    (sum.ones_complement() == 0 && total >= header.slice().len()).then_some(total)
}

fn length_v6(bytes: &[u8]) -> Option<usize> {
    let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
    Some(40 + usize::from(header.payload_length()))
}
