//! From the bytes of a feed to rows: detects the format, reads every row, and says of each row
//! that is not an indicator why it is not.

pub mod cache;
mod collect;
pub mod csv_layout;
mod decode;
mod detect;
mod error;
mod format;
pub mod limits;
mod options;
pub mod sandbox;
pub mod source;

use std::borrow::Cow;

use crate::indicator::{Indicator, Sighting};

use self::collect::{Collector, Taker};
pub use self::{
    error::NotAFeed,
    format::name::{Format, UnknownFormat},
    options::Options,
};

/// A row that names an indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Counted from 1 in the decoded text.
    pub line: u32,
    pub indicator: Indicator,
    pub sighting: Sighting,
}

/// A row that is malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    pub line: u32,
    /// The row, at most 120 characters of it.
    pub text: String,
    pub reason: String,
}

/// What a body says. A range counts as one row for each prefix it consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub format: Format,
    /// How the format was known: what in the body shows it, or that it was given.
    pub known_by: Cow<'static, str>,
    /// Every well-formed row in the order of the body, duplicates included.
    pub rows: Vec<Row>,
    /// What the body takes back, in the order of the body: only formats that tell changes have any.
    pub withdrawn: Vec<Indicator>,
    /// Rows that name something else than an address: domains, hashes, onion services, decoys.
    pub ignored: u64,
    /// The first malformed rows; `rejected` counts all of them.
    pub rejections: Vec<Rejection>,
    pub rejected: u64,
    /// Whether the feed's own count agrees with what was read; `None` when it states none.
    pub complete: Option<bool>,
    pub warnings: Vec<String>,
}

impl Parsed {
    /// All rows: well-formed, ignored and rejected ones.
    pub fn total(&self) -> u64 {
        let rows = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        rows.saturating_add(self.ignored)
            .saturating_add(self.rejected)
    }

    /// Some formats tell at their end what becomes of earlier lines.
    fn in_order(&mut self) {
        if !self.rows.is_sorted_by_key(|row| row.line) {
            self.rows.sort_by_key(|row| row.line);
        }
        self.rows.shrink_to_fit();
        self.rejections.sort_by_key(|rejection| rejection.line);
    }
}

/// Reads a body that is already decompressed. A format in `options` overrides the detection.
///
/// Malformed rows are not an error until they are the majority. An error means that the body
/// must not replace the last good one.
pub fn parse(body: &[u8], options: impl Into<Options>) -> Result<Parsed, NotAFeed> {
    read(body, &options.into(), None)
}

/// As [`parse`], but the rows are given to `taker`, if there is one, as they are found, and are not in what is returned. They
/// may be out of order, and they are nothing where the body turns out to be no feed.
fn read(body: &[u8], options: &Options, taker: Option<Taker>) -> Result<Parsed, NotAFeed> {
    let text = decode::text(body)?;
    let (format, known_by) = detect::format(&text.text, options.format)?;
    let mut out = Collector::new(format, known_by, taker);
    if text.replaced {
        out.warn("some bytes were not valid text and were replaced: the feed may be damaged");
    }
    format::read(&text.text, format, options, &mut out)?;
    out.finish()
}

#[cfg(test)]
mod tests;
