//! What the readers of tables share: one line is one record, and columns have names.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

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

/// Splits lines into records. Each line is read by itself, so that a lost quote damages one record and not all
/// that follow; to make the automaton that does it takes longer than to split a line.
pub(super) struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    pub(super) fn new(dialect: Dialect) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .quote(dialect.quote.unwrap_or(b'"'))
            .quoting(dialect.quote.is_some())
            .build();
        let (text, ends) = Default::default();
        Self { reader, text, ends }
    }

    /// `None` where there is no record in the line.
    pub(super) fn record(&mut self, line: &str) -> Option<Record> {
        // No field is longer than it was written, and each is written with a sign behind it or ends the line.
        let room = line.len().saturating_add(1).max(self.text.len());
        self.text.resize(room, 0);
        self.ends.resize(room, 0);
        self.reader.reset();
        let read = |reader: &mut Reader, line: &[u8], text: &mut [u8], ends: &mut [usize]| {
            let (result, _, bytes, fields) = reader.read_record(line, text, ends);
            (result, bytes, fields)
        };
        let (mut result, mut bytes, mut fields) = read(
            &mut self.reader,
            line.as_bytes(),
            &mut self.text,
            &mut self.ends,
        );
        if result == ReadRecordResult::InputEmpty {
            // No input is the end of it.
            let (text, ends) = (self.text.get_mut(bytes..)?, self.ends.get_mut(fields..)?);
            let (last, more, others) = read(&mut self.reader, &[], text, ends);
            (result, bytes, fields) = (last, bytes + more, fields + others);
        }
        let text = str::from_utf8(self.text.get(..bytes)?).ok()?.to_owned();
        let ends = self.ends.get(..fields)?.to_vec();
        (result == ReadRecordResult::Record).then_some(Record { text, ends })
    }
}

/// The fields of a line.
pub(super) struct Record {
    /// One after the other.
    text: String,
    /// Of each.
    ends: Vec<usize>,
}

impl Record {
    pub(super) fn get(&self, field: usize) -> Option<&str> {
        let end = *self.ends.get(field)?;
        let before = field
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        self.text.get(before.copied().unwrap_or(0)..end)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).filter_map(|field| self.get(field))
    }
}

/// One line alone, as that which names the columns.
pub(super) fn record(line: &str, dialect: Dialect) -> Option<Record> {
    Splitter::new(dialect).record(line)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &str, dialect: Dialect) -> Option<Vec<String>> {
        let record = Splitter::new(dialect).record(line)?;
        Some(record.iter().map(str::to_owned).collect())
    }

    #[test]
    fn fields_are_split_as_they_are_quoted() {
        let cases: [(&str, &[&str]); 8] = [
            ("a", &["a"]),
            ("a,b,,c", &["a", "b", "", "c"]),
            (",", &["", ""]),
            ("\"a,b\",c", &["a,b", "c"]),
            ("\"a\"\"b\",\"\"", &["a\"b", ""]),
            ("\"lost,b", &["lost,b"]),
            ("ä,\"ö\",ü", &["ä", "ö", "ü"]),
            ("a\rb,c", &["a"]),
        ];
        for (line, expected) in cases {
            let found = fields(line, Dialect::default());
            assert_eq!(
                found.as_deref(),
                Some(expected)
                    .map(|fields| fields
                        .iter()
                        .map(|field| (*field).to_owned())
                        .collect::<Vec<_>>())
                    .as_deref(),
                "{line}"
            );
        }
        assert_eq!(fields("", Dialect::default()), None);
        let bare = Dialect {
            delimiter: b';',
            quote: None,
        };
        assert_eq!(
            fields("\"a;b\"", bare),
            Some(vec!["\"a".to_owned(), "b\"".to_owned()])
        );
    }

    /// What a line leaves behind concerns no other.
    #[test]
    fn lines_do_not_meet() {
        let mut splitter = Splitter::new(Dialect::default());
        for (line, fields) in [("\"lost,a", 1), ("b,c", 2), ("", 0), ("d", 1), ("e,f,g", 3)] {
            let record = splitter.record(line);
            assert_eq!(
                record.map_or(0, |record| record.iter().count()),
                fields,
                "{line}"
            );
        }
    }
}
