//! Makes frames for `cargo xtask bench` and sends them through a veth pair. Never shipped.
//!
//! Run with live frames. Each gets the next pair of addresses and a right IPv4 checksum, without which
//! the network stack would drop it before anybody looks at it.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod programs {
    use aya_ebpf::{
        bindings::xdp_action,
        helpers::bpf_redirect,
        macros::{map, xdp},
        maps::Array,
        programs::XdpContext,
    };

    /// Pairs of addresses: a power of two.
    const PAIRS: usize = 1 << 20;
    /// Words before the first pair: the number of packets so far, a mask of that number, the sum of the
    /// header's other 16-bit words, the index of the interface to send from (0: drop instead).
    const HEAD: usize = 8;
    const MASK: usize = 1;
    const SUM: usize = 2;
    const INTERFACE: usize = 3;
    /// From the start of the frame.
    const CHECKSUM: usize = 24;
    const SOURCE: usize = 26;

    /// A pair is (source, destination) in network byte order.
    #[map]
    static FLOWS: Array<[u64; HEAD + PAIRS]> = Array::with_max_entries(1, 0);

    /// Aborts where the frame is too short.
    #[xdp]
    pub fn generate(context: XdpContext) -> u32 {
        let start = context.data();
        if start + SOURCE + 8 > context.data_end() {
            return xdp_action::XDP_ABORTED;
        }
        let Some(flows) = FLOWS.get_ptr_mut(0) else {
            return xdp_action::XDP_ABORTED;
        };
        let head: *mut u64 = flows.cast();
        // SAFETY: the masked index stays below PAIRS, and both writes lie inside the frame, as just
        // compared; an address in a packet has no alignment.
        let interface = unsafe {
            let number = head.read();
            head.write(number.wrapping_add(1));
            let index = (number & head.add(MASK).read()) as usize & (PAIRS - 1);
            let pair = head.add(HEAD + index).read();
            ((start + SOURCE) as *mut u64).write_unaligned(pair);
            let sum = checksum(head.add(SUM).read(), pair);
            ((start + CHECKSUM) as *mut u16).write_unaligned(sum);
            head.add(INTERFACE).read() as u32
        };
        if interface == 0 {
            return xdp_action::XDP_DROP;
        }
        // SAFETY: the helper has no preconditions.
        unsafe { bpf_redirect(interface, 0) as u32 }
    }

    /// The Internet checksum does not mind the order of bytes (RFC 1071).
    #[inline(always)]
    fn checksum(sum: u64, pair: u64) -> u16 {
        let words = (pair & 0xffff) + (pair >> 16 & 0xffff) + (pair >> 32 & 0xffff) + (pair >> 48);
        let sum = sum + words;
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        !(sum as u16)
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
