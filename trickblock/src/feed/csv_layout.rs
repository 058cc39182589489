//! Where a table of somebody's own has its columns.

use serde::{Deserialize, Serialize};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Field {
    /// An address or a prefix.
    Ip,
    Port,
    /// Both in one, as `203.0.113.7:443`.
    IpPort,
    Protocol,
    Family,
    FirstSeen,
    LastSeen,
    /// 0 to 100.
    Confidence,
}

impl Field {
    /// As the configuration names them.
    pub const ALL: [(&'static str, Self); 8] = [
        ("ip", Self::Ip),
        ("port", Self::Port),
        ("ip_port", Self::IpPort),
        ("protocol", Self::Protocol),
        ("family", Self::Family),
        ("first_seen", Self::FirstSeen),
        ("last_seen", Self::LastSeen),
        ("confidence", Self::Confidence),
    ];
}

/// Which column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Column {
    /// As the header has it; case, blanks and signs do not matter.
    Named(String),
    /// From 1.
    Number(usize),
}

/// Rows are taken, or left out, by what one of their columns says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub column: Column,
    /// Compared without case and outer blanks.
    pub values: Vec<String>,
    /// True: only rows with one of the values are taken; false: those are left out.
    pub wanted: bool,
}

/// How a table is laid out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvLayout {
    pub delimiter: u8,
    /// `None`: quotes are characters like others.
    pub quote: Option<u8>,
    /// Lines that begin with it are left out, but one that names the columns.
    pub comment: Option<char>,
    /// The first line names the columns.
    pub header: bool,
    /// Empty: by their usual names.
    pub columns: Vec<(Field, Column)>,
    pub conditions: Vec<Condition>,
}

impl Default for CsvLayout {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            comment: Some('#'),
            header: true,
            columns: Vec::new(),
            conditions: Vec::new(),
        }
    }
}
