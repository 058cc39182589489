//! STIX as the libraries of its own committee write and read it: `stix2` makes bundles, `stix2-patterns` says what
//! is a pattern and what is in it.
//!
//! The seed is the same each time; `TRICKBLOCK_SEED` gives another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::ExitCode,
};

use serde_json::{Value, json};
use trickblock::{
    cli::{self, Exit},
    feed::{self, Format, NotAFeed, Options, Parsed, Row},
};
use trickblock_tests::{
    case,
    harness::{self, Need},
    python,
};

fn main() -> ExitCode {
    harness::main(&[
        case!(bundles_say_what_their_library_says, &[Need::Stix]),
        case!(patterns_are_what_the_validator_takes, &[Need::Stix]),
    ])
}

const BUNDLES: u64 = 60;
const PATTERNS: u64 = 1_000;
const NOW: &str = "2024-06-01T00:00:00Z";

fn ask(script: &str, question: &Value) -> Vec<Value> {
    let libraries = python::libraries().unwrap();
    let answer = python::ask(script, Some(&libraries), question).unwrap();
    answer.as_array().unwrap().clone()
}

fn texts(values: &Value) -> BTreeSet<String> {
    values
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect()
}

fn bundles_say_what_their_library_says() {
    let made = ask(
        "stix_bundles.py",
        &json!({"seed": python::seed(), "count": BUNDLES, "now": NOW}),
    );
    let mut rows = 0;
    for bundle in &made {
        let body = bundle["body"].as_str().unwrap();
        let options = Options {
            received: NOW.parse().ok(),
            ..Options::default()
        };
        let parsed = feed::parse(body.as_bytes(), options).unwrap();
        assert_eq!(parsed.format, Format::Stix, "{body}");
        let found: BTreeSet<String> = parsed
            .rows
            .iter()
            .map(|row| told(row).to_string())
            .collect();
        assert_eq!(found, texts(&bundle["rows"]), "{body}");
        assert_eq!(found.len(), parsed.rows.len(), "{body}");
        assert_eq!(parsed.ignored, bundle["ignored"], "{body}");
        assert_eq!(parsed.rejected, bundle["rejected"], "{body}");
        assert_eq!(checked(body), texts(&bundle["merged"]), "{body}");
        rows += found.len();
    }
    println!("{} bundles, {rows} indicators", made.len());
    assert!(rows > 1_000, "{rows}");
}

/// Prefix, protocol, port, family, confidence, end.
fn told(row: &Row) -> Value {
    let (indicator, sighting) = (&row.indicator, &row.sighting);
    let end = sighting.expires.map(|end| end.to_string());
    json!([
        indicator.prefix,
        indicator.protocol,
        indicator.port,
        sighting.family.as_deref(),
        sighting.confidence,
        end
    ])
}

/// What `trickblock check` says, which knows no time: prefix, protocol, port and family.
fn checked(body: &str) -> BTreeSet<String> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bundle.json");
    fs::write(&file, body).unwrap();
    let arguments = [
        "trickblock",
        "check",
        "--json",
        "--format",
        "stix",
        "--feed",
    ];
    let line = arguments
        .map(Into::into)
        .into_iter()
        .chain([file.into_os_string()]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = cli::run(line, &mut out, &mut err);
    assert_eq!(exit, Exit::Ok, "{}", String::from_utf8_lossy(&err));
    let report: Value = serde_json::from_slice(&out).unwrap();
    let indicators = report["indicators"].as_array().unwrap().iter();
    indicators
        .map(|found| {
            json!([
                found["prefix"],
                found["protocol"],
                found["port"],
                found["family"]
            ])
            .to_string()
        })
        .collect()
}

fn patterns_are_what_the_validator_takes() {
    let made = ask(
        "stix_patterns.py",
        &json!({"seed": python::seed(), "count": PATTERNS}),
    );
    let parsed = parsed(&made);
    let rejected: BTreeMap<u32, &str> = parsed
        .rejections
        .iter()
        .map(|rejection| (rejection.line, rejection.reason.as_str()))
        .collect();
    let (mut wrong, mut plain, mut accepted) = (0, 0, 0);
    for (line, said) in (2..).zip(&made) {
        let rows: Vec<&Row> = parsed.rows.iter().filter(|row| row.line == line).collect();
        let reason = rejected.get(&line);
        let context = || format!("{said}\nreason: {reason:?}\nrows: {rows:?}");
        if said["valid"] == false {
            wrong += 1;
            assert!(
                reason.is_some_and(|reason| !reason.is_empty()),
                "no pattern, but not rejected: {}",
                context()
            );
            continue;
        }
        accepted += usize::from(!rows.is_empty());
        let (found, named) = (prefixes(&rows), networks(&said["addresses"]));
        // An inspector also finds what stands beside a test that never holds, such as `IN ()`.
        let same = found == named || (said["never"] == true && found.is_subset(&named));
        assert!(rows.is_empty() || same, "{}", context());
        if said["plain"] == true {
            plain += 1;
            let found: BTreeSet<String> = rows.iter().map(|row| short(row)).collect();
            let meant = match &said["meaning"] {
                Value::Null => BTreeSet::new(),
                meaning => texts(meaning),
            };
            assert_eq!(found, meant, "{}", context());
        }
    }
    println!(
        "{} patterns, {wrong} that are none, {plain} plain, {accepted} accepted",
        made.len()
    );
    assert!(
        wrong > 150 && plain > 150 && accepted > 200,
        "{wrong} {plain} {accepted}"
    );
}

/// A bundle with an indicator in each line from the second on.
fn parsed(made: &[Value]) -> Parsed {
    let indicators: Vec<String> = made
        .iter()
        .enumerate()
        .map(|(id, said)| {
            let id = format!("indicator--{id}");
            json!({"type": "indicator", "id": id, "pattern": said["pattern"]}).to_string()
        })
        .collect();
    let objects = indicators.join(",\n");
    let body = format!("{{\"type\":\"bundle\",\"objects\":[\n{objects}\n]}}");
    match feed::parse(body.as_bytes(), Some(Format::Stix)) {
        Ok(parsed) => parsed,
        Err(NotAFeed::MostlyMalformed(parsed)) => *parsed,
        Err(error) => panic!("{error}"),
    }
}

fn short(row: &Row) -> String {
    let indicator = &row.indicator;
    json!([indicator.prefix, indicator.protocol, indicator.port]).to_string()
}

fn prefixes(rows: &[&Row]) -> BTreeSet<String> {
    rows.iter()
        .map(|row| row.indicator.prefix.to_string())
        .collect()
}

/// Addresses that an inspector found, as networks.
fn networks(addresses: &Value) -> BTreeSet<String> {
    let network = |text: &Value| {
        let text = text.as_str().unwrap().trim();
        let network = text.parse::<ipnet::IpNet>();
        let network = network.or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from));
        network.map_or_else(|_| text.to_owned(), |network| network.trunc().to_string())
    };
    addresses.as_array().unwrap().iter().map(network).collect()
}
