use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use trickblock::feed::source::Api;
use trickblock_tests::http::{Server, respond};

use super::{Feed, entries, read};

const API: Api = Api::Crowdsec;

fn decision(value: &str, origin: &str, duration: &str) -> String {
    let scope = if value.contains('/') { "Range" } else { "Ip" };
    format!(
        "{{\"id\":1,\"origin\":\"{origin}\",\"scenario\":\"x/ssh-bf\",\"scope\":\"{scope}\",\
         \"type\":\"ban\",\"value\":\"{value}\",\"duration\":\"{duration}\"}}"
    )
}

fn stream(new: &[String], deleted: &[String]) -> String {
    let list = |records: &[String]| match records.is_empty() {
        true => "null".to_owned(),
        false => format!("[{}]", records.join(",")),
    };
    format!("{{\"deleted\":{},\"new\":{}}}", list(deleted), list(new))
}

/// A server that answers to the number of the request, and to whether all is asked for.
fn server(answer: impl Fn(usize, bool) -> Option<String> + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(move |request, stream| {
        assert_eq!(request.header("Auth-Key"), Some("s3cret"));
        let startup = match request.path.as_str() {
            "/v1/decisions/stream?scopes=ip,range&startup=true" => true,
            "/v1/decisions/stream?scopes=ip,range&startup=false" => false,
            other => panic!("{other}"),
        };
        match answer(count.fetch_add(1, Ordering::SeqCst), startup) {
            Some(body) => respond(stream, "200 OK", &[], body.as_bytes()),
            None => respond(stream, "500 Internal Server Error", &[], b""),
        }
    })
}

fn feed(server: &Server) -> Feed {
    Feed::new(&server.url("/?scopes=ip,range"), API)
}

/// Which requests asked for everything.
fn starts(server: &Server) -> Vec<bool> {
    let requests = server.requests();
    let start = |path: &str| path.ends_with("startup=true");
    requests
        .iter()
        .map(|request| start(&request.path))
        .collect()
}

#[test]
fn changes_become_the_list_as_it_is() {
    let server = server(|number, _| {
        Some(match number {
            0 => stream(
                &[
                    decision("192.0.2.1", "CAPI", "1h0m0.5s"),
                    decision("192.0.2.1", "crowdsec", "4h"),
                    decision("192.0.2.2", "CAPI", "2h"),
                    decision("198.51.100.0/25", "lists", "3h"),
                ],
                &[decision("192.0.2.9", "CAPI", "-1h")],
            ),
            1 => stream(
                &[decision("2001:db8::7", "cscli", "24h")],
                &[
                    decision("192.0.2.1", "CAPI", "-1s"),
                    decision("192.0.2.2", "CAPI", "-1s"),
                ],
            ),
            _ => stream(&[], &[]),
        })
    });
    let mut feed = feed(&server);
    let before = Timestamp::now().as_second();

    let first = feed.take();
    let second = feed.take();
    let third = feed.take();

    let parsed = read(&first[0], API);
    let ends = parsed.rows.iter().map(|row| row.sighting.expires.unwrap());
    let ends: Vec<_> = ends.map(|end| end.unix() - before).collect();
    assert_eq!(
        entries(&first[0], API),
        [
            "192.0.2.1/32",
            "192.0.2.1/32",
            "192.0.2.2/32",
            "198.51.100.0/25"
        ]
    );
    for (end, expected) in ends.iter().zip([3_600, 14_400, 7_200, 10_800]) {
        assert!((expected..expected + 10).contains(end), "{ends:?}");
    }
    assert_eq!(parsed.withdrawn, ["192.0.2.9".parse().unwrap()]);
    assert_eq!(
        entries(&second[0], API),
        ["192.0.2.1/32", "2001:db8::7/128", "198.51.100.0/25"]
    );
    // The other decision about 192.0.2.1 goes on.
    let withdrawn = read(&second[0], API).withdrawn;
    assert_eq!(withdrawn, ["192.0.2.2".parse().unwrap()]);
    assert_eq!(second, third);
    assert_eq!(starts(&server), [true, false, false]);
}

#[test]
fn what_is_over_leaves_and_what_is_prolonged_stays() {
    let server = server(|number, _| {
        Some(match number {
            0 => stream(
                &[
                    decision("192.0.2.1", "CAPI", "1s"),
                    decision("192.0.2.2", "CAPI", "1s"),
                    decision("192.0.2.3", "CAPI", "-5s"),
                ],
                &[],
            ),
            _ => stream(&[decision("192.0.2.2", "CAPI", "4h")], &[]),
        })
    });
    let mut feed = feed(&server);

    let first = feed.take();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let second = feed.take();

    assert_eq!(first[0].matches("192.0.2.").count(), 2);
    assert_eq!(entries(&second[0], API), ["192.0.2.2/32"]);
}

#[test]
fn refusal_failure_and_restart_ask_for_everything_and_ends_stay() {
    let server = server(|number, startup| {
        let all = [
            decision("192.0.2.1", "CAPI", &format!("59m{}.5s", 59 - number)),
            decision("192.0.2.2", "CAPI", "4h"),
        ];
        let changes = stream(&all[..usize::from(startup) * 2], &[]);
        (number != 3).then_some(changes)
    });
    let mut feed = feed(&server);

    let refused = feed.refuse();
    let first = feed.take();
    feed.take();
    feed.error();
    let again = feed.take();
    let mut restarted = self::feed(&server);
    restarted.accepted = feed.accepted.clone();
    restarted.take();

    assert_eq!(refused, first);
    assert_eq!(first, again);
    assert_eq!(starts(&server), [true, true, false, false, true, true]);
}

#[test]
fn a_deletion_that_cannot_be_read_begins_again() {
    let server = server(|number, _| {
        Some(match number {
            0 | 2 => stream(&[decision("192.0.2.1", "CAPI", "4h")], &["7".to_owned()]),
            _ => stream(&[], &["{\"value\":7}".to_owned()]),
        })
    });
    let mut feed = feed(&server);

    let first = feed.take();
    assert!(feed.error().contains("CrowdSec's decisions"));
    assert_eq!(feed.take(), first);
    assert_eq!(starts(&server), [true, false, true]);
    assert_eq!(read(&first[0], API).rejected, 1);
}

#[test]
fn odd_decisions_are_left_to_the_reader() {
    let server = server(|_, _| {
        let odd = [
            "7".to_owned(),
            "{\"scope\":\"Ip\",\"value\":[],\"type\":\"ban\"}".to_owned(),
            decision("192.0.2.1", "CAPI", "soon"),
            decision("192.0.2.2", "CAPI", "4h").replace("Ip", "Country"),
            decision("192.0.2.3", "CAPI", "4h").replace('}', ",\"simulated\":true}"),
            decision("192.0.2.4", "CAPI", "4h"),
            decision("192.0.2.5", "CAPI", "4h"),
            decision("192.0.2.6", "CAPI", "4h"),
        ];
        Some(stream(&odd, &[]))
    });
    let parsed = read(&feed(&server).take()[0], API);
    assert_eq!(
        (parsed.rows.len(), parsed.ignored, parsed.rejected),
        (3, 2, 3)
    );
}

#[test]
fn what_is_no_stream_is_refused() {
    for (body, expected) in [
        (
            "{\"message\":\"access forbidden\"}",
            "neither `new` nor `deleted`",
        ),
        ("{\"new\":{}}", "something else than CrowdSec's decisions"),
        ("[]", "something else than CrowdSec's decisions"),
        ("<html>", "something else than CrowdSec's decisions"),
        ("{\"new\":[", "EOF"),
    ] {
        let server = server(move |_, _| Some(body.to_owned()));
        let error = feed(&server).error();
        assert!(error.contains(expected), "{error}");
    }
    let records = "{},".repeat(1_000_001);
    let server = server(move |_, _| Some(format!("{{\"new\":[{records}{{}}]}}")));
    let error = feed(&server).error();
    assert!(error.contains("more than 1000000 records"), "{error}");
}

#[test]
fn the_url_may_be_that_of_the_stream() {
    let server = Server::start(|request, out| {
        assert_eq!(request.path, "/lapi/v1/decisions/stream?startup=true");
        respond(out, "200 OK", &[], stream(&[], &[]).as_bytes());
    });
    for path in ["/lapi", "/lapi/", "/lapi/v1/decisions/stream"] {
        let parts = Feed::new(&server.url(path), API).take();
        assert_eq!(read(&parts[0], API).total(), 0);
    }
}
