//! Datagrams sent every few milliseconds, to see when something begins or ceases to pass.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

use super::{
    channel::Channel,
    message::{Flow, Kind},
    round::pause,
};

/// What became of packets to a C2 that was listed meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// From the change of the feed to the first packet that did not arrive.
    pub time_to_block: Duration,
    /// Packets sent from that one on.
    pub sent_after: usize,
    /// Those of them that arrived after all.
    pub leaked: usize,
}

/// Streams to `channel`, calls `change` once packets arrive, and goes on until they have
/// ceased to for a while.
pub fn until_blocked(
    channel: &Arc<Channel>,
    round: u8,
    change: impl FnOnce() -> Instant,
) -> anyhow::Result<Cut> {
    let stream = Stream::start(vec![Arc::clone(channel)], round, &[Kind::UdpOut]);
    let flow = channel.flow(round, Kind::UdpOut);
    let arrived = || channel.ledger().sequences(flow);
    wait("packets to the new C2 do not arrive", || {
        arrived().len() >= FIRST
    })?;
    let changed = change();
    let silent = || {
        let last = arrived().last().map_or(0, |last| *last as usize);
        stream.sent() > last + SILENCE
    };
    wait("packets to the new C2 still arrive", silent)?;
    let sent = stream.stop()?;
    pause(LATE)?;
    judge(&sent, &arrived(), changed)
}

/// Streams to `channel` until something arrives, and returns how long that took since `change`.
pub fn until_passed(
    channel: &Arc<Channel>,
    round: u8,
    change: impl FnOnce() -> Instant,
) -> anyhow::Result<Duration> {
    let stream = Stream::start(vec![Arc::clone(channel)], round, &[Kind::UdpOut]);
    pause(LATE)?;
    let flow = channel.flow(round, Kind::UdpOut);
    let early = channel.ledger().count(flow);
    ensure!(
        early == 0,
        "{early} packets to the C2 passed before it was removed"
    );
    let changed = change();
    wait("packets to the removed C2 do not pass", || {
        channel.ledger().count(flow) > 0
    })?;
    let sent = stream.stop()?;
    let first = channel
        .ledger()
        .sequences(flow)
        .first()
        .map(|first| *first as usize);
    let first = first
        .and_then(|first| sent.get(first))
        .context("an arrival that was not sent")?;
    Ok(first.saturating_duration_since(changed))
}

/// Datagrams over several channels every [`EVERY`], on a thread of its own.
#[derive(Debug)]
pub struct Stream {
    channels: Vec<Arc<Channel>>,
    round: u8,
    kinds: Vec<Kind>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    thread: Option<JoinHandle<anyhow::Result<Vec<Instant>>>>,
}

impl Stream {
    /// Begins to send.
    pub fn start(channels: Vec<Arc<Channel>>, round: u8, kinds: &[Kind]) -> Self {
        let (stop, sent) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
        let sender = Sender {
            channels: channels.clone(),
            round,
            kinds: kinds.to_vec(),
            stop: Arc::clone(&stop),
            sent: Arc::clone(&sent),
        };
        let thread = Some(thread::spawn(move || sender.run()));
        Self {
            channels,
            round,
            kinds: kinds.to_vec(),
            stop,
            sent,
            thread,
        }
    }

    /// Packets per flow so far.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends it and returns when each packet was sent.
    pub fn stop(mut self) -> anyhow::Result<Vec<Instant>> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("a stream stops once")?;
        thread.join().ok().context("a stream panicked")?
    }

    /// Ends it, waits for stragglers, and returns the numbers sent and delivered on all channels.
    pub fn finish(self) -> anyhow::Result<(usize, usize)> {
        let flows: Vec<(Arc<Channel>, Flow)> = self
            .channels
            .iter()
            .flat_map(|one| {
                self.kinds
                    .iter()
                    .map(|kind| (Arc::clone(one), one.flow(self.round, *kind)))
            })
            .collect();
        let sent = self.stop()?.len() * flows.len();
        pause(LATE)?;
        let delivered = flows
            .iter()
            .map(|(channel, flow)| channel.ledger().count(*flow))
            .sum();
        Ok((sent, delivered))
    }
}

/// The thread's share of a [`Stream`].
struct Sender {
    channels: Vec<Arc<Channel>>,
    round: u8,
    kinds: Vec<Kind>,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
}

impl Sender {
    /// Sends until told to stop, and returns when it did.
    fn run(&self) -> anyhow::Result<Vec<Instant>> {
        let mut times = Vec::new();
        for sequence in 0..MOST {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            times.push(Instant::now());
            for channel in &self.channels {
                for kind in &self.kinds {
                    channel.datagram(self.round, *kind, sequence)?;
                }
            }
            self.sent.store(times.len(), Ordering::Relaxed);
            thread::sleep(EVERY);
        }
        Ok(times)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _an_error_is_reported_already = thread.join();
        }
    }
}

const EVERY: Duration = Duration::from_millis(2);
/// About five minutes: the end of a stream that nobody stops.
const MOST: u32 = 100_000;
/// Arrivals that prove the way to the C2 open before the feed changes.
const FIRST: usize = 50;
/// This many in a row that do not arrive count as blocked: about half a second.
const SILENCE: usize = 200;
const LATE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(15);

/// Waits for `condition`; its absence for [`PATIENCE`] is the error `what`.
fn wait(what: &str, condition: impl Fn() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= deadline {
            bail!("{what}: waited {PATIENCE:?}");
        }
        pause(Duration::from_millis(5))?;
    }
    Ok(())
}

/// `sent`: when each packet was sent. The first that did not arrive divides before and after.
fn judge(sent: &[Instant], arrived: &BTreeSet<u32>, changed: Instant) -> anyhow::Result<Cut> {
    let numbered = (0_u32..).zip(sent);
    let (first, at) = numbered
        .into_iter()
        .find(|(sequence, _)| !arrived.contains(sequence))
        .context("every packet to the new C2 arrived")?;
    let Some(time_to_block) = at.checked_duration_since(changed) else {
        bail!("packet {first} to the new C2 was lost before the feed listed it");
    };
    let sent_after = sent.len() - usize::try_from(first)?;
    Ok(Cut {
        time_to_block,
        sent_after,
        leaked: arrived.range(first..).count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten packets, one a second; the feed changes with packet 3.
    fn judged(arrived: &[u32]) -> anyhow::Result<Cut> {
        let start = Instant::now();
        let sent: Vec<_> = (0..10)
            .map(|second| start + Duration::from_secs(second))
            .collect();
        judge(&sent, &arrived.iter().copied().collect(), sent[3])
    }

    #[test]
    fn the_first_missing_packet_ends_the_time() {
        let cut = judged(&[0, 1, 2, 3, 4]).unwrap();
        assert_eq!(
            (cut.time_to_block.as_secs(), cut.sent_after, cut.leaked),
            (2, 5, 0)
        );
    }

    #[test]
    fn arrivals_after_it_are_leaks() {
        let cut = judged(&[0, 1, 2, 3, 5, 9]).unwrap();
        assert_eq!(
            (cut.time_to_block.as_secs(), cut.sent_after, cut.leaked),
            (1, 6, 2)
        );
    }

    #[test]
    fn loss_before_the_change_and_no_loss_are_errors() {
        assert!(
            judged(&[0, 2, 3])
                .unwrap_err()
                .to_string()
                .contains("before the feed")
        );
        assert!(
            judged(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
                .unwrap_err()
                .to_string()
                .contains("every")
        );
    }
}
