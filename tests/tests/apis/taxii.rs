use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use trickblock::feed::source::{Api, ApiSource, Reason, Validators};
use trickblock_tests::http::{Server, respond};

use super::{Feed, entries, read};

const API: Api = Api::Taxii;
const PATH: &str = "/api/collections/c/objects/";

/// An indicator of one address, in the version of that hour.
fn indicator(number: u8, hour: u8, more: &str) -> String {
    format!(
        "{{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"indicator--{number:08}-0000-4000-8000-000000000000\",\
         \"modified\":\"2024-01-01T{hour:02}:00:00Z\",\"pattern_type\":\"stix\",\
         \"pattern\":\"[ipv4-addr:value = '192.0.2.{number}']\",\"valid_from\":\"2024-01-01T00:00:00Z\"{more}}}"
    )
}

fn envelope(more: &str, objects: &[String]) -> String {
    format!("{{{more}\"objects\":[{}]}}", objects.join(","))
}

/// A server that answers to what stands behind the path; `None` is an error of its own.
fn server(
    answer: impl Fn(&str) -> Option<(String, &'static str)> + Send + Sync + 'static,
) -> Server {
    Server::start(move |request, stream| {
        assert_eq!(
            request.header("Accept"),
            Some("application/taxii+json;version=2.1")
        );
        let query = request.path.strip_prefix(PATH).expect("the collection");
        match answer(query) {
            Some((body, added)) => {
                let added = format!("X-TAXII-Date-Added-Last: {added}");
                respond(stream, "200 OK", &[&added], body.as_bytes());
            }
            None => respond(stream, "500 Internal Server Error", &[], b""),
        }
    })
}

fn queries(server: &Server) -> Vec<String> {
    let requests = server.requests();
    let queries = requests.iter().map(|request| &request.path[PATH.len()..]);
    queries.map(str::to_owned).collect()
}

#[test]
fn pages_and_later_additions_become_one_bundle() {
    let server = server(|query| {
        Some(match query {
            "" => (
                envelope("\"more\":true,\"next\":\"p&2\",", &[indicator(2, 1, "")]),
                "2024-01-01T01:00:00.000001Z",
            ),
            "?next=p%262" => (
                envelope("", &[indicator(1, 1, ""), indicator(3, 1, "")]),
                "2024-01-02T00:00:00Z",
            ),
            // A new one, a revoked one, and an old version of another.
            "?added_after=2024-01-02T00%3A00%3A00Z" => (
                envelope(
                    "\"more\":false,",
                    &[
                        indicator(4, 1, ""),
                        indicator(1, 2, ",\"revoked\":true"),
                        indicator(2, 0, ",\"revoked\":true"),
                    ],
                ),
                "2024-01-03T00:00:00Z",
            ),
            "?added_after=2024-01-03T00%3A00%3A00Z" => ("{}".to_owned(), ""),
            other => panic!("{other}"),
        })
    });
    let mut feed = Feed::new(&server.url(PATH), API);

    let first = feed.take();
    let second = feed.take();
    let third = feed.take();

    assert_eq!(
        entries(&first[0], API),
        ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"]
    );
    assert_eq!(
        entries(&second[0], API),
        ["192.0.2.2/32", "192.0.2.3/32", "192.0.2.4/32"]
    );
    let withdrawn = read(&second[0], API).withdrawn;
    assert_eq!(withdrawn, ["192.0.2.1".parse().unwrap()]);
    assert_eq!(second, third);
}

#[test]
fn without_a_next_page_what_was_added_later_follows() {
    let server = server(|query| {
        Some(match query {
            "" => (
                envelope("\"more\":true,", &[indicator(1, 1, "")]),
                "2024-01-01T00:00:00Z",
            ),
            "?added_after=2024-01-01T00%3A00%3A00Z" => {
                (envelope("", &[indicator(2, 1, "")]), "2024-01-02T00:00:00Z")
            }
            other => panic!("{other}"),
        })
    });
    let parts = Feed::new(&server.url(PATH), API).take();
    assert_eq!(entries(&parts[0], API), ["192.0.2.1/32", "192.0.2.2/32"]);
}

#[test]
fn refusal_failure_and_restart_begin_again() {
    let count = AtomicUsize::new(0);
    let server = server(move |query| {
        let count = count.fetch_add(1, Ordering::SeqCst);
        let broken = count == 3 && !query.is_empty();
        (!broken).then(|| (envelope("", &[indicator(1, 1, "")]), "2024-01-02T00:00:00Z"))
    });
    let mut feed = Feed::new(&server.url(PATH), API);

    feed.refuse();
    feed.take();
    feed.take();
    feed.error();
    feed.take();
    let mut restarted = Feed::new(&server.url(PATH), API);
    restarted.accepted = feed.accepted.clone();
    restarted.take();

    let after = "?added_after=2024-01-02T00%3A00%3A00Z";
    assert_eq!(queries(&server), ["", "", after, after, "", ""]);
}

#[test]
fn without_a_usable_time_everything_is_asked_for_again() {
    let server = server(|_| Some((envelope("", &[indicator(1, 1, "")]), "yesterday")));
    let mut feed = Feed::new(&server.url(PATH), API);
    assert_eq!(feed.take(), feed.take());
    assert_eq!(queries(&server), ["", ""]);
}

#[test]
fn pages_that_go_in_circles_or_never_end_are_refused() {
    let circle = server(|_| {
        let page = envelope("\"more\":true,\"next\":\"same\",", &[]);
        Some((page, "2024-01-02T00:00:00Z"))
    });
    let error = Feed::new(&circle.url(PATH), API).error();
    assert!(error.contains("one that came before"), "{error}");
    assert_eq!(queries(&circle), ["", "?next=same"]);

    let standing = server(|_| Some((envelope("\"more\":true,", &[]), "2024-01-02T00:00:00Z")));
    let error = Feed::new(&standing.url(PATH), API).error();
    assert!(error.contains("one that came before"), "{error}");

    let count = AtomicUsize::new(0);
    let endless = server(move |_| {
        let count = count.fetch_add(1, Ordering::SeqCst);
        let page = envelope(&format!("\"more\":true,\"next\":\"{count}\","), &[]);
        Some((page, "2024-01-02T00:00:00Z"))
    });
    let error = Feed::new(&endless.url(PATH), API).error();
    assert!(error.contains("more than 1000 pages"), "{error}");
    assert_eq!(queries(&endless).len(), 1_000);
}

#[test]
fn what_is_no_envelope_is_refused() {
    let long = format!(
        "{{\"more\":true,\"next\":\"{}\",\"objects\":[]}}",
        "x".repeat(5_000)
    );
    for (body, expected) in [
        ("<html>", "something else than an envelope"),
        ("[]", "something else than an envelope"),
        ("{\"title\":\"Unauthorized\"}", "no `objects`"),
        ("{\"more\":true}", "no `objects`"),
        ("{\"objects\":{}}", "something else than an envelope"),
        (
            "{\"objects\":[],\"more\":7}",
            "something else than an envelope",
        ),
        ("{\"objects\":[], ", "EOF"),
        (&long, "too long"),
    ] {
        let body = body.to_owned();
        let server = server(move |_| Some((body.clone(), "")));
        let error = Feed::new(&server.url(PATH), API).error();
        assert!(error.contains(expected), "{error}");
        assert!(error.len() < 500, "{error}");
    }
}

#[test]
fn odd_objects_are_left_to_the_reader() {
    let server = server(|_| {
        let odd = ["7", "{\"id\":7}", "{\"type\":\"indicator\"}"].map(str::to_owned);
        let good: Vec<_> = (1..=4).map(|number| indicator(number, 1, "")).collect();
        let objects = [&odd[..], &good].concat();
        Some((envelope("", &objects), ""))
    });
    let parts = Feed::new(&server.url(PATH), API).take();
    let parsed = read(&parts[0], API);
    assert_eq!((parsed.rows.len(), parsed.rejected), (4, 3));
}

#[test]
fn all_pages_together_have_the_bounds_of_one_body() {
    let server = server(|query| {
        let filler = format!("{{\"id\":\"x{query}\",\"x\":\"{}\"}}", "x".repeat(30 << 20));
        let more = format!("\"more\":true,\"next\":\"{}\",", query.len());
        Some((envelope(&more, &[filler]), "2024-01-02T00:00:00Z"))
    });
    let error = Feed::new(&server.url(PATH), API).error();
    assert!(error.contains("larger than 67108864 bytes"), "{error}");
    assert_eq!(queries(&server).len(), 3);
}

#[test]
fn a_stop_ends_the_pages() {
    let count = AtomicUsize::new(0);
    let slow = server(move |_| {
        thread::sleep(Duration::from_millis(20));
        let count = count.fetch_add(1, Ordering::SeqCst);
        let page = envelope(&format!("\"more\":true,\"next\":\"{count}\","), &[]);
        Some((page, "2024-01-02T00:00:00Z"))
    });
    let feed = Feed::new(&slow.url(PATH), API);
    let started = Instant::now();

    let error = thread::scope(|scope| {
        let fetch = scope.spawn(|| feed.get().unwrap_err());
        thread::sleep(Duration::from_millis(200));
        feed.source.stop();
        fetch.join().unwrap()
    });

    assert!(matches!(error.reason, Reason::Stopped), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn all_pages_together_have_their_time() {
    let count = AtomicUsize::new(0);
    let slow = server(move |_| {
        thread::sleep(Duration::from_millis(60));
        let count = count.fetch_add(1, Ordering::SeqCst);
        let page = envelope(&format!("\"more\":true,\"next\":\"{count}\","), &[]);
        Some((page, "2024-01-02T00:00:00Z"))
    });
    let mut spec = super::spec(&slow.url(PATH), API);
    spec.timeout = Duration::from_millis(200);

    let error = ApiSource::new(spec, API)
        .fetch(&Validators::default())
        .unwrap_err();

    assert!(error.to_string().contains("limit of ten times"), "{error}");
    assert!((20..=40).contains(&queries(&slow).len()));
}
