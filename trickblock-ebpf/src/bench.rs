//! What `cargo xtask bench` compares the XDP program with, and what drives both. Never shipped.
//!
//! A driver writes the next pair of addresses into the packet and tail-calls the program in slot 0
//! of `TARGET`: the shipped program is measured as it is, and on packets that differ.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
#[expect(dead_code, reason = "only the shipped program counts bytes")]
mod frame;
#[cfg(target_arch = "bpf")]
mod no_lookup;
#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::{
        EbpfContext as _,
        bindings::xdp_action,
        macros::{map, xdp},
        maps::{Array, ProgramArray},
        programs::XdpContext,
    };
    use trickblock_common::{Frame as _, Link, glance};

    use crate::{
        frame::{Hook as _, XdpFrame},
        no_lookup::NoLookup,
    };

    /// Pairs of addresses: a power of two.
    const PAIRS: usize = 1 << 20;
    /// Words before the first pair: the number of packets so far, a mask of that number, unused.
    const HEAD: usize = 8;
    const WORDS_V4: usize = 1;
    const WORDS_V6: usize = 4;
    /// From the start of a frame without tags.
    const SOURCE_V4: usize = 26;
    const SOURCE_V6: usize = 22;

    /// A pair is (source, destination) in network byte order.
    #[map]
    static PAIRS_V4: Array<[u64; HEAD + PAIRS * WORDS_V4]> = Array::with_max_entries(1, 0);
    #[map]
    static PAIRS_V6: Array<[u64; HEAD + PAIRS * WORDS_V6]> = Array::with_max_entries(1, 0);

    #[map]
    static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);

    /// For programs that cannot take a frame in several pieces: the kernel keeps them apart.
    #[map]
    static TARGET_LINEAR: ProgramArray = ProgramArray::with_max_entries(1, 0);

    #[xdp(frags)]
    pub fn drive_v4(context: XdpContext) -> u32 {
        to_v4(&context, &TARGET)
    }

    #[xdp(frags)]
    pub fn drive_v6(context: XdpContext) -> u32 {
        to_v6(&context, &TARGET)
    }

    #[xdp]
    pub fn drive_linear_v4(context: XdpContext) -> u32 {
        to_v4(&context, &TARGET_LINEAR)
    }

    #[xdp]
    pub fn drive_linear_v6(context: XdpContext) -> u32 {
        to_v6(&context, &TARGET_LINEAR)
    }

    /// Aborts where the frame is too short or slot 0 is empty.
    #[inline(always)]
    fn to_v4(context: &XdpContext, target: &ProgramArray) -> u32 {
        let start = context.data() + SOURCE_V4;
        if start + 8 > context.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        if let Some(pair) = next(PAIRS_V4.get_ptr_mut(0), WORDS_V4) {
            // SAFETY: both ends lie inside the packet, as just compared.
            unsafe { copy::<u32>(pair.cast(), start, 2) };
        }
        // SAFETY: nothing is left to be dropped when the other program takes over.
        unsafe { target.tail_call(context, 0) };
        xdp_action::XDP_ABORTED
    }

    /// As [`to_v4`].
    #[inline(always)]
    fn to_v6(context: &XdpContext, target: &ProgramArray) -> u32 {
        let start = context.data() + SOURCE_V6;
        if start + 32 > context.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        if let Some(pair) = next(PAIRS_V6.get_ptr_mut(0), WORDS_V6) {
            // SAFETY: both ends lie inside the packet, as just compared.
            unsafe { copy::<u64>(pair, start, 4) };
        }
        // SAFETY: nothing is left to be dropped when the other program takes over.
        unsafe { target.tail_call(context, 0) };
        xdp_action::XDP_ABORTED
    }

    /// What a packet costs before anybody looks at it.
    #[xdp(frags)]
    pub fn bare_pass(_context: XdpContext) -> u32 {
        xdp_action::XDP_PASS
    }

    /// The same for a drop; with live frames, what it costs to get rid of one.
    #[xdp(frags)]
    pub fn bare_drop(_context: XdpContext) -> u32 {
        xdp_action::XDP_DROP
    }

    /// The shipped parser, which ends where the shipped lookup begins.
    #[xdp(frags)]
    pub fn parse_pass(context: XdpContext) -> u32 {
        let lookup = NoLookup::default();
        let frame = XdpFrame::new(context.as_ptr().cast());
        frame.refresh();
        let passes = glance(&frame, &lookup, Link::Ethernet).is_none();
        // A frame that the parser gave up on would make this look fast, and so would a compiler
        // that finds the addresses unused: no pair of these corpora sums up to the constant.
        if passes && lookup.seen.get() != u64::MAX {
            xdp_action::XDP_PASS
        } else {
            xdp_action::XDP_ABORTED
        }
    }

    #[inline(always)]
    fn next<const N: usize>(value: Option<*mut [u64; N]>, words: usize) -> Option<*const u64> {
        let head: *mut u64 = value?.cast();
        // SAFETY: the value is longer than its head, and the masked index stays below PAIRS.
        unsafe {
            let packets = head.read();
            head.write(packets.wrapping_add(1));
            let index = (packets & head.add(1).read()) as usize & (PAIRS - 1);
            Some(head.add(HEAD + index * words).cast_const())
        }
    }

    /// Stores as wide as the filter's loads: a load of two stores' bytes would stall.
    ///
    /// # Safety
    /// `count` values must be readable at `from` and writable at `to`.
    #[inline(always)]
    unsafe fn copy<T>(from: *const T, to: usize, count: usize) {
        let to = to as *mut T;
        for index in 0..count {
            // SAFETY: promised by the caller; the address in a packet has no alignment.
            unsafe { to.add(index).write_unaligned(from.add(index).read()) };
        }
    }

    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
        // The verifier proves this unreachable.
        loop {}
    }

    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
}

/// On the host this program is only checked, never run.
#[cfg(not(target_arch = "bpf"))]
fn main() {}
