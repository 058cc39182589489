//! Entry points.

use aya_ebpf::{
    EbpfContext as _,
    bindings::{TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use trickblock_common::{
    Flow, Link, Lookup as _, Outcome, Place, Transport, examine_inner, examine_outer, glance,
    tunnelled,
};

use crate::{
    frame::{Hook, SkbFrame, XdpFrame, forget},
    record,
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

/// What leaves: packets that the host itself sends, which XDP never sees, and those that pass through it. The latter
/// may have been judged when they arrived, but then perhaps with another address (DNAT), or wrapped up (IPsec):
/// they are judged again, and counted only if that drops them.
#[classifier]
pub fn tc_egress(context: TcContext) -> i32 {
    verdict(filter(&egress(&context), Link::Ethernet))
}

/// As [`tc_egress`], on interfaces whose frames begin with the IP header.
#[classifier]
pub fn tc_egress_ip(context: TcContext) -> i32 {
    verdict(filter(&egress(&context), Link::Ip))
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

/// Whether the frame is to be dropped.
#[inline(always)]
fn filter<H: Hook>(frame: &H, link: Link) -> bool {
    frame.gather();
    frame.refresh();
    let Some(live) = Live::now() else {
        // An array of one element always has element 0.
        return false;
    };
    let Some(place) = glance(frame, &live, link) else {
        return false;
    };
    let (context, generation) = (frame.context(), live.generation());
    // What is known of the place differs with the number of tags, and none of it is needed from here on.
    let place = forget(place.0);
    if live.tunnels() == 0 {
        return look::<H>(context, place, generation);
    }
    let mut outer = [0; 2];
    look_outside::<H>(context, place, generation, &mut outer);
    // The verifier goes on once, whatever was found so far.
    let (outcome, transport) = (forget(outer[0]), forget(outer[1]));
    look_inside::<H>(context, place, generation, outcome, transport)
}

/// Everything behind the pass path. Not inline, like the next two: what it needs of stack and registers would be
/// taken from packets that pass.
#[inline(never)]
fn look<H: Hook>(context: *mut H::Context, place: u64, generation: u64) -> bool {
    let frame = H::new(context);
    let Some(live) = Live::of(generation) else {
        return false;
    };
    frame.refresh();
    let (outcome, flow) = examine_outer(&frame, &live, Place(place));
    end::<H>(context, outcome, flow)
}

/// Outcome and transport of a packet that may have another one inside. In turn with [`look_inside`], not on top of
/// it: the stack has 512 bytes.
#[inline(never)]
fn look_outside<H: Hook>(
    context: *mut H::Context,
    place: u64,
    generation: u64,
    found: &mut [u64; 2],
) {
    let frame = H::new(context);
    if let Some(live) = Live::of(generation) {
        frame.refresh();
        let (outcome, flow) = examine_outer(&frame, &live, Place(place));
        *found = [outcome.0, flow.transport.0];
    }
}

/// The rest, for what was found outside.
#[inline(never)]
fn look_inside<H: Hook>(
    context: *mut H::Context,
    place: u64,
    generation: u64,
    outcome: u64,
    transport: u64,
) -> bool {
    let frame = H::new(context);
    let Some(live) = Live::of(generation) else {
        return false;
    };
    let flow = Flow {
        place: Place(place),
        transport: Transport(transport),
    };
    let outer = (Outcome(outcome), flow);
    let (outcome, flow) = match tunnelled(&frame, &live, outer.0, flow) {
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
