//! What `cargo xtask bench` compares the XDP program with, and what drives both. Never shipped.
//!
//! A driver writes the next pair of addresses into the packet and tail-calls the program in slot 0
//! of `TARGET`: the shipped program is measured as it is, and on packets that differ.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
#[expect(dead_code, reason = "only the shipped program counts bytes")]
mod frame;
#[cfg(target_arch = "bpf")]
mod programs {
    use core::cell::Cell;

    use aya_ebpf::{
        EbpfContext as _,
        bindings::xdp_action,
        macros::{map, xdp},
        maps::{Array, ProgramArray},
        programs::XdpContext,
    };
    use trickblock_common::{
        Frame as _, Link, Lookup, V4, V6,
        embedded::{Nat64, Nat64Prefixes},
        glance,
        table::{Endpoint, Match},
    };

    use crate::frame::{Hook as _, XdpFrame};

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

    /// Aborts where the frame is too short or slot 0 is empty.
    #[xdp(frags)]
    pub fn drive_v4(context: XdpContext) -> u32 {
        let start = context.data() + SOURCE_V4;
        if start + 8 > context.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        if let Some(pair) = next(PAIRS_V4.get_ptr_mut(0), WORDS_V4) {
            // SAFETY: both ends lie inside the packet, as just compared.
            unsafe { copy::<u32>(pair.cast(), start, 2) };
        }
        // SAFETY: nothing is left to be dropped when the other program takes over.
        unsafe { TARGET.tail_call(&context, 0) };
        xdp_action::XDP_ABORTED
    }

    /// As [`drive_v4`].
    #[xdp(frags)]
    pub fn drive_v6(context: XdpContext) -> u32 {
        let start = context.data() + SOURCE_V6;
        if start + 32 > context.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        if let Some(pair) = next(PAIRS_V6.get_ptr_mut(0), WORDS_V6) {
            // SAFETY: both ends lie inside the packet, as just compared.
            unsafe { copy::<u64>(pair, start, 4) };
        }
        // SAFETY: nothing is left to be dropped when the other program takes over.
        unsafe { TARGET.tail_call(&context, 0) };
        xdp_action::XDP_ABORTED
    }

    /// What a packet costs before anybody looks at it.
    #[xdp(frags)]
    pub fn bare_pass(_context: XdpContext) -> u32 {
        xdp_action::XDP_PASS
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

    /// Has an answer for every address, and it is no.
    #[derive(Default)]
    struct NoLookup {
        seen: Cell<u64>,
    }

    impl Nat64Prefixes for NoLookup {
        #[inline(always)]
        fn nat64(&self, _: usize) -> Nat64 {
            Nat64::NONE
        }
    }

    impl Lookup for NoLookup {
        #[inline(always)]
        fn near_v4(&self, source: V4, destination: V4) -> bool {
            self.seen
                .set(u64::from(source.0) + u64::from(destination.0));
            false
        }

        fn close_v4(&self, _: V4) -> bool {
            false
        }

        #[inline(always)]
        fn near_v6(&self, source: V6, destination: V6) -> bool {
            self.seen
                .set((source.high ^ destination.high) | (source.low ^ destination.low));
            false
        }

        fn side_v4(&self, _: V4, _: Endpoint) -> Match {
            Match(0)
        }

        fn side_v6(&self, _: V6, _: Endpoint) -> Match {
            Match(0)
        }

        #[inline(always)]
        fn tunnels(&self) -> u64 {
            0
        }

        /// The compiler must not know it, or it leaves out bounds checks that the verifier needs.
        #[inline(always)]
        fn blur(&self, number: u64) -> u64 {
            core::hint::black_box(number)
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
