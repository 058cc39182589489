//! Feodo Tracker's CSV: a header line that names the columns, quoted or bare fields, and a footer
//! with the number of entries.

use super::{
    feodo::{self, Server},
    lines::{MAX_LINE, lines},
    plain,
    table::{Dialect, Splitter, find, record, simplified},
};
use crate::feed::{Format, NotAFeed, collect::Collector};

/// Whether a line names Feodo Tracker's columns. In 2020 that line was still a comment.
pub(in crate::feed) fn is_header(line: &str) -> bool {
    line.len() <= MAX_LINE && line.contains(',') && Columns::named_by(line).is_some()
}

/// Reads every line behind the header. An error when there is no header.
pub(super) fn read(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("one record a line behind the header");
    let mut lines = lines(text).filter(|(_, line)| !line.is_empty());
    let header = lines.find_map(|(_, line)| Columns::named_by(line));
    let columns = header.ok_or_else(|| NotAFeed::Mismatch {
        format: Format::FeodoCsv,
        reason: "no line names the columns dst_ip and first_seen_utc or dst_port".to_owned(),
    })?;
    let mut splitter = Splitter::new(Dialect::default());
    for (number, line) in lines {
        match line.strip_prefix('#') {
            Some(comment) => {
                if let Some(stated) = plain::footer(comment) {
                    out.confirm(stated);
                }
            }
            None => columns.file(out, number, line, &mut splitter),
        }
    }
    Ok(())
}

/// Where each field stands.
#[derive(Default)]
struct Columns {
    address: usize,
    port: Option<usize>,
    status: Option<usize>,
    first_seen: Option<usize>,
    last_online: Option<usize>,
    malware: Option<usize>,
}

impl Columns {
    fn named_by(line: &str) -> Option<Self> {
        let record = record(line.trim_start_matches(['#', ' ']), Dialect::default())?;
        let names: Vec<String> = record.iter().map(simplified).collect();
        let find = |wanted: &[&str]| find(&names, wanted);
        let columns = Self {
            address: find(&["dstip"])?,
            port: find(&["dstport"]),
            status: find(&["c2status"]),
            first_seen: find(&["firstseenutc", "firstseen"]),
            last_online: find(&["lastonline"]),
            malware: find(&["malware"]),
        };
        (columns.port.is_some() || columns.first_seen.is_some()).then_some(columns)
    }

    fn file(&self, out: &mut Collector, number: u32, line: &str, splitter: &mut Splitter) {
        if line.len() > MAX_LINE {
            out.reject(number, line, "the line is longer than 4096 bytes");
            return;
        }
        let Some(record) = splitter.record(line) else {
            out.reject(number, line, "the record cannot be read as CSV");
            return;
        };
        let field =
            |column: Option<usize>| column.and_then(|at| record.get(at)).unwrap_or_default();
        let server = Server {
            address: field(Some(self.address)),
            port: self.port.map(|column| field(Some(column))),
            status: field(self.status),
            first_seen: field(self.first_seen),
            last_online: field(self.last_online),
            malware: field(self.malware),
        };
        feodo::file(out, number, line, &server);
    }
}

#[cfg(test)]
mod tests {
    use crate::feed::{Format, NotAFeed, parse};

    const HEADER: &str =
        "\"first_seen_utc\",\"dst_ip\",\"dst_port\",\"c2_status\",\"last_online\",\"malware\"";

    #[test]
    fn quoted_records_with_footer() {
        let body = format!(
            "####\r\n# Botnet C2 IP Blocklist\r\n{HEADER}\r\n\
             \"2021-01-17 07:30:05\",\"192.0.2.1\",\"443\",\"online\",\"2021-03-19\",\"Dridex\"\r\n\
             \"\",\"2001:db8::1\",\"8080\",\"offline\",\"\",\"\"\r\n\
             # END 2 entries"
        );
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(
            (parsed.format, parsed.complete),
            (Format::FeodoCsv, Some(true))
        );
        let [first, second] = parsed.rows.as_slice() else {
            panic!("{parsed:?}")
        };
        assert_eq!(
            (first.line, first.indicator.to_string().as_str()),
            (4, "192.0.2.1/32:443")
        );
        assert_eq!(first.sighting.family.as_deref(), Some("Dridex"));
        assert_eq!(
            first.sighting.first_seen.unwrap().to_string(),
            "2021-01-17T07:30:05Z"
        );
        assert_eq!(
            first.sighting.last_seen.unwrap().to_string(),
            "2021-03-19T00:00:00Z"
        );
        assert_eq!(first.sighting.online, Some(true));
        assert_eq!(second.indicator.to_string(), "[2001:db8::1/128]:8080");
        assert_eq!(
            (second.sighting.first_seen, second.sighting.online),
            (None, Some(false))
        );
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    }

    #[test]
    fn an_address_in_doubled_quotes_is_still_an_address() {
        let body = format!("{HEADER}\n\"\",\"\"\"192.0.2.1\"\"\",\"443\"\n");
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(parsed.rows[0].indicator.to_string(), "192.0.2.1/32:443");
    }

    #[test]
    fn columns_are_found_by_name_even_in_a_comment() {
        let body = "# Firstseen,DstIP,DstPort,LastOnline,Malware\n2020-01-01 00:00:00,192.0.2.1,447,2020-02-01,Heodo\n";
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(parsed.rows[0].indicator.to_string(), "192.0.2.1/32:447");
        assert_eq!(parsed.rows[0].sighting.family.as_deref(), Some("Heodo"));
    }

    #[test]
    fn a_lost_quote_damages_one_record() {
        let body = format!(
            "{HEADER}\n\"2021-01-17,\"192.0.2.1\",\"443\"\n\"\",\"192.0.2.2\",\"443\"\n\"\",\"192.0.2.3\",\"\"\n\"\",\"192.0.2.4\",\"70000\"\n\"bad time\",\"192.0.2.5\",\"443\"\n\"\",\"192.0.2.6\",\"443\"\n"
        );
        let parsed = parse(body.as_bytes(), None).unwrap();
        let lines: Vec<u32> = parsed
            .rejections
            .iter()
            .map(|rejection| rejection.line)
            .collect();
        assert_eq!(lines, [2, 4, 5]);
        assert_eq!((parsed.rows.len(), parsed.complete), (3, None));
        assert!(parsed.warnings[0].contains("1 times could not be read"));
    }

    #[test]
    fn a_wrong_footer_or_no_entries_without_footer_are_told() {
        let cut = format!("{HEADER}\n\"\",\"192.0.2.2\",\"443\"\n# END 9 entries");
        assert_eq!(parse(cut.as_bytes(), None).unwrap().complete, Some(false));
        let more = format!("{HEADER}\n# END 0 entries\n\"\",\"192.0.2.2\",\"443\"\n");
        assert_eq!(parse(more.as_bytes(), None).unwrap().complete, Some(false));
        let whole = format!("{HEADER}\n# END 0 entries");
        let parsed = parse(whole.as_bytes(), None).unwrap();
        assert_eq!((parsed.total(), parsed.complete), (0, Some(true)));
        let bare = parse(HEADER.as_bytes(), None).unwrap_err();
        assert!(matches!(bare, NotAFeed::NoEntries { .. }), "{bare}");
    }

    #[test]
    fn forcing_it_on_something_else_is_a_mismatch() {
        let error = parse(b"192.0.2.1\n", Some(Format::FeodoCsv)).unwrap_err();
        assert!(matches!(error, NotAFeed::Mismatch { .. }), "{error}");
    }
}
