//! Whole-set swaps while packets arrive.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use trickblock::{
    kernel::{Filter, Hooks, Maps, ModeChoice},
    table::Entry,
};

use super::{Findings, field::Field};
use crate::{
    kernel::{PinDir, SMALL, counted_since, counts, entries},
    packet::Packet,
};

/// Both sets drop exactly one of two addresses that talk to each other, so a packet that finds
/// nothing, or one address in the old set and the other in the new one, would be told.
const SETS: [[&str; 2]; 2] = [
    ["drop 203.0.113.7", "monitor 203.0.113.8"],
    ["monitor 203.0.113.7", "drop 203.0.113.8"],
];
const FILLERS: u32 = 500;
/// Both: a slow guest makes fewer swaps in the same time.
const SWAPS: u64 = 20;
const TIME: Duration = Duration::from_secs(2);

/// Every packet is dropped, by one of the sets.
pub(super) fn under_packets(field: &Field, _: &mut Findings) -> anyhow::Result<String> {
    let dir = PinDir::new();
    let mut filter = Filter::load(&dir.pins(), SMALL)?;
    let sets = [set(&SETS[0])?, set(&SETS[1])?];
    filter.maps.swap(&sets[1], &[], 1)?;
    filter.attach(field.inner.name, ModeChoice::Native)?;
    let before = counts(&filter.maps);
    let (swaps, sent) = stream(field, || swap(&filter.maps, &sets))?;
    let leaked = field.outer.arrived(&field.inner)?;
    let mut counted = counted_since(&before, &counts(&filter.maps));
    let mut by = |side| {
        counted
            .remove(&("address", Some(side)))
            .unwrap_or_default()
            .0
    };
    let (first, second) = (by("source"), by("destination"));
    ensure!(leaked == 0, "{leaked} of {sent} packets arrived");
    ensure!(
        first + second == sent && counted.is_empty(),
        "{first} + {second} of {sent} packets were dropped, others told as {counted:?}"
    );
    ensure!(
        first > 0 && second > 0,
        "only one of both sets was seen: {first}, {second}"
    );
    Hooks::new(dir.pins()).off()?;
    Ok(format!(
        "{swaps} swaps under {sent} packets, each dropped by one of both sets"
    ))
}

fn set(rules: &[&str]) -> anyhow::Result<Vec<Entry>> {
    let fillers = (0..FILLERS).map(|n| format!("drop 198.18.{}.{}", n / 256, n % 256));
    let rules = rules.iter().map(ToString::to_string);
    entries(&rules.chain(fillers).collect::<Vec<_>>())
}

fn swap(maps: &Maps, sets: &[Vec<Entry>; 2]) -> anyhow::Result<u64> {
    let (start, mut swaps) = (Instant::now(), 0_u64);
    for set in sets.iter().cycle() {
        if swaps >= SWAPS && start.elapsed() >= TIME {
            break;
        }
        swaps += 1;
        // Another seed moves every entry.
        maps.swap(set, &[], swaps << 8)?;
    }
    Ok(swaps)
}

/// Sends until `work` is done; what that said, and the number of packets.
fn stream<T>(field: &Field, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, u64)> {
    let done = AtomicBool::new(false);
    let packet = Packet::v4("203.0.113.7", "203.0.113.8").tcp(1, 2);
    let sender = || -> anyhow::Result<u64> {
        let mut sent = 0;
        while !done.load(Ordering::Relaxed) {
            sent += u64::from(field.outer.send(&packet)?);
            // Leaves room for the swaps where there is one processor.
            thread::sleep(Duration::from_micros(50));
        }
        Ok(sent)
    };
    thread::scope(|scope| {
        let sender = scope.spawn(sender);
        let said = work();
        done.store(true, Ordering::Relaxed);
        match sender.join() {
            Ok(sent) => Ok((said?, sent?)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
