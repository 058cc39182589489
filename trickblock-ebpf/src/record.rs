//! Everything that is written about a packet: counters, hits, events.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use trickblock_common::{
    Flow, Outcome, Place, Transport,
    abi::{
        self, Budget, Counter, Event, Interface, NO_INDICATOR, PROBE_COUNT, PROBE_DIRECTION,
        PROBE_OUTCOME, Settings, event, interface,
    },
    direction::{Travel, direction},
    ends,
};

use crate::{frame::Hook, maps};

/// Counts the packet and reports it; true where it is to be dropped. Not inline: its stack frame takes the
/// place of those of the lookup, which are done.
#[inline(never)]
pub fn record<H: Hook>(context: *mut H::Context, outcome: u64, place: u64, transport: u64) -> bool {
    let (frame, outcome, transport) = (&H::new(context), Outcome(outcome), Transport(transport));
    fetch_hits(outcome.indicator());
    frame.refresh();
    let settings = maps::SETTINGS.get(0).copied().unwrap_or_default();
    let interface = maps::interface(frame.interface());
    let outcome = enforced(outcome, settings, interface);
    let travel = Travel::past(interface.role, H::EGRESS);
    let direction = direction(frame, travel, outcome.side(), transport) as u8;
    if frame.is_probe() {
        answer(outcome.0 | u64::from(direction) << PROBE_DIRECTION);
        return outcome.drops();
    }
    if !outcome.drops() && was_counted(frame) {
        return false;
    }
    let length = frame.length() as u32;
    #[cfg(feature = "debug-log")]
    log(frame, outcome, direction, length);
    count(outcome, direction, length);
    hit(outcome.indicator());
    let wanted = (settings.event_reasons >> (outcome.reason() & 63)) & 1 != 0;
    if wanted && within_budget(settings.events_per_second) {
        let place = Place(place);
        report::<H>(context, outcome, Flow { place, transport }, direction);
    }
    outcome.drops()
}

/// Whether the packet was counted when it arrived. One that is dropped now was not dropped then.
#[inline(always)]
fn was_counted<H: Hook>(frame: &H) -> bool {
    match frame.arrived_through() {
        0 => false,
        from => maps::interface(from).flags & interface::INGRESS != 0,
    }
}

/// In monitor mode nothing drops; else malformed packets do where the interface is fail-closed.
#[inline(always)]
fn enforced(outcome: Outcome, settings: Settings, interface: Interface) -> Outcome {
    if settings.monitor != 0 {
        outcome.monitored()
    } else if interface.flags & interface::CLOSED != 0 {
        outcome.closed()
    } else {
        outcome
    }
}

#[inline(always)]
fn answer(word: u64) {
    if let (Some(said), Some(count)) = (
        maps::PROBE.get_ptr_mut(PROBE_OUTCOME),
        maps::PROBE.get_ptr_mut(PROBE_COUNT),
    ) {
        // SAFETY: two live map values; whoever probes does so one packet at a time.
        unsafe {
            said.write_volatile(word);
            count.write_volatile(count.read_volatile() + 1);
        }
    }
}

#[cfg(feature = "debug-log")]
#[inline(always)]
fn log<H: Hook>(frame: &H, outcome: Outcome, direction: u8, length: u32) {
    aya_log_ebpf::info!(
        &LogContext(frame.context().cast()),
        "reason {} side {} direction {} indicator {} of {} bytes",
        outcome.reason(),
        outcome.side(),
        direction,
        outcome.indicator(),
        length
    );
}

#[cfg(feature = "debug-log")]
struct LogContext(*mut core::ffi::c_void);

#[cfg(feature = "debug-log")]
impl aya_ebpf::EbpfContext for LogContext {
    fn as_ptr(&self) -> *mut core::ffi::c_void {
        self.0
    }
}

#[inline(always)]
fn count(outcome: Outcome, direction: u8, length: u32) {
    let index = abi::counter(outcome.reason(), outcome.side(), direction);
    if let Some(counter) = maps::COUNTER.get_ptr_mut(index) {
        // SAFETY: a value of this CPU. A program of ours does not interrupt another one: XDP and TC run in
        // soft interrupts or with them disabled.
        let counter: &mut Counter = unsafe { &mut *counter };
        counter.packets += 1;
        counter.bytes += u64::from(length);
    }
}

/// Asks for the counter long before it is raised: it is most likely in no cache.
#[inline(always)]
fn fetch_hits(indicator: u32) {
    if let Some(hits) = maps::HITS.get_ptr(indicator) {
        // SAFETY: a live 8-byte map value, aligned; volatile, or nothing would be asked for.
        unsafe { hits.read_volatile() };
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

/// Not inline: most packets that come here need no stack for it.
#[inline(never)]
fn report<H: Hook>(context: *mut H::Context, outcome: Outcome, flow: Flow, direction: u8) {
    let Some(mut entry) = maps::EVENTS.reserve::<Event>(0) else {
        if let Some(budget) = budget() {
            budget.full += 1;
        }
        return;
    };
    fill(&mut entry, &H::new(context), outcome, direction, flow);
    entry.submit(0);
}

/// Nanoseconds since boot, as of the last tick: reading the clock itself would take as long as all the rest.
#[inline(always)]
fn coarse() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_coarse_ns() }
}

/// Nanoseconds since boot.
#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// A value of this CPU, see `count`.
#[inline(always)]
fn budget() -> Option<&'static mut Budget> {
    // SAFETY: programs of ours do not interrupt each other, and user space only reads it.
    maps::BUDGET
        .get_ptr_mut(0)
        .map(|budget| unsafe { &mut *budget })
}

#[inline(always)]
fn within_budget(limit: u32) -> bool {
    let Some(budget) = budget() else {
        return false;
    };
    // SAFETY: the helper has no preconditions; it becomes one load.
    let tick = unsafe { bpf_jiffies64() };
    if budget.tick != tick {
        budget.tick = tick;
        renew(budget, coarse() >> 30);
    }
    if budget.used >= u64::from(limit) {
        budget.limited += 1;
        return false;
    }
    budget.used += 1;
    true
}

#[inline(always)]
fn renew(budget: &mut Budget, window: u64) {
    if budget.window != window {
        budget.window = window;
        budget.used = 0;
    }
}

#[inline(always)]
fn fill<H: Hook>(
    entry: &mut MaybeUninit<Event>,
    frame: &H,
    outcome: Outcome,
    direction: u8,
    flow: Flow,
) {
    let transport = flow.transport;
    let (version, source, destination) = ends(frame, flow.place);
    let inner = if outcome.is_inner() { event::INNER } else { 0 };
    let egress = if H::EGRESS { event::EGRESS } else { 0 };
    entry.write(Event {
        time: now(),
        indicator: outcome.indicator(),
        interface: frame.interface(),
        length: frame.length() as u32,
        source_port: transport.source_port(),
        destination_port: transport.destination_port(),
        protocol: transport.protocol(),
        reason: outcome.reason(),
        side: outcome.side(),
        version,
        direction,
        flags: inner | egress,
        reserved: 0,
        source: source.to_bytes(),
        destination: destination.to_bytes(),
    });
}
