//! The demo itself: that it passes with a filter that works, and fails with one that does not.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, ExitCode, Stdio},
};

use serde_json::Value;
use trickblock_tests::{
    case, demo,
    harness::{self, Need},
    sys,
};

mod stand_in;

use stand_in::{Fault, StandIn};

fn main() -> ExitCode {
    harness::main(&[
        case!(working_filter_passes, NETNS),
        case!(leaking_replies_fail, NETNS),
        case!(lost_benign_packets_fail, NETNS),
        case!(ending_with_daemon_fails, NETNS),
        case!(never_forgetting_fails, NETNS),
        case!(interrupt_cleans_up, NETNS),
    ])
}

const NETNS: &[Need] = &[Need::Root, Need::Netns];

/// The JSON of a run with a stand-in.
fn run(fault: Fault) -> Value {
    let report = demo::run(StandIn::new(fault), |_| {});
    report.json()
}

fn working_filter_passes() {
    let json = run(Fault::None);
    assert_eq!(json["result"], "passed", "{json:#}");
    assert!(json["c2_packets_sent"].as_u64() >= Some(200), "{json:#}");
    assert!(
        json["benign_packets_sent"].as_u64() >= Some(200),
        "{json:#}"
    );
    assert_eq!(
        json["c2_packets_delivered_unfiltered"],
        json["c2_packets_sent"]
    );
    assert_eq!(json["c2_packets_leaked"], 0);
    assert_eq!(json["benign_packets_lost"], 0);
    assert!(json["time_to_block_ms"].as_f64() > Some(0.0), "{json:#}");
}

fn leaking_replies_fail() {
    let json = run(Fault::RepliesPass);
    assert_eq!(json["result"], "failed", "{json:#}");
    assert!(json["c2_packets_leaked"].as_u64() > Some(0), "{json:#}");
    assert_eq!(json["benign_packets_lost"], 0, "{json:#}");
}

fn lost_benign_packets_fail() {
    let json = run(Fault::WholeAddresses);
    assert_eq!(json["result"], "failed", "{json:#}");
    assert_eq!(json["c2_packets_leaked"], 0, "{json:#}");
    assert!(json["benign_packets_lost"].as_u64() > Some(0), "{json:#}");
}

fn ending_with_daemon_fails() {
    let json = run(Fault::EndsWithDaemon);
    assert_eq!(json["result"], "failed", "{json:#}");
    assert_eq!(json["filter_stays_after_stop"], false, "{json:#}");
    assert_eq!(json["removed_passes_again"], true, "{json:#}");
}

fn never_forgetting_fails() {
    let json = run(Fault::NeverForgets);
    assert_eq!(json["result"], "failed", "{json:#}");
    let error = json["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("packets to the removed C2 do not pass"),
        "{json:#}"
    );
}

/// The signal comes when namespaces are there and packets flow.
fn interrupt_cleans_up() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("demo.json");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--json")
        .arg(&json)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("filter off") {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "the demo ended early"
        );
    }
    assert!(!namespaces_of(demo.id()).is_empty());
    sys::signal(&mut demo, libc::SIGTERM).unwrap();
    output.read_to_string(&mut line).unwrap();

    assert_eq!(
        demo.wait().unwrap().code(),
        Some(128 + libc::SIGTERM),
        "{line}"
    );
    assert_eq!(namespaces_of(demo.id()), Vec::<String>::new());
    let json: Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(json["result"], "failed");
    assert_eq!(json["error"], "interrupted by signal 15");
}

fn namespaces_of(pid: u32) -> Vec<String> {
    let prefix = format!("tb-{pid}-");
    let entries = fs::read_dir("/run/netns").unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(&prefix)).collect()
}
