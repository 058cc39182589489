//! `check`: what the binary makes of files. The report itself is tested where it is made.

use std::{ffi::OsString, fs, path::Path};

use serde_json::{Value, json};
use trickblock_tests::{
    cli::{Output, Run},
    http,
};

fn check(dir: &Path, arguments: &[&str]) -> Output {
    let mut all: Vec<OsString> = vec!["check".into(), "--json".into()];
    all.extend(
        arguments
            .iter()
            .map(|argument| match argument.strip_prefix('@') {
                Some(name) => dir.join(name).into(),
                None => argument.into(),
            }),
    );
    Run::new(all).output().unwrap()
}

fn counts(output: &Output) -> [Value; 6] {
    let report = output.json().unwrap();
    [
        "rows",
        "accepted",
        "duplicates",
        "ignored",
        "rejected",
        "refused",
    ]
    .map(|key| report[key].clone())
}

pub fn several_files() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "203.0.113.7\n203.0.113.8:443\n").unwrap();
    fs::write(
        dir.path().join("b"),
        "203.0.113.7\n10.0.0.1\n203.0.113.999\nc2.example\n",
    )
    .unwrap();
    let both = check(dir.path(), &["--feed", "@a", "@b"]);
    let twice = check(dir.path(), &["--feed", "@a", "--feed", "@b"]);
    let whole = check(dir.path(), &["--feed", "@"]);
    for output in [&both, &twice, &whole] {
        assert_eq!(output.code, Some(0), "{output:?}");
        assert_eq!(counts(output), [6, 2, 1, 1, 1, 1].map(Value::from));
    }
    assert_eq!(
        check(dir.path(), &["--feed", "@a", "@nowhere"]).code,
        Some(1)
    );
    assert_eq!(check(dir.path(), &[]).code, Some(2));
}

pub fn gzip() {
    let dir = tempfile::tempdir().unwrap();
    let list = http::gzip(b"203.0.113.7\n203.0.113.8:443\n");
    fs::write(dir.path().join("list.txt.gz"), &list).unwrap();
    let output = check(dir.path(), &["--feed", "@list.txt.gz"]);
    assert_eq!((output.code, &counts(&output)[1]), (Some(0), &json!(2)));

    fs::write(dir.path().join("cut.gz"), &list[..list.len() - 9]).unwrap();
    fs::write(
        dir.path().join("bomb.gz"),
        http::gzip(&vec![b'\n'; 32 << 20]),
    )
    .unwrap();
    for (name, says) in [
        ("cut.gz", "gzip stream is damaged"),
        ("bomb.gz", "compression bomb"),
    ] {
        let output = check(dir.path(), &["--feed", &format!("@{name}")]);
        assert_eq!(output.code, Some(1));
        assert!(
            output.stderr.contains(name) && output.stderr.contains(says),
            "{output:?}"
        );
    }
}

/// The feeds of a configuration, as its guards let them through.
/// A list, its key, and the signature that minisign made.
const SIGNED: &str = "198.51.100.7:443\n203.0.113.9\n";
const KEY: &str = "RWTIIaStYvVuzIjMbTrSfQiUr0iTPnUfccw6VmGslfr+eC4FkMFY56bE";
const SIGNATURE: &str = include_str!("../refresh/others.minisig");

pub fn signed() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("own.pub", &format!("untrusted comment: a key\n{KEY}\n"));
    write("own.txt", SIGNED);
    let config = "[paths]\nstate = \"state\"\n[[interface]]\nname = \"eth0\"\n[[feed]]\nname = \"own\"\npath = \"own.txt\"\nminisign_file = \"own.pub\"\n";
    write("trickblock.toml", config);
    let check = || check(dir.path(), &["-c", "@trickblock.toml"]);

    let missing = check();
    write("own.txt.minisig", SIGNATURE);
    let taken = check();
    write("own.txt", "198.51.100.8:443\n");
    let changed = check();

    assert!(
        missing.code == Some(1) && missing.stderr.contains("own.txt.minisig: not there"),
        "{missing:?}"
    );
    assert_eq!(taken.code, Some(0), "{taken:?}");
    assert_eq!(counts(&taken)[..2], [2, 2].map(Value::from));
    assert!(
        changed.code == Some(1) && changed.stderr.contains("its signature does not hold"),
        "{changed:?}"
    );
}

pub fn configuration() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("own.txt"),
        "203.0.113.7\n203.0.113.8\n192.0.2.9\n192.0.2.9:443\n",
    )
    .unwrap();
    fs::write(dir.path().join("allow.txt"), "# us\n203.0.113.8\n").unwrap();
    let config = "[paths]\nstate = \"state\"\n[network]\nown = [\"192.0.2.0/24\"]\n[guard]\nallow_files = [\"allow.txt\"]\n\
        [[interface]]\nname = \"eth0\"\n[[feed]]\nname = \"own\"\npath = \"own.txt\"\n\
        [[feed]]\nname = \"far\"\nurl = \"http://192.0.2.1/list\"\n";
    fs::write(dir.path().join("trickblock.toml"), config).unwrap();

    let far = config.replace("path = \"own.txt\"", "url = \"http://192.0.2.1/own\"");
    fs::write(dir.path().join("far.toml"), far).unwrap();
    let unfetched = check(dir.path(), &["-c", "@far.toml"]);
    assert_eq!(unfetched.code, Some(0), "nothing is wrong: {unfetched:?}");
    assert_eq!(unfetched.stderr, "");

    let output = check(dir.path(), &["-c", "@trickblock.toml"]);

    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(counts(&output), [4, 3, 0, 0, 0, 1].map(Value::from));
    let report = output.json().unwrap();
    let rejections = report["rejections"].as_array().unwrap();
    let guards: Vec<_> = rejections
        .iter()
        .map(|row| row["guard"].as_str().unwrap())
        .collect();
    assert_eq!(guards, ["allow"]);
    let warnings = report["warnings"].to_string();
    assert!(
        warnings.contains(
            "own.txt:3: 192.0.2.9/32 is inside your own network 192.0.2.0/24, so it only counts"
        ),
        "{report}"
    );
    assert!(
        report["warnings"]
            .to_string()
            .contains("feed far: left out"),
        "{report}"
    );

    widths(dir.path(), config);

    fs::write(dir.path().join("allow.txt"), "203.0.113.8:443\n").unwrap();
    let output = check(dir.path(), &["-c", "@trickblock.toml"]);
    assert!(
        output.code == Some(1) && output.stderr.contains("has a port"),
        "{output:?}"
    );
    fs::write(
        dir.path().join("trickblock.toml"),
        config.replace("path", "paht"),
    )
    .unwrap();
    let output = check(dir.path(), &["-c", "@trickblock.toml"]);
    assert!(
        output.code == Some(2) && output.stderr.contains("did you mean `path`"),
        "{output:?}"
    );
    assert_eq!(
        check(
            dir.path(),
            &["-c", "@trickblock.toml", "--feed", "@own.txt"]
        )
        .code,
        Some(2)
    );
}

/// Prefixes that are too wide without leave, and too many addresses.
fn widths(dir: &Path, config: &str) {
    let all = dir.join("wide.txt");
    fs::write(
        &all,
        "198.51.100.0/23\n203.0.113.0/25\n203.0.113.7\n9.9.9.9\n",
    )
    .unwrap();
    let with = |keys: &str| {
        let config = config.replace("own.txt\"\n", &format!("wide.txt\"\n{keys}\n"));
        fs::write(dir.join("wide.toml"), config).unwrap();
        let output = check(dir, &["-c", "@wide.toml"]);
        let report = output.json().unwrap();
        let rows = report["rejections"].as_array().unwrap().iter();
        let guards: Vec<String> = rows.map(|row| row["guard"].to_string()).collect();
        (output.code, guards.join(" "), output.stderr)
    };
    let (code, guards, _) = with("");
    assert_eq!((code, guards.as_str()), (Some(0), r#""width" "shipped""#));
    let (code, guards, _) = with("wide = true");
    assert_eq!((code, guards.as_str()), (Some(0), r#""shipped""#));
    let (code, _, says) = with("wide = true\nmax_addresses = 600");
    assert_eq!(code, Some(1));
    let expected = "feed own: it covers 640 IPv4 addresses and 0 IPv6 /48s, more than its `max_addresses` (600)";
    assert!(says.contains(expected), "{says}");

    // Without a configuration nobody could say so.
    let output = check(dir, &["--feed", "@wide.txt"]);
    assert_eq!(counts(&output), [4, 3, 0, 0, 0, 1].map(Value::from));
    let warnings = output.json().unwrap()["warnings"].to_string();
    assert!(
        warnings.contains("1 indicators are wider than /24"),
        "{warnings}"
    );
}
