//! One reader for each format, all into the same collector.

pub(super) mod crowdsec;
mod csv;
pub(super) mod entry;
mod feodo;
pub(super) mod feodo_csv;
mod feodo_json;
mod ipset;
mod json;
pub(super) mod lines;
pub(super) mod misp;
pub(super) mod name;
pub(super) mod plain;
pub(super) mod spamhaus;
pub(super) mod stix;
pub(super) mod suricata;
mod table;
pub(super) mod threatfox;
pub(super) mod trickbot;

use super::{Format, NotAFeed, Options, collect::Collector};

/// Reads all of `text` as `format`.
pub(super) fn read(
    text: &str,
    format: Format,
    options: &Options,
    out: &mut Collector,
) -> Result<(), NotAFeed> {
    match format {
        Format::Plain => return plain::read(text, out),
        Format::FeodoTxt => plain::read_feodo(text, out),
        Format::Ipset => ipset::read(text, out),
        Format::Trickbot => trickbot::read(text, out),
        Format::FeodoCsv => return feodo_csv::read(text, out),
        Format::FeodoJson => return feodo_json::read(text, out),
        Format::Csv => return csv::read(text, options, out),
        Format::ThreatfoxJson => return threatfox::read_json(text, out),
        Format::ThreatfoxCsv => return threatfox::read_csv(text, out),
        Format::SpamhausJson => return spamhaus::read_json(text, out),
        Format::SpamhausTxt => return spamhaus::read_txt(text, out),
        Format::Misp => return misp::read(text, options, out),
        Format::Stix => return stix::read(text, options, out),
        Format::Suricata => return suricata::read(text, out),
        Format::Crowdsec => return crowdsec::read(text, options, out),
    }
    Ok(())
}
