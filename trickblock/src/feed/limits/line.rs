//! The bound of a line.

use memchr::memchr2;

use super::LimitError;

/// Finds an over-long line while the body streams in, so that a line of a gigabyte is
/// refused after four kilobytes of it.
pub(super) struct Lines {
    cap: usize,
    number: usize,
    length: usize,
    kind: Kind,
    /// An LF that is next ends no other line.
    after_cr: bool,
    /// The first line that is too long. Blanks may be before a document, so that only its first sign decides.
    overlong: Option<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Unknown,
    Lines,
    Document,
}

impl Lines {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            cap,
            number: 1,
            length: 0,
            kind: Kind::Unknown,
            after_cr: false,
            overlong: None,
        }
    }

    pub(super) fn scan(&mut self, fresh: &[u8]) -> Result<(), LimitError> {
        if self.kind == Kind::Unknown {
            self.kind = sniff(fresh);
        }
        if self.kind == Kind::Document {
            return Ok(());
        }
        let mut rest = fresh;
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            self.grow(end);
            self.end(rest[end]);
            rest = &rest[end + 1..];
        }
        self.grow(rest.len());
        match self.overlong.filter(|_| self.kind == Kind::Lines) {
            Some(number) => Err(LimitError::Line {
                number,
                cap: self.cap,
            }),
            None => Ok(()),
        }
    }
}

impl Lines {
    /// The line ends with LF, CRLF or CR.
    fn end(&mut self, sign: u8) {
        let second = sign == b'\n' && self.after_cr;
        self.number = self.number.saturating_add(usize::from(!second));
        self.length = 0;
        self.after_cr = sign == b'\r';
    }

    /// More of the line.
    fn grow(&mut self, bytes: usize) {
        self.after_cr &= bytes == 0;
        self.length = self.length.saturating_add(bytes);
        if self.length > self.cap {
            self.overlong.get_or_insert(self.number);
        }
    }
}

/// JSON, XML and HTML are recognised by their first byte that is neither blank nor part of a
/// byte order mark. (NUL is skipped as well: UTF-16 puts one beside each ASCII letter.)
fn sniff(fresh: &[u8]) -> Kind {
    let skipped = |byte: &&u8| {
        !matches!(
            byte,
            b' ' | b'\t' | b'\r' | b'\n' | 0 | 0xef | 0xbb | 0xbf | 0xfe | 0xff
        )
    };
    match fresh.iter().find(skipped) {
        None => Kind::Unknown,
        Some(b'{' | b'[' | b'<') => Kind::Document,
        Some(_) => Kind::Lines,
    }
}
