//! Bytes of the packet in the XDP context.

use core::cell::Cell;

use aya_ebpf::{EbpfContext as _, bindings::xdp_md, programs::XdpContext};
use trickblock_common::{Frame, frame::MAX_OFFSET};

/// The linear part of the frame, as two addresses.
pub struct XdpFrame {
    context: *const xdp_md,
    start: Cell<usize>,
    end: Cell<usize>,
}

impl XdpFrame {
    #[inline(always)]
    pub fn new(context: &XdpContext) -> Self {
        let frame = Self {
            context: context.as_ptr().cast(),
            start: Cell::new(0),
            end: Cell::new(0),
        };
        frame.refresh();
        frame
    }

    /// Bytes.
    #[inline(always)]
    pub fn length(&self) -> u32 {
        (self.end.get() - self.start.get()) as u32
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let at = self.start.get() + offset;
        if offset > MAX_OFFSET || at + N > self.end.get() {
            return None;
        }
        let pointer = at as *const [u8; N];
        // SAFETY: the N bytes lie inside the packet, as just compared; arrays of bytes have no
        // alignment.
        Some(unsafe { pointer.read_unaligned() })
    }

    #[inline(always)]
    fn refresh(&self) {
        // SAFETY: the context of a running XDP program; both fields are always readable. Volatile, or
        // the compiler would keep the old pointers.
        unsafe {
            self.start
                .set((&raw const (*self.context).data).read_volatile() as usize);
            self.end
                .set((&raw const (*self.context).data_end).read_volatile() as usize);
        }
    }
}
