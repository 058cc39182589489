use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use trickblock::feed::source::Api;
use trickblock_tests::http::{Server, respond};

use super::{Feed, entries, read};

const API: Api = Api::Misp;

fn uuid(number: u8) -> String {
    format!("{number:08x}-0000-4000-8000-0000000000ff")
}

fn event(number: u8, timestamp: u32, addresses: &[&str]) -> String {
    let attribute = |address: &&str| {
        format!(
            "{{\"type\":\"ip-dst\",\"value\":\"{address}\",\"to_ids\":true,\"category\":\"Network activity\"}}"
        )
    };
    let attributes: Vec<_> = addresses.iter().map(attribute).collect();
    format!(
        "{{\"Event\":{{\"uuid\":\"{}\",\"timestamp\":\"{timestamp}\",\"published\":true,\"Attribute\":[{}]}}}}",
        uuid(number),
        attributes.join(",")
    )
}

fn manifest(events: &[(String, u32)]) -> String {
    let entry = |(uuid, timestamp): &(String, u32)| {
        format!("\"{uuid}\":{{\"info\":\"x\",\"timestamp\":\"{timestamp}\"}}")
    };
    let entries: Vec<_> = events.iter().map(entry).collect();
    format!("{{{}}}", entries.join(","))
}

/// A directory, whose files a test may replace; what is not there is 404.
#[derive(Clone, Default)]
struct Files(Arc<Mutex<BTreeMap<String, String>>>);

impl Files {
    fn put(&self, name: &str, text: String) {
        self.0.lock().unwrap().insert(format!("/feed/{name}"), text);
    }

    fn event(&self, number: u8, text: String) {
        self.put(&format!("{}.json", uuid(number)), text);
    }

    /// Events by number and timestamp.
    fn manifest(&self, events: &[(u8, u32)]) {
        let named: Vec<_> = events
            .iter()
            .map(|(number, at)| (uuid(*number), *at))
            .collect();
        self.put("manifest.json", manifest(&named));
    }

    fn serve(&self) -> Server {
        let files = self.clone();
        Server::start(move |request, stream| {
            let found = files.0.lock().unwrap().get(&request.path).cloned();
            match found {
                Some(text) => respond(stream, "200 OK", &[], text.as_bytes()),
                None => respond(stream, "404 Not Found", &[], b""),
            }
        })
    }
}

/// The numbers of the events that were asked for after `from` requests; 0 is the manifest.
fn asked(server: &Server, from: usize) -> Vec<u8> {
    let requests = server.requests();
    let number = |path: &str| match path {
        "/feed/manifest.json" => 0,
        other => u8::from_str_radix(&other["/feed/".len()..][..8], 16).unwrap(),
    };
    requests[from..]
        .iter()
        .map(|request| number(&request.path))
        .collect()
}

fn two_events() -> Files {
    let files = Files::default();
    files.manifest(&[(2, 20), (1, 10)]);
    files.event(1, event(1, 10, &["192.0.2.1"]));
    files.event(2, event(2, 20, &["192.0.2.2", "192.0.2.3"]));
    files
}

fn all(parts: &[String]) -> Vec<String> {
    assert_eq!(parts.len(), 1);
    entries(&parts[0], API)
}

#[test]
fn only_what_changed_is_asked_for_and_what_is_gone_leaves() {
    let files = two_events();
    let server = files.serve();
    let mut feed = Feed::new(&server.url("/feed"), API);

    let first = feed.take();
    let second = feed.take();
    files.manifest(&[(1, 11), (2, 20), (3, 30)]);
    files.event(1, event(1, 11, &["192.0.2.7"]));
    files.event(3, event(3, 30, &["192.0.2.4"]));
    let third = feed.take();
    files.manifest(&[(3, 30)]);
    let fourth = feed.take();

    assert_eq!(
        all(&first),
        ["192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"]
    );
    assert_eq!(first, second);
    assert_eq!(
        all(&third),
        [
            "192.0.2.7/32",
            "192.0.2.2/32",
            "192.0.2.3/32",
            "192.0.2.4/32"
        ]
    );
    assert_eq!(all(&fourth), ["192.0.2.4/32"]);
    assert_eq!(asked(&server, 0), [0, 1, 2, 0, 0, 1, 3, 0]);
}

#[test]
fn a_failure_keeps_what_came_and_a_restart_asks_for_everything() {
    let files = two_events();
    files
        .0
        .lock()
        .unwrap()
        .remove(&format!("/feed/{}.json", uuid(2)));
    let server = files.serve();
    let url = server.url("/feed/manifest.json");
    let mut feed = Feed::new(&url, API);

    let error = feed.error();
    assert!(
        error.contains(&format!("{}.json: answered 404", uuid(2))),
        "{error}"
    );
    files.event(2, event(2, 20, &["192.0.2.2"]));
    let parts = feed.take();
    // What waits for the operator is not asked for as a whole time and again.
    assert_eq!(feed.refuse(), parts);
    assert_eq!(feed.take(), parts);
    let mut restarted = Feed::new(&url, API);
    restarted.accepted = feed.accepted.clone();
    assert_eq!(restarted.take(), parts);

    assert_eq!(asked(&server, 0), [0, 1, 2, 0, 2, 0, 0, 0, 1, 2]);
}

#[test]
fn a_file_that_is_older_than_the_manifest_is_read_once_more() {
    let files = two_events();
    files.manifest(&[(1, 11), (2, 20)]);
    let server = files.serve();
    let mut feed = Feed::new(&server.url("/feed/"), API);

    feed.take();
    files.event(1, event(1, 11, &["192.0.2.8"]));
    assert!(all(&feed.take()).contains(&"192.0.2.8/32".to_owned()));
    feed.take();
    // One that never agrees is not read for ever.
    files.manifest(&[(1, 12), (2, 20)]);
    for _ in 0..4 {
        feed.take();
    }

    assert_eq!(asked(&server, 0), [0, 1, 2, 0, 1, 0, 0, 1, 0, 1, 0, 0]);
}

#[test]
fn unpublished_events_count_for_nothing() {
    let files = two_events();
    files.event(
        1,
        event(1, 10, &["192.0.2.1"]).replace("true,\"Attr", "false,\"Attr"),
    );
    let server = files.serve();
    let parts = Feed::new(&server.url("/feed/"), API).take();
    assert_eq!(all(&parts), ["192.0.2.2/32", "192.0.2.3/32"]);
    assert_eq!(read(&parts[0], API).ignored, 1);
}

#[test]
fn nothing_but_a_uuid_becomes_part_of_a_url() {
    let good = uuid(1);
    for bad in [
        "../../../../../../../../../../secret".to_owned(),
        "..%2f..%2f0-0000-4000-8000-000000000".to_owned(),
        format!("{}/", &good[..35]),
        format!("{}\\u00e9", &good[..34]),
        good.replace('-', "0"),
        good[..35].to_owned(),
        format!("{good}?"),
        String::new(),
    ] {
        let files = two_events();
        files.put("manifest.json", manifest(&[(bad.clone(), 1)]));
        let server = files.serve();
        let error = Feed::new(&server.url("/feed/"), API).error();
        assert!(error.contains("which is no UUID"), "{bad}: {error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn what_is_no_manifest_is_refused() {
    let many: Vec<_> = (0..10_001)
        .map(|n| (format!("{n:08x}-0000-4000-8000-000000000000"), 1))
        .collect();
    let huge = format!("{{{}}}", " ".repeat(16 << 20));
    let bad_time = format!("{{\"{}\":{{\"timestamp\":[]}}}}", uuid(1));
    for (text, expected) in [
        ("[]", "something else than the manifest"),
        ("<html>", "something else than the manifest"),
        ("{\"a\":7}", "something else than the manifest"),
        ("{}", "no events"),
        (&bad_time, "a `timestamp` that is no time"),
        (&manifest(&many), "more than 10000 events"),
        (&huge, "larger than"),
    ] {
        let files = Files::default();
        files.put("manifest.json", text.to_owned());
        let server = files.serve();
        let error = Feed::new(&server.url("/feed/"), API).error();
        assert!(error.contains(expected), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn what_is_not_the_event_is_refused() {
    for (text, expected) in [
        ("<html>".to_owned(), "something else than the event"),
        ("[]".to_owned(), "something else than the event"),
        ("{}".to_owned(), "something else than the event"),
        ("{\"Event\":{\"uuid\":\"".to_owned(), "EOF"),
        (event(3, 10, &[]), "event \"00000003-"),
    ] {
        let files = two_events();
        files.event(1, text);
        let server = files.serve();
        let error = Feed::new(&server.url("/feed/"), API).error();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn all_events_together_have_the_bounds_of_one_body() {
    let files = two_events();
    files.manifest(&[(1, 10), (2, 20), (3, 30)]);
    for number in 1..=3 {
        let filler = format!(
            "{}{}",
            event(number, u32::from(number) * 10, &[]),
            " ".repeat(22 << 20)
        );
        files.event(number, filler);
    }
    let server = files.serve();
    let mut feed = Feed::new(&server.url("/feed/"), API);

    assert!(feed.error().contains("larger than 67108864 bytes"));
    // What is kept counts as well.
    assert!(feed.error().contains("larger than 67108864 bytes"));
    assert_eq!(asked(&server, 0), [0, 1, 2, 3, 0, 3]);
}
