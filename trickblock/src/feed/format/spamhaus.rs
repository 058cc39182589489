//! Spamhaus DROP, as one JSON object a line and as text.

use serde::Deserialize;

use super::{
    lines::{MAX_LINE, lines},
    plain,
};
use crate::{
    feed::{
        NotAFeed,
        collect::{Collector, Note},
    },
    indicator::{Sighting, Written, written},
};

/// What in the beginning of a body shows that it is one of these; `None` if nothing does.
pub(in crate::feed) fn json_shown_by(head: &str) -> Option<&'static str> {
    let first = head.lines().next().unwrap_or_default();
    let is_row =
        first.contains("\"cidr\"") && (first.contains("\"sblid\"") || first.contains("\"rir\""));
    is_row.then_some("its first line has a `cidr` and an `sblid`")
}

/// As [`json_shown_by`], for the text form: asked line by line.
pub(in crate::feed) fn line_shown_by(line: &str) -> Option<&'static str> {
    let shown = line.split_once(';').is_some_and(|(entry, listing)| {
        let number = listing.trim().strip_prefix("SBL");
        let is_listing =
            number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()));
        is_listing && written(entry.trim()).is_ok()
    });
    shown.then_some("a line has a prefix and the number of an SBL listing")
}

/// One line: a prefix, or what is said of the whole list.
#[derive(Deserialize)]
struct Line {
    cidr: Option<String>,
    asn: Option<u64>,
    #[serde(rename = "type")]
    kind: Option<String>,
    records: Option<u64>,
}

/// Reads the whole body; the last line says how many records there are.
pub(super) fn read_json(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("one object with a `cidr` a line");
    for (number, line) in lines(text).filter(|(_, line)| !line.is_empty()) {
        if line.len() > MAX_LINE {
            out.reject(number, line, "the line is longer than 4096 bytes");
            continue;
        }
        match serde_json::from_str::<Line>(line) {
            Ok(Line { asn: Some(_), .. }) => {
                return Err(NotAFeed::Unrecognised {
                    looks_like: "a list of AS numbers".into(),
                    fix: "give the list of prefixes, drop_v4.json or drop_v6.json, instead".into(),
                });
            }
            Ok(parsed) => file(out, number, line, parsed),
            Err(error) => out.reject(number, line, format_args!("not a record: {error}")),
        }
    }
    Ok(())
}

fn file(out: &mut Collector, number: u32, shown: &str, line: Line) {
    if line.kind.as_deref() == Some("metadata") {
        if let Some(records) = line.records {
            out.confirm(records);
        }
        return;
    }
    let Some(cidr) = line.cidr else {
        return out.reject(number, shown, "the record has no `cidr`");
    };
    match written(cidr.trim()) {
        Ok(Written { indicator, .. }) if indicator.port.is_some() => {
            out.reject(number, shown, "a `cidr` has no port");
        }
        Ok(Written {
            indicator,
            host_bits,
        }) => {
            if host_bits {
                out.note(number, Note::HostBits);
            }
            out.accept(number, indicator, Sighting::default());
        }
        Err(reason) => out.reject(number, shown, reason),
    }
}

/// Reads the whole body: `192.0.2.0/24 ; SBL1` a line, with comments behind `;`.
pub(super) fn read_txt(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("one prefix and its SBL number a line");
    for (number, line) in lines(text) {
        plain::read_line(out, number, line);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::feed::{Format, NotAFeed, parse};

    const ROWS: &str = "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\",\"rir\":\"apnic\"}\n\
                        {\"cidr\":\"2001:db8::/32\",\"sblid\":\"SBL2\",\"rir\":\"ripencc\"}\n";
    const END: &str = "{\"type\":\"metadata\",\"timestamp\":1713174486,\"size\":79303,\"records\":2,\"copyright\":\"c\",\"terms\":\"t\"}\n";

    #[test]
    fn the_last_line_counts_the_records() {
        let parsed = parse(format!("{ROWS}{END}").as_bytes(), None).unwrap();
        assert_eq!(
            (parsed.format, parsed.complete),
            (Format::SpamhausJson, Some(true))
        );
        let shown: Vec<_> = parsed
            .rows
            .iter()
            .map(|row| (row.line, row.indicator.to_string()))
            .collect();
        assert_eq!(
            shown,
            [
                (1, "192.0.2.0/24".to_owned()),
                (2, "2001:db8::/32".to_owned())
            ]
        );
        let (first, _) = ROWS.split_once('\n').unwrap();
        let cut = parse(format!("{first}\n{END}").as_bytes(), None).unwrap();
        assert_eq!(cut.complete, Some(false));
        assert_eq!(parse(ROWS.as_bytes(), None).unwrap().complete, None);
    }

    #[test]
    fn an_empty_list_says_so() {
        let empty = END.replace("\"records\":2", "\"records\":0");
        let parsed = parse(empty.as_bytes(), Some(Format::SpamhausJson)).unwrap();
        assert_eq!((parsed.total(), parsed.complete), (0, Some(true)));
    }

    #[test]
    fn bad_records_are_told_and_ports_are_none_of_it() {
        let body = format!(
            "{ROWS}{{\"cidr\":\"192.0.2.7:443\"}}\n{{\"cidr\":\"192.0.2.300/32\"}}\n{{\"sblid\":\"SBL3\"}}\n{{\"cidr\":\"198.51.100.0/24\"}}\n{{\"cidr\":\"198.51.101.0/24\"}}\n"
        );
        let parsed = parse(body.as_bytes(), None).unwrap();
        let lines: Vec<u32> = parsed
            .rejections
            .iter()
            .map(|rejection| rejection.line)
            .collect();
        assert_eq!((lines.as_slice(), parsed.rows.len()), (&[3, 4, 5][..], 4));
    }

    #[test]
    fn as_numbers_are_no_addresses() {
        let body = "{\"asn\":64496,\"rir\":\"arin\",\"domain\":\"x\"}\n";
        for forced in [None, Some(Format::SpamhausJson)] {
            let error = parse(body.as_bytes(), forced).unwrap_err();
            assert!(matches!(error, NotAFeed::Unrecognised { .. }), "{error}");
            assert!(error.to_string().contains("AS numbers"), "{error}");
        }
    }

    #[test]
    fn text_is_known_by_its_listings() {
        let body = "; Spamhaus DROP List 2024/02/01 - (c) 2024\n192.0.2.0/24 ; SBL1\n198.51.100.0/22 ; SBL2\n";
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(
            (parsed.format, parsed.rows.len(), parsed.rejected),
            (Format::SpamhausTxt, 2, 0)
        );
        let plain = parse(b"192.0.2.0/24 ; a note\n", None).unwrap();
        assert_eq!(plain.format, Format::Plain);
    }
}
