//! A round: all pairs send at once, and then everybody counts.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{
    channel::{Channel, Expect},
    witness::Witness,
};
use crate::sys;

/// What one pair sent in a round, and what of it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// The pair's number.
    pub pair: u8,
    pub expect: Expect,
    pub sent: usize,
    /// Messages that arrived; where they should not, at least the number of frames that the
    /// packet sockets saw.
    pub delivered: usize,
}

/// Runs round `number` over channels with what to expect of each. `open_connection`: use the
/// TCP connections that were opened before, too.
pub fn run(
    number: u8,
    channels: &[(&Channel, Expect)],
    open_connection: bool,
    witness: &Witness,
) -> anyhow::Result<Vec<Tally>> {
    let frames = |channel: &Channel| witness.seen(channel.pair.endpoint);
    let before: Vec<u64> = channels
        .iter()
        .map(|(channel, _)| frames(channel))
        .collect();
    let sent = send_all(number, channels, open_connection)?;
    settle(number, channels, &sent)?;
    let mut tallies = Vec::new();
    for (((channel, expect), sent), before) in channels.iter().zip(sent).zip(before) {
        let mut delivered = channel.delivered(number);
        if *expect == Expect::Blocked {
            delivered = delivered.max(usize::try_from(frames(channel) - before)?);
        }
        tallies.push(Tally {
            pair: channel.pair.number,
            expect: *expect,
            sent,
            delivered,
        });
    }
    Ok(tallies)
}

/// Sleeps, but ends with an error when a signal comes.
pub fn pause(duration: Duration) -> anyhow::Result<()> {
    let end = Instant::now() + duration;
    loop {
        sys::stop_if_interrupted()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(Duration::from_millis(20)));
    }
}

/// How long a packet that leaks may take to show up.
const LATE: Duration = Duration::from_millis(400);
/// How long to wait for a packet that should arrive before it is called lost.
const LOST: Duration = Duration::from_secs(3);

fn send_all(
    number: u8,
    channels: &[(&Channel, Expect)],
    open_connection: bool,
) -> anyhow::Result<Vec<usize>> {
    thread::scope(|scope| {
        let senders: Vec<_> = channels
            .iter()
            .map(|(channel, expect)| scope.spawn(|| channel.send(number, *expect, open_connection)))
            .collect();
        let join = |sender: thread::ScopedJoinHandle<'_, anyhow::Result<usize>>| {
            sender.join().ok().context("a sender panicked")?
        };
        senders.into_iter().map(join).collect()
    })
}

/// Waits until all that should arrive has, and long enough for what should not.
fn settle(number: u8, channels: &[(&Channel, Expect)], sent: &[usize]) -> anyhow::Result<()> {
    if channels
        .iter()
        .any(|(_, expect)| *expect == Expect::Blocked)
    {
        pause(LATE)?;
    }
    let deadline = Instant::now() + LOST;
    let missing = |((channel, expect), sent): (&(&Channel, Expect), &usize)| {
        *expect == Expect::Delivered && channel.delivered(number) < *sent
    };
    while channels.iter().zip(sent).any(missing) && Instant::now() < deadline {
        pause(Duration::from_millis(5))?;
    }
    Ok(())
}
