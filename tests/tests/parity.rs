//! Three answers to every packet: the loaded program, the same code on the host, and a model that
//! shares nothing with them.
//!
//! Rounds of random rules and packets, each from a seed of its own. A failure names the seed; with
//! `TRICKBLOCK_SEED` that round comes first.

#[path = "parity/captures.rs"]
mod captures;
#[path = "parity/draw.rs"]
mod draw;

use std::{
    collections::BTreeMap,
    env,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use trickblock_tests::{
    harness::{self, Need, Test},
    kernel::{Answer, Setup, Twins},
    model::Model,
    random::Random,
};

fn main() -> ExitCode {
    harness::main(&[
        Test {
            name: "random_packets_get_three_equal_answers",
            needs: BPF,
            run: random_packets_get_three_equal_answers,
        },
        Test {
            name: "captures_get_three_equal_answers",
            needs: CORPUS,
            run: captures::captures_get_three_equal_answers,
        },
    ])
}

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];
const CORPUS: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs, Need::Corpus];
const TIME: Duration = Duration::from_secs(10);
const PACKETS: usize = 1_000;

fn random_packets_get_three_equal_answers() {
    let seed = first_seed();
    println!("TRICKBLOCK_SEED={seed}");
    let mut twins = Twins::load();
    let mut reasons = Distribution::new();
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < TIME {
        round(&mut twins, seed.wrapping_add(rounds), &mut reasons);
        rounds += 1;
    }
    summarise(&reasons, rounds);
}

type Distribution = BTreeMap<&'static str, usize>;

/// From the environment, or the time.
fn first_seed() -> u64 {
    if let Ok(seed) = env::var("TRICKBLOCK_SEED") {
        return seed.parse().expect("TRICKBLOCK_SEED is a number");
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    // Rounds count on from here: runs within a second do not meet.
    now.as_secs() << 20 | u64::from(now.subsec_micros())
}

fn round(twins: &mut Twins, seed: u64, reasons: &mut Distribution) {
    let mut random = Random::new(seed);
    let setup = draw::setup(&mut random);
    let model = Model::new(&setup).expect("a model");
    twins.set(&setup).expect("a set");
    for _ in 0..PACKETS {
        let frame = draw::frame(&mut random);
        let answer = agree(twins, &model, &setup, &frame)
            .unwrap_or_else(|error| panic!("TRICKBLOCK_SEED={seed}\n{error}"));
        *reasons.entry(answer.reason).or_default() += 1;
    }
}

/// The one answer, or all three with what led to them.
fn agree(twins: &mut Twins, model: &Model, setup: &Setup, frame: &[u8]) -> Result<Answer, String> {
    let program = twins.program(frame).map_err(|error| format!("{error:#}"))?;
    let host = twins.host(frame).map_err(|error| format!("{error:#}"))?;
    let model = model.judge(frame);
    if program == model && host == model {
        return Ok(model);
    }
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    Err(format!(
        "program {program:?}\nhost    {host:?}\nmodel   {model:?}\n{setup:#?}\n{hex}"
    ))
}

fn summarise(reasons: &Distribution, rounds: u64) {
    let total: usize = reasons.values().sum();
    let indicators = reasons
        .iter()
        .filter(|(reason, _)| names_an_indicator(reason));
    let hits: usize = indicators.map(|(_, count)| count).sum();
    println!("{rounds} rounds, {total} packets, {hits} hits");
    for (reason, count) in reasons {
        println!("{count:>9} {reason}");
    }
    assert!(total >= 20_000, "a slow machine: {total} packets");
    assert!(hits * 100 >= total * 30, "{hits} of {total} hit");
    let every = trickblock_common::Reason::ALL.len();
    assert_eq!(reasons.len(), every, "a reason was never drawn");
}

fn names_an_indicator(reason: &str) -> bool {
    let drop = reason.strip_prefix("monitor_").unwrap_or(reason);
    ["address", "address_port", "prefix", "prefix_port"].contains(&drop)
}
