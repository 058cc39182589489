//! Feeds that are wrong in every way: what `cargo xtask fuzz --feeds` does at length, for some seconds, and
//! the proof that it would find bugs.

use std::{
    process::ExitCode,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use trickblock::feed::Format;
use trickblock_tests::{
    case,
    feeds::{self, Plan, Plant, Report},
    harness,
    needs::corpus_dir,
    sys::allocation::Counting,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    harness::main(&[
        case!(every_promise_is_kept, &[]),
        case!(the_worst_bodies_keep_every_promise, &[]),
        case!(every_planted_bug_is_found, &[]),
        case!(what_is_found_can_be_repeated, &[]),
    ])
}

const SHARE: Duration = Duration::from_secs(60);
/// A bug is found in a moment, or the search is no good: this only ends one that finds nothing.
const LIMIT: Duration = Duration::from_secs(60);
/// Of each format, on a slow and busy machine.
const EACH_FORMAT: u64 = 40;

fn plan(time: Duration, plant: Option<Plant>) -> Plan {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("after 1970");
    Plan {
        seed: now.as_secs() << 20 | u64::from(now.subsec_micros()),
        time,
        workers: thread::available_parallelism().map_or(1, usize::from),
        plant,
        real: Vec::new(),
        patience: Duration::from_secs(60),
    }
}

fn search(plan: &Plan) -> Report {
    let report = feeds::run(plan, |line| println!("{line}")).unwrap();
    println!("{report}");
    report
}

fn every_promise_is_kept() {
    let corpus = corpus_dir()
        .ok()
        .map(|corpus| feeds::real(&corpus).unwrap());
    let plan = Plan {
        real: corpus.unwrap_or_default(),
        ..plan(SHARE, None)
    };
    let report = search(&plan);
    if let Some(found) = &report.found {
        let directory = std::env::temp_dir().join("trickblock-fuzz");
        panic!("{report}{}", found.keep(&directory).unwrap());
    }
    for format in Format::ALL {
        let count = report.bodies.get(&format).copied().unwrap_or_default();
        assert!(count >= EACH_FORMAT, "{format}: {count} bodies\n{report}");
    }
}

/// Bodies that chance would hardly draw: each makes much of little where a reader lets it.
fn the_worst_bodies_keep_every_promise() {
    let many = |piece: &str, count: usize, between: &str| vec![piece; count].join(between);
    let stix = |pattern: &str| {
        let object = format!("{{\"type\":\"indicator\",\"pattern\":\"{pattern}\"}}");
        format!("{{\"type\":\"bundle\",\"objects\":[{object}]}}")
    };
    let nets = many("'192.0.2.1'", 2_000, ",");
    let port = "network-traffic:dst_port = 1";
    let lines = |head: &str, count: usize| -> String {
        let line = |number: usize| head.replace('N', &(number % 255).to_string()) + "\n";
        (0..count).map(line).collect()
    };
    for (name, format, body) in [
        (
            "each address with each port",
            Format::Stix,
            stix(&format!(
                "[ipv4-addr:value IN ({nets}) AND network-traffic:dst_port IN ({})]",
                many("1", 15_000, ",")
            )),
        ),
        (
            "the same addresses in each alternative",
            Format::Stix,
            stix(&format!(
                "[ipv4-addr:value IN ({nets}) AND ({})]",
                many(port, 1_000, " OR ")
            )),
        ),
        (
            "alternatives of alternatives",
            Format::Stix,
            stix(&format!(
                "[({}) AND {}]",
                many(port, 500, " OR "),
                many("ipv4-addr:value = '192.0.2.1'", 500, " AND ")
            )),
        ),
        (
            "parentheses",
            Format::Stix,
            stix(&format!("[{}x", many("(", 60_000, ""))),
        ),
        ("arrays", Format::Stix, many("[", 60_000, "")),
        (
            "events in events",
            Format::Misp,
            many("[{\"response\":", 20_000, ""),
        ),
        ("ranges", Format::Plain, lines("1::N-f::e", 2_000)),
        (
            "holes",
            Format::Ipset,
            lines("add s N.0.0.0/6", 60) + &lines("add s 0.0.N.1 nomatch", 200),
        ),
        (
            "tags that stay open",
            Format::Trickbot,
            many("<srv>", 50_000, ""),
        ),
        (
            "comments that stay open",
            Format::Trickbot,
            many("<!--<srv>", 30_000, ""),
        ),
        (
            "lists in lists",
            Format::Suricata,
            format!(
                "alert ip any any -> {} any (sid:1;)\n",
                many("[", 30_000, "")
            ),
        ),
        (
            "rules that go on",
            Format::Suricata,
            lines("alert ip \\", 20_000),
        ),
        (
            "quotes",
            Format::FeodoCsv,
            format!("dst_ip,dst_port\n{}", many("\"", 60_000, ",")),
        ),
    ] {
        let kept = feeds::check(feeds::Subject { plant: None }, format, body.as_bytes());
        kept.unwrap_or_else(|broken| panic!("{name}: {}\n{:.400}", broken.promise, broken.detail));
    }
}

/// A search that finds no bug that is there would find nothing.
fn every_planted_bug_is_found() {
    for (name, plant) in Plant::ALL {
        let patience = match plant {
            // It sleeps for a quarter of an hour, which no other reading comes near.
            Plant::Hang => Duration::from_secs(2),
            _ => LIMIT,
        };
        let report = search(&Plan {
            patience,
            ..plan(LIMIT, Some(plant))
        });
        let found = report
            .found
            .unwrap_or_else(|| panic!("{name} is not found"));
        assert!(
            promises(plant).contains(&found.broken.promise),
            "{name}: {found}"
        );
    }
}

/// What a bug may be found by.
fn promises(plant: Plant) -> &'static [&'static str] {
    match plant {
        Plant::Panic => &["nothing panics"],
        Plant::Hang => &["reading a body ends"],
        Plant::Memory => &["memory is bounded"],
        Plant::Memoir => &[
            "the same body is read the same again",
            "the detected format reads the same when it is given",
            "there are no more entries than lines",
            "a valid document is read as it was written",
        ],
        Plant::Widen => &[
            "a list of indicators is read as such",
            "a valid document is read as it was written",
        ],
        Plant::HostBits => &[
            "an indicator is read from its own text",
            "a valid document is read as it was written",
        ],
        Plant::Detect => &["a valid document is known"],
        Plant::Silent => &["detection says what shows the format"],
        Plant::Pieces => &[
            "pieces of any size make the same body",
            "gzip makes no difference",
        ],
        Plant::Line => &["entries stand in lines of the body"],
    }
}

/// The same seed finds the same, and the body that is kept shows it without its round.
fn what_is_found_can_be_repeated() {
    let first = search(&Plan {
        workers: 1,
        ..plan(LIMIT, Some(Plant::Silent))
    });
    let first = first.found.expect("the bug");
    let again = search(&Plan {
        seed: first.seed,
        workers: 1,
        ..plan(LIMIT, Some(Plant::Silent))
    });
    let again = again.found.expect("the bug again");
    assert_eq!((&again.body, &again.broken), (&first.body, &first.broken));

    let directory = tempfile::tempdir().unwrap();
    let told = first.keep(directory.path()).unwrap();
    assert!(
        told.contains("--input") && told.contains("--seed"),
        "{told}"
    );
    let file = format!("{}-{}.feed", first.format, first.seed);
    let body = std::fs::read(directory.path().join(file)).unwrap();
    let with = |plant| feeds::check(feeds::Subject { plant }, first.format, &body);
    assert_eq!(with(Some(Plant::Silent)), Err(first.broken));
    assert_eq!(with(None), Ok(()));
}
