//! The bound of a line.

use super::LimitError;

/// Finds an over-long line while the body streams in, so that a line of a gigabyte is
/// refused after four kilobytes of it.
pub(super) struct Lines {
    cap: usize,
    number: usize,
    length: usize,
    kind: Kind,
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
        for piece in fresh.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.ends_with(b"\n");
            self.length = self
                .length
                .saturating_add(piece.len())
                .saturating_sub(usize::from(ended));
            if self.length > self.cap {
                self.overlong.get_or_insert(self.number);
            }
            if ended {
                self.number = self.number.saturating_add(1);
                self.length = 0;
            }
        }
        match self.overlong.filter(|_| self.kind == Kind::Lines) {
            Some(number) => Err(LimitError::Line {
                number,
                cap: self.cap,
            }),
            None => Ok(()),
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
