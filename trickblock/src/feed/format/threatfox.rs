//! ThreatFox's API answer, JSON export and CSV export.

mod csv;
mod json;

use super::entry::unquote;
use crate::{
    feed::collect::{Collector, Note},
    indicator::{Malformed, Seen, Sighting, written},
};

pub(super) use self::{csv::read as read_csv, json::read as read_json};
pub(in crate::feed) use self::{csv::shown_by as line_shown_by, json::shown_by as json_shown_by};

/// The fields of one record as text; empty when the record leaves them out.
#[derive(Default)]
struct Ioc<'a> {
    value: &'a str,
    /// `ip:port`, `domain`, `url`, …
    kind: &'a str,
    /// `botnet_cc`, `payload_delivery`, …
    threat: &'a str,
    family: &'a str,
    first_seen: &'a str,
    last_seen: &'a str,
    /// 0 to 100.
    confidence: &'a str,
    /// Others' site that was broken into.
    compromised: &'a str,
}

impl Ioc<'_> {
    /// Files the record under `line`. Only servers that control bots are taken, each with its port.
    fn file(&self, out: &mut Collector, line: u32, shown: &str) {
        if self.kind != "ip:port" {
            return out.ignore();
        }
        if !matches!(told(self.threat), "" | "botnet_cc") {
            out.note(line, Note::NoC2);
            return out.ignore();
        }
        let found =
            written(unquote(self.value.trim())).and_then(|written| match written.indicator.port {
                Some(_) => Ok(written.indicator),
                None => Err(Malformed::PortMissing),
            });
        match found {
            Ok(indicator) => {
                if matches!(self.compromised, "True" | "true" | "1") {
                    out.note(line, Note::Compromised);
                }
                let sighting = self.sighting(out, line);
                out.accept(line, indicator, sighting);
            }
            Err(reason) => out.reject(line, shown, reason),
        }
    }

    fn sighting(&self, out: &mut Collector, line: u32) -> Sighting {
        let confidence = told(self.confidence).parse::<u8>().ok();
        Sighting {
            family: out.family(self.family),
            first_seen: time(out, line, self.first_seen),
            last_seen: time(out, line, self.last_seen),
            confidence: confidence.filter(|confidence| *confidence <= 100),
            ..Sighting::default()
        }
    }
}

/// `None` is a word here, and means that there is none.
fn told(text: &str) -> &str {
    match text.trim() {
        text if text.eq_ignore_ascii_case("none") => "",
        text => text,
    }
}

fn time(out: &mut Collector, line: u32, text: &str) -> Option<Seen> {
    let text = told(text);
    if text.is_empty() {
        return None;
    }
    out.time(line, text)
}
