//! Feodo Tracker's JSON: an array of one object for each server.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    feodo::{self, Server},
    json::{Position, mismatch},
};
use crate::feed::{Format, NotAFeed, collect::Collector};

/// Reads a whole array; a truncated one is refused as a whole, since JSON states its own end.
pub(super) fn read(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    let records: Vec<&RawValue> = serde_json::from_str(text)
        .map_err(|error| mismatch(Format::FeodoJson, "a JSON array", &error))?;
    out.confirm_whole();
    let mut position = Position::new(text);
    for record in records {
        let shown = record.get();
        let line = position.line_of(shown);
        match serde_json::from_str::<Record>(shown) {
            Ok(record) => record.file(out, line, shown),
            Err(_) => out.reject(line, shown, "not an object with a text `ip_address`"),
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Record {
    ip_address: String,
    /// A number, but strings have been seen.
    #[serde(default)]
    port: Value,
    status: Option<String>,
    first_seen: Option<String>,
    last_online: Option<String>,
    malware: Option<String>,
}

impl Record {
    fn file(&self, out: &mut Collector, line: u32, shown: &str) {
        let port = match &self.port {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let server = Server {
            address: &self.ip_address,
            port: Some(&port),
            status: self.status.as_deref().unwrap_or_default(),
            first_seen: self.first_seen.as_deref().unwrap_or_default(),
            last_online: self.last_online.as_deref().unwrap_or_default(),
            malware: self.malware.as_deref().unwrap_or_default(),
        };
        feodo::file(out, line, shown, &server);
    }
}

#[cfg(test)]
mod tests {
    use crate::feed::{Format, NotAFeed, parse};

    #[test]
    fn objects_with_lines_and_sightings() {
        let body = r#"[
  {"ip_address": "192.0.2.1", "port": 443, "status": "offline", "hostname": null,
   "as_number": 64496, "first_seen": "2021-01-17 07:30:05", "last_online": "2021-03-19",
   "malware": "Emotet"},
  {"ip_address": "192.0.2.2", "port": "8080"},
  {"ip_address": "192.0.2.3"},
  {"ip_address": "192.0.2.4", "port": 0},
  {"ip_address": "192.0.2.5", "port": 1},
  {"ip_address": "192.0.2.6", "port": 2}
]"#;
        let parsed = parse(body.as_bytes(), None).unwrap();
        assert_eq!((parsed.format, parsed.complete), (Format::FeodoJson, None));
        let shown: Vec<_> = parsed
            .rows
            .iter()
            .map(|r| (r.line, r.indicator.to_string()))
            .collect();
        assert_eq!(shown[0], (2, "192.0.2.1/32:443".to_owned()));
        assert_eq!(shown[1], (5, "192.0.2.2/32:8080".to_owned()));
        assert_eq!(parsed.rows[0].sighting.family.as_deref(), Some("Emotet"));
        assert_eq!(parsed.rows[0].sighting.online, Some(false));
        let reasons: Vec<_> = parsed
            .rejections
            .iter()
            .map(|r| (r.line, r.reason.as_str()))
            .collect();
        assert_eq!(
            reasons,
            [(6, "the port is missing"), (7, "port 0 names no service")]
        );
    }

    #[test]
    fn an_empty_array_is_a_whole_feed_without_entries() {
        let parsed = parse(b"[]", None).unwrap();
        assert_eq!((parsed.total(), parsed.format), (0, Format::FeodoJson));
        assert!(parsed.warnings[0].contains("no entries"));
    }

    #[test]
    fn a_truncated_array_is_refused() {
        let error = parse(b"[\n{\"ip_address\": \"192.0.2.1\", \"port\": 4", None).unwrap_err();
        assert!(matches!(error, NotAFeed::Mismatch { .. }));
        assert!(error.to_string().contains("truncated"), "{error}");
    }
}
