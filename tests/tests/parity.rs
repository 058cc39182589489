//! Three answers to every packet: the loaded program, the same code on the host, and a model that
//! shares nothing with them. What `cargo xtask fuzz` does at length, for a minute; and every capture of
//! the corpus.
//!
//! A failure names the seed of its round; `cargo xtask fuzz --seed` repeats it.

use std::{
    process::ExitCode,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use trickblock_common::Reason;
use trickblock_tests::{
    harness::{self, Need, Test},
    needs::corpus_dir,
    oracle::{Plan, Plant, Report, Shares, Witnesses, captures, found::What, run},
};

fn main() -> ExitCode {
    harness::main(&[
        Test {
            name: "random_packets_get_three_equal_answers",
            needs: BPF,
            run: random_packets_get_three_equal_answers,
        },
        Test {
            name: "random_packets_get_two_equal_answers_without_a_kernel",
            needs: &[],
            run: random_packets_get_two_equal_answers_without_a_kernel,
        },
        Test {
            name: "captures_get_three_equal_answers",
            needs: CORPUS,
            run: captures_get_three_equal_answers,
        },
        Test {
            name: "a_bug_planted_in_the_model_is_found",
            needs: BPF,
            run: || is_found(Plant::Model),
        },
        Test {
            name: "a_bug_planted_on_the_host_is_found",
            needs: BPF,
            run: || is_found(Plant::Host),
        },
    ])
}

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];
const CORPUS: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs, Need::Corpus];
const MINUTE: Duration = Duration::from_secs(60);
/// What a slow and busy machine comes to in a minute.
const PACKETS: u64 = 200_000;
const EACH_REASON: u64 = 50;

fn plan(time: Duration) -> Plan {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970");
    Plan {
        seed: now.as_secs() << 20 | u64::from(now.subsec_micros()),
        packets: None,
        time,
        workers: thread::available_parallelism().map_or(1, usize::from),
        plant: None,
        program: true,
        captured: captured(),
        reasons: Reason::ALL.iter().map(|reason| reason.name()).collect(),
    }
}

/// Of the corpus, or none without one.
fn captured() -> Vec<Vec<u8>> {
    let Ok(corpus) = corpus_dir() else {
        return Vec::new();
    };
    let files = captures::files(&corpus).unwrap();
    let frames = files.iter().map(|file| captures::frames(file).unwrap());
    frames.flatten().collect()
}

fn random_packets_get_three_equal_answers() {
    let report = run(&plan(MINUTE), |line| println!("{line}"));
    println!("{report}");
    assert_sound(&report);
    assert!(report.shares.counted * 10 > report.shares.packets);
}

fn random_packets_get_two_equal_answers_without_a_kernel() {
    let plan = Plan {
        program: false,
        ..plan(Duration::from_secs(10))
    };
    assert_sound(&run(&plan, |line| println!("{line}")));
}

fn assert_sound(report: &Report) {
    assert!(report.found.is_none() && report.error.is_none(), "{report}");
    let shares = &report.shares;
    assert!(shares.packets > PACKETS, "{report}");
    assert!(shares.hits_percent() >= 30, "{report}");
    let reasons = Reason::ALL.iter().map(|reason| reason.name()).collect();
    let (reason, count) = shares.rarest(&reasons).unwrap();
    assert!(count >= EACH_REASON, "{reason} {count} times: {report}");
}

/// A search that finds no bug that is there would find nothing.
fn is_found(plant: Plant) {
    let plan = Plan {
        plant: Some(plant),
        ..plan(MINUTE)
    };
    let report = run(&plan, |line| println!("{line}"));
    println!("{report}");
    let found = report.found.expect("a difference");
    assert!(matches!(found.what, What::Packet { .. }), "{found}");
}

fn captures_get_three_equal_answers() {
    let files = captures::files(&corpus_dir().unwrap()).unwrap();
    assert!(!files.is_empty(), "no capture below pcaps/");
    let mut witnesses = Witnesses::load(None);
    let mut shares = Shares::default();
    for file in &files {
        let frames = captures::frames(file).unwrap();
        let setup = captures::rules_of(&frames);
        witnesses.set(&setup).unwrap();
        for (number, frame) in (1..).zip(&frames) {
            let answers = witnesses.ask(frame, true).unwrap();
            let place = || format!("{}, packet {number}", file.display());
            assert!(answers.agree(), "{}: {answers:#?}\n{setup:#?}", place());
            shares.note(&answers.model.0, answers.model.1);
        }
        let counted = witnesses.check_counters();
        counted.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
    println!("{} captures, {} packets", files.len(), shares.packets);
    assert!(shares.packets > 500, "{} packets", shares.packets);
    assert!(shares.hits_percent() >= 25, "{shares:#?}");
}
