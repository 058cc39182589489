//! Bytes of the packet in the XDP context.

use aya_ebpf::programs::XdpContext;
use trickblock_common::{Frame, frame::MAX_OFFSET};

/// The linear part of the frame, as two addresses.
#[derive(Clone, Copy)]
pub struct XdpFrame {
    start: usize,
    end: usize,
}

impl XdpFrame {
    #[inline(always)]
    pub fn new(context: &XdpContext) -> Self {
        Self {
            start: context.data(),
            end: context.data_end(),
        }
    }

    /// Bytes.
    #[inline(always)]
    pub fn length(&self) -> u32 {
        (self.end - self.start) as u32
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        if offset > MAX_OFFSET || self.start + offset + N > self.end {
            return None;
        }
        let pointer = (self.start + offset) as *const [u8; N];
        // SAFETY: the N bytes lie inside the packet, as just compared; arrays of bytes have no
        // alignment.
        Some(unsafe { pointer.read_unaligned() })
    }
}
