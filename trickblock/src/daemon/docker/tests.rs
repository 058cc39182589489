use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    thread,
};

use super::*;

/// An engine of which every answer is known beforehand, by the beginning of the path.
struct Fake {
    socket: PathBuf,
    _dir: tempfile::TempDir,
}

/// What to send, and whether the connection stays open.
type Answer = (&'static str, Vec<u8>, bool);

impl Fake {
    fn start(answers: Vec<Answer>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, answers) = (stream.unwrap(), answers.clone());
                thread::spawn(move || answer(stream, &answers));
            }
        });
        Self { socket, _dir: dir }
    }
}

fn answer(mut stream: UnixStream, answers: &[Answer]) {
    let mut line = String::new();
    BufReader::new(&stream).read_line(&mut line).unwrap();
    let path = line.strip_prefix("GET ").unwrap();
    let (_, bytes, stays) = answers
        .iter()
        .find(|(start, ..)| path.starts_with(start))
        .unwrap();
    // Whoever has had enough closes.
    let _ = stream.write_all(bytes);
    if *stays {
        // Ends when the other side does.
        let _ = BufReader::new(&stream).lines().count();
    }
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}").into_bytes()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

const LIST: &str = r#"[{"Id":"aa11","Names":["/web/db","/db"],"State":"running",
"NetworkSettings":{"Networks":{"lab":{"NetworkID":"n1","IPAddress":"198.18.7.2","GlobalIPv6Address":""}}}},
{"Id":"bb22","Names":["/on-the-host"],"NetworkSettings":{"Networks":{"host":{"IPAddress":""}}}}]"#;
const NETWORK: &str = r#"{"Name":"lab","Id":"n1","Containers":{
"aa11":{"Name":"db","IPv4Address":"198.18.7.2/24","IPv6Address":""},
"cc33":{"Name":"job","IPv4Address":"198.18.7.3/24","IPv6Address":"2001:db8:7::3/64"}}}"#;
const CONNECT: &str = r#"{"Type":"network","Action":"connect","Actor":{"ID":"n1","Attributes":{"container":"cc33","name":"lab","type":"bridge"}},"scope":"local","time":1600000000,"timeNano":1600000000500000000}"#;
const DISCONNECT: &str = r#"{"Type":"network","Action":"disconnect","Actor":{"ID":"n1","Attributes":{"container":"cc33","name":"lab","type":"bridge"}},"timeNano":1600000009000000000}"#;

fn name(ledger: &Ledger, address: &str, second: i64) -> Option<String> {
    let at = Timestamp::from_second(second).unwrap();
    let holder = ledger.containers().at(address.parse().unwrap(), at)?;
    Some(holder.name.clone())
}

#[test]
fn names_come_from_the_list_and_from_events() {
    let events = format!("{CONNECT}\n{DISCONNECT}\n");
    let engine = Fake::start(vec![
        ("/events", ok(&events), true),
        ("/containers/json", ok(LIST), false),
        ("/networks/n1", ok(NETWORK), false),
    ]);
    let ledger = Ledger::new(Timestamp::now());
    let followed = async {
        let task = tokio::spawn(follow(engine.socket.clone(), ledger.clone()));
        for _ in 0..500 {
            sleep(Duration::from_millis(10)).await;
            if name(&ledger, "198.18.7.3", 1_600_000_012).is_none()
                && name(&ledger, "198.18.7.3", 1_600_000_001).is_some()
            {
                break;
            }
        }
        task.abort();
    };
    runtime().block_on(followed);

    let cases = [
        ("198.18.7.2", 1_600_000_000, Some("db")),
        ("198.18.7.3", 1_600_000_001, Some("job")),
        ("2001:db8:7::3", 1_600_000_009, Some("job")),
        ("198.18.7.3", 1_600_000_012, None),
        ("198.18.7.4", 1_600_000_001, None),
    ];
    for (address, second, expected) in cases {
        assert_eq!(
            name(&ledger, address, second).as_deref(),
            expected,
            "{address}"
        );
    }
    assert_eq!(ledger.containers().following, Following::Followed);
}

#[test]
fn every_bad_answer_is_an_error_of_its_own() {
    let huge = [ok(""), vec![b' '; 17 << 20]].concat();
    let endless_head = [b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'x'; 1 << 20]].concat();
    let cases: [(Vec<u8>, &str); 8] = [
        (b"".to_vec(), "not HTTP"),
        (b"SSH-2.0-OpenSSH\r\n".to_vec(), "not HTTP"),
        (b"HTTP/1.0 200 OK\r\nA: b\r\n".to_vec(), "not HTTP"),
        (endless_head, "not HTTP"),
        (
            b"HTTP/1.0 500 Oops\r\n\r\n{}".to_vec(),
            "answers 500 to /containers/json",
        ),
        (ok("nonsense"), "not understood"),
        (ok(r#"{"message":"page not found"}"#), "not understood"),
        (huge, "larger than"),
    ];
    for (bytes, expected) in cases {
        let engine = Fake::start(vec![
            ("/events", ok(""), true),
            ("/containers/json", bytes, false),
        ]);
        let error = runtime()
            .block_on(story(&engine.socket).tell())
            .err()
            .unwrap();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

fn story(socket: &std::path::Path) -> Story {
    Story {
        socket: socket.to_owned(),
        ledger: Ledger::new(Timestamp::now()),
        heard: Timestamp::UNIX_EPOCH,
        quiet: false,
    }
}

#[test]
fn events_are_bounded_and_may_not_choose_paths() {
    let evil = CONNECT.replace("\"ID\":\"n1\"", "\"ID\":\"n1/../../containers/json\"");
    let cases = [
        (format!("{evil}\n"), "an id"),
        (format!("{}\n", "x".repeat(2 << 20)), "larger"),
        ("{}\n".to_owned(), "not understood"),
        (String::new(), "ended"),
    ];
    for (events, expected) in cases {
        let engine = Fake::start(vec![
            ("/events", ok(&events), false),
            ("/containers/json", ok("[]"), false),
        ]);
        let error = runtime()
            .block_on(story(&engine.socket).tell())
            .err()
            .unwrap();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[test]
fn an_engine_that_was_never_there_is_no_loss() {
    let dir = tempfile::tempdir().unwrap();
    let mut nowhere = story(&dir.path().join("none"));
    let error = runtime().block_on(nowhere.tell()).err().unwrap();
    nowhere.lost(&error);
    assert!(matches!(error, EngineError::Absent { .. }), "{error}");
    assert_eq!(nowhere.ledger.containers().following, Following::Off);

    let engine = Fake::start(vec![
        ("/events", ok(""), false),
        ("/containers/json", ok(LIST), false),
    ]);
    let mut gone = story(&engine.socket);
    let error = runtime().block_on(gone.tell()).err().unwrap();
    gone.lost(&error);
    assert_eq!(gone.ledger.containers().following, Following::Lost);
    assert_eq!(
        name(&gone.ledger, "198.18.7.2", 1_600_000_000).as_deref(),
        Some("db")
    );
}

#[test]
fn names_are_printable_and_short() {
    assert_eq!(tidy("job\x1b[31m\n"), "job?[31m?");
    assert_eq!(tidy(&"x".repeat(1_000)).len(), MAX_NAME);
    for id in ["", "../x", "a/b", &"x".repeat(1_000)] {
        assert!(checked(id).is_err(), "{id}");
    }
}
