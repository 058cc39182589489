//! Bytes of the packet in a program's context, and what else a hook knows of it.

use core::{cell::Cell, mem::MaybeUninit, ptr};

use aya_ebpf::{
    bindings::{__sk_buff, xdp_md},
    helpers::{bpf_skb_load_bytes, bpf_skb_pull_data, bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
};
use trickblock_common::{
    Frame, Place, Transport,
    abi::{PROBE_INTERFACE, PROBE_MAGIC},
    frame::MAX_OFFSET,
};

/// A frame at a hook.
pub trait Hook: Frame {
    type Context;
    const EGRESS: bool;

    fn new(context: *mut Self::Context) -> Self;
    fn context(&self) -> *mut Self::Context;
    /// Index of the interface whose hook this is.
    fn interface(&self) -> u32;
    /// Whether this asks for a verdict and is no packet.
    fn is_probe(&self) -> bool;

    /// Index of the interface that a packet came in through which now leaves, 0 for any other.
    #[inline(always)]
    fn arrived_through(&self) -> u32 {
        0
    }

    /// Makes sure that the pass path sees its headers, where a frame may hold as little as its first bytes in
    /// one piece.
    #[inline(always)]
    fn gather(&self) {}
}

/// The linear part of a frame, as two addresses.
struct Linear {
    start: Cell<usize>,
    end: Cell<usize>,
}

impl Linear {
    const NONE: Self = Self {
        start: Cell::new(0),
        end: Cell::new(0),
    };

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
}

/// Whoever plants a bug wants to see it found: headers far in are not seen then.
const FARTHEST: usize = if cfg!(feature = "planted") {
    100
} else {
    MAX_OFFSET
};

/// Copies `N` bytes by a helper that takes their offset and a buffer, and gives 0 where it could.
#[inline(always)]
fn copied<const N: usize>(
    offset: usize,
    copy: impl Fn(u32, *mut core::ffi::c_void, u32) -> i64,
) -> Option<[u8; N]> {
    let mut bytes = MaybeUninit::<[u8; N]>::uninit();
    if offset > FARTHEST || copy(offset as u32, bytes.as_mut_ptr().cast(), N as u32) != 0 {
        return None;
    }
    // SAFETY: the helper succeeded, so it filled all of the buffer.
    Some(unsafe { bytes.assume_init() })
}

/// What both kinds of frames have in common, but for the types of their contexts.
macro_rules! with_steps {
    () => {
        #[inline(always)]
        fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
            self.linear.read(offset)
        }

        #[inline(always)]
        fn transport(&self, place: Place) -> Transport {
            Transport(forget(steps::transport::<Self>(self.context, place.0)))
        }

        #[inline(always)]
        fn inner(&self, kinds: u64, outer: Place, transport: Transport) -> Place {
            Place(forget(steps::inner::<Self>(
                self.context,
                kinds,
                outer.0,
                transport.0,
            )))
        }

        #[inline(always)]
        fn is_sound(&self, place: Place) -> bool {
            forget(steps::is_sound::<Self>(self.context, place.0)) != 0
        }

        #[inline(always)]
        fn refresh(&self) {
            // SAFETY: the context of a running program; both fields are always readable. Volatile, or the
            // compiler would keep the old pointers.
            unsafe {
                let start = (&raw const (*self.context).data).read_volatile();
                let end = (&raw const (*self.context).data_end).read_volatile();
                self.linear.start.set(start as usize);
                self.linear.end.set(end as usize);
            }
        }
    };
}

/// What XDP sees.
pub struct XdpFrame {
    context: *mut xdp_md,
    linear: Linear,
}

impl Hook for XdpFrame {
    type Context = xdp_md;
    const EGRESS: bool = false;

    #[inline(always)]
    fn new(context: *mut xdp_md) -> Self {
        let linear = Linear::NONE;
        Self { context, linear }
    }

    #[inline(always)]
    fn context(&self) -> *mut xdp_md {
        self.context
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the context of a running XDP program; the field is always readable.
        unsafe { (*self.context).ingress_ifindex }
    }

    #[inline(always)]
    fn is_probe(&self) -> bool {
        // SAFETY: the context of a running XDP program; both fields are always readable, and the number is
        // read only where metadata has room for it.
        unsafe {
            let meta = (&raw const (*self.context).data_meta).read_volatile() as usize;
            let data = (&raw const (*self.context).data).read_volatile() as usize;
            meta + size_of::<u64>() <= data && (meta as *const u64).read_unaligned() == PROBE_MAGIC
        }
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn load<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        copied(offset, |offset, buffer, length| {
            // SAFETY: a live context, and a buffer of that length.
            unsafe { bpf_xdp_load_bytes(self.context, offset, buffer, length) }
        })
    }

    #[inline(always)]
    fn peek<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        if offset > FARTHEST {
            return None;
        }
        self.linear.read(offset).or_else(|| self.load(offset))
    }

    #[inline(always)]
    fn length(&self) -> usize {
        // SAFETY: a live context.
        unsafe { bpf_xdp_get_buff_len(self.context) as usize }
    }

    with_steps!();
}

/// Bytes that the pass path may read: up to 54 in front of an IPv6 header, and that.
const HEAD: u32 = 54 + 40;

/// What TC sees, on the way in or out.
pub struct SkbFrame<const EGRESS: bool> {
    context: *mut __sk_buff,
    linear: Linear,
}

impl<const EGRESS: bool> SkbFrame<EGRESS> {
    /// Index of the interface that the packet came in through, 0 for one of the host's own.
    #[inline(always)]
    pub fn came_through(&self) -> u32 {
        // SAFETY: the context of a running TC program; the field is always readable.
        unsafe { (*self.context).ingress_ifindex }
    }
}

impl<const EGRESS: bool> Hook for SkbFrame<EGRESS> {
    type Context = __sk_buff;
    const EGRESS: bool = EGRESS;

    #[inline(always)]
    fn new(context: *mut __sk_buff) -> Self {
        let linear = Linear::NONE;
        Self { context, linear }
    }

    #[inline(always)]
    fn context(&self) -> *mut __sk_buff {
        self.context
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the context of a running TC program; the field is always readable.
        unsafe { (*self.context).ifindex }
    }

    #[inline(always)]
    fn is_probe(&self) -> bool {
        self.came_through() == PROBE_INTERFACE
    }

    #[inline(always)]
    fn arrived_through(&self) -> u32 {
        if EGRESS { self.came_through() } else { 0 }
    }

    /// Drivers that hand over pages leave 14 bytes in front, and whoever writes to a tun device as few as one.
    /// Where there is no memory for it the frame passes as truncated.
    #[inline(always)]
    fn gather(&self) {
        // SAFETY: the context of a running program; the fields are always readable. The helper changes the
        // pointers to the packet, which are taken after this.
        unsafe {
            let start = (&raw const (*self.context).data).read_volatile();
            let end = (&raw const (*self.context).data_end).read_volatile();
            let length = (&raw const (*self.context).len).read_volatile();
            if end - start < HEAD && end - start < length {
                bpf_skb_pull_data(self.context, if length < HEAD { length } else { HEAD });
            }
        }
    }
}

impl<const EGRESS: bool> Frame for SkbFrame<EGRESS> {
    const ZERO_IS_WHOLE: bool = true;

    #[inline(always)]
    fn load<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        copied(offset, |offset, buffer, length| {
            // SAFETY: a live context, and a buffer of that length.
            unsafe { bpf_skb_load_bytes(self.context.cast(), offset, buffer, length) }
        })
    }

    #[inline(always)]
    fn length(&self) -> usize {
        // SAFETY: the context of a running TC program; the field is always readable.
        unsafe { ptr::addr_of!((*self.context).len).read_volatile() as usize }
    }

    with_steps!();
}

/// Gives its argument back as a number that the verifier knows nothing of: what comes after a walk over
/// headers is then checked once, not once per way through it. It forgets at calls of global functions only.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn forget(value: u64) -> u64 {
    core::hint::black_box(value)
}

/// Parts of the walk that only need the context: each has its own stack frame.
mod steps {
    use trickblock_common::{Place, Transport, confirm, transport, tunnel};

    use super::Hook;

    #[inline(never)]
    pub(super) fn transport<H: Hook>(context: *mut H::Context, place: u64) -> u64 {
        let frame = H::new(context);
        frame.refresh();
        transport::transport(&frame, Place(place)).0
    }

    #[inline(never)]
    pub(super) fn inner<H: Hook>(
        context: *mut H::Context,
        kinds: u64,
        outer: u64,
        transport: u64,
    ) -> u64 {
        tunnel::inner(&H::new(context), kinds, Place(outer), Transport(transport)).0
    }

    #[inline(never)]
    pub(super) fn is_sound<H: Hook>(context: *mut H::Context, place: u64) -> u64 {
        u64::from(confirm::is_sound(&H::new(context), Place(place)))
    }
}
