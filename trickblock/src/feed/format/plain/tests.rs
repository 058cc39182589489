use super::{Entry, entry, usual};
use crate::feed::{Format, NotAFeed, Parsed, parse};

fn plain(body: &str) -> Parsed {
    parse(body.as_bytes(), Some(Format::Plain)).unwrap()
}

fn indicators(parsed: &Parsed) -> Vec<(u32, String)> {
    let shown = |row: &crate::feed::Row| (row.line, row.indicator.to_string());
    parsed.rows.iter().map(shown).collect()
}

#[test]
fn the_short_way_reads_as_the_long_one() {
    let usual_ones = [
        "192.0.2.1",
        "192.0.2.1:443",
        "0.0.0.0:1",
        "255.255.255.255:65535",
    ];
    for text in usual_ones {
        let Ok(Entry::One(written)) = entry::read(text) else {
            panic!("{text}");
        };
        assert_eq!(usual(text), Some(written.indicator), "{text}");
    }
    for text in [
        "192.0.2.1:0443",
        "192.0.2.1:0",
        "192.0.2.1:",
        "192.0.2.1:+4",
        "192.0.2.1:65536",
        "192.0.2.01:4",
        "192.0.2.1:443/tcp",
        "192.0.2.0/24",
        " 192.0.2.1:443",
        "2001:db8::1",
    ] {
        assert_eq!(usual(text), None, "{text}");
    }
}

#[test]
fn comments_scores_and_blanks_around_entries() {
    let parsed = plain(
        "# list\r\n; old style\n\n 192.0.2.1 \n192.0.2.2\t10\n192.0.2.3 1.5 # why\n\
         192.0.2.4, 0.7\n\"192.0.2.5\" \"7\"\n192.0.2.0/28 ; SBL1\n192.0.2.6#x",
    );
    let found = indicators(&parsed);
    let expected = [
        (4, "192.0.2.1/32"),
        (5, "192.0.2.2/32"),
        (6, "192.0.2.3/32"),
        (7, "192.0.2.4/32"),
        (8, "192.0.2.5/32"),
        (9, "192.0.2.0/28"),
        (10, "192.0.2.6/32"),
    ];
    assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    assert_eq!((parsed.rejected, parsed.ignored), (0, 0));
}

#[test]
fn each_malformed_row_is_kept_with_its_line_and_reason() {
    let parsed = plain(
        "192.0.2.1\n010.1.1.1\n192.0.2.2\n192.0.2.3:0\n192.0.2.4\n192.0.2.5 Emotet 7\n192.0.2.6",
    );
    let found: Vec<_> = parsed
        .rejections
        .iter()
        .map(|r| (r.line, r.reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                2,
                "an octet begins with 0, which some programs read as octal"
            ),
            (4, "port 0 names no service"),
            (
                6,
                "only a score from 0 to 100 may follow the address, after a blank"
            ),
        ]
    );
    assert_eq!(parsed.rejections[2].text, "192.0.2.5 Emotet 7");
    assert_eq!(parsed.total(), 7);
}

/// The port of a table must not widen the rule to the whole address.
#[test]
fn a_number_that_could_be_a_port_is_rejected() {
    for (row, reason) in [
        (
            "203.0.113.1,443",
            "`443` could be a port: write 203.0.113.1:443",
        ),
        ("203.0.113.1, 80", "write 203.0.113.1:80"),
        ("203.0.113.1;443", "write 203.0.113.1:443"),
        ("203.0.113.1; 443 ;tcp", "write 203.0.113.1:443"),
        ("203.0.113.1 101", "write 203.0.113.1:101"),
        ("\"203.0.113.1\",\"443\"", "write 203.0.113.1:443"),
        ("2001:db8::1\t8080", "write [2001:db8::1]:8080"),
        ("203.0.113.0/24,7", "write 203.0.113.0/24:7"),
        ("203.0.113.1-203.0.113.4 443", "could be a port"),
        ("203.0.113.1 443 7", "only a score"),
        ("203.0.113.1 100.5", "only a score"),
        ("203.0.113.1 198.51.100.1", "one indicator per line"),
        ("203.0.113.1,2001:db8::1", "one indicator per line"),
        ("203.0.113.1;198.51.100.1", "one indicator per line"),
    ] {
        let parsed = plain(&format!("192.0.2.1\n{row}\n"));
        assert_eq!((parsed.rows.len(), parsed.rejected), (1, 1), "{row}");
        let found = &parsed.rejections[0].reason;
        assert!(found.contains(reason), "{row}: {found}");
    }
}

#[test]
fn what_cannot_widen_anything_may_have_a_number() {
    let parsed = plain("192.0.2.1:443,7\n192.0.2.2 100\n192.0.2.3 0\nevil.example,443\n");
    assert_eq!((parsed.rows.len(), parsed.ignored), (3, 1));
    assert_eq!(parsed.rejected, 0, "{:?}", parsed.rejections);
}

#[test]
fn a_header_with_a_port_column_is_no_list() {
    for header in [
        "ip,port",
        "\"IP\";\"Dst Port\"",
        "ip_address\tc2_port",
        "# x\nip port",
    ] {
        let body = format!("{header}\n192.0.2.1 80\n");
        let error = parse(body.as_bytes(), Some(Format::Plain)).unwrap_err();
        assert!(error.to_string().contains("address:port"), "{error}");
    }
    assert_eq!(plain("# ip:port\n192.0.2.1:80\nip\n").rows.len(), 1);
}

#[test]
fn a_range_is_as_many_rows_as_prefixes() {
    let parsed = plain("192.0.2.0 - 192.0.2.2\n");
    assert_eq!(indicators(&parsed).len(), 2);
    assert_eq!(parsed.rows[0].line, parsed.rows[1].line);
}

#[test]
fn host_bits_are_cleared_with_one_warning() {
    let parsed = plain("192.0.2.0/24\n192.0.2.9/24\n198.51.100.1/24\n");
    assert_eq!(parsed.warnings.len(), 1);
    assert!(
        parsed.warnings[0].starts_with("2 prefixes"),
        "{}",
        parsed.warnings[0]
    );
    assert!(parsed.warnings[0].ends_with("(first in line 2)"));
}

#[test]
fn an_overlong_line_is_rejected_and_not_repeated() {
    let parsed = plain(&format!("192.0.2.1\n{}\n", "1".repeat(5000)));
    assert_eq!(parsed.rejected, 1);
    assert!(parsed.rejections[0].text.len() <= 120);
}

#[test]
fn comments_alone_are_no_feed() {
    let error = parse(b"# moved\n", None).unwrap_err();
    assert!(
        matches!(
            error,
            NotAFeed::NoEntries {
                format: Format::Plain,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn the_feodo_footer_decides_completeness() {
    for (body, complete) in [
        (
            "# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n# END 1 entries",
            Some(true),
        ),
        (
            "# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n# END 2 entries",
            Some(false),
        ),
        (
            "# Feodo Tracker Botnet C2 IP Blocklist\n# END 0 entries",
            Some(true),
        ),
        ("192.0.2.1\n# END 1 entries\n192.0.2.2", Some(false)),
        ("192.0.2.1\n# END 99999999999999999999 entries", Some(false)),
        ("192.0.2.1\n# END 1 entries\nxx", Some(false)),
        ("192.0.2.1\n# END 1 entries\n# bye\n", Some(true)),
        (
            "192.0.2.1\n# END 2 entries\n192.0.2.2\n# END 2 entries",
            Some(false),
        ),
        (
            "192.0.2.1\n# END 1 entries\n192.0.2.2\n# END 2 entries",
            Some(false),
        ),
        ("# Feodo Tracker Botnet C2 IP Blocklist\n192.0.2.1\n", None),
    ] {
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(
            (parsed.format, parsed.complete),
            (Format::FeodoTxt, complete),
            "{body}"
        );
    }
}
