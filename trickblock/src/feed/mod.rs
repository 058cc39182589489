//! From the bytes of a feed to rows: detects the format, reads every row, and says of each row
//! that is not an indicator why it is not.

pub mod cache;
mod collect;
mod decode;
mod detect;
mod error;
mod format;
pub mod limits;
pub mod source;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::indicator::{Indicator, Sighting};

use self::collect::Collector;
pub use self::error::NotAFeed;

/// The lists that can be read. See docs/feeds.md for their grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// One address, prefix, range or `address:port` a line.
    Plain,
    /// `ipset save` output, or a FireHOL ipset/netset file.
    Ipset,
    FeodoCsv,
    FeodoJson,
    FeodoTxt,
    /// Trickbot's own `mcconf`, `servconf` and `dpost` files.
    Trickbot,
}

impl Format {
    pub const ALL: [Self; 6] = [
        Self::Plain,
        Self::Ipset,
        Self::FeodoCsv,
        Self::FeodoJson,
        Self::FeodoTxt,
        Self::Trickbot,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Ipset => "ipset",
            Self::FeodoCsv => "feodo-csv",
            Self::FeodoJson => "feodo-json",
            Self::FeodoTxt => "feodo-txt",
            Self::Trickbot => "trickbot",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no format.
#[derive(Debug, thiserror::Error)]
#[error("unknown format `{0}`: use plain, ipset, feodo-csv, feodo-json, feodo-txt or trickbot")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|format| format.name() == text);
        named.ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

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
    /// Every well-formed row in the order of the body, duplicates included.
    pub rows: Vec<Row>,
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
}

/// Reads a body that is already decompressed. `forced` overrides the detection.
///
/// Malformed rows are not an error until they are the majority. An error means that the body
/// must not replace the last good one.
pub fn parse(body: &[u8], forced: Option<Format>) -> Result<Parsed, NotAFeed> {
    let text = decode::text(body)?;
    let format = detect::format(&text.text, forced)?;
    let mut out = Collector::new(format);
    if text.replaced {
        out.warn("some bytes were not valid text and were replaced: the feed may be damaged");
    }
    format::read(&text.text, format, &mut out)?;
    out.finish()
}

#[cfg(test)]
mod tests;
