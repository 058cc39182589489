//! The names of the formats.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// Any table whose columns are known; see [`crate::feed::csv_layout`].
    Csv,
    /// The answer of ThreatFox's API, or its JSON export.
    ThreatfoxJson,
    ThreatfoxCsv,
    /// Spamhaus DROP, one JSON object a line.
    SpamhausJson,
    /// Spamhaus DROP as text: `192.0.2.0/24 ; SBL1`.
    SpamhausTxt,
    /// A MISP event, or several.
    Misp,
    /// A STIX 2.0 or 2.1 bundle, or a TAXII envelope.
    Stix,
    /// IP rules of Suricata or Snort.
    Suricata,
    /// The answer of CrowdSec's decisions stream.
    Crowdsec,
    /// Trickbot's own `mcconf`, `servconf` and `dpost` files.
    Trickbot,
}

/// In the order in which messages list them.
const NAMES: [(&str, Format); 15] = [
    ("plain", Format::Plain),
    ("ipset", Format::Ipset),
    ("feodo-csv", Format::FeodoCsv),
    ("feodo-json", Format::FeodoJson),
    ("feodo-txt", Format::FeodoTxt),
    ("csv", Format::Csv),
    ("threatfox-json", Format::ThreatfoxJson),
    ("threatfox-csv", Format::ThreatfoxCsv),
    ("spamhaus-json", Format::SpamhausJson),
    ("spamhaus-txt", Format::SpamhausTxt),
    ("misp", Format::Misp),
    ("stix", Format::Stix),
    ("suricata", Format::Suricata),
    ("crowdsec", Format::Crowdsec),
    ("trickbot", Format::Trickbot),
];

impl Format {
    pub const ALL: [Self; NAMES.len()] = {
        let mut all = [Self::Plain; NAMES.len()];
        let mut at = 0;
        while at < NAMES.len() {
            all[at] = NAMES[at].1;
            at += 1;
        }
        all
    };

    pub fn name(self) -> &'static str {
        let named = NAMES.iter().find(|(_, format)| *format == self);
        named.map_or("", |(name, _)| name)
    }

    /// All names, for messages: `plain, ipset or trickbot`.
    pub fn names() -> String {
        let names = NAMES.map(|(name, _)| name);
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        format!("{} or {last}", others.join(", "))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The text names no format.
#[derive(Debug, thiserror::Error)]
#[error("unknown format `{0}`: use {names}", names = Format::names())]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = NAMES.iter().find(|(name, _)| *name == text);
        named
            .map(|(_, format)| *format)
            .ok_or_else(|| UnknownFormat(text.to_owned()))
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
