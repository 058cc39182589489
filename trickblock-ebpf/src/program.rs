//! Entry points.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use trickblock_common::{
    Flow, Link, Lookup as _, Outcome, Place, Transport, abi::interface, examine_inner,
    examine_outer, glance, tunnelled,
};

use crate::{
    frame::{Hook, SkbFrame, XdpFrame, forget},
    maps, record,
    table::Live,
};

/// Judges a frame. `frags`: large frames may arrive in pieces, of which the first holds the headers.
#[xdp(frags)]
pub fn trickblock(context: XdpContext) -> u32 {
    if filter(&XdpFrame::new(context.as_ptr().cast()), Link::Ethernet) {
        xdp_action::XDP_DROP
    } else {
        xdp_action::XDP_PASS
    }
}

/// What arrives, where XDP cannot or shall not be.
#[classifier]
pub fn tc_ingress(context: TcContext) -> i32 {
    verdict(filter(&ingress(&context), Link::Ethernet))
}

/// As [`tc_ingress`], on interfaces whose frames begin with the IP header.
#[classifier]
pub fn tc_ingress_ip(context: TcContext) -> i32 {
    verdict(filter(&ingress(&context), Link::Ip))
}

/// What leaves: packets that the host itself sends, which XDP never sees, and those that came through an
/// interface that is not filtered.
#[classifier]
pub fn tc_egress(context: TcContext) -> i32 {
    let frame = egress(&context);
    verdict(!is_judged(&frame) && filter(&frame, Link::Ethernet))
}

/// As [`tc_egress`], on interfaces whose frames begin with the IP header.
#[classifier]
pub fn tc_egress_ip(context: TcContext) -> i32 {
    let frame = egress(&context);
    verdict(!is_judged(&frame) && filter(&frame, Link::Ip))
}

#[inline(always)]
fn ingress(context: &TcContext) -> SkbFrame<false> {
    SkbFrame::new(context.as_ptr().cast())
}

#[inline(always)]
fn egress(context: &TcContext) -> SkbFrame<true> {
    SkbFrame::new(context.as_ptr().cast())
}

/// Whoever comes next may still have another opinion of a packet that passes.
#[inline(always)]
fn verdict(drop: bool) -> i32 {
    if drop {
        TC_ACT_SHOT as i32
    } else {
        TC_ACT_UNSPEC
    }
}

/// Whether the packet was judged and counted when it arrived.
#[inline(always)]
fn is_judged(frame: &SkbFrame<true>) -> bool {
    match frame.came_through() {
        0 => false,
        from => maps::interface(from).flags & interface::INGRESS != 0,
    }
}

/// Whether the frame is to be dropped.
#[inline(always)]
fn filter<H: Hook>(frame: &H, link: Link) -> bool {
    frame.refresh();
    let Some(live) = Live::now() else {
        // An array of one element always has element 0.
        return false;
    };
    match glance(frame, &live, link) {
        None => false,
        Some(place) => look::<H>(frame.context(), place.0, live.generation()),
    }
}

/// Everything behind the pass path. Not inline: what it needs of stack and registers would be taken from
/// packets that pass.
#[inline(never)]
fn look<H: Hook>(context: *mut H::Context, place: u64, generation: u64) -> bool {
    let frame = H::new(context);
    let Some(live) = Live::of(generation) else {
        return false;
    };
    let (outcome, flow) = examine_outer(&frame, &live, Place(place));
    if live.tunnels() == 0 {
        return end::<H>(context, outcome, flow);
    }
    // From here on the verifier goes on once, whatever was found so far.
    let outcome = Outcome(forget(outcome.0));
    let flow = Flow {
        place: Place(place),
        transport: Transport(forget(flow.transport.0)),
    };
    let inside = tunnelled(&frame, &live, outcome, flow);
    look_inside::<H>(
        context,
        generation,
        inside.0 | place << INNER_PLACE_BITS,
        outcome.0,
        flow.transport.0,
    )
}

/// Enough for an inner place; the outer one stands above.
const INNER_PLACE_BITS: u64 = 32;

/// The same for the packet in a tunnel, if there is one.
#[inline(never)]
fn look_inside<H: Hook>(
    context: *mut H::Context,
    generation: u64,
    places: u64,
    outcome: u64,
    transport: u64,
) -> bool {
    let frame = H::new(context);
    let Some(live) = Live::of(generation) else {
        return false;
    };
    let outer = Flow {
        place: Place(places >> INNER_PLACE_BITS),
        transport: Transport(transport),
    };
    let inside = Place(places & ((1 << INNER_PLACE_BITS) - 1));
    let outer = (Outcome(outcome), outer);
    let (outcome, flow) = match inside {
        Place::NOWHERE => outer,
        inside => examine_inner(&frame, &live, inside, outer),
    };
    end::<H>(context, outcome, flow)
}

#[inline(always)]
fn end<H: Hook>(context: *mut H::Context, outcome: Outcome, flow: Flow) -> bool {
    outcome != Outcome::MISS
        && record::record::<H>(context, outcome.0, flow.place.0, flow.transport.0)
}
