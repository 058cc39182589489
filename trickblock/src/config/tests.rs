mod api;
mod http;
mod keys;
mod presets;
mod reference;
mod tables;

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::policy::{Authority, AuthorityKind, Kind};

const MINIMAL: &str =
    "[[interface]]\nname = \"eth0\"\n[[feed]]\nname = \"own\"\npath = \"own.txt\"\n";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/trickblock/trickblock.toml"))
}

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(config) => panic!("accepted: {config:?}"),
        Err(error) => error
            .to_string()
            .replace("/etc/trickblock/trickblock.toml", "F")
            .lines()
            .map(str::to_owned)
            .collect(),
    }
}

#[test]
fn minimal_file_gets_every_default() {
    let config = parse(MINIMAL).unwrap();

    assert_eq!(config.paths, Paths::default());
    assert_eq!(
        config.filter,
        Filter {
            action: Action::Drop,
            mode: Mode::Auto,
            xdp: XdpMode::Auto,
            tunnels: Vec::new(),
            events_per_second: 1_000
        }
    );
    assert_eq!(config.nat64, []);
    assert_eq!(config.table.capacity, None);
    assert_eq!(config.docker.socket, Some("/var/run/docker.sock".into()));
    assert_eq!(
        config.interfaces,
        [Interface {
            name: "eth0".to_owned(),
            role: Role::Auto,
            hook: Hook::Auto,
            fail_closed: false
        }]
    );
    let feed = &config.feeds[0];
    assert_eq!(
        feed.location,
        Location::Path("/etc/trickblock/own.txt".into())
    );
    assert_eq!(
        (&feed.policy, feed.interval, &feed.format),
        (&FeedPolicy::default(), Duration::from_secs(300), &None)
    );
    assert_eq!(feed.policy.hold_down, Duration::from_secs(86_400));
}

#[test]
fn every_key_is_read() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("allow.txt"), "").unwrap();
    let secret = dir.path().join("key");
    fs::write(&secret, "# abuse.ch\nAuth-Key: s3cret\n\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let text = r#"
        paths = { state = "/s", socket = "/c", pins = "/p" }
        [network]
        own = ["198.51.100.0/24", "2001:db8::/48"]
        nat64 = ["2001:db8:64::/96", "2001:db8:6400::/40"]
        [guard]
        allow = ["203.0.113.5", "2001:db8:1::/48"]
        allow_files = ["allow.txt"]
        [filter]
        action = "monitor"
        mode = "gateway"
        xdp = "generic"
        tunnels = ["ip", "gre", "vxlan", "geneve", "gtpu"]
        events_per_second = 0x10
        [table]
        capacity = 1_000
        [docker]
        socket = ""
        [[interface]]
        name = "eth0"
        role = "inside"
        [[interface]]
        name = "wan.100"
        role = "uplink"
        hook = "tcx"
        fail_closed = true
        [[feed]]
        name = "feodo"
        url = "https://feeds.example/list.csv?key=1"
        format = "feodo-csv"
        action = "monitor"
        hold_down = "2h"
        min_confidence = 75
        min_feeds = 2
        kind = "shared"
        authority = "court"
        order = "1:20-cv-01171"
        until = "2026-12-31"
        interval = "500ms"
        timeout = "20s"
        connect_timeout = "1s 500ms"
        min_rate = 250
        headers = { Accept = "text/csv" }
        headers_file = "key"
    "#;

    let config = Config::parse(text, &dir.path().join("t.toml")).unwrap();

    assert_eq!(
        config.paths,
        Paths {
            state: "/s".into(),
            socket: "/c".into(),
            pins: "/p".into()
        }
    );
    assert_eq!(config.own.len(), 2);
    assert_eq!(
        config.guard.allow,
        [
            "203.0.113.5/32".parse().unwrap(),
            "2001:db8:1::/48".parse().unwrap()
        ]
    );
    assert_eq!(config.guard.allow_files, [dir.path().join("allow.txt")]);
    assert_eq!(
        config.filter,
        Filter {
            action: Action::Monitor,
            mode: Mode::Gateway,
            xdp: XdpMode::Generic,
            tunnels: vec![
                Tunnel::Ip,
                Tunnel::Gre,
                Tunnel::Vxlan,
                Tunnel::Geneve,
                Tunnel::Gtpu
            ],
            events_per_second: 16
        }
    );
    assert_eq!(config.nat64.len(), 2);
    assert_eq!(config.table.capacity, NonZeroU32::new(1_000));
    assert_eq!(config.docker.socket, None);
    assert_eq!(
        config.interfaces[1],
        Interface {
            name: "wan.100".to_owned(),
            role: Role::Uplink,
            hook: Hook::Tcx,
            fail_closed: true
        }
    );
    let feed = &config.feeds[0];
    assert_eq!(
        (feed.format, feed.policy.hold_down),
        (Some(Format::FeodoCsv), Duration::from_secs(7_200))
    );
    assert_eq!(
        *feed.policy.terms,
        Terms {
            action: Action::Monitor,
            min_confidence: 75,
            min_feeds: 2,
            kind: Kind::Shared,
            wide: false,
            authority: Authority {
                kind: AuthorityKind::Court,
                order: Some("1:20-cv-01171".to_owned()),
                until: Some("2026-12-31T00:00:00Z".parse().unwrap()),
            },
        }
    );
    assert_eq!(feed.interval, Duration::from_millis(500));
    let Location::Http(spec) = &feed.location else {
        panic!("{feed:?}")
    };
    assert_eq!(
        (spec.timeout, spec.connect_timeout, spec.min_rate),
        (Duration::from_secs(20), Duration::from_millis(1_500), 250)
    );
    let headers: Vec<_> = spec
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(headers, [("accept", "text/csv"), ("auth-key", "s3cret")]);
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let text = format!(
        "{MINIMAL}[[feed]]\nname = \"x\"\nurl = \"https://feeds.example/?key=s3cret\"\nheaders = {{ Auth-Key = \"s3cret\" }}\n"
    );

    let shown = format!("{:?}", parse(&text).unwrap());

    assert!(shown.contains("auth-key"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// One mistake each, appended to a good file; the text names the thing and the fix.
#[test]
fn each_mistake_is_named_with_its_fix() {
    let cases = [
        (
            "[network]\nown = [\"192.0.2.0/33\"]",
            "F:7:8:",
            "write 203.0.113.5 or 2001:db8::/48",
        ),
        (
            "[network]\nown = [\"192.0.2.1/24\"]",
            "F:7:8:",
            "write `192.0.2.0/24`",
        ),
        (
            "[network]\nown = \"192.0.2.0/24\"",
            "F:7:7:",
            "must be an array of strings",
        ),
        (
            "[guard]\nallow = [\"192.0.2.1\", 7]",
            "F:7:23:",
            "must be an array of strings",
        ),
        (
            "[guard]\nallow_files = [\"/nonexistent/allow\"]",
            "F:7:16:",
            "/nonexistent/allow cannot be used",
        ),
        ("[guard]\nallow_files = [\"/\"]", "F:7:16:", "is not a file"),
        (
            "[filter]\naction = \"dorp\"",
            "F:7:10:",
            "did you mean `drop`?",
        ),
        (
            "[filter]\nmode = \"monitor\"",
            "F:7:8:",
            "write `action = \"monitor\"`",
        ),
        (
            "[filter]\nmode = \"router\"",
            "F:7:8:",
            "`gateway`, `host` and `auto`",
        ),
        (
            "[filter]\ntunnels = [\"gre\", \"vxlna\"]",
            "F:7:19:",
            "did you mean `vxlan`?",
        ),
        (
            "[network]\nnat64 = [\"2001:db8::/60\"]",
            "F:7:10:",
            "32, 40, 48, 56, 64 or 96",
        ),
        (
            "[network]\nnat64 = [\"2001:db8::1/96\"]",
            "F:7:10:",
            "write `2001:db8::/96`",
        ),
        (
            "[network]\nnat64 = [\"192.0.2.0/24\"]",
            "F:7:10:",
            "is not an IPv6 prefix",
        ),
        (
            "[network]\nnat64 = [\"1::/32\", \"2::/32\", \"3::/32\", \"4::/32\", \"5::/32\"]",
            "F:7:1:",
            "more prefixes than 4",
        ),
        (
            "[[interface]]\nname = \"e\"\nhook = \"tc\"",
            "F:8:8:",
            "did you mean `tcx`?",
        ),
        (
            "[[interface]]\nname = \"e\"\nfail_closed = \"yes\"",
            "F:8:15:",
            "it must be true or false",
        ),
        (
            "[filter]\nxdp = \"offload\"",
            "F:7:7:",
            "`native`, `generic` and `auto`",
        ),
        (
            "[filter]\nevents_per_second = -1",
            "F:7:21:",
            "a whole number from 0 to 4294967295",
        ),
        ("[table]\ncapacity = 0", "F:7:12:", "a whole number from 1"),
        (
            "[table]\ncapacity = 4000000000",
            "F:7:12:",
            "a whole number from 1 to 4000000",
        ),
        ("[paths]\nstate = \"\"", "F:7:9:", "give it a path"),
        ("[paths]\nstate = 5", "F:7:9:", "is 5: it must be a string"),
        ("paths = 5", "F:6:9:", "write [paths]"),
        (
            "[[interface]]\nname = \"eth0\"",
            "F:7:8:",
            "`eth0` is there already, in line 2",
        ),
        (
            "[[interface]]\nname = \"a name too long!\"",
            "F:7:8:",
            "one that `ip link` shows",
        ),
        (
            "[[interface]]\nrole = \"inside\"",
            "F:6:1:",
            "[[interface]] has no `name`",
        ),
        (
            "[[interface]]\nname = \"e\"\nrole = \"outside\"",
            "F:8:8:",
            "`inside`, `uplink` and `auto`",
        ),
        (
            "[[feed]]\nname = \"own\"\npath = \"x\"",
            "F:7:8:",
            "`own` is there already, in line 4",
        ),
        (
            "[[feed]]\nname = \"../x\"\npath = \"x\"",
            "F:7:8:",
            "is not a feed name",
        ),
        (
            "[[feed]]\nname = \"x\"",
            "F:6:1:",
            "neither `url` nor `path`",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://192.0.2.1/\"\npath = \"x\"",
            "F:9:8:",
            "keep one",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"192.0.2.1/list\"",
            "F:8:7:",
            "write https://host/path",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"ftp://192.0.2.1/list\"",
            "F:8:7:",
            "must begin with http:// or https://",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"https://u:p@192.0.2.1/\"",
            "F:8:7:",
            "into `headers_file`",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\ninterval = \"50ms\"",
            "F:9:12:",
            "the least is 100ms",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\ninterval = \"often\"",
            "F:9:12:",
            "write 500ms, 30s, 5m, 1h or 7d",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\ntimeout = \"2m\"",
            "F:9:11:",
            "the most is 1m",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\nheaders = { Host = \"x\" }",
            "F:9:20:",
            "set by trickblock itself",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\nheaders = { \"a b\" = \"x\" }",
            "F:9:21:",
            "not a header name",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\nheaders_file = \"/nonexistent/h\"",
            "F:9:16:",
            "/nonexistent/h cannot be read",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\napi = \"treatfox\"",
            "F:9:7:",
            "did you mean `threatfox`?",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\napi = \"threatfox\"\ndays = 8",
            "F:10:8:",
            "a whole number from 1 to 7",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\ndays = 3",
            "F:9:1:",
            "add `api = \"threatfox\"`",
        ),
        (
            "[[feed]]\nname = \"x\"\nurl = \"http://h/\"\napi = \"threatfox\"\nformat = \"plain\"",
            "F:10:10:",
            "remove it, or write `threatfox-json`",
        ),
        (
            "[[feed]]\nname = \"x\"\npath = \"x\"\napi = \"threatfox\"",
            "F:9:1:",
            "for `url` feeds only",
        ),
        (
            "[[feed]]\nname = \"x\"\npath = \"x\"\ninterval = \"5m\"",
            "F:9:1:",
            "for `url` feeds only",
        ),
        (
            "[[feed]]\nname = \"x\"\npath = \"x\"\naction = \"block\"",
            "F:9:10:",
            "`drop` and `monitor`",
        ),
    ];
    for (added, place, fix) in cases {
        let found = problems(&with(added));
        assert_eq!(found.len(), 1, "{added}: {found:#?}");
        assert!(found[0].starts_with(place), "{added}: {found:?}");
        assert!(found[0].contains(fix), "{added}: {found:?}");
    }
}

/// The good file with `added` in line 6: a key of the root must stand before the first table.
fn with(added: &str) -> String {
    if added.starts_with('[') {
        return format!("{MINIMAL}{added}\n");
    }
    format!("\n\n\n\n\n{added}\n{MINIMAL}")
}

#[test]
fn all_mistakes_come_together_in_the_order_of_the_file() {
    let found =
        problems("[filter]\nmode = \"x\"\nmoed = \"drop\"\n[[feed]]\npath = \"f\"\naction = 3\n");

    let places: Vec<_> = found
        .iter()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(places[..4], ["F:2:8", "F:3:1", "F:4:1", "F:6:10"]);
    assert!(found[4].starts_with("F: no [[interface]]"), "{found:?}");
}

#[test]
fn syntax_errors_are_placed_and_stand_alone() {
    let found = problems("[filter]\nmode = \n[[feed]\n");

    assert!(found.len() >= 2, "{found:?}");
    assert!(found[0].starts_with("F:2:8: not TOML:"), "{found:?}");
    assert!(
        found.iter().all(|line| line.contains("not TOML")),
        "{found:?}"
    );
}

#[test]
fn readable_secrets_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("key");
    fs::write(&secret, "Auth-Key: s3cret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let text =
        format!("{MINIMAL}[[feed]]\nname = \"x\"\nurl = \"http://h/\"\nheaders_file = \"key\"\n");

    let error = Config::parse(&text, &dir.path().join("t.toml"))
        .unwrap_err()
        .to_string();

    assert!(
        error.contains(&format!("chmod 600 {}", secret.display())),
        "{error}"
    );
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn broken_secret_lines_are_numbered_and_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("key");
    fs::write(&secret, "A: b\ns3cret\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let text =
        format!("{MINIMAL}[[feed]]\nname = \"x\"\nurl = \"http://h/\"\nheaders_file = \"key\"\n");

    let error = Config::parse(&text, &dir.path().join("t.toml"))
        .unwrap_err()
        .to_string();

    assert!(error.contains("key:2: no colon"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn missing_huge_and_binary_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let cases = [
        (dir.path().join("none.toml"), "No such file"),
        (
            write("huge.toml", &vec![b'#'; 2 << 20]),
            "larger than 1 MiB",
        ),
        (write("binary.toml", &[0xff, 0xfe, 0x00]), "UTF-8"),
        (dir.path().to_owned(), "directory"),
    ];
    for (path, reason) in cases {
        let error = Config::load(&path).unwrap_err().to_string();
        assert!(
            error.contains(&path.display().to_string()) && error.contains(reason),
            "{error}"
        );
    }
}

#[test]
fn flags_make_a_configuration_with_unique_feed_names() {
    let strings = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    let feeds = strings(&[
        "https://feeds.example/a.csv",
        "https://feeds.example/b.csv",
        "dir/my list.txt",
        "/x/.hidden",
        "dir/my list.txt",
    ]);

    let config = Config::from_flags(&strings(&["eth0", "eth1", "eth0"]), &feeds).unwrap();

    let names: Vec<_> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
    assert_eq!(
        names,
        ["feeds.example", "feeds.example-2", "my-list", "hidden"]
    );
    assert_eq!(
        config.feeds[2].location,
        Location::Path("dir/my list.txt".into())
    );
    assert_eq!(config.interfaces.len(), 2);
    for feed in &config.feeds {
        assert!(value::feed_name(&feed.name).is_ok(), "{}", feed.name);
    }
}

#[test]
fn wrong_flags_are_all_named() {
    let error = Config::from_flags(&[], &["ftp://192.0.2.1/x".to_owned()])
        .unwrap_err()
        .to_string();

    assert!(error.contains("-i: no interface given"), "{error}");
    assert!(error.contains("--feed: `ftp://192.0.2.1/x`"), "{error}");
}
