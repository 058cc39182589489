//! `replay`: captures through the loaded program.

use std::{
    fs,
    io::Read as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use trickblock_tests::{
    cli::{Output, Run, binary},
    packet::Packet,
};

use crate::captures::{COOKED, ETHERNET, IPV4, IPV6, RAW, pcap, pcapng};

const FEED: &str = "203.0.113.7\n203.0.113.9:443\n2001:db8:c2::/48\n10.0.0.1\n";
const CLIENT: &str = "192.0.2.10";
const CLIENT_6: &str = "2001:db8:1::10";

/// A directory with the feed and a capture.
struct Place(TempDir);

impl Place {
    fn new(feed: &str, capture: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("feed.txt"), feed).unwrap();
        fs::write(dir.path().join("capture"), capture).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn replay(&self, more: &[&str]) -> Output {
        let (feed, capture) = (self.path("feed.txt"), self.path("capture"));
        let mut arguments = vec!["replay".into(), "--feed".into(), feed.into_os_string()];
        arguments.extend(["--pcap".into(), capture.into_os_string()]);
        arguments.extend(more.iter().map(Into::into));
        Run::new(arguments).output().unwrap()
    }

    /// Of every packet: verdict, reason, side, indicator's prefix.
    fn verdicts(&self, more: &[&str]) -> Vec<[String; 4]> {
        let output = self.replay(more);
        assert_eq!(output.code, Some(0), "{output:?}");
        lines(&output).iter().map(told).collect()
    }
}

/// Each line is one object with just these keys, counted from 1.
fn lines(output: &Output) -> Vec<Value> {
    let parsed = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = parsed.collect();
    for (line, n) in lines.iter().zip(1..) {
        let keys: Vec<_> = line
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            ["indicator", "inner", "n", "reason", "side", "verdict"]
        );
        assert_eq!(line["n"], n);
    }
    lines
}

fn told(line: &Value) -> [String; 4] {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let indicator = text(&line["indicator"]["prefix"]);
    [
        text(&line["verdict"]),
        text(&line["reason"]),
        text(&line["side"]),
        indicator,
    ]
}

fn expect(verdicts: &[[String; 4]], expected: &[&str]) {
    let told: Vec<String> = verdicts.iter().map(|words| words.join(" ")).collect();
    assert_eq!(told, expected);
}

pub fn every_packet() {
    let packets = [
        Packet::v4(CLIENT, "203.0.113.7").tcp(1_024, 80).build(),
        Packet::v4("203.0.113.9", CLIENT).udp(443, 1_024).build(),
        Packet::v4(CLIENT, "203.0.113.9").tcp(1_024, 444).build(),
        Packet::v6(CLIENT_6, "2001:db8:c2::1")
            .tcp(1_024, 443)
            .vlan(7)
            .build(),
        Packet::v4("10.0.0.1", "198.51.100.1").udp(53, 53).build(),
        Packet::ethernet(0x0806).payload(&[0; 28]).build(),
        vec![0; 13],
        Packet::v4(CLIENT, "203.0.113.7")
            .tcp(1, 2)
            .cut_to(20)
            .build(),
        Vec::new(),
    ];
    let place = Place::new(FEED, &pcap(ETHERNET, &packets));
    let listed = "203.0.113.7/32";
    expect(
        &place.verdicts(&[]),
        &[
            &format!("drop address destination {listed}"),
            "drop address_port source 203.0.113.9/32",
            "pass miss - -",
            "drop prefix destination 2001:db8:c2::/48",
            "pass miss - -",
            "pass non_ip - -",
            "skip short_frame - -",
            "pass truncated_ip - -",
            "skip short_frame - -",
        ],
    );
    let monitored = place.verdicts(&["--monitor", "--json"]);
    assert_eq!(
        monitored[0].join(" "),
        format!("monitor monitor_address destination {listed}")
    );
    assert_eq!(
        lines(&place.replay(&[]))[1]["indicator"],
        json!({"prefix": "203.0.113.9/32", "protocol": null, "port": 443})
    );
}

pub fn link_types() {
    let out = Packet::v4(CLIENT, "203.0.113.7")
        .udp(1, 2)
        .without_link_header()
        .build();
    let out_6 = Packet::v6(CLIENT_6, "2001:db8:c2::1")
        .udp(1, 2)
        .without_link_header()
        .build();
    let (dropped, dropped_6) = (
        "drop address destination 203.0.113.7/32",
        "drop prefix destination 2001:db8:c2::/48",
    );
    let cases = [
        (RAW, &out, dropped),
        (RAW, &out_6, dropped_6),
        (IPV4, &out, dropped),
        (IPV6, &out_6, dropped_6),
        (COOKED, &out, "skip link_type - -"),
    ];
    for (link, packet, expected) in cases {
        let place = Place::new(FEED, &pcap(link, std::slice::from_ref(packet)));
        expect(&place.verdicts(&[]), &[expected]);
    }
    let framed = Packet::v4(CLIENT, "203.0.113.7").udp(1, 2).build();
    let packets = [(1, out), (0, framed), (2, out_6), (7, vec![0; 60])];
    let place = Place::new(FEED, &pcapng(&[ETHERNET, RAW, IPV6], &packets));
    expect(
        &place.verdicts(&[]),
        &[dropped, dropped, dropped_6, "skip unknown_interface - -"],
    );
    let empty = Place::new(FEED, &pcap(ETHERNET, &[]));
    expect(&empty.verdicts(&[]), &[]);
}

/// `trickblock replay … | head -c 1`: nobody panics, and the exit code is not that of a failure.
pub fn broken_pipe() {
    let packet = Packet::v4(CLIENT, "203.0.113.7").udp(1, 2).build();
    let place = Place::new(FEED, &pcap(ETHERNET, &vec![packet; 5_000]));
    let mut command = Command::new(binary().unwrap());
    command
        .arg("replay")
        .arg("--feed")
        .arg(place.path("feed.txt"));
    command.arg("--pcap").arg(place.path("capture"));
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

pub fn refusals() {
    let packet = Packet::v4(CLIENT, "203.0.113.7").udp(1, 2).build();
    let whole = pcap(ETHERNET, &[packet.clone(), packet]);
    let cut = Place::new(FEED, &whole[..whole.len() - 3]);
    let output = cut.replay(&[]);
    assert_eq!(
        (output.code, lines(&output).len()),
        (Some(1), 1),
        "{output:?}"
    );
    let says = [
        "capture: not a capture, or damaged after packet 1",
        "pcap and pcapng files",
    ];
    says.iter()
        .for_each(|part| assert!(output.stderr.contains(part), "{output:?}"));

    let cases: [(&str, &[u8], &[&str]); 4] = [
        (FEED, b"text", &["capture", "not a capture"]),
        (FEED, b"", &["capture", "not a capture"]),
        ("<html></html>", &whole, &["feed.txt", "a web page"]),
        ("", &whole, &["feed.txt", "the body is empty"]),
    ];
    for (feed, capture, says) in cases {
        let output = Place::new(feed, capture).replay(&[]);
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (Some(1), ""),
            "{output:?}"
        );
        says.iter()
            .for_each(|part| assert!(output.stderr.contains(part), "{output:?}"));
    }
    let gone = Place::new(FEED, &whole);
    fs::remove_file(gone.path("capture")).unwrap();
    let output = gone.replay(&[]);
    assert!(
        output.code == Some(1) && output.stderr.contains("check the path"),
        "{output:?}"
    );
    let output = gone.replay(&["--bpffs", gone.0.path().to_str().unwrap()]);
    assert!(
        output.code == Some(1) && output.stderr.contains("mount -t bpf"),
        "{output:?}"
    );
}
