//! Everything that is written about a packet: counters, hits, events.

use core::mem::MaybeUninit;

use aya_ebpf::{EbpfContext as _, helpers::bpf_ktime_get_ns, programs::XdpContext};
use trickblock_common::{
    Outcome, Reason, Side,
    abi::{Counter, Event, Lost, NO_INDICATOR},
    judge::Flow,
};

use crate::{frame::XdpFrame, maps};

/// Counts the packet and reports it; true where the settings let its reason drop it.
#[inline(always)]
pub fn record(context: &XdpContext, frame: &XdpFrame, outcome: Outcome, flow: Flow) -> bool {
    let settings = maps::SETTINGS.get(0).copied().unwrap_or_default();
    let outcome = if settings.monitor == 0 {
        outcome
    } else {
        outcome.monitored()
    };
    #[cfg(feature = "debug-log")]
    aya_log_ebpf::info!(
        context,
        "reason {} side {} indicator {} of {} bytes",
        outcome.reason(),
        outcome.side(),
        outcome.indicator(),
        frame.length()
    );
    count(outcome, frame.length());
    hit(outcome.indicator());
    if (settings.event_reasons >> (outcome.reason() & 63)) & 1 != 0 {
        report(context, frame, outcome, &flow, settings.events_per_second);
    }
    Reason::drops(outcome.reason())
}

#[inline(always)]
fn count(outcome: Outcome, length: u32) {
    let index = u32::from(outcome.reason()) * Side::ALL.len() as u32 + u32::from(outcome.side());
    if let Some(counter) = maps::COUNTER.get_ptr_mut(index) {
        // SAFETY: a value of this CPU, which runs one XDP program at a time.
        let counter: &mut Counter = unsafe { &mut *counter };
        counter.packets += 1;
        counter.bytes += u64::from(length);
    }
}

#[inline(always)]
fn hit(indicator: u32) {
    if indicator == NO_INDICATOR {
        return;
    }
    if let Some(hits) = maps::HITS.get_ptr_mut(indicator) {
        // SAFETY: a live 8-byte map value, aligned; the add is atomic since all CPUs share it.
        unsafe {
            core::intrinsics::atomic_xadd::<u64, u64, { core::intrinsics::AtomicOrdering::Relaxed }>(
                hits, 1,
            );
        }
    }
}

/// Not inline: its frame would count against every lookup.
#[inline(never)]
fn report(context: &XdpContext, frame: &XdpFrame, outcome: Outcome, flow: &Flow, limit: u32) {
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    if !within_budget(now, limit) {
        return;
    }
    let Some(mut entry) = maps::EVENTS.reserve::<Event>(0) else {
        lose(|lost| &mut lost.full);
        return;
    };
    fill(&mut entry, now, context, frame, outcome, flow);
    entry.submit(0);
}

#[inline(always)]
fn within_budget(now: u64, limit: u32) -> bool {
    let Some(budget) = maps::BUDGET.get_ptr_mut(0) else {
        return false;
    };
    // SAFETY: a value of this CPU, which runs one XDP program at a time.
    let budget = unsafe { &mut *budget };
    let window = now >> 30;
    if budget.window != window {
        budget.window = window;
        budget.used = 0;
    }
    if budget.used >= u64::from(limit) {
        lose(|lost| &mut lost.limited);
        return false;
    }
    budget.used += 1;
    true
}

#[inline(always)]
fn lose(which: impl Fn(&mut Lost) -> &mut u64) {
    if let Some(lost) = maps::LOST.get_ptr_mut(0) {
        // SAFETY: a value of this CPU, which runs one XDP program at a time.
        *which(unsafe { &mut *lost }) += 1;
    }
}

#[inline(always)]
fn fill(
    entry: &mut MaybeUninit<Event>,
    time: u64,
    context: &XdpContext,
    frame: &XdpFrame,
    outcome: Outcome,
    flow: &Flow,
) {
    // SAFETY: the context of a running XDP program; the field is always readable.
    let interface =
        unsafe { (*context.as_ptr().cast::<aya_ebpf::bindings::xdp_md>()).ingress_ifindex };
    let transport = flow.transport;
    let event = Event {
        time,
        indicator: outcome.indicator(),
        interface,
        length: frame.length(),
        source_port: transport.source_port(),
        destination_port: transport.destination_port(),
        protocol: transport.protocol(),
        reason: outcome.reason(),
        side: outcome.side(),
        version: flow.version as u8,
        reserved: 0,
        source: flow.source.to_bytes(),
        destination: flow.destination.to_bytes(),
    };
    entry.write(event);
}
