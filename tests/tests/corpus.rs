//! The formats against real files, whose directory `TRICKBLOCK_CORPUS` names. The files cannot be
//! part of this repository, so without the variable every test here is skipped and says so.

#[path = "corpus/hourly.rs"]
mod hourly;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use trickblock::cli::{self, Exit};

const VARIABLE: &str = "TRICKBLOCK_CORPUS";

type Test = fn(&Path);

const TESTS: [(&str, Test); 8] = [
    ("feodo_csv", feodo_csv),
    ("trickbot_configs", trickbot_configs),
    ("plain_addresses", plain_addresses),
    ("firehol_counts_agree", firehol_counts_agree),
    ("poisoned_lists_are_guarded", poisoned_lists_are_guarded),
    ("rules_bundles_and_events", rules_bundles_and_events),
    ("every_file_gets_an_answer", every_file_gets_an_answer),
    (
        "hourly_lists_never_reopen",
        hourly::nothing_that_returns_was_let_go,
    ),
];

fn main() -> ExitCode {
    let corpus = env::var_os(VARIABLE).map(PathBuf::from).map(|path| {
        // Tests run in the package's directory, but the variable is given in the workspace's.
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        workspace.join(path)
    });
    let trials = TESTS.map(|(name, test)| {
        let corpus = corpus.clone();
        let ignored = corpus.is_none();
        if ignored {
            println!("SKIP corpus::{name}: {VARIABLE} is not set");
        }
        let run = move || {
            if let Some(corpus) = &corpus {
                test(corpus);
            }
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// The exit code and the report about files of the corpus.
fn check(corpus: &Path, path: &str) -> (Exit, Value) {
    let path = corpus.join(path);
    assert!(
        path.exists(),
        "{} is missing from the corpus",
        path.display()
    );
    let line: [OsString; 5] = [
        "trickblock".into(),
        "check".into(),
        "--json".into(),
        "--feed".into(),
        path.into(),
    ];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = cli::run(line, &mut out, &mut err);
    let json = serde_json::from_slice(&out).unwrap();
    assert_identity(&json);
    (exit, json)
}

fn count(json: &Value, key: &str) -> u64 {
    json[key].as_u64().unwrap()
}

/// Every row is counted exactly once, and every count has its list.
fn assert_identity(json: &Value) {
    let parts = ["accepted", "duplicates", "ignored", "rejected", "refused"];
    assert_eq!(
        count(json, "rows"),
        parts.iter().map(|key| count(json, key)).sum::<u64>()
    );
    let length = |key: &str| u64::try_from(json[key].as_array().unwrap().len()).unwrap();
    assert_eq!(length("indicators"), count(json, "accepted"));
    assert_eq!(
        length("rejections"),
        count(json, "rejected") + count(json, "refused")
    );
}

fn feodo_csv(corpus: &Path) {
    for (path, rows, accepted, duplicates, complete) in [
        (
            "2021-03-19/ipblocklist_aggressive.csv",
            472,
            470,
            2,
            Value::Null,
        ),
        ("2021-10-02/ipblocklist.csv", 375, 375, 0, true.into()),
        ("2024-04-04/ipblocklist.csv", 28, 28, 0, true.into()),
        ("2025-06-25/ipblocklist.csv", 1, 1, 0, true.into()),
    ] {
        let (exit, json) = check(corpus, &format!("feodo-csv/{path}"));
        assert_eq!(
            (exit, &json["format"]),
            (Exit::Ok, &"feodo-csv".into()),
            "{path}"
        );
        assert_eq!(count(&json, "rows"), rows, "{path}");
        assert_eq!(count(&json, "accepted"), accepted, "{path}");
        assert_eq!(count(&json, "duplicates"), duplicates, "{path}");
        assert_eq!(json["complete"], complete, "{path}");
        for indicator in json["indicators"].as_array().unwrap() {
            assert!(
                indicator["port"].is_u64() && indicator["protocol"].is_null(),
                "{indicator}"
            );
            assert!(indicator["family"].is_string() && indicator["first_seen"].is_string());
        }
    }
}

fn trickbot_configs(corpus: &Path) {
    let (exit, json) = check(corpus, "trickbot-mcconf");
    assert_eq!((exit, &json["format"]), (Exit::Ok, &"trickbot".into()));
    assert_eq!(count(&json, "accepted"), 2045);
    assert_eq!(count(&json, "rejected") + count(&json, "refused"), 0);
    // One file is compressed and holds no complete tag.
    let warnings = json["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0]
            .as_str()
            .unwrap()
            .contains("20180301_1_ServConf.txt")
    );
}

fn plain_addresses(corpus: &Path) {
    let (exit, json) = check(corpus, "plain-ip/ipsum.txt");
    assert_eq!((exit, &json["format"]), (Exit::Ok, &"plain".into()));
    assert_eq!(count(&json, "accepted") + count(&json, "refused"), 120_430);
    assert_eq!(count(&json, "rejected"), 0);
}

fn firehol_counts_agree(corpus: &Path) {
    for name in [
        "dshield",
        "et_spamhaus",
        "firehol_level1",
        "firehol_level2",
        "spamhaus_drop",
    ] {
        let (exit, json) = check(corpus, &format!("firehol/2026-01/{name}.netset"));
        assert_eq!(
            (exit, &json["format"]),
            (Exit::Ok, &"ipset".into()),
            "{name}"
        );
        assert_eq!(
            (&json["complete"], count(&json, "rejected")),
            (&true.into(), 0),
            "{name}"
        );
    }
}

/// `firehol_level1` holds private, loopback and multicast space.
fn poisoned_lists_are_guarded(corpus: &Path) {
    let (_, json) = check(corpus, "firehol/2026-01/firehol_level1.netset");
    let refused: Vec<&str> = json["rejections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            assert_eq!(row["guard"], "compiled_in");
            row["text"].as_str().unwrap()
        })
        .collect();
    for prefix in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "127.0.0.0/8",
        "192.168.0.0/16",
        "224.0.0.0/3",
    ] {
        assert!(
            refused.contains(&prefix),
            "{prefix} is not among {refused:?}"
        );
    }
    let enforced = json["indicators"].to_string();
    assert!(!enforced.contains("\"10.") && !enforced.contains("\"127."));
}

/// Counted by other means: rules, patterns and attributes by regular expressions.
fn rules_bundles_and_events(corpus: &Path) {
    let rules = "suricata-rules/2021-05";
    for (path, format, accepted, ignored) in [
        (format!("{rules}/botcc.rules"), "suricata", 274, 0),
        (
            format!("{rules}/botcc.portgrouped.rules"),
            "suricata",
            68,
            0,
        ),
        (format!("{rules}/drop.rules"), "suricata", 818, 0),
        (format!("{rules}/dshield.rules"), "suricata", 20, 0),
        ("stix/emotet.json".to_owned(), "stix", 11, 875),
        ("stix/2024-02-14-Danabot.json".to_owned(), "stix", 3, 11),
        (
            "stix/2024-03-06-Pikabot-with-Meduza-Stealer.json".to_owned(),
            "stix",
            1,
            30,
        ),
        (
            "misp/eset/glupteba.misp-event.json".to_owned(),
            "misp",
            44,
            277,
        ),
        (
            "misp/eset/misp-machete-event.json".to_owned(),
            "misp",
            0,
            396,
        ),
    ] {
        let (exit, json) = check(corpus, &path);
        assert_eq!(
            (exit, &json["format"]),
            (Exit::Ok, &format.into()),
            "{path}"
        );
        let taken = count(&json, "accepted") + count(&json, "duplicates") + count(&json, "refused");
        assert_eq!(
            (taken, count(&json, "ignored")),
            (accepted, ignored),
            "{path}: {}",
            json["warnings"]
        );
        assert_eq!(
            count(&json, "rejected"),
            0,
            "{path}: {}",
            json["rejections"]
        );
    }
}

/// Captures, warninglists and prose are no feeds, and each says what it is instead.
fn every_file_gets_an_answer(corpus: &Path) {
    for (directory, message) in [
        ("pcaps", "packet capture"),
        ("warninglists", "MISP warninglist"),
    ] {
        let (exit, json) = check(corpus, directory);
        assert_eq!(exit, Exit::Failed, "{directory}");
        for warning in json["warnings"].as_array().unwrap() {
            assert!(warning.as_str().unwrap().contains(message), "{warning}");
        }
    }
    for (file, message) in [
        ("spamhaus/2024-02/asn_drop.json", "AS numbers"),
        ("trickbot-timeline.csv", "[feed.csv]"),
    ] {
        let (exit, json) = check(corpus, file);
        assert_eq!(exit, Exit::Failed, "{file}");
        assert!(
            json["warnings"][0].as_str().unwrap().contains(message),
            "{file}"
        );
    }
    let (exit, json) = check(corpus, "maltrail/2019-07/trickbot.txt");
    assert_eq!(exit, Exit::Ok);
    assert!(count(&json, "accepted") > 100 && count(&json, "ignored") > 50);
}
