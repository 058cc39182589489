//! Keys of feeds that are fetched.

use super::*;
use crate::feed::source::{HttpSpec, RedirectHost, Route};

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
fn a_proxy_is_read_with_its_password() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "user:s3cret\n").unwrap();
    let named = format!("proxy_auth_file = \"{}\"\n", file.path().display());
    let keys = format!("{named}proxy = \"http://proxy.example:3128\"");

    let shown = format!("{:?}", spec(&keys));
    let alone = complaint(&named);
    let written = complaint("proxy = \"http://u:s3cret@proxy.example\"");
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o604)).unwrap();
    let open = complaint(&keys);

    assert!(shown.contains("proxy.example:3128"), "{shown}");
    assert!(alone.contains("add `proxy`"), "{alone}");
    assert!(written.contains("`proxy_auth_file`"), "{written}");
    assert!(open.contains("chmod 600"), "{open}");
    for text in [shown, alone, written, open] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert_eq!(spec("proxy = \"none\"").route, Route::Direct);
}

const KEY: &str = "RWTIIaStYvVuzIjMbTrSfQiUr0iTPnUfccw6VmGslfr+eC4FkMFY56bE";

#[test]
fn a_signing_key_is_written_out_or_in_its_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        file.path(),
        format!("untrusted comment: minisign public key\n{KEY}\n"),
    )
    .unwrap();
    let filed = format!("minisign_file = \"{}\"", file.path().display());
    let written = format!("minisign = \"{KEY}\"");
    let elsewhere = "signature = \"https://sigs.example/list\"";

    assert!(spec(&written).minisign.is_some());
    assert_eq!(spec(&filed).minisign, spec(&written).minisign);
    let signed = spec(&format!("{filed}\n{elsewhere}"));
    let signature = signed.signature.map(|url| url.to_string());
    assert_eq!(signature.as_deref(), Some("https://sigs.example/list"));
    for (keys, fix) in [
        (elsewhere.to_owned(), "add `minisign` or `minisign_file`"),
        (format!("{written}\n{filed}"), "keep one"),
        (format!("{written}\napi = \"misp\""), "remove one of both"),
        (
            "minisign_file = \"/nonexistent\"".to_owned(),
            "cannot be read",
        ),
        ("minisign = \"RWx\"".to_owned(), "begins with `RW`"),
    ] {
        let found = complaint(&keys);
        assert!(found.contains(fix), "{found}");
    }
}

#[test]
fn a_list_on_disk_may_be_signed_but_not_standard_input() {
    let with = |path: &str| {
        format!(
            "{MINIMAL}[[feed]]\nname = \"x\"\npath = \"{path}\"\nminisign = \"{KEY}\"\nsignature = \"x.sig\"\n"
        )
    };
    let config = parse(&with("x.txt")).unwrap();
    let Location::Signed(signed) = &config.feeds[1].location else {
        panic!("{config:?}")
    };
    assert_eq!(signed.path, Path::new("/etc/trickblock/x.txt"));
    assert_eq!(
        signed.signature.as_deref(),
        Some(Path::new("/etc/trickblock/x.sig"))
    );
    let found = problems(&with("-"));
    assert!(
        found.len() == 2 && found[0].contains("standard input"),
        "{found:?}"
    );
}

/// Without TLS there is no key to look at.
#[test]
fn pins_need_https() {
    let pin = format!("pins = [\"sha256//{}=\"]", "A".repeat(43));
    let plain = format!("{MINIMAL}{}{pin}", FEED.replace("https://", "http://"));
    let found = problems(&plain);
    assert!(
        found.len() == 1 && found[0].contains("for `https` only"),
        "{found:?}"
    );
    assert_eq!(spec(&pin).pins.len(), 1);
}

#[test]
fn mistakes_name_their_fix() {
    for (keys, place, fix) in [
        ("min_rate = -1", "F:9:12:", "a whole number from 0"),
        ("pins = [\"sha256//AAAA\"]", "F:9:9:", "44 signs of base64"),
        ("proxy = \"socks5://h\"", "F:9:9:", "write http://host:port"),
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
    for key in [
        "min_rate = 1",
        "private = true",
        "redirect_hosts = []",
        "proxy = \"none\"",
    ] {
        let text = format!("{MINIMAL}[[feed]]\nname = \"x\"\npath = \"x\"\n{key}");
        let found = problems(&text);
        assert!(
            found.len() == 1 && found[0].contains("for `url` feeds only"),
            "{key}: {found:?}"
        );
    }
}
