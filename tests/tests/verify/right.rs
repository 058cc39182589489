//! Nothing is wrong.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::UdpSocket,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use trickblock::verify::Class;
use trickblock_tests::{
    fixture,
    netns::Netns,
    road::{BENIGN, C2, CLIENT, LAN, WAN},
    tun::Tun,
};

use crate::place::{Place, both, differing};

pub fn classes() {
    let asked: BTreeSet<&str> = Class::ALL.iter().map(|class| class.name()).collect();
    let topics = fixture::TOPICS.iter().map(|topic| topic.name);
    // What fuzzing found are packets of the other topics, kept together since they have a story.
    let fixtures: BTreeSet<&str> = topics.filter(|name| *name != "found_by_fuzzing").collect();
    assert_eq!(asked, fixtures);
    assert_eq!(asked.len(), Class::ALL.len());
}

/// Interface, hook and program of each place.
fn places(report: &Value) -> Vec<[&str; 3]> {
    let programs = report["programs"].as_array().unwrap().iter();
    programs
        .map(|one| ["interface", "hook", "program"].map(|key| one[key].as_str().unwrap()))
        .collect()
}

pub fn every_hook() {
    for (hook, ingress, egress) in [
        ("auto", ["xdp", "trickblock"], "tcx-egress"),
        ("tcx", ["tcx-ingress", "tc_ingress"], "tcx-egress"),
        ("clsact", ["clsact-ingress", "tc_ingress"], "clsact-egress"),
    ] {
        // A third interface, without Ethernet.
        let choice = if hook == "clsact" { "clsact" } else { "tcx" };
        let bare =
            format!("[[interface]]\nname = \"tun0\"\nhook = \"{choice}\"\nfail_closed = true\n");
        let place = Place::new("", &format!("{}{bare}", both(hook)));
        let _tun = Tun::new(&place.road.gateway, "tun0").unwrap();
        let daemon = place.daemon();

        let report = place.verify(0, &[]);

        assert_eq!(
            (&report["result"], &report["daemon"]),
            (&json!("ok"), &json!(true))
        );
        assert_eq!(report["differences"], json!([]));
        let mut expected = Vec::new();
        for name in [LAN, "tun0", WAN] {
            let bare = name == "tun0";
            let [hook, program] = ingress;
            let (hook, program) = match (bare, choice) {
                (true, "clsact") => ("clsact-ingress", "tc_ingress_ip"),
                (true, _) => ("tcx-ingress", "tc_ingress_ip"),
                _ => (hook, program),
            };
            expected.push([name, hook, program]);
            expected.push([
                name,
                egress,
                if bare { "tc_egress_ip" } else { "tc_egress" },
            ]);
        }
        assert_eq!(places(&report), expected);
        for program in report["programs"].as_array().unwrap() {
            assert_eq!(program["id"], program["pinned_id"], "{program}");
            assert!(program["probes"].as_u64().unwrap() > 500, "{program}");
        }
        for class in report["classes"].as_array().unwrap() {
            assert!(class["probes"].as_u64().unwrap() > 10, "{class}");
            assert_eq!(class["wrong"], 0, "{class}");
        }
        let text = place.verb("verify", &[]).stdout;
        assert!(
            text.contains("OK: the kernel does what it is told"),
            "{text}"
        );
        drop(daemon);
    }
}

pub fn sampled() {
    let place = Place::hooked("auto");
    let rows = (0..5_000).fold(String::new(), |mut rows, index| {
        let (high, low) = (index / 256, index % 256);
        let _ = match index % 3 {
            0 => writeln!(rows, "198.18.{high}.{low}"),
            1 => writeln!(rows, "198.18.{high}.{low}:443/tcp"),
            _ => writeln!(rows, "2001:db8:5:{high:x}::{low:x}"),
        };
        rows
    });
    place.list(&rows);
    let daemon = place.daemon();

    let report = place.verify(0, &["--seed", "7"]);

    assert_eq!(
        (&report["indicators"], &report["seed"]),
        (&json!(5_000), &json!(7))
    );
    let sampled = report["sampled"].as_u64().unwrap();
    assert!((60..300).contains(&sampled), "{sampled}");
    let probes = report["classes"][0]["probes"].as_u64().unwrap();
    assert!(probes > 2 * 3_300, "each once at both programs: {probes}");
    drop(daemon);
}

pub fn settings() {
    let filter =
        "[filter]\naction = \"monitor\"\ntunnels = [\"ip\", \"gre\", \"geneve\", \"gtpu\"]\n";
    let place = Place::new(filter, &both("auto"));
    let daemon = place.daemon();
    assert_eq!(place.verify(0, &[])["result"], "ok");
    drop(daemon);

    let place = Place::new("[filter]\ntunnels = [\"vxlan\"]\n", &both("tcx"));
    let daemon = place.daemon();
    let report = place.verify(0, &["--all"]);
    assert_eq!(differing(&report), [""; 0]);
    drop(daemon);
}

/// What must not change: all counters, hits, and events.
fn told(place: &Place) -> [Value; 5] {
    let status = place.status();
    let list = place.verb("list", &["--json"]).json().unwrap();
    [
        status["counters"].clone(),
        status["events"].clone(),
        status["generation"].clone(),
        status["revision"].clone(),
        list["indicators"].clone(),
    ]
}

fn dropped(place: &Place) -> u64 {
    let status = place.status();
    let counters = status["counters"].as_array().unwrap().iter();
    let drops = counters.filter(|count| count["verdict"] == "drop");
    drops.map(|count| count["packets"].as_u64().unwrap()).sum()
}

pub fn undisturbed() {
    let place = Place::hooked("auto");
    let daemon = place.daemon();
    let before = dropped(&place);

    let (sent, arrived) = under_streams(&place, || {
        (0..3).for_each(|_| drop(place.verify(0, &[])));
        // Two at once take turns.
        thread::scope(|scope| {
            scope.spawn(|| place.verify(0, &[]));
            place.verify(0, &[]);
        });
    });

    assert!(sent > 100, "{sent}");
    assert_eq!(arrived, sent, "of the benign host");
    assert_eq!(dropped(&place) - before, sent, "of C2");
    // And where nothing moves, nothing moves.
    let before = told(&place);
    place.verify(0, &[]);
    assert_eq!(told(&place), before);
    drop(daemon);
}

/// As many datagrams from C2 as from a benign host while `work` runs; how many were sent by each, and how
/// many of all arrived.
fn under_streams(place: &Place, work: impl FnOnce()) -> (u64, u64) {
    let bind = |host: &Netns, address: &str, port: u16| {
        let bound = host.run(|| UdpSocket::bind((address, port)));
        bound.unwrap().unwrap()
    };
    let client = bind(&place.road.client, CLIENT, 4000);
    let senders = [C2, BENIGN].map(|address| bind(&place.road.internet, address, 443));
    client
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let (stop, sent, arrived) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    // Whatever becomes of `work`, both threads end.
    let end = Instant::now() + Duration::from_secs(60);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) && Instant::now() < end {
                for sender in &senders {
                    sender.send_to(b"c", (CLIENT, 4000)).unwrap();
                }
                sent.fetch_add(1, Relaxed);
                thread::sleep(Duration::from_micros(500));
            }
        });
        // Until nothing has come for a moment after the end.
        scope.spawn(|| {
            loop {
                match client.recv(&mut [0]) {
                    Ok(_) => arrived.fetch_add(1, Relaxed),
                    Err(_) if stop.load(Relaxed) || Instant::now() > end => break,
                    Err(_) => continue,
                };
            }
        });
        work();
        stop.store(true, Relaxed);
    });
    (sent.into_inner(), arrived.into_inner())
}
