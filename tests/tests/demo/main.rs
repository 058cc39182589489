//! The demo itself: that it passes with a filter that works, and fails with one that does not.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, ExitCode, Stdio},
};

use serde_json::Value;
use trickblock_tests::{
    case,
    demo::{self, filter::Trickblock},
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
        case!(trickblock_passes, FILTER),
        case!(interrupt_of_a_live_filter_cleans_up, FILTER),
        case!(next_run_cleans_up_after_kill_9, FILTER),
    ])
}

const NETNS: &[Need] = &[Need::Root, Need::Netns];
const FILTER: &[Need] = &[Need::Root, Need::Netns, Need::BpfFs, Need::Xdp];

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

/// The product itself.
fn trickblock_passes() {
    let json = demo::run(Trickblock::default(), |_| {}).json();
    assert_eq!(json["result"], "passed", "{json:#}");
    assert_eq!(json["xdp_mode"], "native", "{json:#}");
    assert!(
        json["feed_requests"]["not_modified"].as_u64() > Some(0),
        "{json:#}"
    );
}

fn interrupt_cleans_up() {
    let (pid, code, json) = demo_until("filter off", libc::SIGTERM);
    assert_eq!(code, Some(128 + libc::SIGTERM));
    assert_eq!(left_behind(pid), Vec::<String>::new());
    assert_eq!(json["result"], "failed");
    assert_eq!(json["error"], "interrupted by signal 15");
}

fn interrupt_of_a_live_filter_cleans_up() {
    let (pid, code, json) = demo_until("live:", libc::SIGINT);
    assert_eq!(code, Some(128 + libc::SIGINT));
    assert_eq!(left_behind(pid), Vec::<String>::new());
    assert_eq!(json["error"], "interrupted by signal 2");
    assert_eq!(
        json["c2_packets_delivered_unfiltered"],
        json["c2_packets_sent"]
    );
}

/// Nothing can be cleaned up after `kill -9`, so the next run does it.
fn next_run_cleans_up_after_kill_9() {
    let (killed, code, _) = demo_until("live:", libc::SIGKILL);
    assert_eq!(code, None);
    assert!(!left_behind(killed).is_empty());
    let (next, ..) = demo_until("live:", libc::SIGTERM);
    assert_eq!(left_behind(killed), Vec::<String>::new());
    assert_eq!(left_behind(next), Vec::<String>::new());
}

/// Runs the demo and sends `signal` once it prints a line with `marker`. Returns its pid, its
/// exit code, and the JSON, null if it wrote none.
fn demo_until(marker: &str, signal: i32) -> (u32, Option<i32>, Value) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("demo.json");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--json")
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(demo.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains(marker) {
        line.clear();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "ended before `{marker}`"
        );
    }
    assert!(
        !left_behind(demo.id()).is_empty(),
        "the lab is not where this test looks for it"
    );
    sys::signal(&mut demo, signal).unwrap();
    output.read_to_string(&mut line).unwrap();
    let code = demo.wait().unwrap().code();
    let json =
        fs::read_to_string(path).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    (demo.id(), code, json)
}

/// Namespaces and pins of the process with this pid.
fn left_behind(pid: u32) -> Vec<String> {
    let mut found = Vec::new();
    for (dir, prefix) in [("/run/netns", "tb-"), ("/sys/fs/bpf", "trickblock-test-")] {
        let prefix = format!("{prefix}{pid}-");
        let entries = fs::read_dir(dir).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        found.extend(names.filter(|name| name.starts_with(&prefix)));
    }
    found
}
