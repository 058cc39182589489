use crate::feed::{Format, NotAFeed, Options, Parsed, parse};

fn event(published: bool, inner: &str) -> String {
    format!("{{\"Event\":{{\"info\":\"x\",\"published\":{published},{inner}}}}}")
}

fn attribute(kind: &str, value: &str, more: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"value\":\"{value}\"{more}}}")
}

fn attributes(all: &[String]) -> String {
    format!("\"Attribute\":[\n{}\n]", all.join(",\n"))
}

fn read(body: &str) -> Parsed {
    parse(body.as_bytes(), None).expect("an event")
}

fn shown(parsed: &Parsed) -> Vec<String> {
    let rows = parsed.rows.iter();
    rows.map(|row| format!("{} {}", row.line, row.indicator))
        .collect()
}

#[test]
fn every_type_that_names_a_server() {
    let parsed = read(&event(
        true,
        &attributes(&[
            attribute(
                "ip-dst",
                "192.0.2.1",
                ",\"to_ids\":true,\"timestamp\":\"1612345678\"",
            ),
            attribute("ip-dst|port", "192.0.2.2|443", ""),
            attribute("ip-dst|port", "192.0.2.3:8080", ""),
            attribute("domain|ip", "bad.example|192.0.2.4", ",\"to_ids\":\"1\""),
            attribute("ip-dst", "2001:db8::/48", ""),
            attribute("domain", "bad.example", ""),
            attribute("sha256", "00", ""),
        ]),
    ));
    assert_eq!(parsed.format, Format::Misp);
    assert_eq!(
        shown(&parsed),
        [
            "2 192.0.2.1/32",
            "3 192.0.2.2/32:443",
            "4 192.0.2.3/32:8080",
            "5 192.0.2.4/32",
            "6 2001:db8::/48"
        ]
    );
    let seen = parsed.rows[0].sighting.first_seen.expect("a time");
    assert_eq!(seen.to_string(), "2021-02-03T09:47:58Z");
    assert_eq!((parsed.ignored, parsed.rejected), (2, 0));
}

#[test]
fn what_is_not_meant_for_detection_is_left_out() {
    let parsed = read(&event(
        true,
        &attributes(&[
            attribute("ip-dst", "192.0.2.1", ",\"to_ids\":false"),
            attribute("ip-dst", "192.0.2.2", ",\"to_ids\":true,\"deleted\":true"),
            attribute("ip-src", "192.0.2.3", ",\"to_ids\":true"),
            attribute("ip-dst", "192.0.2.4", ",\"to_ids\":true"),
        ]),
    ));
    assert_eq!(shown(&parsed), ["5 192.0.2.4/32"]);
    assert_eq!(parsed.ignored, 3);
    let warnings = parsed.warnings.join("\n");
    assert!(
        warnings.contains("2 entries that are not meant") && warnings.contains("came from"),
        "{warnings}"
    );
}

#[test]
fn bad_values_are_rejected_and_never_widened() {
    let parsed = read(&event(
        true,
        &attributes(&[
            attribute("ip-dst|port", "192.0.2.1|", ""),
            attribute("ip-dst|port", "192.0.2.1|0", ""),
            attribute("ip-dst|port", "192.0.2.1", ""),
            attribute("ip-dst", "192.0.2.1:443", ""),
            attribute("domain|ip", "bad.example", ""),
            "{\"value\":7}".to_owned(),
            attribute("ip-dst", "192.0.2.9", ""),
            attribute("ip-dst", "192.0.2.9", ""),
            attribute("ip-dst", "192.0.2.9", ""),
            attribute("ip-dst", "192.0.2.9", ""),
            attribute("ip-dst", "192.0.2.9", ""),
            attribute("ip-dst", "192.0.2.9", ""),
        ]),
    ));
    let lines: Vec<u32> = parsed
        .rejections
        .iter()
        .map(|rejection| rejection.line)
        .collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
}

fn object(all: &[String]) -> String {
    format!("\"Object\":[{{\"name\":\"ip-port\",{}}}]", attributes(all))
}

#[test]
fn addresses_and_ports_of_an_object_belong_together() {
    let ip = |value| {
        attribute(
            "ip-dst",
            value,
            ",\"object_relation\":\"ip\",\"to_ids\":true",
        )
    };
    let port = |value, relation: &str| {
        attribute(
            "port",
            value,
            &format!(",\"object_relation\":\"{relation}\",\"to_ids\":false"),
        )
    };
    let both = read(&event(
        true,
        &object(&[
            ip("192.0.2.1"),
            port("443", "dst-port"),
            port("9", "src-port"),
            port("80", "dst-port"),
        ]),
    ));
    assert_eq!(shown(&both), ["2 192.0.2.1/32:443", "2 192.0.2.1/32:80"]);
    let alone = read(&event(
        true,
        &object(&[ip("192.0.2.1"), port("9", "src-port")]),
    ));
    assert_eq!(shown(&alone), ["2 192.0.2.1/32"]);
    let wrong = parse(
        event(true, &object(&[ip("192.0.2.1"), port("x", "dst-port")])).as_bytes(),
        None,
    );
    assert!(
        matches!(wrong, Err(NotAFeed::MostlyMalformed(_))),
        "{wrong:?}"
    );
}

#[test]
fn unpublished_events_count_in_files_that_are_named() {
    let body = event(false, &attributes(&[attribute("ip-dst", "192.0.2.1", "")]));
    let parsed = read(&body);
    assert_eq!((parsed.rows.len(), parsed.ignored), (0, 1));
    let options = Options {
        unpublished: true,
        ..Options::default()
    };
    let named = parse(body.as_bytes(), options).expect("an event");
    assert_eq!(named.rows.len(), 1);
    assert!(
        named.warnings[0].contains("not published"),
        "{:?}",
        named.warnings
    );
}

#[test]
fn several_events_and_their_families() {
    let tagged = format!(
        "\"Tag\":[{{\"name\":\"tlp:white\"}},{{\"name\":\"misp-galaxy:malpedia=\\\"Emotet\\\"\"}}],{}",
        attributes(&[attribute("ip-dst", "192.0.2.1", "")])
    );
    let galaxy = format!(
        "\"Galaxy\":[{{\"type\":\"botnet\",\"GalaxyCluster\":[{{\"value\":\"Trickbot\"}}]}}],{}",
        attributes(&[attribute("ip-dst", "192.0.2.2", "")])
    );
    let (one, two) = (event(true, &tagged), event(true, &galaxy));
    for body in [
        format!("{{\"response\":[{one},{two}]}}"),
        format!("[{one},{two}]"),
    ] {
        let parsed = read(&body);
        let families: Vec<_> = parsed
            .rows
            .iter()
            .map(|row| row.sighting.family.as_deref())
            .collect();
        assert_eq!(families, [Some("Emotet"), Some("Trickbot")]);
    }
}

#[test]
fn a_manifest_or_a_cut_event_is_told() {
    let manifest = parse(b"{\"5a1b\":{\"info\":\"x\"}}", Some(Format::Misp)).expect_err("no event");
    assert!(manifest.to_string().contains("manifest"), "{manifest}");
    let cut = parse(b"{\"Event\":{\"Attribute\":[{", None).expect_err("cut");
    assert!(cut.to_string().contains("truncated"), "{cut}");
}

#[test]
fn one_of_many_that_is_no_event_costs_its_own_rows() {
    let good = event(true, &attributes(&[attribute("ip-dst", "192.0.2.1", "")]));
    let bad = "{\"Event\":{\"Attribute\":null}}";
    let parsed = read(&format!("[{good},\n{bad},\n{good}]"));
    assert_eq!((parsed.rows.len(), parsed.rejected), (2, 1));
    assert_eq!(parsed.rejections[0].line, 4);
    let alone = parse(bad.as_bytes(), Some(Format::Misp)).unwrap_err();
    assert!(matches!(alone, NotAFeed::Mismatch { .. }), "{alone}");
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("[", "]"), ("{\"response\":[", "]}")] {
        let body = format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        let error = parse(body.as_bytes(), Some(Format::Misp)).unwrap_err();
        assert!(error.to_string().contains("nested too deeply"), "{error}");
    }
}
