//! Is this really an IP packet? Asked where nothing in the frame says so.

use crate::{Frame, Place};

/// Version, lengths and, for IPv4, the header checksum. That of a partial packet may be longer than the frame.
#[inline(always)]
pub fn is_sound<F: Frame + ?Sized>(frame: &F, place: Place) -> bool {
    let end = if place.is_v6() {
        end_v6(frame, place.offset())
    } else {
        end_v4(frame, place.offset())
    };
    end != 0 && (place.is_partial() || end <= frame.length())
}

/// Offset of the first byte behind the packet, 0 where its header is not sound.
#[inline(always)]
fn end_v4<F: Frame + ?Sized>(frame: &F, ip: usize) -> usize {
    let Some([version_ihl, _, t0, t1]) = frame.load::<4>(ip) else {
        return 0;
    };
    let words = usize::from(version_ihl & 15);
    let total = usize::from(u16::from_be_bytes([t0, t1]));
    if version_ihl >> 4 != 4 || words < 5 || total < words * 4 || !sums_up(frame, ip, words) {
        return 0;
    }
    ip + total
}

/// Whether the header's one's complement sum is all ones.
#[inline(always)]
fn sums_up<F: Frame + ?Sized>(frame: &F, ip: usize, words: usize) -> bool {
    let mut sum = 0_u64;
    for index in 0..15 {
        if index >= words {
            break;
        }
        match frame.load::<4>(ip + index * 4) {
            Some(word) => sum += u64::from(u32::from_be_bytes(word)),
            None => return false,
        }
    }
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    sum == 0xffff
}

#[inline(always)]
fn end_v6<F: Frame + ?Sized>(frame: &F, ip: usize) -> usize {
    let Some([first, _, _, _, l0, l1]) = frame.load::<6>(ip) else {
        return 0;
    };
    if frame.load::<1>(ip + 39).is_none() {
        return 0;
    }
    if first >> 4 != 6 {
        return 0;
    }
    ip + 40 + usize::from(u16::from_be_bytes([l0, l1]))
}
