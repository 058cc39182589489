//! Entry points.

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use trickblock_common::{Outcome, judge};

use crate::{frame::XdpFrame, record, table::Live};

/// Judges a frame. `frags`: large frames may arrive in pieces, of which the first holds the headers.
#[xdp(frags)]
pub fn trickblock(context: XdpContext) -> u32 {
    let frame = XdpFrame::new(&context);
    let Some(live) = Live::now() else {
        // An array of one element always has element 0.
        return xdp_action::XDP_PASS;
    };
    let (outcome, flow) = judge(&frame, &live);
    if outcome == Outcome::MISS {
        return xdp_action::XDP_PASS;
    }
    if record::record(&context, &frame, outcome, flow) {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}
