//! The shipped parser in front of the kernel's own maps, for `cargo xtask bench`. Never shipped.
//!
//! They drop what is listed and count nothing, which is less than the filter does. IPv4 only; the transport
//! header is taken where it usually is.
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
        bindings::{BPF_F_NO_PREALLOC, xdp_action},
        macros::{map, xdp},
        maps::{HashMap, LpmTrie, lpm_trie::Key},
        programs::XdpContext,
    };
    use trickblock_common::{Frame as _, Link, glance};

    use crate::{
        frame::{Hook as _, XdpFrame},
        no_lookup::NoLookup,
    };

    /// From the start of a frame without tags and options.
    const PROTOCOL: usize = 23;
    const PORTS: usize = 34;

    /// The address as a number. The loader sets the sizes.
    #[map]
    static ADDRESSES: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);
    /// `address << 32 | port << 8 | protocol`
    #[map]
    static SERVICES: HashMap<u64, u32> = HashMap::with_max_entries(1, 0);
    /// The address in network byte order.
    #[map]
    static PREFIXES: LpmTrie<[u8; 4], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

    /// Both addresses, and both addresses with their ports.
    #[xdp(frags)]
    pub fn kernel_hash(context: XdpContext) -> u32 {
        let frame = XdpFrame::new(context.as_ptr().cast());
        let (source, destination) = addresses(&frame);
        let (Some([protocol]), Some(ports)) = (frame.read::<1>(PROTOCOL), frame.read::<4>(PORTS))
        else {
            return xdp_action::XDP_ABORTED;
        };
        let [a, b, c, d] = ports;
        let service = |address: u32, port: [u8; 2]| {
            let port = u64::from(u16::from_be_bytes(port));
            u64::from(address) << 32 | port << 8 | u64::from(protocol)
        };
        let listed = ADDRESSES.get_ptr(&destination).is_some()
            || ADDRESSES.get_ptr(&source).is_some()
            || SERVICES.get_ptr(&service(destination, [c, d])).is_some()
            || SERVICES.get_ptr(&service(source, [a, b])).is_some();
        verdict(listed)
    }

    /// Both addresses.
    #[xdp(frags)]
    pub fn kernel_lpm(context: XdpContext) -> u32 {
        let frame = XdpFrame::new(context.as_ptr().cast());
        let (source, destination) = addresses(&frame);
        let listed = |address: u32| PREFIXES.get(Key::new(32, address.to_be_bytes())).is_some();
        verdict(listed(destination) || listed(source))
    }

    #[inline(always)]
    fn addresses(frame: &XdpFrame) -> (u32, u32) {
        let lookup = NoLookup::default();
        frame.refresh();
        // Nothing is listed in there, and nothing else is asked of it.
        let _miss = glance(frame, &lookup, Link::Ethernet);
        (lookup.source.get(), lookup.destination.get())
    }

    #[inline(always)]
    fn verdict(listed: bool) -> u32 {
        if listed {
            xdp_action::XDP_DROP
        } else {
            xdp_action::XDP_PASS
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
