//! One reader for each format, all into the same collector.

pub(super) mod entry;
mod feodo;
pub(super) mod feodo_csv;
mod feodo_json;
mod ipset;
pub(super) mod lines;
pub(super) mod name;
pub(super) mod plain;
pub(super) mod trickbot;

use super::{Format, NotAFeed, Options, collect::Collector};

/// Reads all of `text` as `format`.
pub(super) fn read(
    text: &str,
    format: Format,
    _options: &Options,
    out: &mut Collector,
) -> Result<(), NotAFeed> {
    match format {
        Format::Plain => return plain::read(text, out),
        Format::FeodoTxt => plain::read_feodo(text, out),
        Format::Ipset => ipset::read(text, out),
        Format::Trickbot => trickbot::read(text, out),
        Format::FeodoCsv => return feodo_csv::read(text, out),
        Format::FeodoJson => return feodo_json::read(text, out),
    }
    Ok(())
}
