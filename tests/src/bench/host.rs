//! How many packets the shared code judges on the host: what `replay` and `why` run.

use std::{hint::black_box, time::Duration};

use anyhow::{Context as _, ensure};
use trickblock::table::Snapshot;
use trickblock_common::{Frame as _, Link, Outcome, judge};

use super::{
    corpus::zipf,
    pool::{Family, List, PORT, Pool},
    programs::Loaded,
    stats::Summary,
};
use crate::{packet::Packet, random::Random, sys};

/// Packets before a corpus repeats: too many for the caches of one core.
const FRAMES: usize = 1 << 18;
/// Each frame begins at a multiple of this, as in a buffer that a capture is read into.
const STRIDE: usize = 128;

/// Which packets are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flows {
    /// One benign pair of addresses again and again.
    Hot,
    /// Benign pairs, few of them often.
    Zipf,
    /// Random benign pairs.
    Uniform,
    /// To listed addresses.
    Hit,
}

impl Flows {
    pub const ALL: [Self; 4] = [Self::Hot, Self::Zipf, Self::Uniform, Self::Hit];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hot => "hot",
            Self::Zipf => "zipf",
            Self::Uniform => "uniform",
            Self::Hit => "hit",
        }
    }
}

/// Packets per second of one core.
#[derive(Clone, Debug)]
pub struct Rate {
    pub family: Family,
    pub flows: Flows,
    pub indicators: usize,
    pub packets_per_second: Summary,
    pub rounds: usize,
}

/// Both families, tables of these sizes, every kind of flows.
pub fn measure(
    rounds: usize,
    pools: &[Pool],
    filters: &[Loaded],
    sizes: &[usize],
    say: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<Rate>> {
    let mut rates = Vec::new();
    let filters = filters.iter();
    for filter in filters.filter(|one| one.list != List::Real && sizes.contains(&one.size)) {
        let pool = pools.iter().find(|pool| pool.list == filter.list);
        let pool = pool.context("no addresses of a family")?;
        let snapshot = filter.filter.maps.snapshot()?;
        for flows in Flows::ALL {
            sys::stop_if_interrupted()?;
            let frames = frames(pool, filter.size, flows);
            rates.push(rate(rounds, filter, flows, &snapshot, &frames)?);
        }
        say(&format!(
            "the shared code on the host, {:?}, {} indicators",
            filter.list, filter.size
        ));
    }
    Ok(rates)
}

fn rate(
    rounds: usize,
    filter: &Loaded,
    flows: Flows,
    snapshot: &Snapshot,
    frames: &Frames,
) -> anyhow::Result<Rate> {
    let listed = pass(snapshot, frames);
    let expected = if flows == Flows::Hit { FRAMES } else { 0 };
    ensure!(
        listed == expected,
        "{listed} of {FRAMES} {} packets are listed",
        flows.name()
    );
    let mut samples = Vec::new();
    for _ in 0..rounds {
        let before = sys::thread_cpu_time()?;
        black_box(pass(snapshot, frames));
        let took: Duration = sys::thread_cpu_time()? - before;
        samples.push(FRAMES as f64 / took.as_secs_f64());
    }
    Ok(Rate {
        family: filter.list.family(),
        flows,
        indicators: filter.size,
        packets_per_second: Summary::of(samples).context("no round")?,
        rounds,
    })
}

/// Judges each packet once; how many are no plain miss.
fn pass(snapshot: &Snapshot, frames: &Frames) -> usize {
    let frames = frames
        .bytes
        .chunks_exact(STRIDE)
        .map(|chunk| &chunk[..frames.length]);
    frames
        .filter(|frame| judge(*frame, snapshot, Link::Ethernet).0 != Outcome::MISS)
        .count()
}

/// Whole frames, one behind the other.
struct Frames {
    bytes: Vec<u8>,
    length: usize,
}

/// TCP and UDP by turns, of one length.
fn frames(pool: &Pool, listed: usize, flows: Flows) -> Frames {
    let mut random = Random::new(0x0f_1005);
    let pairs: Vec<_> = (0..FRAMES)
        .map(|index| pool.flow(index % listed, flows, &mut random))
        .collect();
    let mut bytes = Vec::with_capacity(FRAMES * STRIDE);
    let mut length = 0;
    for index in 0..FRAMES {
        let at = match flows {
            Flows::Hot => 0,
            Flows::Zipf => zipf(FRAMES, &mut random),
            Flows::Uniform | Flows::Hit => index,
        };
        let (source, destination) = pairs[at];
        let packet = Packet::ip(source, destination);
        // One in ten indicators is about TCP only.
        let frame = if index % 2 == 0 || flows == Flows::Hit {
            packet.tcp(49_152, PORT).payload(&[0; 20])
        } else {
            packet.udp(49_152, PORT).payload(&[0; 32])
        };
        let frame = frame.build();
        length = frame.length();
        bytes.extend(&frame);
        bytes.resize((index + 1) * STRIDE, 0);
    }
    Frames { bytes, length }
}
