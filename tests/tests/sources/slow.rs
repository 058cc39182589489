//! Servers that take their time.

use std::{io::Write as _, net::TcpStream, thread, time::Duration};

use trickblock::feed::{
    limits::LimitError,
    source::{HttpSpec, Reason},
};
use trickblock_tests::http::Server;

use super::{failure, spec};

#[test]
fn stall_and_slow_loris_end_by_the_timeout() {
    let stalled_head = Server::start(|_, _| thread::sleep(Duration::from_secs(5)));
    let stalled_body = Server::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1")
            .unwrap();
        thread::sleep(Duration::from_secs(5));
    });
    let dripping_head = Server::start(|_, stream| drip(stream, b"HTTP/1.1 200 OK\r\nX-Slow: "));
    let dripping_body = Server::start(|_, stream| drip(stream, b"HTTP/1.1 200 OK\r\n\r\n"));
    let cases = [
        ("head", stalled_head),
        ("body", stalled_body),
        ("drip head", dripping_head),
        ("drip body", dripping_body),
    ];
    for (name, server) in cases {
        let timeout = Duration::from_millis(400);
        let (error, took) = failure(HttpSpec {
            timeout,
            ..spec(&server.url("/"))
        });
        assert!(
            matches!(error.reason, Reason::Timeout(_)),
            "{name}: {error}"
        );
        assert!(took < Duration::from_secs(2), "{name}: {took:?}");
    }
}

fn drip(stream: &mut TcpStream, head: &[u8]) {
    stream.write_all(head).unwrap();
    for _ in 0..200 {
        thread::sleep(Duration::from_millis(20));
        if stream.write_all(b"1").is_err() {
            return;
        }
    }
}

/// Neither silent nor at its end: only the rate tells.
#[test]
fn a_dribble_is_given_up_long_before_the_timeout() {
    let server = Server::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(b"1").is_ok() {
            thread::sleep(Duration::from_millis(500));
        }
    });
    let spec = HttpSpec {
        timeout: Duration::from_secs(60),
        ..spec(&server.url("/"))
    };
    let patient = HttpSpec {
        min_rate: 0,
        timeout: Duration::from_secs(13),
        ..spec.clone()
    };

    let (given_up, waited_for) = thread::scope(|scope| {
        let given_up = scope.spawn(|| failure(spec).0);
        let waited_for = failure(patient).0;
        (given_up.join().unwrap(), waited_for)
    });

    let Reason::Limit(LimitError::TooSlow(slow)) = &given_up.reason else {
        panic!("{given_up}")
    };
    assert!(slow.seen <= 2 && slow.floor == HttpSpec::MIN_RATE);
    assert!(given_up.to_string().contains("`min_rate`"), "{given_up}");
    assert!(
        matches!(waited_for.reason, Reason::Timeout(_)),
        "{waited_for}"
    );
}
