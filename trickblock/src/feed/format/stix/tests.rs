use crate::{
    feed::{Format, NotAFeed, Options, Parsed, parse},
    indicator::Seen,
};

fn indicator(id: u32, pattern: &str, more: &str) -> String {
    let pattern = serde_json::to_string(pattern).expect("a string");
    format!("{{\"type\":\"indicator\",\"id\":\"indicator--{id}\",\"pattern\":{pattern}{more}}}")
}

fn bundle(objects: &[String]) -> String {
    format!(
        "{{\"type\":\"bundle\",\"id\":\"bundle--1\",\"objects\":[\n{}\n]}}",
        objects.join(",\n")
    )
}

fn read(objects: &[String]) -> Result<Parsed, NotAFeed> {
    parse(bundle(objects).as_bytes(), None)
}

/// The indicators of one pattern, or why there is none.
fn meaning(pattern: &str) -> Result<Vec<String>, String> {
    match read(&[indicator(1, pattern, "")]) {
        Ok(parsed) => Ok(parsed
            .rows
            .iter()
            .map(|row| row.indicator.to_string())
            .collect()),
        Err(NotAFeed::MostlyMalformed(parsed)) => Err(parsed.rejections[0].reason.clone()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn patterns_about_servers() {
    for (pattern, expected) in [
        ("[ipv4-addr:value = '192.0.2.1']", &["192.0.2.1/32"][..]),
        ("[ipv6-addr:value='2001:db8::1']", &["2001:db8::1/128"]),
        (
            "[ipv4-addr:value ISSUBSET '192.0.2.0/24']",
            &["192.0.2.0/24"],
        ),
        (
            "[ipv4-addr:value IN ('192.0.2.1','192.0.2.2')]",
            &["192.0.2.1/32", "192.0.2.2/32"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '192.0.2.2']",
            &["192.0.2.1/32", "192.0.2.2/32"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] OR [ipv4-addr:value = '192.0.2.2']",
            &["192.0.2.1/32", "192.0.2.2/32"],
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 443]",
            &["192.0.2.1/32:443"],
        ),
        (
            "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = '443' AND network-traffic:protocols[*] = 'tcp']",
            &["192.0.2.1/32:443/tcp"],
        ),
        (
            "[(ipv4-addr:value = '192.0.2.1' OR ipv4-addr:value = '192.0.2.2') AND network-traffic:dst_port IN (80, 443)]",
            &[
                "192.0.2.1/32:80",
                "192.0.2.1/32:443",
                "192.0.2.2/32:80",
                "192.0.2.2/32:443",
            ],
        ),
        ("([ipv4-addr:value = '192.0.2.1'])", &["192.0.2.1/32"]),
        (
            "[ipv4-addr:value = '192.0.2.1' OR domain-name:value = 'bad.example']",
            &["192.0.2.1/32"],
        ),
        ("[domain-name:value = 'it\\'s.example']", &[]),
        ("[file:hashes.'SHA-256' = '00' AND file:size > 5]", &[]),
        (
            "[domain-name:value = 'a.example'] FOLLOWEDBY [url:value LIKE 'http%']",
            &[],
        ),
        ("[domain-name:value != 'a.example']", &[]),
        ("[network-traffic:src_ref.value = '192.0.2.1']", &[]),
        (
            "/* a */ [ipv4-addr:value = '192.0.2.1' // b\n OR /* c */ ipv4-addr:value IN ()]",
            &["192.0.2.1/32"],
        ),
        (
            "[network-traffic : dst_ref . /* a */ value='192.0.2.1' AND network-traffic:protocols [ * ]='tcp' AND network-traffic:dst_port=443]",
            &["192.0.2.1/32:443/tcp"],
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' AND network-traffic:dst_port IN ()]",
            &[],
        ),
        (
            "[process:created = t'2024-01-01T00:00:00.5Z' OR file:size > -1.5 OR a:b = h'0a' OR a:'b'.c[0] != b'YQ==']",
            &[],
        ),
    ] {
        let found = meaning(pattern);
        assert_eq!(
            found.as_deref(),
            Ok(&expected.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
            "{pattern}"
        );
    }
}

#[test]
fn nothing_is_widened() {
    for (pattern, reason) in [
        ("[network-traffic:dst_port = 443]", "a port alone"),
        (
            "[network-traffic:dst_port = 443 AND network-traffic:protocols[0] = 'tcp']",
            "a port alone",
        ),
        ("[ipv4-addr:value != '192.0.2.1']", "excludes"),
        ("[NOT ipv4-addr:value = '192.0.2.1']", "excludes"),
        ("[ipv4-addr:value NOT IN ('192.0.2.1')]", "excludes"),
        (
            "[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'x.example']",
            "more than",
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' AND ipv4-addr:value = '192.0.2.2']",
            "more than",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:src_ref.value = '192.0.2.2']",
            "more than",
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] AND [ipv4-addr:value = '192.0.2.2']",
            "several",
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [file:size = 1]",
            "several",
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] REPEATS 5 TIMES WITHIN 60 SECONDS",
            "more than",
        ),
        (
            "[ipv4-addr:value = '192.0.2.1'] START t'2020-01-01T00:00:00Z' STOP t'2021-01-01T00:00:00Z'",
            "more than",
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' AND network-traffic:protocols[*] = 'http']",
            "more than",
        ),
        (
            "[ipv4-addr:value = '192.0.2.1' AND network-traffic:protocols[*] = 'tcp']",
            "protocol without a port",
        ),
        (
            "[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = 0]",
            "port 0",
        ),
        ("[ipv4-addr:value = '192.0.2.300']", "above 255"),
        ("[ipv4-addr:value = '192.0.2.1:80']", "not an IP address"),
        ("[ipv4-addr:value = '192.0.2.1'", "not one of STIX"),
        ("ipv4-addr:value = '192.0.2.1'", "not one of STIX"),
        (
            "[ipv4-addr:value = '192.0.2.1'] nonsense",
            "not one of STIX",
        ),
        ("", "not one of STIX"),
        ("[domain-name:value = 'a\\n']", "not one of STIX"),
        ("[domain-name:value LIKE 5]", "not one of STIX"),
        ("[domain-name:value > true]", "not one of STIX"),
        ("[domain-name:a:value = 'x']", "not one of STIX"),
        ("[domain-name:LIKE = 'x']", "not one of STIX"),
        ("[LIKE:value = 'x']", "not one of STIX"),
        ("[a:b[01] = 'x']", "not one of STIX"),
        ("[a:b[1*] = 'x']", "not one of STIX"),
        ("[file:size = 007]", "not one of STIX"),
        ("[file:size = 1.]", "not one of STIX"),
        ("[a:b = t'2024-01-01']", "not one of STIX"),
        ("[a:b = h'0']", "not one of STIX"),
        ("[a:b = b'YQ']", "not one of STIX"),
        ("[a:b = 1] WITHIN -5 SECONDS", "not one of STIX"),
        ("[a:b = 1] REPEATS 1.5 TIMES", "not one of STIX"),
        (
            "[a:b = 1] WITHIN 5 SECONDS WITHIN 6 SECONDS",
            "not one of STIX",
        ),
        ("[a:b = 1] /* open", "not one of STIX"),
        ("[NOT domain-name:value = 'x']", "excludes"),
    ] {
        let found = meaning(pattern);
        assert!(
            found.as_ref().is_err_and(|found| found.contains(reason)),
            "{pattern}: {found:?}"
        );
    }
    let nets = vec!["'192.0.2.1'"; 100].join(",");
    let ports = vec!["443"; 100].join(",");
    let many = format!("[ipv4-addr:value IN ({nets}) AND network-traffic:dst_port IN ({ports})]");
    assert!(meaning(&many).is_err_and(|reason| reason.contains("too many")));
    let deep = format!(
        "[{}ipv4-addr:value = '192.0.2.1'{}]",
        "(".repeat(5_000),
        ")".repeat(5_000)
    );
    assert!(meaning(&deep).is_err_and(|reason| reason.contains("too deep")));
}

#[test]
fn validity_confidence_and_family() {
    let objects = [
        indicator(1, "[ipv4-addr:value = '192.0.2.1']", ",\"valid_from\":\"2024-01-01T00:00:00Z\",\"valid_until\":\"2024-03-01T00:00:00.000Z\",\"confidence\":80"),
        indicator(2, "[ipv4-addr:value = '192.0.2.2']", ",\"valid_until\":\"2024-01-15T00:00:00Z\""),
        indicator(3, "[ipv4-addr:value = '192.0.2.3']", ",\"valid_from\":\"2024-02-15T00:00:00Z\""),
        indicator(4, "[ipv4-addr:value = '192.0.2.4']", ",\"revoked\":true"),
        indicator(5, "x", ",\"pattern_type\":\"snort\""),
        indicator(6, "[ipv4-addr:value = '192.0.2.6']", ",\"indicator_types\":[\"benign\"]"),
        indicator(7, "[ipv4-addr:value = '192.0.2.7']", ",\"labels\":[\"benign\"]"),
        "{\"type\":\"malware\",\"id\":\"malware--1\",\"name\":\"Danabot\"}".to_owned(),
        "{\"type\":\"relationship\",\"id\":\"r\",\"relationship_type\":\"indicates\",\"source_ref\":\"indicator--1\",\"target_ref\":\"malware--1\"}".to_owned(),
    ];
    let options = Options {
        received: "2024-02-01".parse::<Seen>().ok(),
        ..Options::default()
    };
    let parsed = parse(bundle(&objects).as_bytes(), options).expect("a bundle");
    assert_eq!(parsed.format, Format::Stix);
    let [row] = parsed.rows.as_slice() else {
        panic!("{parsed:?}");
    };
    assert_eq!(
        (row.line, row.indicator.to_string().as_str()),
        (2, "192.0.2.1/32")
    );
    assert_eq!(row.sighting.family.as_deref(), Some("Danabot"));
    assert_eq!(row.sighting.confidence, Some(80));
    assert_eq!(
        row.sighting.expires.expect("an end").to_string(),
        "2024-03-01T00:00:00Z"
    );
    assert_eq!((parsed.ignored, parsed.rejected), (6, 0));
    assert_eq!(
        parsed.withdrawn,
        ["192.0.2.4".parse().expect("an indicator")]
    );
}

#[test]
fn the_newest_version_of_an_indicator_counts() {
    let version = |address: &str, modified: &str| {
        indicator(
            1,
            &format!("[ipv4-addr:value = '{address}']"),
            &format!(",\"modified\":\"{modified}\""),
        )
    };
    let parsed = read(&[
        version("192.0.2.2", "2024-01-02T00:00:00.000Z"),
        version("192.0.2.1", "2024-01-01T00:00:00.000Z"),
    ])
    .expect("a bundle");
    assert_eq!(parsed.rows[0].indicator.to_string(), "192.0.2.2/32");
    assert_eq!((parsed.rows.len(), parsed.ignored), (1, 1));
}

#[test]
fn envelopes_and_what_is_none() {
    let envelope = format!(
        "{{\"more\":false,\"objects\":[{}]}}",
        indicator(
            1,
            "[ipv4-addr:value = '192.0.2.1']",
            ",\"spec_version\":\"2.1\""
        )
    );
    assert_eq!(
        parse(envelope.as_bytes(), None)
            .expect("an envelope")
            .rows
            .len(),
        1
    );
    let none = parse(b"{\"title\":\"x\"}", Some(Format::Stix)).expect_err("no objects");
    assert!(none.to_string().contains("no `objects`"), "{none}");
    let cut = bundle(&[indicator(1, "[", "")]);
    let cut = parse(&cut.as_bytes()[..cut.len() - 4], None).expect_err("cut");
    assert!(cut.to_string().contains("truncated"), "{cut}");
}
