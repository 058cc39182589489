//! The reading verbs.

use std::fs;

use serde_json::{Value, json};
use trickblock_tests::gateway::{C2, Gateway, INTERFACE};

use crate::{END, verb};

const KEYS: [&str; 20] = [
    "schema",
    "state",
    "problems",
    "daemon",
    "action",
    "mode",
    "mode_reason",
    "interfaces",
    "indicators",
    "generation",
    "fingerprint",
    "image",
    "revision",
    "feeds",
    "never_block",
    "never_block_fingerprint",
    "guards",
    "stopped",
    "counters",
    "events",
];

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

pub fn status() {
    let gateway = Gateway::new().unwrap();
    let nothing = verb(&gateway, 1, &["status", "--json"]);
    assert_eq!(nothing.stdout, "");
    for part in ["no filter is pinned", "trickblock run"] {
        assert!(nothing.stderr.contains(part), "{nothing:?}");
    }

    let daemon = gateway.daemon().unwrap();
    let running = verb(&gateway, 0, &["status", "--json"]).json().unwrap();
    assert_eq!(
        verb(&gateway, 0, &["status"])
            .stdout
            .lines()
            .next()
            .unwrap()
            .split(',')
            .next(),
        Some("trickblock  active")
    );
    let mut expected = KEYS;
    expected.sort_unstable();
    assert_eq!(keys(&running), expected);
    assert_eq!(
        [
            &running["schema"],
            &running["state"],
            &running["action"],
            &running["daemon"]["pid"]
        ],
        [
            &json!(1),
            &json!("active"),
            &json!("drop"),
            &json!(daemon.pid())
        ]
    );
    assert_eq!(running["interfaces"][0]["name"], "eth0");
    assert_eq!(running["feeds"][0]["format"], "feodo-csv");

    daemon.terminate(END).unwrap();
    let alone = verb(&gateway, 4, &["status", "--json"]).json().unwrap();
    assert_eq!(keys(&alone), expected, "the same keys without a daemon");
    assert_eq!(
        (&alone["state"], &alone["daemon"]),
        (&json!("degraded"), &Value::Null)
    );
    for same in [
        "indicators",
        "fingerprint",
        "image",
        "generation",
        "never_block",
    ] {
        assert_eq!(alone[same], running[same], "{same}");
    }
}

/// With and without a daemon the same shapes.
pub fn json() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    let cases: [(&[&str], &[&str]); 5] = [
        (&["list", "--json"], &["indicators", "schema"]),
        (
            &["why", C2, "--json"],
            &[
                "also",
                "explanation",
                "indicator",
                "off",
                "protected_by",
                "reason",
                "refused",
                "schema",
                "target",
                "verdict",
            ],
        ),
        (
            &["reload", "--json"],
            &[
                "failed",
                "indicators",
                "problems",
                "put_off",
                "rejected",
                "schema",
            ],
        ),
        (&["off", "--json"], &["failed", "interfaces", "schema"]),
        (&["on", "--json"], &["failed", "interfaces", "schema"]),
    ];
    for (words, expected) in cases {
        let answer = verb(&gateway, 0, words).json().unwrap();
        assert_eq!(keys(&answer), expected, "{words:?}");
    }
    daemon.terminate(END).unwrap();
    for (words, expected) in cases.into_iter().filter(|(words, _)| words[0] != "reload") {
        let answer = verb(&gateway, 0, words).json().unwrap();
        assert_eq!(keys(&answer), expected, "{words:?} without a daemon");
    }
    let reload = verb(&gateway, 1, &["reload", "--json"]);
    assert!(
        reload.stderr.contains("no daemon listens there: start it"),
        "{reload:?}"
    );
}

pub fn list() {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    assert_eq!(gateway.wire.passes(C2, 7), 0);

    let list = verb(&gateway, 0, &["list", "--json"]).json().unwrap();
    let text = verb(&gateway, 0, &["list"]).stdout;

    let listed = &list["indicators"][1];
    assert_eq!(
        *listed,
        json!({
            "indicator": "203.0.113.7/32:443", "action": "drop", "hits": 7, "family": "Dridex",
            "first_seen": "2021-03-19T10:00:00Z", "last_seen": "2021-03-20T00:00:00Z",
            "until": null, "confidence": null,
            "sources": [{"feed": "feodo", "line": 3, "departed": false, "authority": null}],
        })
    );
    assert_eq!(list["indicators"].as_array().unwrap().len(), 2);
    let row = text
        .lines()
        .find(|line| line.starts_with("203.0.113.7/32:443"))
        .unwrap();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words[1..], ["drop", "7", "Dridex", "feodo:3"]);

    daemon.terminate(END).unwrap();
    let alone = verb(&gateway, 0, &["list", "--json"]).json().unwrap();
    assert_eq!(alone["indicators"][1]["hits"], 7);
    assert_eq!(
        alone["indicators"][1]["sources"],
        json!([]),
        "only a daemon knows the feeds"
    );
}

/// A target, its verdict and reason, and what else the answer must hold.
type Verdict = (&'static str, &'static str, &'static str, &'static str);

const VERDICTS: [Verdict; 12] = [
    ("203.0.113.7", "drop", "address", "203.0.113.7/32"),
    ("203.0.113.7:80", "drop", "address", "own:1"),
    (
        "203.0.113.99:443",
        "drop",
        "address_port",
        "203.0.113.99/32:443",
    ),
    ("203.0.113.99:80", "pass", "miss", "203.0.113.99/32:443"),
    ("203.0.113.99", "pass", "no_ports", "203.0.113.99/32:443"),
    (
        "203.0.113.98:53/udp",
        "drop",
        "address_port",
        "203.0.113.98/32:53/udp",
    ),
    (
        "203.0.113.98:53/tcp",
        "pass",
        "miss",
        "203.0.113.98/32:53/udp",
    ),
    ("2001:db8:c2::7", "drop", "prefix", "2001:db8:c2::/48"),
    ("[2001:db8:c2::7]:443", "drop", "prefix", "2001:db8:c2::/48"),
    ("192.0.2.77", "pass", "never_block", "192.0.2.77/32"),
    ("10.1.2.3", "pass", "miss", "compiled_in"),
    ("198.51.100.1", "pass", "miss", ""),
];

pub fn why() {
    let gateway = Gateway::new().unwrap();
    let rows = "203.0.113.7\n203.0.113.99:443\n203.0.113.98:53/udp\n2001:db8:c2::/48\n192.0.2.0/24\n10.1.2.3\n";
    fs::write(gateway.site.dir().join("own.txt"), rows).unwrap();
    let config = format!(
        "[guard]\nallow = [\"192.0.2.77\"]\n{INTERFACE}[[feed]]\nname = \"own\"\npath = \"own.txt\"\n"
    );
    gateway.site.configure(&config).unwrap();
    let daemon = gateway.daemon().unwrap();
    for (target, verdict, reason, holds) in VERDICTS {
        let why = verb(&gateway, 0, &["why", target, "--json"])
            .json()
            .unwrap();
        assert_eq!(
            (&why["verdict"], &why["reason"]),
            (&json!(verdict), &json!(reason)),
            "{target}: {why}"
        );
        let text = verb(&gateway, 0, &["why", target]).stdout;
        let flat = text.replace(", line ", ":");
        assert!(flat.contains(holds), "{target}: no {holds} in {text}");
        assert!(
            text.starts_with(&format!("{target}: {}", verdict.to_uppercase())),
            "{text}"
        );
    }
    for wrong in ["203.0.113.0/24", "evil.example", "203.0.113.7:0", ""] {
        let output = verb(&gateway, 2, &["why", wrong]);
        assert!(
            output.stderr.contains("write IP, IP:PORT or IP:PORT/PROTO"),
            "{output:?}"
        );
    }
    daemon.terminate(END).unwrap();
    let why = verb(&gateway, 0, &["why", "203.0.113.7:80", "--json"])
        .json()
        .unwrap();
    assert_eq!(why["verdict"], "drop", "the pins know it too");
}
