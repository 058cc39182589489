//! One probe: a frame that asks a loaded program for its verdict. The program judges it by the live maps,
//! but counts nothing and reports nothing.

use std::os::fd::BorrowedFd;

use trickblock_common::abi::{PROBE_DIRECTION, PROBE_INTERFACE, PROBE_MAGIC};

use super::{FilterError, Judged, Maps, Program, sys};

/// Of a frame, so much can be shown.
const MAX_FRAME: usize = 65_536;
/// Bytes of `struct xdp_md`, and of `struct __sk_buff` up to and with `ifindex`.
const XDP_CONTEXT: usize = 24;
const SKB_CONTEXT: usize = 44;

/// What the program returns, and what it says of the frame. An `interface` of 0 is whatever the kernel
/// takes for a test run.
pub(super) fn probe(
    fd: BorrowedFd<'_>,
    program: Program,
    maps: &Maps,
    interface: u32,
    frame: &[u8],
) -> Result<(u32, Judged), FilterError> {
    let shown = &frame[..frame.len().min(MAX_FRAME)];
    let before = maps.probed().0;
    let ran = match program {
        Program::Xdp => xdp(fd, interface, shown),
        _ => tc(fd, interface, shown),
    };
    let returned = ran.map_err(FilterError::io("probe", program.name()))?;
    let (count, outcome) = maps.probed();
    // A miss leaves no answer.
    let judged = if count == before {
        Judged::MISS
    } else {
        Judged::from_outcome(outcome, (outcome.0 >> PROBE_DIRECTION) as u8)
    };
    Ok((returned, judged))
}

/// The number stands in front of the frame, as metadata.
fn xdp(fd: BorrowedFd<'_>, interface: u32, frame: &[u8]) -> std::io::Result<u32> {
    let magic = PROBE_MAGIC.to_ne_bytes();
    let data = [&magic[..], frame].concat();
    // Fields data, data_end and ingress_ifindex; data_meta and the queue stay 0.
    let fields = [(0, magic.len()), (4, data.len()), (12, interface as usize)];
    sys::test_run(fd, &data, &context::<XDP_CONTEXT>(fields))
}

fn tc(fd: BorrowedFd<'_>, interface: u32, frame: &[u8]) -> std::io::Result<u32> {
    let (came_through, at) = (SKB_CONTEXT - 8, SKB_CONTEXT - 4);
    let fields = [
        (came_through, PROBE_INTERFACE as usize),
        (at, interface as usize),
    ];
    sys::test_run(fd, frame, &context::<SKB_CONTEXT>(fields))
}

/// A structure of `N` bytes with these 32-bit fields.
fn context<const N: usize>(fields: impl IntoIterator<Item = (usize, usize)>) -> [u8; N] {
    let mut context = [0; N];
    for (at, value) in fields {
        let value = u32::try_from(value).unwrap_or(u32::MAX);
        context[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    }
    context
}
