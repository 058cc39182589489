//! Metrics as a monitoring system gets them.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    time::Duration,
};

use serde_json::Value;
use trickblock_tests::{
    gateway::{BENIGN, C2, Gateway, INTERFACE, body, list_of, wait_for},
    harness::{self, Need, Test},
};

const XDP: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];
const ADDRESS: &str = "127.0.0.1:9470";
/// More than are served at a time.
const IDLE: usize = 50;

fn main() -> ExitCode {
    let wire = |name, run| Test {
        name,
        needs: XDP,
        run,
    };
    harness::main(&[
        wire("a_scrape_agrees_with_status_and_feeds", agrees),
        wire("hostile_callers_are_in_nobodys_way", hostile),
        wire("an_address_that_is_taken_ends_the_start", taken),
    ])
}

fn gateway() -> Gateway {
    let gateway = Gateway::new().unwrap();
    let feed = gateway.feed();
    let config = format!("[metrics]\nlisten = \"{ADDRESS}\"\n\n{INTERFACE}{feed}");
    gateway.site.configure(&config).unwrap();
    gateway
}

/// Everything that is answered to `request`.
fn ask(gateway: &Gateway, request: &str) -> String {
    let request = request.to_owned();
    let conversation = move || {
        let mut stream = TcpStream::connect(ADDRESS)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    };
    gateway.inside().run(conversation).unwrap().unwrap()
}

fn scrape(gateway: &Gateway) -> String {
    let answer = ask(gateway, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    let length = format!("Content-Length: {}", text.len());
    assert!(head.contains(&length), "{head}");
    assert!(head.contains("application/openmetrics-text"), "{head}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    text.to_owned()
}

/// The sum of the samples of a name whose labels contain all of `labels`; panics where there is none.
fn sum(text: &str, name: &str, labels: &[&str]) -> u64 {
    let is_of = |line: &&str| {
        line.split(['{', ' ']).next() == Some(name)
            && labels.iter().all(|label| line.contains(label))
    };
    let values: Vec<u64> = text
        .lines()
        .filter(is_of)
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(!values.is_empty(), "no {name} {labels:?}: {text}");
    values.iter().sum()
}

/// A scrape that says what `wanted` wants: one may be a second old.
fn wait_for_scrape(gateway: &Gateway, wanted: impl Fn(&str) -> bool) -> String {
    let mut last = String::new();
    let found = wait_for("the metrics", || {
        last = scrape(gateway);
        Ok(wanted(&last).then(|| last.clone()))
    });
    found.unwrap_or_else(|error| panic!("{error}: {last}"))
}

fn agrees() {
    let gateway = gateway();
    let _daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    assert_eq!(gateway.wire.passes(C2, 7), 0);
    gateway.must(
        0,
        &[
            "block",
            "add",
            "203.0.113.99",
            "--for",
            "1h",
            "--reason",
            "test",
        ],
    );
    let drops = ["verdict=\"drop\"", "reason=\"address_port\""];
    let dropped = |text: &str| sum(text, "trickblock_packets_total", &drops);
    let text = wait_for_scrape(&gateway, |text| {
        dropped(text) == 7 && sum(text, "trickblock_blocks_by_hand", &[]) == 1
    });

    let (_, status) = gateway.status().unwrap();
    let counted = |key: &str| -> u64 {
        let counters = status["counters"].as_array().unwrap().iter();
        let drops = counters.filter(|count| count["verdict"] == "drop");
        drops.map(|count| count[key].as_u64().unwrap()).sum()
    };
    let drop = &["verdict=\"drop\""];
    assert_eq!(
        sum(&text, "trickblock_packets_total", drop),
        counted("packets")
    );
    assert_eq!(sum(&text, "trickblock_bytes_total", drop), counted("bytes"));
    assert_eq!(
        status["indicators"]["total"],
        sum(&text, "trickblock_indicators", &[])
    );
    assert_eq!(
        sum(&text, "trickblock_state", &["state=\"active\""]),
        1,
        "{text}"
    );
    assert_eq!(sum(&text, "trickblock_interface_attached", &["eth0"]), 1);
    assert_eq!(sum(&text, "trickblock_feed_state", &["feodo", "ok"]), 1);
    assert_eq!(sum(&text, "trickblock_feed_indicators", &["feodo"]), 2);
    assert_eq!(sum(&text, "trickblock_feed_held", &["feodo"]), 0);
    of_the_verb(&gateway, &text);
    held(&gateway);
}

/// The verb prints the families of the scrape, as text and as JSON.
fn of_the_verb(gateway: &Gateway, scraped: &str) {
    let families = |text: &str| -> Vec<String> {
        let types = text.lines().filter(|line| line.starts_with("# TYPE"));
        types.map(str::to_owned).collect()
    };
    let printed = gateway.must(0, &["metrics"]).stdout;
    assert_eq!(families(&printed), families(scraped));
    let json: Value = gateway.must(0, &["metrics", "--json"]).json().unwrap();
    let listed = json["families"].as_array().unwrap();
    assert_eq!(listed.len(), families(scraped).len());
    let blocks = listed
        .iter()
        .find(|one| one["name"] == "trickblock_blocks_by_hand");
    assert_eq!(blocks.unwrap()["samples"][0]["value"], 1);
}

/// An update that waits, and its alarm.
fn held(gateway: &Gateway) {
    let many: Vec<String> = (0..6_000_u32)
        .map(|row| {
            format!(
                "198.{}.{}.{}:443",
                18 + row / 62_500,
                row / 250 % 250,
                row % 250 + 1
            )
        })
        .collect();
    gateway.answer(body(list_of(&many)));
    gateway.must(4, &["reload"]);
    let rings = |text: &str| sum(text, "trickblock_feed_alarm", &["alarm=\"held\""]) == 1;
    let text = wait_for_scrape(gateway, rings);
    assert_eq!(sum(&text, "trickblock_feed_held", &["feodo"]), 1);
    assert_eq!(sum(&text, "trickblock_state", &["state=\"degraded\""]), 1);
}

fn hostile() {
    let gateway = gateway();
    let _daemon = gateway.daemon().unwrap();
    gateway.wait_for_active();
    let refused = [
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("GET /metrics/../x HTTP/1.1\r\n\r\n", "404"),
        (
            "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            "405",
        ),
        ("\u{1}\u{2}\u{3}\r\n\r\n", "400"),
        ("GET /metrics\r\n\r\n", "400"),
    ];
    for (request, code) in refused {
        let answer = ask(&gateway, request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {code} ")),
            "{request:?}: {answer}"
        );
    }
    let endless = format!("GET /metrics HTTP/1.1\r\nA: {}", "a".repeat(4_096));
    assert!(ask(&gateway, &endless).starts_with("HTTP/1.1 400 "));

    // They say nothing, or a byte at a time, and keep all places taken; a scrape comes all the same.
    let idle = gateway.inside().run(|| {
        let connect = |number: usize| {
            let mut stream = TcpStream::connect(ADDRESS)?;
            let begun = if number.is_multiple_of(2) {
                ""
            } else {
                "GET /met"
            };
            stream.write_all(begun.as_bytes()).map(|()| stream)
        };
        (0..IDLE).map(connect).collect::<Result<Vec<_>, _>>()
    });
    let idle = idle.unwrap().unwrap();
    let text = scrape(&gateway);
    assert_eq!(sum(&text, "trickblock_indicators", &[]), 2);
    drop(idle);
    assert_eq!(
        gateway.wire.passes(C2, 3) + 3 - gateway.wire.passes(BENIGN, 3),
        0
    );
}

fn taken() {
    let gateway = gateway();
    let listener = gateway.inside().run(|| TcpListener::bind(ADDRESS)).unwrap();
    let _listener = listener.unwrap();
    let output = gateway.run().unwrap();
    assert_eq!(output.code, Some(1), "{output:?}");
    let expected = format!("[metrics] listen = \"{ADDRESS}\" cannot be listened on");
    assert!(output.stderr.contains(&expected), "{output:?}");
    assert_eq!(gateway.wire.passes(C2, 3), 3, "nothing is attached");
}
