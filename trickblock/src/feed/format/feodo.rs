//! What Feodo Tracker's CSV and JSON have in common: one server a record.

use std::num::NonZeroU16;

use ipnet::IpNet;

use super::entry::unquote;
use crate::{
    feed::collect::Collector,
    indicator::{Indicator, Malformed, Seen, Sighting, address, port},
};

/// The fields of one record as text; empty when the record leaves them out.
#[derive(Default)]
pub(super) struct Server<'a> {
    pub(super) address: &'a str,
    /// `None` when the layout has no port at all, which means the whole address.
    pub(super) port: Option<&'a str>,
    pub(super) status: &'a str,
    pub(super) first_seen: &'a str,
    pub(super) last_online: &'a str,
    pub(super) malware: &'a str,
}

/// Files a record under `line`. An empty port is a mistake and never widens the entry.
pub(super) fn file(out: &mut Collector, line: u32, shown: &str, server: &Server<'_>) {
    match indicator(server) {
        Ok(indicator) => {
            let sighting = sighting(out, line, server);
            out.accept(line, indicator, sighting);
        }
        Err(reason) => out.reject(line, shown, reason),
    }
}

fn indicator(server: &Server<'_>) -> Result<Indicator, Malformed> {
    // Quotes inside quotes are what republished copies of the CSV carry.
    let host = address(unquote(server.address.trim()))?;
    let port: Option<NonZeroU16> = server.port.map(|text| port(text.trim())).transpose()?;
    Ok(Indicator::new(IpNet::from(host), None, port))
}

fn sighting(out: &mut Collector, line: u32, server: &Server<'_>) -> Sighting {
    Sighting {
        family: out.family(server.malware),
        first_seen: time(out, line, server.first_seen),
        last_seen: time(out, line, server.last_online),
        online: match server.status.trim() {
            status if status.eq_ignore_ascii_case("online") => Some(true),
            status if status.eq_ignore_ascii_case("offline") => Some(false),
            _ => None,
        },
        ..Sighting::default()
    }
}

fn time(out: &mut Collector, line: u32, text: &str) -> Option<Seen> {
    let text = text.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("none") {
        return None;
    }
    out.time(line, text)
}
