//! Keys of feeds behind an API.

use super::*;
use crate::feed::{
    Format,
    source::{Api, Location},
};

#[test]
fn an_api_brings_its_format() {
    let read = |keys: &str| {
        let text = format!("{MINIMAL}[[feed]]\nname = \"x\"\nurl = \"http://h/\"\n{keys}");
        let config = parse(&text).unwrap();
        let feed = config.feeds[1].clone();
        let Location::Http(spec) = &feed.location else {
            panic!("{feed:?}")
        };
        (spec.api, feed.format, feed.location.identity())
    };
    let own = Some(Format::ThreatfoxJson);
    assert_eq!(read("").0, None);
    for (keys, days) in [
        ("api = \"threatfox\"", 7),
        (
            "api = \"threatfox\"\ndays = 1\nformat = \"threatfox-json\"",
            1,
        ),
    ] {
        let (api, format, identity) = read(keys);
        assert_eq!((api, format), (Some(Api::Threatfox { days }), own));
        assert_ne!(identity, read("").2);
    }
    for (name, api, format) in [
        ("taxii", Api::Taxii, Format::Stix),
        ("crowdsec", Api::Crowdsec, Format::Crowdsec),
        ("misp", Api::Misp, Format::Misp),
    ] {
        let (found, brought, identity) = read(&format!("api = \"{name}\""));
        assert_eq!((found, brought), (Some(api), Some(format)));
        assert_eq!(identity, format!("http://h/#{name}"));
    }
}
