//! Where packet bytes come from.

/// A packet from its link-layer header on. Offsets and lengths are in bytes.
pub trait Frame {
    /// `N` bytes at `offset`, or `None` where the frame is shorter.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// Nothing for memory. The kernel takes its pointers anew: what the verifier has learned of the old
    /// ones differs with the number of VLAN tags, and it would check all that follows once for each.
    #[inline(always)]
    fn refresh(&self) {}
}

/// No header this parser reads starts further in. The verifier needs a bound on variable offsets,
/// and the host must give the same answer: both refuse to read beyond it.
pub const MAX_OFFSET: usize = 0x7fff;

impl Frame for [u8] {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        if offset > MAX_OFFSET {
            return None;
        }
        self.get(offset..)?.first_chunk().copied()
    }
}
