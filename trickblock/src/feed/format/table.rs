//! What the readers of tables share: one line is one record, and columns have names.

use csv::{ReaderBuilder, StringRecord};

/// How the fields of a line are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    /// `None`: quotes are characters like others.
    pub(super) quote: Option<u8>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
        }
    }
}

/// Each line is read by itself, so that a lost quote damages one record and not all that follow.
pub(super) fn record(line: &str, dialect: Dialect) -> Option<StringRecord> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(dialect.delimiter)
        .quote(dialect.quote.unwrap_or(b'"'))
        .quoting(dialect.quote.is_some())
        .buffer_capacity(line.len().max(1))
        .from_reader(line.as_bytes());
    let mut record = StringRecord::new();
    let found = reader.read_record(&mut record).ok()?;
    found.then_some(record)
}

/// `First_seen_UTC` and `Firstseen UTC` are the same column.
pub(super) fn simplified(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// The first column that has one of these simplified names.
pub(super) fn find(names: &[String], wanted: &[&str]) -> Option<usize> {
    names
        .iter()
        .position(|name| wanted.contains(&name.as_str()))
}
