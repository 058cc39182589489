//! `trickblock check` as its users see it: exit codes, JSON, messages.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use trickblock::cli::{self, Exit};
use trickblock_tests::cli::binary;

const FEODO: &str = "# Botnet C2 IP Blocklist\r\n\
    \"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\r\n\
    \"2021-01-17 07:30:05\",\"192.0.2.1\",\"443\",\"online\",\"2021-03-19\",\"Dridex\"\r\n\
    \"2021-01-16 07:30:05\",\"192.0.2.1\",\"443\",\"online\",\"2021-03-18\",\"Dridex\"\r\n\
    \"2021-01-17 07:30:05\",\"10.0.0.1\",\"443\",\"online\",\"2021-03-19\",\"Dridex\"\r\n\
    \"2021-01-17 07:30:05\",\"192.0.2.300\",\"443\",\"online\",\"2021-03-19\",\"Dridex\"\r\n\
    # END 4 entries";

struct Run {
    exit: Exit,
    out: String,
    err: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A directory with the given files; a trailing part of a name may be a path.
fn files(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, body) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, body).unwrap();
    }
    directory
}

fn check(directory: &Path, arguments: &[&str]) -> Run {
    let mut line: Vec<OsString> = vec!["trickblock".into(), "check".into()];
    for argument in arguments {
        line.push(match argument.strip_prefix('@') {
            Some(name) => directory.join(name).into(),
            None => argument.into(),
        });
    }
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = cli::run(line, &mut out, &mut err);
    let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
    Run { exit, out, err }
}

fn counts(json: &Value) -> [u64; 6] {
    [
        "rows",
        "accepted",
        "duplicates",
        "ignored",
        "rejected",
        "refused",
    ]
    .map(|key| json[key].as_u64().unwrap())
}

#[test]
fn json_is_the_documented_object() {
    let directory = files(&[("feed.csv", FEODO.as_bytes())]);
    let run = check(directory.path(), &["--json", "--feed", "@feed.csv"]);
    assert_eq!((run.exit, run.err.as_str()), (Exit::Ok, ""));
    let file = directory.path().join("feed.csv").display().to_string();
    let expected = format!(
        concat!(
            r#"{{"schema":1,"format":"feodo-csv","known_by":"a line names Feodo Tracker's columns","rows":4,"accepted":1,"duplicates":1,"ignored":0,"#,
            r#""rejected":1,"refused":1,"complete":true,"indicators":[{{"prefix":"192.0.2.1/32","#,
            r#""protocol":null,"port":443,"family":"Dridex","first_seen":"2021-01-16T07:30:05Z","#,
            r#""last_seen":"2021-03-19T00:00:00Z"}}],"rejections":[{{"file":"{file}","line":5,"#,
            r#""text":"10.0.0.1/32:443","reason":"10.0.0.1/32 is inside 10.0.0.0/8, which is never blocked","#,
            r#""guard":"compiled_in"}},{{"file":"{file}","line":6,"text":"{row}","#,
            r#""reason":"an octet is above 255","guard":null}}],"warnings":[]}}"#,
            "\n"
        ),
        file = file,
        row = r#"\"2021-01-17 07:30:05\",\"192.0.2.300\",\"443\",\"online\",\"2021-03-19\",\"Dridex\""#,
    );
    assert_eq!(run.out, expected);
}

#[test]
fn exit_codes_and_messages() {
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0";
    for (name, body, arguments, exit, message) in [
        ("bad rows", &b"192.0.2.1\nx y\n"[..], &[][..], Exit::Ok, ""),
        ("only names", b"evil.example\n", &[], Exit::Ok, ""),
        ("confirmed empty", b"# END 0 entries", &[], Exit::Ok, ""),
        (
            "majority malformed",
            b"192.0.2.1\n192.0.2.x\n1.2.3\n",
            &[],
            Exit::Failed,
            "2 of 3 rows",
        ),
        ("empty", b"", &[], Exit::Failed, "the body is empty"),
        ("blank", b" \r\n", &[], Exit::Failed, "the body is empty"),
        (
            "comments",
            b"# deprecated\n",
            &[],
            Exit::Failed,
            "no entries",
        ),
        (
            "html",
            b"<!DOCTYPE html><html>192.0.2.1",
            &[],
            Exit::Failed,
            "web page",
        ),
        (
            "html, forced",
            b"<html>",
            &["--format", "plain"],
            Exit::Failed,
            "web page",
        ),
        (
            "cut gzip",
            gzip,
            &[],
            Exit::Failed,
            "gzip stream is damaged",
        ),
        (
            "capture",
            b"\xd4\xc3\xb2\xa1\x02\0",
            &[],
            Exit::Failed,
            "replay --pcap",
        ),
        (
            "binary",
            b"\x7fELF\x02\x01\x01\0\0\0\0\0\xff\xfe",
            &[],
            Exit::Failed,
            "binary",
        ),
        (
            "truncated json",
            b"[{\"ip_address\":\"192.0",
            &[],
            Exit::Failed,
            "truncated",
        ),
        (
            "stix",
            b"{\"type\":\"bundle\"}",
            &[],
            Exit::Failed,
            "no `objects`",
        ),
        (
            "other json",
            b"{\"type\":\"x\"}",
            &[],
            Exit::Failed,
            "not known here",
        ),
        (
            "wrong force",
            b"192.0.2.1",
            &["--format", "feodo-csv"],
            Exit::Failed,
            "dst_ip",
        ),
        (
            "bad force",
            b"192.0.2.1",
            &["--format", "feodo"],
            Exit::Usage,
            "feodo-csv",
        ),
        (
            "refused",
            b"10.0.0.1\n::1\n0.0.0.0/0\n",
            &[],
            Exit::Refused,
            "all 3 addresses",
        ),
    ] {
        let directory = files(&[("feed", body)]);
        let run = check(
            directory.path(),
            &[&["--feed", "@feed"], arguments].concat(),
        );
        assert_eq!(run.exit, exit, "{name}: {}{}", run.out, run.err);
        assert!(run.err.contains(message), "{name}: {}", run.err);
        assert_eq!(
            run.err.is_empty(),
            message.is_empty(),
            "{name}: {}",
            run.err
        );
    }
}

#[test]
fn usage_and_missing_files_name_the_thing() {
    let directory = files(&[]);
    let none = check(directory.path(), &[]);
    assert_eq!(none.exit, Exit::Usage);
    assert!(none.err.contains("--feed"), "{}", none.err);
    let missing = check(directory.path(), &["--json", "--feed", "@absent"]);
    assert_eq!(missing.exit, Exit::Failed);
    assert!(
        missing.err.contains("absent: cannot be read"),
        "{}",
        missing.err
    );
    assert_eq!(missing.json()["format"], Value::Null);
    let empty = check(directory.path(), &["--feed", "@."]);
    assert_eq!(empty.exit, Exit::Failed);
    assert!(empty.err.contains("holds no files"), "{}", empty.err);
    assert_eq!(check(directory.path(), &["--help"]).exit, Exit::Ok);
}

#[test]
fn a_directory_is_one_set_in_sorted_order() {
    let directory = files(&[
        ("set/b/2.txt", b"192.0.2.1:447\n198.51.100.1\n"),
        ("set/a.txt", b"192.0.2.1:447\nbroken:443\n300.1.1.1\n"),
        (
            "set/b/1.xml",
            b"<mcconf><srv>192.0.2.1:447</srv><srv>203.0.113.1:443</srv></mcconf>",
        ),
        ("set/c.html", b"<html>moved</html>"),
        (
            "set/d.md",
            b"Some prose about the list\nand where it came from.\n",
        ),
        ("set/.hidden", b"203.0.113.99\n"),
    ]);
    let run = check(directory.path(), &["--json", "--feed", "@set"]);
    assert_eq!((run.exit, run.err.as_str()), (Exit::Ok, ""));
    let json = run.json();
    assert_eq!(counts(&json), [7, 3, 2, 0, 2, 0]);
    assert_eq!(
        (&json["format"], &json["complete"]),
        (&"mixed".into(), &Value::Null)
    );
    let prefixes: Vec<_> = json["indicators"].as_array().unwrap().iter().collect();
    assert_eq!(
        prefixes[0]["family"], "TrickBot",
        "the family comes from whoever knows it"
    );
    let lines: Vec<_> = json["rejections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| &r["line"])
        .collect();
    assert_eq!(lines, [2, 3]);
    let warnings: Vec<_> = json["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    for (warning, text) in
        warnings
            .iter()
            .zip(["a.txt: 2 of 3", "c.html: the body is a web", "d.md"])
    {
        assert!(warning.contains(text), "{warning} should contain {text}");
    }
    assert_eq!(warnings.len(), 3);
    assert_eq!(
        run.out,
        check(directory.path(), &["--json", "--feed", "@set"]).out
    );
}

#[test]
fn completeness_of_several_files() {
    let whole = b"# END 1 entries\n".as_slice();
    let directory = files(&[
        ("unstated", b"192.0.2.1\n"),
        ("whole", &[b"192.0.2.2\n", whole].concat()),
        ("cut", &[b"192.0.2.3\n192.0.2.4\n", whole].concat()),
    ]);
    for (names, complete) in [
        (&["@unstated"][..], Value::Null),
        (&["@whole"], true.into()),
        (&["@unstated", "@whole"], true.into()),
        (&["@cut", "@whole", "@unstated"], false.into()),
    ] {
        let run = check(directory.path(), &[&["--json", "--feed"], names].concat());
        assert_eq!(
            (run.exit, &run.json()["complete"]),
            (Exit::Ok, &complete),
            "{names:?}"
        );
    }
}

#[test]
fn a_file_given_by_name_must_be_a_feed() {
    let directory = files(&[("good", b"192.0.2.1\n"), ("bad", b"<html>")]);
    let run = check(
        directory.path(),
        &["--json", "--feed", "@good", "--feed", "@bad"],
    );
    assert_eq!(run.exit, Exit::Failed);
    assert!(
        run.err.contains("bad: the body is a web page"),
        "{}",
        run.err
    );
    assert_eq!(counts(&run.json())[1], 1, "the good one is still shown");
}

#[test]
fn undecodable_bytes_are_replaced_and_never_reach_the_terminal() {
    let directory = files(&[("feed", b"# caf\xe9\n192.0.2.1\n\x1b[2J\xff\n192.0.2.2\n")]);
    let run = check(directory.path(), &["--feed", "@feed"]);
    assert_eq!(run.exit, Exit::Ok);
    assert!(
        run.out.contains("accepted    2") && run.out.contains("were replaced"),
        "{}",
        run.out
    );
    assert!(!run.out.contains('\x1b'), "{:?}", run.out);
}

#[test]
fn the_process_returns_the_exit_code() {
    let directory = files(&[
        ("good", b"192.0.2.1\n"),
        ("refused", b"10.0.0.1\n"),
        ("empty", b""),
    ]);
    for (name, code) in [("good", 0), ("refused", 3), ("empty", 1)] {
        let path = directory.path().join(name);
        let output = Command::new(binary().unwrap())
            .args(["check", "--feed"])
            .arg(path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}");
    }
    let usage = Command::new(binary().unwrap())
        .arg("check")
        .output()
        .unwrap();
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let rows: String = (0..50_000)
        .map(|n| format!("198.18.{}.{}\n", n / 256, n % 256))
        .collect();
    let directory = files(&[("feed", rows.as_bytes())]);
    let mut child = Command::new(binary().unwrap())
        .args(["check", "--json", "--feed"])
        .arg(directory.path().join("feed"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut head = [0; 10];
    let mut reader = BufReader::with_capacity(10, child.stdout.take().unwrap());
    reader.fill_buf().unwrap();
    reader.read_exact(&mut head).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(&head, b"{\"schema\":");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
