//! HTTP feeds against servers that misbehave in every way we know.

#[path = "sources/places.rs"]
mod places;
#[path = "sources/proxy.rs"]
mod proxy;
#[path = "sources/signed.rs"]
mod signed;
#[path = "sources/slow.rs"]
mod slow;

use std::{
    io::{self, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd as _,
    thread,
    time::{Duration, Instant},
};

use trickblock::feed::{
    limits::LimitError,
    source::{Fetched, HttpSource, HttpSpec, Reason, SourceError, Validators},
};
use trickblock_tests::http::{Server, gzip, respond};

const LIST: &[u8] = b"192.0.2.1\n192.0.2.2\n";

fn spec(url: &str) -> HttpSpec {
    HttpSpec {
        timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(2),
        ..HttpSpec::new(url.parse().unwrap())
    }
}

fn fetch(url: &str) -> Result<Fetched, SourceError> {
    HttpSource::new(spec(url)).fetch(&Validators::default())
}

/// The bytes of a fetch that must work.
fn bytes(fetched: Fetched) -> Vec<u8> {
    match fetched {
        Fetched::Body { body, .. } => body
            .parts
            .iter()
            .flat_map(|part| part.bytes.to_vec())
            .collect(),
        Fetched::NotModified => panic!("not modified"),
    }
}

/// The error of a fetch that must not work, with the time it took.
fn failure(spec: HttpSpec) -> (SourceError, Duration) {
    let started = Instant::now();
    let error = HttpSource::new(spec)
        .fetch(&Validators::default())
        .unwrap_err();
    (error, started.elapsed())
}

#[test]
fn second_fetch_is_conditional_and_may_be_304() {
    let server = Server::start(|request, stream| match request.header("If-None-Match") {
        Some("\"v1\"") => respond(stream, "304 Not Modified", &["ETag: \"v1\""], b""),
        _ => respond(
            stream,
            "200 OK",
            &[
                "ETag: \"v1\"",
                "Last-Modified: Fri, 19 Mar 2021 10:00:00 GMT",
            ],
            LIST,
        ),
    });
    let source = HttpSource::new(spec(&server.url("/list?key=s3cret")));

    let first = source.fetch(&Validators::default()).unwrap();
    let Fetched::Body { body, validators } = first else {
        panic!("{first:?}")
    };
    let second = source.fetch(&validators).unwrap();

    assert_eq!(body.parts[0].bytes, LIST);
    assert_eq!(body.parts[0].name, server.url("/list?…"));
    assert_eq!(second, Fetched::NotModified);
    let requests = server.requests();
    assert_eq!(
        (
            requests[0].header("If-None-Match"),
            requests[0].header("If-Modified-Since")
        ),
        (None, None)
    );
    assert_eq!(
        requests[1].header("If-Modified-Since"),
        Some("Fri, 19 Mar 2021 10:00:00 GMT")
    );
    assert_eq!(requests[1].path, "/list?key=s3cret");
}

#[test]
fn unasked_304_is_an_error() {
    let server = Server::start(|_, stream| respond(stream, "304 Not Modified", &[], b""));

    let error = fetch(&server.url("/")).unwrap_err();

    assert!(matches!(error.reason, Reason::EmptyNotModified), "{error}");
}

#[test]
fn gzip_is_asked_for_and_decoded_with_and_without_its_header() {
    let server = Server::start(|request, stream| {
        assert_eq!(request.header("Accept-Encoding"), Some("gzip"));
        let encoding: &[&str] = if request.path == "/said" {
            &["Content-Encoding: gzip"]
        } else {
            &[]
        };
        respond(stream, "200 OK", encoding, &gzip(LIST));
    });

    assert_eq!(bytes(fetch(&server.url("/said")).unwrap()), LIST);
    assert_eq!(bytes(fetch(&server.url("/unsaid")).unwrap()), LIST);
}

#[test]
fn html_is_a_body_for_the_parser_to_refuse() {
    let page = format!(
        "<html><body>{}</body></html>",
        "Please log in. ".repeat(1_000)
    );
    let sent = page.clone();
    let server = Server::start(move |_, stream| {
        respond(
            stream,
            "200 OK",
            &["Content-Type: text/html"],
            sent.as_bytes(),
        );
    });

    assert_eq!(bytes(fetch(&server.url("/")).unwrap()), page.as_bytes());
}

#[test]
fn each_status_says_what_to_do() {
    let cases = [
        ("401 Unauthorized", "headers_file"),
        ("403 Forbidden", "headers_file"),
        ("404 Not Found", "correct `url`"),
        ("410 Gone", "remove it"),
        ("429 Too Many Requests", "raise `interval`"),
        ("500 Internal Server Error", "tried again"),
        ("503 Service Unavailable", "tried again"),
        ("206 Partial Content", "check what `url` serves"),
    ];
    for (status, fix) in cases {
        let server =
            Server::start(move |_, stream| respond(stream, status, &["Retry-After: 120"], LIST));
        let error = fetch(&server.url("/list")).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&server.url("/list")), "{text}");
        assert!(
            text.contains(&status[..3]) && text.contains(fix),
            "{status}: {text}"
        );
        assert_eq!(
            error.retry_after,
            Some(Duration::from_secs(120)),
            "{status}"
        );
    }
}

#[test]
fn redirects_are_followed_without_taking_secrets_elsewhere() {
    let other = Server::start(|_, stream| respond(stream, "200 OK", &[], LIST));
    let target = format!("Location: {}", other.url("/final"));
    let server = Server::start(move |request, stream| match request.path.as_str() {
        "/a/start" => respond(stream, "302 Found", &["Location: ../b/next"], b"moved"),
        _ => respond(stream, "307 Temporary Redirect", &[&target], b""),
    });
    let mut spec = spec(&server.url("/a/start"));
    spec.headers = vec![("auth-key".parse().unwrap(), "s3cret".parse().unwrap())];

    let fetched = HttpSource::new(spec).fetch(&Validators::default()).unwrap();

    assert_eq!(bytes(fetched), LIST);
    let seen = server.requests();
    let own: Vec<_> = seen
        .iter()
        .map(|request| (request.path.as_str(), request.header("Auth-Key").is_some()))
        .collect();
    assert_eq!(own, [("/a/start", true), ("/b/next", true)]);
    assert_eq!(other.requests()[0].header("Auth-Key"), None);
}

#[test]
fn redirect_loop_ends_after_five() {
    let server = Server::start(|_, stream| {
        respond(stream, "301 Moved Permanently", &["Location: /again"], b"");
    });

    let error = fetch(&server.url("/")).unwrap_err();

    assert!(
        matches!(error.reason, Reason::TooManyRedirects(5)),
        "{error}"
    );
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn redirect_without_target_is_named() {
    for location in [
        &[][..],
        &["Location: gopher://192.0.2.1/"],
        &["Location: http://"],
    ] {
        let server = Server::start(move |_, stream| respond(stream, "302 Found", location, b""));
        let error = fetch(&server.url("/")).unwrap_err();
        assert!(
            matches!(error.reason, Reason::BadRedirect(_)),
            "{location:?}: {error}"
        );
    }
}

#[test]
fn endless_body_ends_at_the_cap() {
    let server = Server::start(|_, stream| {
        let block = LIST.repeat(5_000);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&block).is_ok() {}
    });

    let (error, took) = failure(spec(&server.url("/")));

    assert!(
        matches!(error.reason, Reason::Limit(LimitError::Decoded(_))),
        "{error}"
    );
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn announced_length_is_not_believed() {
    let server = Server::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n")
            .unwrap();
        stream.write_all(LIST).unwrap();
    });

    let (error, _) = failure(spec(&server.url("/")));

    assert!(matches!(error.reason, Reason::Broken(_)), "{error}");
}

#[test]
fn endless_bomb_ends_early() {
    let server = Server::start(|_, stream| {
        let member = gzip(&vec![b'\n'; 4 << 20]);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
            .unwrap();
        while stream.write_all(&member).is_ok() {}
    });

    let (error, took) = failure(spec(&server.url("/")));

    assert!(
        matches!(error.reason, Reason::Limit(LimitError::Ratio(100))),
        "{error}"
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn truncated_gzip_is_not_half_a_list() {
    let whole = gzip(&LIST.repeat(1_000));
    let cut = whole[..whole.len() / 2].to_vec();
    let server = Server::start(move |_, stream| {
        respond(stream, "200 OK", &["Content-Encoding: gzip"], &cut);
    });

    let (error, _) = failure(spec(&server.url("/")));

    assert!(
        matches!(error.reason, Reason::Limit(LimitError::Gzip(_))),
        "{error}"
    );
}

#[test]
fn a_body_that_only_the_connection_ends_must_end_with_a_line() {
    for (body, whole) in [
        ("192.0.2.7\n45.0.0.7/3", false),
        ("192.0.2.7\n", true),
        ("192.0.2.7\n# END 1 entries", true),
    ] {
        let server = Server::start(move |_, stream| {
            let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).ok();
        });

        let fetched = HttpSource::new(spec(&server.url("/"))).fetch(&Validators::default());

        match fetched {
            Ok(_) => assert!(whole, "half a line became a list"),
            Err(error) => assert!(
                !whole && matches!(error.reason, Reason::CutShort),
                "{error}"
            ),
        }
    }
}

#[test]
fn body_shorter_than_announced_is_not_a_list() {
    let server = Server::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n192.0.2.1\n")
            .unwrap();
    });

    let (error, _) = failure(spec(&server.url("/")));

    assert!(matches!(error.reason, Reason::Broken(_)), "{error}");
}

#[test]
fn reset_and_closed_port_are_told_apart() {
    let server = Server::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1")
            .unwrap();
        reset(stream);
    });
    let (broken, _) = failure(spec(&server.url("/")));
    let (refused, _) = failure(spec(&format!("http://127.0.0.1:{}/", free_port())));
    let (unresolved, _) = failure(spec("http://does-not-exist.invalid/"));

    assert!(matches!(broken.reason, Reason::Broken(_)), "{broken}");
    assert!(matches!(refused.reason, Reason::Connect(_)), "{refused}");
    assert!(
        matches!(unresolved.reason, Reason::Unresolved),
        "{unresolved}"
    );
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Closing with a linger time of zero sends RST.
fn reset(stream: &TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let size = libc::socklen_t::try_from(size_of::<libc::linger>()).unwrap();
    let pointer = (&raw const linger).cast();
    // SAFETY: the descriptor is open, and `linger` lives and has the given size.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            pointer,
            size,
        )
    };
    assert_eq!(result, 0);
}

#[test]
fn tls_to_a_server_without_it_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            .unwrap();
        // Closing with unread bytes would reset the connection before the answer is seen.
        io::copy(&mut stream, &mut io::sink()).ok();
    });

    let (error, _) = failure(spec(&url));

    assert!(matches!(error.reason, Reason::Tls(_)), "{error}");
    server.join().unwrap();
}

#[test]
fn garbage_instead_of_http_is_an_error() {
    let server =
        Server::start(|_, stream| stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").unwrap());

    let (error, _) = failure(spec(&server.url("/")));

    assert!(matches!(error.reason, Reason::Broken(_)), "{error}");
}

#[test]
fn fetch_is_stopped_from_outside() {
    let server = Server::start(|_, _| thread::sleep(Duration::from_secs(8)));
    let source = HttpSource::new(spec(&server.url("/")));

    let (result, took) = thread::scope(|scope| {
        let fetching = scope.spawn(|| source.fetch(&Validators::default()));
        thread::sleep(Duration::from_millis(200));
        let stopped = Instant::now();
        source.stop();
        (fetching.join().unwrap(), stopped.elapsed())
    });

    let error = result.unwrap_err();
    assert!(matches!(error.reason, Reason::Stopped), "{error}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}
