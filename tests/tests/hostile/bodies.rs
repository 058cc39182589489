//! Bodies that are no list, or not this one.

use trickblock_tests::http::gzip;

use super::{
    Caught::{Body, Brake},
    Family,
};

pub fn families() -> Vec<Family> {
    nothing()
        .into_iter()
        .chain(compressed())
        .chain(broken())
        .chain(other())
        .chain(too_much())
        .collect()
}

fn nothing() -> Vec<Family> {
    vec![
        Family::of(
            "nothing at all",
            Body(&["empty"]),
            &["", "\n\n\n", "   \n\t\n", "\u{feff}", "\r\r\r"],
        ),
        Family::of(
            "comments only",
            Body(&["no entries", "nothing", "no row"]),
            &[
                "# this list is deprecated\n",
                "; moved\n; see the site\n",
                "#\n#\n",
                "# 203.0.113.1\n",
                "\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n",
            ],
        ),
        Family::of(
            "web pages",
            Body(&["web page"]),
            &[
                "<!DOCTYPE html><html><body>Log in</body></html>",
                "<html><head><title>403</title></head></html>",
                "\n\n  <!doctype HTML>\n<p>203.0.113.1</p>",
                "<HTML>203.0.113.1\n203.0.113.2\n</HTML>",
                "\u{feff}<!DOCTYPE html>\n<a href=\"http://203.0.113.1/\">x</a>",
            ],
        ),
        Family::of(
            "answers of an API",
            Body(&["JSON", "names no address", "unknown_auth_key"]),
            &[
                r#"{"error":"unauthorized"}"#,
                r#"{"message":"rate limit exceeded, 203.0.113.1"}"#,
                "null",
                "{}",
                r#"{"query_status":"unknown_auth_key"}"#,
                r#"[{"id":1,"name":"x"}]"#,
            ],
        ),
        Family::of(
            "source code",
            Body(&["malformed", "names no address", "web page"]),
            &[
                "<?php\n$a = 1;\nforeach ($b as $c) {\n echo $c;\n}\n",
                "#!/bin/sh\nset -e\nwget http\nexit 1\n",
                "function f() {\n  return 1;\n}\n",
                "def f():\n    return {}\n\nclass X:\n    pass\n",
            ],
        ),
    ]
}

fn compressed() -> Vec<Family> {
    let list = gzip(super::run::GOOD.as_bytes());
    let cut = list[..list.len() - 6].to_vec();
    let mut wrong = list.clone();
    let last = wrong.len() - 6;
    wrong[last] ^= 0xff;
    let bomb = gzip(&vec![b'#'; 80 << 20]);
    vec![
        Family::of(
            "archives and images",
            Body(&[
                "binary",
                "compressed",
                "zip",
                "capture",
                "recognis",
                "image",
                "text",
            ]),
            &[
                b"PK\x03\x04\x14\0\0\0\x08\0".repeat(20),
                b"\xfd7zXZ\0\0\x04\xe6\xd6".repeat(20),
                b"BZh91AY&SY\0\x01\x02".repeat(20),
                b"\x28\xb5\x2f\xfd\x04\x58\x41".repeat(20),
                b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".repeat(20),
                b"\x7fELF\x02\x01\x01\0\0\0".repeat(20),
                b"%PDF-1.7\n\xe2\xe3\xcf\xd3\0".repeat(20),
                b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0".repeat(20),
                b"\x0a\x0d\x0d\x0a\x1c\0\0\0M<+\x1a".repeat(20),
            ],
        ),
        Family::of(
            "gzip that is wrong",
            Body(&["gzip", "compressed", "cut"]),
            &[cut, wrong, gzip(&gzip(&list)), list[..12].to_vec()],
        ),
        Family::of(
            "bombs",
            Body(&["64 MiB", "larger", "limit", "more than", "bytes"]),
            &[bomb],
        ),
    ]
}

fn broken() -> Vec<Family> {
    let feodo = "\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"\n\"2021-03-19 10:00:00\",\"203.0.113.1\",\"443\",\"online\",\"\",\"x\"\n";
    let json = r#"[{"ip_address":"203.0.113.1","port":443},{"ip_address":"203.0.113.2","po"#;
    let deep = "[".repeat(100_000);
    vec![
        Family::of("counts that disagree", Body(&["count"]), &[
            format!("{feodo}# END 2 entries\n"), format!("{feodo}# END 0 entries\n"), format!("{feodo}# END 1 entries\n{}", &feodo[feodo.find('\n').unwrap() + 1..]),
            "# ipv4 hash:ip ipset\n# Entries         : 99999999999999999999 unique IPs\n203.0.113.1\n".to_owned(),
format!("{feodo}# END 99999999999999999999 entries\n"),
            "# ipset\n# hash:ip\n# Entries : 5 unique IPs\n203.0.113.1\n".to_owned(),
            "{\"cidr\":\"203.0.113.0/24\",\"sblid\":\"SBL1\",\"rir\":\"x\"}\n{\"type\":\"metadata\",\"timestamp\":1,\"size\":1,\"records\":7}\n".to_owned(),
        ]),
        Family::of("JSON that was cut", Body(&["JSON", "ends", "cut"]), &[
            json.to_owned(), "[{\"ip_address\":\"203.0.113.1\",\"port\":443}".to_owned(),
            r#"{"type":"bundle","objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '203.0.113.1']""#.to_owned(),
            r#"{"Event":{"Attribute":[{"type":"ip-dst","value":"203.0.113.1""#.to_owned(), r#"{"new":[{"value":"203.0.113.1","scope":"Ip""#.to_owned(),
        ]),
        Family::of("JSON without a floor", Body(&["JSON", "deep", "nest", "recurs", "recognis", "line", "ends", "4096"]), &[
            deep.clone(), format!("{{\"Event\":{deep}"), format!("{{\"objects\":{deep}"),
            format!("{{\"type\":\"bundle\",\"objects\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000)),
        ]),
        Family::of("mostly malformed", Body(&["malformed", "recognis", "nothing"]), &[
            "203.0.113.1\n1.2.3\n4.5.6\n7.8.9\n".to_owned(), format!("203.0.113.1\n{}", "203.0.113.999\n".repeat(9)),
            format!("{feodo}{}", "\"x\",\"203.0.113.\",\"443\",\"online\",\"\",\"x\"\n".repeat(4)),
            "203.0.113.1 443\n203.0.113.2 443\n203.0.113.3 443\n203.0.113.4:1\n".to_owned(),
        ]),
    ]
}

fn other() -> Vec<Family> {
    let stix = |patterns: &[&str]| {
        let objects: Vec<String> = patterns
            .iter()
            .zip(0..)
            .map(|(pattern, n)| format!(r#"{{"type":"indicator","spec_version":"2.1","id":"indicator--00000000-0000-4000-8000-00000000000{n}","created":"2026-01-01T00:00:00Z","modified":"2026-01-01T00:00:00Z","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","pattern":"{pattern}"}}"#))
            .collect();
        format!(
            r#"{{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000000","objects":[{}]}}"#,
            objects.join(",")
        )
    };
    vec![
        Family::of(
            "names where addresses were",
            Body(&["address any more", "recognis", "no entries"]),
            &[
                "a.example\nb.example\nc.example\n",
                "http://a.example/x\nhttp://b.example/\n",
                "d41d8cd98f00b204e9800998ecf8427e\n0cc175b9c0f1b6a831c399e269772661\n",
            ],
        ),
        Family::of(
            "nothing but what is protected",
            Body(&["refused by a guard"]),
            &[
                "10.0.0.0/8\n172.16.0.0/12\n192.168.0.0/16\n",
                "1.1.1.1\n8.8.8.8\n9.9.9.9\n",
                "198.18.0.0/15\n198.18.0.0/16\n",
                "127.0.0.1\n",
                "fc00::/7\nfe80::/10\n",
            ],
        ),
        Family::of(
            "other kinds of lists",
            Body(&[
                "AS number",
                "port",
                "column",
                "manifest",
                "recognis",
                "malformed",
                "JSON",
                "no entries",
            ]),
            &[
                "{\"asn\":64496,\"rir\":\"x\",\"asname\":\"y\"}\n{\"asn\":64497,\"rir\":\"x\",\"asname\":\"z\"}\n{\"type\":\"metadata\",\"records\":2}\n",
                "ip,port\n203.0.113.1,443\n203.0.113.2,8080\n",
                "{\"00000000-0000-4000-8000-000000000000\":{\"info\":\"x\",\"timestamp\":\"1\"}}",
                "AS64496\nAS64497\nAS64498\n",
            ],
        ),
        Family::of(
            "patterns that say too little",
            Body(&["malformed", "no entries", "refused", "address any more"]),
            &[
                stix(&["[network-traffic:dst_port = 443]"]),
                stix(&["[ipv4-addr:value != '203.0.113.1']"]),
                stix(&["[NOT ipv4-addr:value = '203.0.113.1']"]),
                stix(&[
                    "[network-traffic:dst_port = 80]",
                    "[network-traffic:dst_port = 443]",
                ]),
                stix(&["[ipv4-addr:value = '203.0.113.1' AND file:name = 'x']"]),
                stix(&["[ipv4-addr:value LIKE '203.0.113.%']"]),
            ],
        ),
        Family::of(
            "rules for everybody",
            Body(&["malformed", "no entries", "address any more"]),
            &[
                "alert tcp any any -> any any (msg:\"x\"; sid:1;)\n",
                "drop ip $HOME_NET any -> $EXTERNAL_NET any (msg:\"x\"; sid:2;)\n",
                "alert ip $HOME_NET any -> !203.0.113.1 any (msg:\"x\"; sid:3;)\n",
            ],
        ),
    ]
}

fn rows(count: usize, row: impl Fn(usize) -> String) -> String {
    (0..count).map(|n| row(n) + "\n").collect()
}

fn too_much() -> Vec<Family> {
    let host = |n: usize| format!("198.{}.{}.{}", 18 + n / 65_536, n / 256 % 256, n % 256);
    vec![
        Family::of(
            "more rows than the cap",
            Body(&["2,000,000", "2000000", "entries"]),
            &[
                rows(2_000_001, host),
                rows(1_000_001, |n| format!("{0}\n{0}:1", host(n))),
            ],
        ),
        Family::of(
            "more space than it may",
            Body(&["max_addresses"]),
            &[
                rows(400, |n| format!("198.{}.{}.0/24", 18 + n / 256, n % 256)),
                rows(100_001, host),
            ],
        ),
        Family::of("an empty list out of a good one", Brake("shrank"), &["[]"]),
        Family::of(
            "sudden growth",
            Brake("grew"),
            &[
                rows(5_100, host),
                rows(6_000, |n| format!("{}:443", host(n))),
                rows(8_000, |n| {
                    format!("{}:{}/tcp", host(n / 10), 1_000 + n % 10)
                }),
                rows(5_500, |n| format!("2001:db8:{n:x}::1")),
                rows(20_000, host),
                format!("{}{}", super::run::GOOD, rows(5_003, host)),
                rows(5_200, |n| format!("{}/31", host(2 * n))),
                rows(9_000, |n| format!("[2001:db8::{n:x}]:8443")),
            ],
        ),
    ]
}
