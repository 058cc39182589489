//! Lines with their numbers.

use memchr::memchr2;

/// Longer ones are rejected unread: no entry needs them, and a message should not repeat them.
pub(in crate::feed) const MAX_LINE: usize = 4096;

/// The trimmed lines of a text, counted from 1. Ends with LF, CRLF, CR, or a mixture.
pub(in crate::feed) fn lines(text: &str) -> Lines<'_> {
    Lines {
        rest: text,
        number: 0,
        kept: None,
    }
}

/// The same, but `sign` is no blank around a line: it may part an empty field from the next.
pub(in crate::feed) fn lines_keeping(text: &str, sign: char) -> Lines<'_> {
    Lines {
        kept: Some(sign),
        ..lines(text)
    }
}

pub(in crate::feed) struct Lines<'a> {
    rest: &'a str,
    number: u32,
    kept: Option<char>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (u32, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.number = self.number.saturating_add(1);
        let end = memchr2(b'\n', b'\r', self.rest.as_bytes());
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let rest = rest.strip_prefix("\r\n").unwrap_or_else(|| {
            // The end is one byte or nothing at all.
            rest.get(1..).unwrap_or_default()
        });
        self.rest = rest;
        Some((self.number, trim(line, self.kept)))
    }
}

/// Blanks, and the marks that concatenated files leave between lines.
pub(super) fn trim(line: &str, kept: Option<char>) -> &str {
    // Nearly every line begins and ends with a letter or a digit.
    let is_plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    if is_plain(line.as_bytes().first()) && is_plain(line.as_bytes().last()) {
        return line;
    }
    let odd = |c: char| {
        (c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\0')) && kept != Some(c)
    };
    line.trim_matches(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end_counts_once() {
        let found: Vec<_> = lines("a\nb\r\n\u{feff}c\r \r\n\nd").collect();
        assert_eq!(
            found,
            [(1, "a"), (2, "b"), (3, "c"), (4, ""), (5, ""), (6, "d")]
        );
        let kept: Vec<_> = lines_keeping("\ta\t \r\n b", '\t').collect();
        assert_eq!(kept, [(1, "\ta\t"), (2, "b")]);
        assert_eq!(lines("").count(), 0);
        assert_eq!(lines("a\n").count(), 1);
    }
}
