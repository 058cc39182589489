//! Makes frames and sends them.

use std::os::fd::AsFd as _;

use anyhow::{Context as _, ensure};
use aya::{
    Ebpf, EbpfLoader, include_bytes_aligned,
    maps::{Map, MapData},
    programs::Xdp,
};

use super::{
    super::{
        corpus::{Corpus, PAIRS, words},
        pool::{Family, Pool},
    },
    sink::{Ground, MAC, Sink},
};
use crate::{bpf, packet::Packet, random::Random, sys};

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/generator"));
/// Words of the generator's head, as it has them.
const SUM: usize = 2;
const INTERFACE: usize = 3;
/// Offsets in a frame.
const ADDRESSES: std::ops::Range<usize> = 26..34;
const IP_CHECKSUM: std::ops::Range<usize> = 24..26;
const UDP_CHECKSUM: std::ops::Range<usize> = 40..42;
const IP_HEADER: std::ops::Range<usize> = 14..34;
/// The CPU that everything runs on.
const CPU: usize = 0;
/// More frames than this must not be lost on the way.
const LOST: f64 = 0.01;

/// The loaded program.
pub struct Generator {
    ebpf: Ebpf,
    flows: MapData,
    frame: Vec<u8>,
}

impl Generator {
    /// Loads it.
    pub fn load() -> anyhow::Result<Self> {
        let mut ebpf = EbpfLoader::new().btf(None).load(OBJECT)?;
        let program = ebpf.program_mut("generate").context("generate")?;
        let program: &mut Xdp = program.try_into()?;
        program.load().context("generate")?;
        let Some(Map::Array(flows)) = ebpf.take_map("FLOWS") else {
            anyhow::bail!("the generator has no array FLOWS");
        };
        Ok(Self {
            ebpf,
            flows,
            frame: frame(),
        })
    }

    /// ns of CPU time per frame that arrived, for sending so many and for what the other end does with
    /// them.
    pub fn time(
        &self,
        ground: &Ground,
        sink: Option<&Sink>,
        flows: &[u64],
        packets: u32,
    ) -> anyhow::Result<f64> {
        bpf::write_words(self.flows.fd(), flows).context("the generator's flows")?;
        let program: &Xdp = self
            .ebpf
            .program("generate")
            .context("generate")?
            .try_into()?;
        let program = program.fd()?.as_fd();
        let before = sink.map(Sink::arrived).transpose()?;
        let time = ground.source.run(|| -> anyhow::Result<_> {
            sys::stay_on_cpu(CPU)?;
            let _first = sys::Realtime::start().ok();
            let before = sys::thread_cpu_time()?;
            bpf::run_live(program, &self.frame, packets)?;
            Ok(sys::thread_cpu_time()? - before)
        })??;
        let sent = f64::from(packets);
        let arrived = match (sink, before) {
            (Some(sink), Some(before)) => (sink.arrived()? - before) as f64,
            _ => sent,
        };
        ensure!(
            arrived >= sent * (1.0 - LOST),
            "{arrived} of {sent} frames arrived"
        );
        Ok(time.as_secs_f64() * 1e9 / arrived)
    }
}

/// A UDP packet without a checksum, which IPv4 allows: nobody has to verify it.
fn frame() -> Vec<u8> {
    let packet = Packet::v4("198.18.0.1", "198.18.0.2").udp(49_152, 443);
    let mut frame = packet.payload(&[0; 22]).build();
    frame[..6].copy_from_slice(&MAC);
    for zero in [UDP_CHECKSUM, IP_CHECKSUM, ADDRESSES] {
        frame[zero].fill(0);
    }
    frame
}

/// The value of the generator's map: frames from benign to listed addresses, out of interface `port`.
pub fn flows(pool: &Pool, size: usize, corpus: Corpus, port: u32) -> anyhow::Result<Vec<u64>> {
    let mut random = Random::new(0xf105);
    let pairs = (0..PAIRS).map(|_| {
        let listed = pool.addresses[random.below(size)];
        (pool.benign_of_benchmark_space(&mut random), listed)
    });
    let pairs: Vec<_> = pairs.collect();
    let mut words = words(Family::V4, corpus == Corpus::Hot, pairs.into_iter());
    let header = frame();
    let halves = header[IP_HEADER].chunks_exact(2);
    words[SUM] = halves
        .map(|half| half.try_into().map_or(0, u16::from_ne_bytes))
        .map(u64::from)
        .sum();
    words[INTERFACE] = port.into();
    Ok(words)
}
