//! Keys of feeds that are fetched.

use super::*;
use crate::feed::source::{HttpSpec, RedirectHost};

const FEED: &str = "[[feed]]\nname = \"x\"\nurl = \"https://feeds.example/list\"\n";

/// What the feed is with `keys` beside its URL.
fn spec(keys: &str) -> HttpSpec {
    let config = parse(&format!("{MINIMAL}{FEED}{keys}")).unwrap();
    let Location::Http(spec) = config.feeds[1].location.clone() else {
        panic!("{config:?}")
    };
    spec
}

/// The one complaint about a feed with `keys`, which stand from line 9 on.
fn complaint(keys: &str) -> String {
    let found = problems(&format!("{MINIMAL}{FEED}{keys}"));
    assert_eq!(found.len(), 1, "{keys}: {found:#?}");
    found[0].clone()
}

#[test]
fn a_feed_that_says_nothing_is_careful() {
    let spec = spec("");
    assert_eq!(spec, HttpSpec::new(spec.url.clone()));
    assert!(!spec.private && spec.redirect_hosts.is_empty() && spec.min_rate == 1_000);
}

#[test]
fn places_are_read() {
    let spec =
        spec("private = true\nredirect_hosts = [\"cdn.example\", \"*.cdn.example\"]\nmin_rate = 0");
    let hosts = ["cdn.example", "*.cdn.example"].map(|host| RedirectHost::parse(host).unwrap());
    assert!(spec.private);
    assert_eq!((spec.redirect_hosts, spec.min_rate), (hosts.to_vec(), 0));
}

#[test]
fn mistakes_name_their_fix() {
    for (keys, place, fix) in [
        ("min_rate = -1", "F:9:12:", "a whole number from 0"),
        ("private = \"yes\"", "F:9:11:", "true or false"),
        (
            "redirect_hosts = [\"cdn.example\", \"https://x.example/\"]",
            "F:9:34:",
            "write cdn.example",
        ),
        (
            "redirect_hosts = \"cdn.example\"",
            "F:9:18:",
            "an array of strings",
        ),
    ] {
        let found = complaint(keys);
        assert!(found.starts_with(place) && found.contains(fix), "{found}");
    }
}

#[test]
fn they_mean_nothing_for_a_file() {
    for key in ["min_rate = 1", "private = true", "redirect_hosts = []"] {
        let text = format!("{MINIMAL}[[feed]]\nname = \"x\"\npath = \"x\"\n{key}");
        let found = problems(&text);
        assert!(
            found.len() == 1 && found[0].contains("for `url` feeds only"),
            "{key}: {found:?}"
        );
    }
}
