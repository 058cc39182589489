//! The CSV export: a commented line that names the columns, quoted fields with a comma and a blank between them.

use super::{
    super::{
        lines::{MAX_LINE, lines},
        plain::stated,
        table::{Dialect, Splitter, find, record, simplified},
    },
    Ioc,
};
use crate::feed::{Format, NotAFeed, collect::Collector};

/// Whether a line names ThreatFox's columns.
pub(in crate::feed) fn shown_by(line: &str) -> Option<&'static str> {
    let named =
        line.len() <= MAX_LINE && line.contains("ioc_value") && Columns::named_by(line).is_some();
    named.then_some("a line names the columns ioc_value and ioc_type")
}

/// Reads every line behind the header. An error when there is none.
pub(in crate::feed::format) fn read(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("one record a line behind the header");
    let mut lines = lines(text).filter(|(_, line)| !line.is_empty());
    let header = lines.find_map(|(_, line)| Columns::named_by(line));
    let columns = header.ok_or_else(|| NotAFeed::Mismatch {
        format: Format::ThreatfoxCsv,
        reason: "no line names the columns ioc_value and ioc_type".to_owned(),
    })?;
    let mut splitter = Splitter::new(Dialect::default());
    for (number, line) in lines {
        match line.strip_prefix('#') {
            Some(comment) => {
                if let Some(stated) = footer(comment) {
                    out.confirm(stated);
                }
            }
            None => columns.file(out, number, line, &mut splitter),
        }
    }
    Ok(())
}

/// The number in ` Number of entries: 3`.
fn footer(comment: &str) -> Option<u64> {
    let number = comment.trim().strip_prefix("Number of entries:")?;
    stated(number.trim())
}

/// The blank behind each comma is no part of a field, and would hide the quote that opens the next one.
fn joined(line: &str) -> String {
    line.replace("\", \"", "\",\"")
}

/// Where each field stands.
struct Columns {
    value: usize,
    kind: usize,
    threat: Option<usize>,
    family: Option<usize>,
    first_seen: Option<usize>,
    last_seen: Option<usize>,
    confidence: Option<usize>,
    compromised: Option<usize>,
}

impl Columns {
    fn named_by(line: &str) -> Option<Self> {
        let names = joined(line.trim_start_matches(['#', ' ']));
        let names: Vec<String> = record(&names, Dialect::default())?
            .iter()
            .map(simplified)
            .collect();
        Some(Self {
            value: find(&names, &["iocvalue"])?,
            kind: find(&names, &["ioctype"])?,
            threat: find(&names, &["threattype"]),
            family: find(&names, &["malwareprintable"]),
            first_seen: find(&names, &["firstseenutc", "firstseen"]),
            last_seen: find(&names, &["lastseenutc", "lastseen"]),
            confidence: find(&names, &["confidencelevel"]),
            compromised: find(&names, &["iscompromised"]),
        })
    }

    fn file(&self, out: &mut Collector, number: u32, line: &str, splitter: &mut Splitter) {
        if line.len() > MAX_LINE {
            return out.reject(number, line, "the line is longer than 4096 bytes");
        }
        let Some(record) = splitter.record(&joined(line)) else {
            return out.reject(number, line, "the record cannot be read as CSV");
        };
        let field =
            |column: Option<usize>| column.and_then(|at| record.get(at)).unwrap_or_default();
        if record.get(self.kind).is_none() || record.get(self.value).is_none() {
            return out.reject(
                number,
                line,
                "the record has fewer fields than the header names",
            );
        }
        let ioc = Ioc {
            value: field(Some(self.value)),
            kind: field(Some(self.kind)),
            threat: field(self.threat),
            family: field(self.family),
            first_seen: field(self.first_seen),
            last_seen: field(self.last_seen),
            confidence: field(self.confidence),
            compromised: field(self.compromised),
        };
        ioc.file(out, number, line);
    }
}

#[cfg(test)]
mod tests {
    use crate::feed::{Format, NotAFeed, parse};

    const HEAD: &str = "################################################################\r\n\
        # ThreatFox IOCs: recent additions - CSV format                #\r\n#\r\n\
        # \"first_seen_utc\",\"ioc_id\",\"ioc_value\",\"ioc_type\",\"threat_type\",\"fk_malware\",\"malware_alias\",\"malware_printable\",\"last_seen_utc\",\"confidence_level\",\"is_compromised\",\"reference\",\"tags\",\"anonymous\",\"reporter\"\r\n";
    const ROWS: &str = "\"2026-07-04 21:46:30\", \"3\", \"192.0.2.1:5555\", \"ip:port\", \"botnet_cc\", \"win.x\", \"A,B,\"\"C\"\"\", \"Cobalt Strike\", \"2026-07-04 22:46:23\", \"75\", \"False\", \"None\", \"x, y\", \"0\", \"r\"\r\n\
        \"2026-07-04 19:15:03\", \"2\", \"https://bad.example/?q=a,b\", \"url\", \"payload_delivery\", \"win.y\", \"None\", \"Vidar\", \"\", \"75\", \"True\", \"None\", \"x\", \"1\", \"r\"\r\n\
        \"2026-07-04 19:15:02\", \"1\", \"192.0.2.2:80\", \"ip:port\", \"payload_delivery\", \"win.y\", \"None\", \"None\", \"None\", \"75\", \"True\", \"None\", \"x\", \"1\", \"r\"\r\n";

    #[test]
    fn the_export_is_read_in_spite_of_its_blanks() {
        let body = format!("{HEAD}{ROWS}# Number of entries: 3\r\n");
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(
            (parsed.format, parsed.complete),
            (Format::ThreatfoxCsv, Some(true))
        );
        let [row] = parsed.rows.as_slice() else {
            panic!("{parsed:?}")
        };
        assert_eq!(
            (row.line, row.indicator.to_string().as_str()),
            (5, "192.0.2.1/32:5555")
        );
        assert_eq!(row.sighting.family.as_deref(), Some("Cobalt Strike"));
        assert_eq!(row.sighting.confidence, Some(75));
        assert_eq!(
            row.sighting.last_seen.unwrap().to_string(),
            "2026-07-04T22:46:23Z"
        );
        assert_eq!((parsed.ignored, parsed.rejected), (2, 0));
        assert!(
            parsed.warnings[0].contains("no C2"),
            "{:?}",
            parsed.warnings
        );
    }

    #[test]
    fn an_address_without_its_port_is_malformed() {
        let body = format!(
            "{HEAD}{ROWS}{}\"short\", \"row\"\r\n",
            ROWS.lines().next().unwrap().replace(":5555", "").to_owned() + "\r\n"
        );
        let parsed = parse(body.as_bytes(), None).unwrap();
        let told: Vec<_> = parsed
            .rejections
            .iter()
            .map(|r| (r.line, r.reason.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (8, "the port is missing"),
                (9, "the record has fewer fields than the header names")
            ]
        );
    }

    #[test]
    fn a_wrong_count_or_no_header_is_told() {
        let body = format!("{HEAD}{ROWS}# Number of entries: 4\r\n");
        assert_eq!(parse(body.as_bytes(), None).unwrap().complete, Some(false));
        let error = parse(ROWS.as_bytes(), Some(Format::ThreatfoxCsv)).unwrap_err();
        assert!(matches!(error, NotAFeed::Mismatch { .. }), "{error}");
    }
}
