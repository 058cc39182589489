//! The verdict on every kind of packet: the table of fixtures, each judged by the loaded program and
//! by the same code on the host, with counters and hits read afterwards.

use std::{collections::BTreeSet, process::ExitCode};

use trickblock_common::Reason;
use trickblock_tests::{
    case,
    fixture::{TOPICS, all},
    harness::{self, Need, Test},
};

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];

fn main() -> ExitCode {
    let topics = TOPICS.iter().map(|topic| Test {
        name: topic.name,
        needs: BPF,
        run: topic.prove,
    });
    let table = [
        case!(every_reason_is_reached, &[]),
        case!(no_fixture_is_told_twice, &[]),
    ];
    harness::main(&topics.chain(table).collect::<Vec<_>>())
}

fn every_reason_is_reached() {
    let reached: BTreeSet<&str> = all()
        .iter()
        .flat_map(|group| group.cases.iter().map(|case| case.expected.reason))
        .collect();
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(reached, all);
}

/// Two equal descriptions would make a failure ambiguous.
fn no_fixture_is_told_twice() {
    let groups = all();
    assert!(groups.iter().map(|group| group.cases.len()).sum::<usize>() > 1_000);
    for group in &groups {
        let names: BTreeSet<&str> = group.cases.iter().map(|case| case.what.as_str()).collect();
        assert_eq!(names.len(), group.cases.len(), "{}", group.what);
    }
    let names: BTreeSet<&str> = groups.iter().map(|group| group.what.as_str()).collect();
    assert_eq!(names.len(), groups.len());
}
