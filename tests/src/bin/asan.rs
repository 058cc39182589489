//! `cargo xtask fuzz --asan` builds this with AddressSanitizer: the parser and the model on raw and on
//! mutated bytes, each frame in an allocation of exactly its length, so that a read beyond it is caught.

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use trickblock_common::Frame;
use trickblock_tests::{kernel::Host, model::Model, oracle::draw::Round, random::Random};

fn main() -> anyhow::Result<ExitCode> {
    let mut words = std::env::args().skip(1);
    let (mut time, mut seed) = (Duration::from_secs(60), seed_of_now()?);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} needs a value"))
        };
        match word.as_str() {
            "--minutes" => time = Duration::from_secs_f64(value()?.parse::<f64>()? * 60.0),
            "--seed" => seed = value()?.parse()?,
            "--plant" => {
                plant()?;
                return Ok(ExitCode::SUCCESS);
            }
            other => bail!("unknown argument `{other}`: --minutes N, --seed S or --plant"),
        }
    }
    println!("seed {seed}, with AddressSanitizer");
    let start = Instant::now();
    let (mut rounds, mut frames) = (0, 0_u64);
    while start.elapsed() < time {
        frames += round(seed.wrapping_add(rounds))?;
        rounds += 1;
    }
    println!("PASSED: {frames} frames in {rounds} rounds, nothing read out of bounds");
    Ok(ExitCode::SUCCESS)
}

fn seed_of_now() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(now.as_secs() << 20 | u64::from(now.subsec_micros()))
}

/// Drawn frames, raw bytes, and every beginning of a few frames.
fn round(seed: u64) -> anyhow::Result<u64> {
    let mut round = Round::new(seed, &[]);
    let (host, model) = (Host::new(&round.setup)?, Model::new(&round.setup)?);
    let mut random = Random::new(seed);
    let mut frames = 0;
    let mut judge = |frame: &[u8]| {
        // Boxed: a vector may have room behind its end.
        let frame: Box<[u8]> = frame.into();
        frames += 1;
        let (host, model) = (host.judge(&frame)?, model.explain(&frame));
        if host != model {
            bail!("seed {seed}: the host says {host:?}, the model {model:?} of {frame:02x?}");
        }
        Ok(())
    };
    for _ in 0..2_000 {
        judge(&round.frame())?;
    }
    for _ in 0..500 {
        let length = random.below(200);
        let bytes: Vec<u8> = (0..length).map(|_| random.byte()).collect();
        judge(&bytes)?;
    }
    for _ in 0..10 {
        let frame = round.frame();
        for end in 0..=frame.len() {
            judge(&frame[..end])?;
        }
    }
    Ok(frames)
}

/// A source of bytes that forgets where it ends.
struct Endless<'a>(&'a [u8]);

impl Frame for Endless<'_> {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let start = self.0.as_ptr().wrapping_add(offset).cast::<[u8; N]>();
        // SAFETY: none, that is the point: this is the bug that must be caught.
        Some(unsafe { start.read_unaligned() })
    }

    fn length(&self) -> usize {
        self.0.len()
    }
}

/// Reads beyond a frame that ends inside its addresses.
fn plant() -> anyhow::Result<()> {
    let round = Round::new(0, &[]);
    let host = Host::new(&trickblock_tests::kernel::Setup {
        link: "ethernet".to_owned(),
        hook: "xdp".to_owned(),
        ..round.setup
    })?;
    let mut cut = vec![2_u8; 12];
    cut.extend([0x08, 0x00, 0x45, 0x00]);
    let cut = cut.into_boxed_slice();
    println!("{:?}", host.judge_frame(&Endless(&cut))?);
    Ok(())
}
