use std::path::Path;

use super::*;
use crate::config::Config;

/// A feed of STIX that keeps for a day what it stops naming.
fn feed() -> Feed {
    let text =
        "[[interface]]\nname = \"e\"\n[[feed]]\nname = \"x\"\npath = \"x\"\nformat = \"stix\"\n";
    let config = Config::parse(text, Path::new("/x/trickblock.toml")).unwrap();
    Feed::new(config.feeds[0].clone())
}

fn indicator(number: u8, revoked: bool) -> String {
    format!(
        "{{\"type\":\"indicator\",\"id\":\"i{number}\",\"pattern\":\"[ipv4-addr:value = '192.0.2.{number}']\",\
         \"valid_from\":\"2024-01-01T00:00:00Z\",\"revoked\":{revoked}}}"
    )
}

fn read(feed: &Feed, objects: &[String]) -> Content {
    let text = format!("{{\"objects\":[{}]}}", objects.join(","));
    let part = Part {
        name: "x".to_owned(),
        bytes: text.into(),
    };
    let body = Body::from(vec![part]);
    feed.read(&body, &Reader::InProcess).unwrap()
}

fn accept(feed: &mut Feed, content: Content) {
    let offer = Offer {
        content,
        digest: Digest::default(),
        fresh: true,
        at: Timestamp::now(),
        back: false,
    };
    let departed = feed.departing(&offer, Seen::now());
    feed.accept(offer, departed);
}

fn departed(feed: &Feed) -> Vec<String> {
    let rows = feed.departed.rows().iter();
    rows.map(|row| row.indicator.to_string()).collect()
}

#[test]
fn what_is_revoked_ends_and_what_is_missing_stays() {
    let mut feed = feed();
    let all = [indicator(1, false), indicator(2, false)];
    let content = read(&feed, &all);
    accept(&mut feed, content);

    let content = read(&feed, &[indicator(1, true)]);
    accept(&mut feed, content);
    assert_eq!(departed(&feed), ["192.0.2.2/32"]);

    // Also what has left before, and where nothing is left that is named.
    let content = read(&feed, &[indicator(2, true)]);
    accept(&mut feed, content);
    assert!(departed(&feed).is_empty());
}
