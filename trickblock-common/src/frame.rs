//! Where packet bytes come from.

use crate::{Place, Transport, confirm::is_sound, transport::transport, tunnel::inner};

/// A packet from its first header on. Offsets and lengths are in bytes.
pub trait Frame {
    /// An IP length of 0 stands for all that follows: in TC that is how the kernel hands over packets of
    /// more than 64 KiB (BIG TCP). On the wire it is just wrong.
    const ZERO_IS_WHOLE: bool = false;

    /// `N` bytes at `offset`, or `None` where the frame is shorter. For what every packet pays for.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// The same for headers behind the addresses. The kernel copies them by a helper: slower, but they may
    /// lie beyond the linear part of the frame, and the verifier has no packet pointers to follow.
    #[inline(always)]
    fn load<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.read(offset)
    }

    /// As [`Self::load`], for what nearly every hit asks for: XDP looks at the linear part first, where it
    /// nearly always is. Each place where this is used costs the verifier two ways.
    #[inline(always)]
    fn peek<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.load(offset)
    }

    /// Bytes of the whole frame, whatever part of them is linear.
    fn length(&self) -> usize;

    /// The transport header of the IP packet at `place`. This and the next ones are steps that the kernel makes
    /// functions of their own: for their stack, and since the verifier need not remember how an answer came about.
    #[inline(always)]
    fn transport(&self, place: Place) -> Transport {
        transport(self, place)
    }

    /// The packet inside of another one, see [`crate::tunnel::inner`].
    #[inline(always)]
    fn inner(&self, kinds: u64, outer: Place, transport: Transport) -> Place {
        inner(self, kinds, outer, transport)
    }

    /// Whether a guessed packet is one.
    #[inline(always)]
    fn is_sound(&self, place: Place) -> bool {
        is_sound(self, place)
    }

    /// Nothing for memory. The kernel takes its pointers anew: what the verifier has learned of the old
    /// ones differs with the number of VLAN tags, and it would check all that follows once for each.
    #[inline(always)]
    fn refresh(&self) {}
}

/// No header this parser reads starts further in. The verifier needs a bound on variable offsets,
/// and the host must give the same answer: both refuse to read beyond it.
pub const MAX_OFFSET: usize = 0x7fff;

impl Frame for [u8] {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        if offset > MAX_OFFSET {
            return None;
        }
        self.get(offset..)?.first_chunk().copied()
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.len()
    }
}

/// A frame as TC programs see it.
#[derive(Clone, Copy, Debug)]
pub struct Skb<'a>(pub &'a [u8]);

impl Frame for Skb<'_> {
    const ZERO_IS_WHOLE: bool = true;

    #[inline(always)]
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.0.read(offset)
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.0.len()
    }
}
