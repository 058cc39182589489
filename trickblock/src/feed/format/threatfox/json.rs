//! The answer of the API, and the JSON export: an object of arrays, by number.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    super::json::{Position, Values, mismatch},
    Ioc,
};
use crate::feed::{Format, NotAFeed, collect::Collector};

/// What in the beginning of a body shows that it is one of these; `None` if nothing does.
pub(in crate::feed) fn shown_by(head: &str) -> Option<&'static str> {
    if head.contains("\"query_status\"") {
        return Some("it has a `query_status`");
    }
    let has = |name: &str| head.contains(name);
    match has("\"ioc_type\"") {
        true if has("\"ioc_value\"") => Some("its records have `ioc_value` and `ioc_type`"),
        // An answer whose status stands behind all of its records.
        true if has("\"ioc\"") => Some("its records have `ioc` and `ioc_type`"),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    query_status: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// One record; the API and the export name their fields differently.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, alias = "ioc")]
    ioc_value: Cow<'a, str>,
    #[serde(borrow)]
    ioc_type: Cow<'a, str>,
    #[serde(borrow)]
    threat_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    malware_printable: Option<Cow<'a, str>>,
    #[serde(borrow, alias = "first_seen")]
    first_seen_utc: Option<Cow<'a, str>>,
    #[serde(borrow, alias = "last_seen")]
    last_seen_utc: Option<Cow<'a, str>>,
    #[serde(default)]
    confidence_level: Value,
    #[serde(default)]
    is_compromised: Value,
}

/// Reads the whole body; a truncated one is refused as a whole.
pub(in crate::feed::format) fn read(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    const EXPECTED: &str = "an answer of ThreatFox";
    let wrong = |error: serde_json::Error| mismatch(Format::ThreatfoxJson, EXPECTED, &error);
    let answer: Answer<'_> = serde_json::from_str(text).map_err(wrong)?;
    let mut position = Position::new(text);
    match (answer.query_status.as_deref(), answer.data) {
        (Some("ok"), Some(data)) => {
            let records: Values<'_> = serde_json::from_str(data.get()).map_err(wrong)?;
            records
                .0
                .iter()
                .for_each(|record| file(out, &mut position, record));
        }
        (Some("ok" | "no_result" | "no_results"), _) => {}
        (Some(status), _) => {
            return Err(NotAFeed::Status {
                status: status.chars().take(60).collect(),
                fix: "check the Auth-Key and the query".into(),
            });
        }
        (None, _) => export(text, out, &mut position)?,
    }
    out.confirm_whole();
    Ok(())
}

/// The arrays of the export, each of which has the records of one number.
fn export(text: &str, out: &mut Collector, position: &mut Position<'_>) -> Result<(), NotAFeed> {
    const EXPECTED: &str = "ThreatFox's export";
    let wrong = |error: serde_json::Error| mismatch(Format::ThreatfoxJson, EXPECTED, &error);
    let numbers: Values<'_> = serde_json::from_str(text).map_err(wrong)?;
    for records in numbers.0 {
        match serde_json::from_str::<Vec<&RawValue>>(records.get()) {
            Ok(records) => records
                .iter()
                .for_each(|record| file(out, position, record)),
            // Exports of a single record have it without an array.
            Err(_) => file(out, position, records),
        }
    }
    Ok(())
}

fn file(out: &mut Collector, position: &mut Position<'_>, record: &RawValue) {
    let shown = record.get();
    let line = position.line_of(shown);
    let Ok(record) = serde_json::from_str::<Record<'_>>(shown) else {
        return out.reject(
            line,
            shown,
            "not a record with `ioc_value` (or `ioc`) and `ioc_type`",
        );
    };
    let (confidence, compromised) = (
        plain(&record.confidence_level),
        plain(&record.is_compromised),
    );
    let text = |field: &'_ Option<Cow<'_, str>>| field.as_deref().unwrap_or_default().to_owned();
    let (threat, family) = (text(&record.threat_type), text(&record.malware_printable));
    let (first_seen, last_seen) = (text(&record.first_seen_utc), text(&record.last_seen_utc));
    let ioc = Ioc {
        value: &record.ioc_value,
        kind: &record.ioc_type,
        threat: &threat,
        family: &family,
        first_seen: &first_seen,
        last_seen: &last_seen,
        confidence: &confidence,
        compromised: &compromised,
    };
    ioc.file(out, line, shown);
}

/// Numbers, truths and strings alike.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::feed::{Format, NotAFeed, parse};

    #[test]
    fn an_answer_of_the_api() {
        let body = r#"{"query_status": "ok", "data": [
{"id": "1", "ioc": "192.0.2.1:443", "threat_type": "botnet_cc", "ioc_type": "ip:port",
 "malware": "win.dridex", "malware_printable": "Dridex", "confidence_level": 100,
 "first_seen": "2026-09-01 10:00:00 UTC", "last_seen": null, "tags": null},
{"id": "2", "ioc": "bad.example", "threat_type": "botnet_cc", "ioc_type": "domain"},
{"id": "3", "ioc": "192.0.2.3", "threat_type": "botnet_cc", "ioc_type": "ip:port"},
{"id": "4"},
{"id": "5", "ioc": "[2001:db8::5]:8080", "threat_type": "botnet_cc", "ioc_type": "ip:port", "confidence_level": "50"}]}"#;
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!(parsed.format, Format::ThreatfoxJson);
        let rows: Vec<_> = parsed
            .rows
            .iter()
            .map(|r| (r.line, r.indicator.to_string(), r.sighting.confidence))
            .collect();
        assert_eq!(
            rows,
            [
                (2, "192.0.2.1/32:443".to_owned(), Some(100)),
                (8, "[2001:db8::5/128]:8080".to_owned(), Some(50))
            ]
        );
        let first_seen = parsed.rows[0].sighting.first_seen.unwrap();
        assert_eq!(first_seen.to_string(), "2026-09-01T10:00:00Z");
        let told: Vec<u32> = parsed.rejections.iter().map(|r| r.line).collect();
        assert_eq!((told.as_slice(), parsed.ignored), (&[6, 7][..], 1));
    }

    #[test]
    fn the_export_is_an_object_of_arrays() {
        let body = r#"{"1672089": [{"ioc_value": "192.0.2.1:443", "ioc_type": "ip:port", "threat_type": "botnet_cc",
  "malware_printable": "None", "first_seen_utc": "2026-09-01 10:00:00", "confidence_level": 75, "is_compromised": true}],
 "1672088": [{"ioc_value": "x.example", "ioc_type": "domain", "threat_type": "botnet_cc"}]}"#;
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!((parsed.rows.len(), parsed.ignored), (1, 1));
        assert_eq!(parsed.rows[0].sighting.family, None);
        assert!(
            parsed.warnings[0].contains("broken into"),
            "{:?}",
            parsed.warnings
        );
    }

    #[test]
    fn no_result_is_an_answer_and_a_refusal_is_none() {
        let none = parse(
            br#"{"query_status": "no_result", "data": "Your search did not yield any results"}"#,
            None,
        )
        .unwrap();
        assert_eq!(none.total(), 0);
        let error = parse(br#"{"query_status": "unknown_auth_key"}"#, None).unwrap_err();
        assert!(matches!(error, NotAFeed::Status { .. }));
        assert!(error.to_string().contains("unknown_auth_key"), "{error}");
        let cut = parse(br#"{"query_status": "ok", "data": [{"ioc""#, None).unwrap_err();
        assert!(cut.to_string().contains("truncated"), "{cut}");
    }
}
