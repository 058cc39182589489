//! A running daemon whose feed goes bad: the last good set stays in force, and why is said.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use trickblock_tests::{
    gateway::{Answer, Gateway, LIST, body},
    http::{Request, respond},
};

use crate::refused;

struct Case {
    what: &'static str,
    answer: Arc<Answer>,
    /// The reason and the fix.
    says: [&'static str; 2],
}

fn case(what: &'static str, answer: Arc<Answer>, says: [&'static str; 2]) -> Case {
    Case { what, answer, says }
}

fn run(cases: impl IntoIterator<Item = Case>) -> Gateway {
    let gateway = Gateway::new().unwrap();
    let daemon = gateway.daemon().unwrap();
    gateway.filters().unwrap();
    let version = |status: &Value| [status["generation"].clone(), status["revision"].clone()];
    let before = version(&gateway.status().unwrap().1);
    for Case { what, answer, says } in cases {
        gateway.answer(answer);
        stays_in_force(&gateway, what, says);
    }
    gateway.answer(body(LIST));
    let reload = gateway.verb("reload", &[]).unwrap();
    refused(&gateway, "well again", &reload, 0, &[]);
    let (code, status) = gateway.status().unwrap();
    assert_eq!(
        (code, &status["state"]),
        (Some(0), &"active".into()),
        "{status}"
    );
    assert_eq!(version(&status), before, "nothing was ever changed");
    drop(daemon);
    gateway
}

/// A reload says what is wrong, `status` keeps saying it, and the set is the old one.
fn stays_in_force(gateway: &Gateway, what: &str, says: [&str; 2]) {
    let reload = gateway.verb("reload", &[]).unwrap();
    refused(
        gateway,
        what,
        &reload,
        4,
        &[&["feodo", gateway.url()][..], &says].concat(),
    );
    let (code, status) = gateway.status().unwrap();
    let feed = &status["feeds"][0];
    assert_eq!(
        (code, &status["state"], &feed["state"], &feed["indicators"]),
        (Some(4), &"degraded".into(), &"stale".into(), &2.into()),
        "{what}: {status}"
    );
    let problems = status["problems"].to_string();
    assert!(
        problems.contains("feed feodo is stale"),
        "{what}: {problems}"
    );
    assert!(
        says.iter()
            .all(|part| feed["last_error"].to_string().contains(part)),
        "{what}: {feed}"
    );
}

/// What a server can send instead of a list.
pub fn bodies() {
    let header = LIST.split_inclusive('\n').take(2).collect::<String>();
    let row = LIST.lines().nth(2).unwrap();
    let malformed =
        "\"2021-03-19 10:00:00\",\"203.0.113.\",\"443\",\"online\",\"\",\"x\"\n".repeat(9);
    let random: Vec<u8> = (0..4_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80)
        .collect();
    let mut odd = vec![0xff, 0xfe];
    odd.extend(
        "nothing\nhere\nis an address"
            .encode_utf16()
            .flat_map(u16::to_le_bytes),
    );
    odd.push(0x31);
    let refetched = "fetched again";
    run([
        case(
            "a web page",
            body("<!DOCTYPE html><html><body>Log in</body></html>"),
            ["a web page", "raw list"],
        ),
        case(
            "nothing",
            body(""),
            ["the body is empty", "check the address of the feed"],
        ),
        case(
            "blanks",
            body("\n \r\n\n"),
            ["the body is empty", "check the address of the feed"],
        ),
        case(
            "a wrong footer",
            body(format!("{header}{row}\n# END 2 entries\n")),
            ["disagrees", refetched],
        ),
        case(
            "no footer",
            body(format!("{header}{row}\n")),
            ["is missing", refetched],
        ),
        case(
            "only the header",
            body(header.clone()),
            ["there are no entries", "check the feed at its source"],
        ),
        case(
            "mostly malformed",
            body(format!("{header}{malformed}{row}\n# END 10 entries\n")),
            ["9 of 10 rows are malformed", "check the feed"],
        ),
        case("binary data", body(random), ["binary data", "as text"]),
        case(
            "an executable",
            body(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".to_vec()),
            ["binary data", "as text"],
        ),
        case(
            "a capture",
            body(b"\xd4\xc3\xb2\xa1\x02\0\x04\0".to_vec()),
            ["a packet capture", "trickblock replay"],
        ),
        case(
            "a zip",
            body(b"PK\x03\x04\x14\0\0\0".to_vec()),
            ["compressed (zip)", "unpack it"],
        ),
        case(
            "half a UTF-16 character",
            body(odd),
            ["names no address", "one address, prefix"],
        ),
        case(
            "garbage",
            body("lorem ipsum dolor\nsit amet\n".repeat(40)),
            ["names no address", "one address, prefix"],
        ),
        case(
            "a notice",
            body("deprecated.example\nsee.example\n"),
            [
                "none of its 2 rows is an address",
                "check the feed at its source",
            ],
        ),
        case(
            "other JSON",
            body("{\"status\":\"error\"}"),
            ["JSON of a layout that is not known", "plain or CSV"],
        ),
        case(
            "protected space",
            body("10.0.0.0/8\n192.168.1.1\n0.0.0.0\nff02::1\n# END 4 entries\n"),
            [
                "all 4 rows of it are refused by a guard",
                "check the feed at its source",
            ],
        ),
        case(
            "everything",
            body("0.0.0.0/0\n::/0\n# END 2 entries\n"),
            [
                "all 2 rows of it are refused by a guard",
                "check the feed at its source",
            ],
        ),
        case(
            "a damaged gzip stream",
            body(b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x02\x03".to_vec()),
            ["gzip", "fetch it again"],
        ),
        case(
            "a compression bomb",
            body(bomb()),
            ["expands more than 100 times", "check what it serves"],
        ),
        case(
            "an endless line",
            body("203.0.113.7 ".repeat(4_000)),
            ["longer than 4096 bytes", "check what it serves"],
        ),
    ]);
}

/// 32 MiB of zeros in 32 KiB.
fn bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..32 {
        encoder.write_all(&vec![b'\n'; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap()
}

fn status(line: &'static str) -> Arc<Answer> {
    Arc::new(move |_: &Request, stream: &mut TcpStream| respond(stream, line, &[], b"no list"))
}

/// Servers that do not send a list at all.
pub fn servers() {
    let gateway = run([
        case(
            "404",
            status("404 Not Found"),
            ["404 Not Found", "correct `url`"],
        ),
        case(
            "401",
            status("401 Unauthorized"),
            ["401 Unauthorized", "`headers_file`"],
        ),
        case(
            "403",
            status("403 Forbidden"),
            ["403 Forbidden", "`headers_file`"],
        ),
        case(
            "429",
            status("429 Too Many Requests"),
            ["429 Too Many Requests", "raise `interval`"],
        ),
        case(
            "500",
            status("500 Oops"),
            ["500 Server Error", "tried again"],
        ),
        case(
            "a redirect loop",
            Arc::new(around),
            ["redirects more than 5 times", "final address"],
        ),
        case(
            "a redirect to nowhere",
            status("302 Found"),
            ["redirects without a usable target", "final address"],
        ),
        case("a short body", Arc::new(short), ["broke", "tried again"]),
        case(
            "a reset",
            Arc::new(|_: &Request, _: &mut TcpStream| {}),
            ["broke", "tried again"],
        ),
        case("no HTTP", Arc::new(noise), ["broke", "tried again"]),
        case(
            "an endless body",
            Arc::new(endless),
            ["larger than 67108864 bytes", "check what it serves"],
        ),
        case(
            "silence",
            Arc::new(silence),
            ["no answer within", "`timeout`"],
        ),
    ]);
    // The filter outlived the daemon; the next one finds nobody to ask.
    gateway.hang_up().unwrap();
    let daemon = gateway.daemon().unwrap();
    stays_in_force(
        &gateway,
        "connection refused",
        ["cannot connect", "check that the server is up"],
    );
    drop(daemon);
}

fn around(_: &Request, stream: &mut TcpStream) {
    respond(stream, "302 Found", &["Location: /again"], b"");
}

fn short(_: &Request, stream: &mut TcpStream) {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";
    stream.write_all(format!("{head}{LIST}").as_bytes()).ok();
}

fn noise(_: &Request, stream: &mut TcpStream) {
    stream.write_all(b"220 mail.example ESMTP\r\n").ok();
}

fn silence(_: &Request, _: &mut TcpStream) {
    thread::sleep(Duration::from_secs(8));
}

/// Rows without end, until the client leaves.
fn endless(_: &Request, stream: &mut TcpStream) {
    let rows = "198.51.100.1\n".repeat(80_000);
    let until = Instant::now() + Duration::from_secs(20);
    let mut alive = stream
        .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        .is_ok();
    while alive && Instant::now() < until {
        alive = stream.write_all(rows.as_bytes()).is_ok();
    }
}
