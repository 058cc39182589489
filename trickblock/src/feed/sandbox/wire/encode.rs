//! An answer, by a reader.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::Arc,
};

use ipnet::IpNet;

use super::{ANSWER, END, MAX_REASON, UNNUMBERED, has, kind};
use crate::{
    feed::{
        Format, NotAFeed, Parsed, Rejection, Row,
        collect::{MAX_FAMILIES, MAX_TEXT, MAX_WARNINGS},
        sandbox::Missing,
    },
    indicator::{Indicator, Seen},
};

/// Bytes gathered before they are written.
const CHUNK: usize = 64 << 10;

/// An answer that is being written.
pub(in super::super) struct Answer<W>(Encoder<W>);

impl<W: Write> Answer<W> {
    pub(in super::super) fn new(out: W, missing: Missing) -> Self {
        let mut answer = Encoder::new(out);
        answer.bytes(&ANSWER);
        answer.bytes(&[missing.bits()]);
        Self(answer)
    }

    /// Rows that were found.
    pub(in super::super) fn rows(&mut self, rows: &[Row]) -> io::Result<()> {
        if rows.is_empty() {
            // A count of none ends them.
            return Ok(());
        }
        self.0.list(rows, Encoder::row)
    }

    /// What the body is; rows that were not given before go first.
    pub(in super::super) fn end(&mut self, content: &Result<Parsed, NotAFeed>) -> io::Result<()> {
        let (kind, parsed) = match content {
            Ok(parsed) => (kind::PARSED, Ok(parsed)),
            Err(NotAFeed::MostlyMalformed(parsed)) => (kind::MOSTLY_MALFORMED, Ok(parsed.as_ref())),
            Err(reason) => (0, Err(reason)),
        };
        self.rows(parsed.map_or(&[], |parsed| &parsed.rows))?;
        let answer = &mut self.0;
        answer.bytes(&0_u32.to_le_bytes());
        match parsed {
            Ok(parsed) => answer.parsed(kind, parsed)?,
            Err(reason) => answer.reason(reason),
        }
        answer.bytes(&END);
        answer.flush()
    }
}

struct Encoder<W> {
    out: W,
    buffer: Vec<u8>,
    families: HashMap<Arc<str>, u16>,
    /// Rows of a family often follow each other.
    last: Option<(Arc<str>, u16)>,
}

impl<W: Write> Encoder<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(CHUNK.saturating_mul(2)),
            families: HashMap::new(),
            last: None,
        }
    }

    fn reason(&mut self, reason: &NotAFeed) {
        let (kind, texts): (u8, &[&str]) = match reason {
            // It has rows, and is written with them.
            NotAFeed::MostlyMalformed(_) => return,
            NotAFeed::Empty => (kind::EMPTY, &[]),
            NotAFeed::Html => (kind::HTML, &[]),
            NotAFeed::TooMany { .. } => (kind::TOO_MANY, &[]),
            NotAFeed::Compressed { kind } => (kind::COMPRESSED, &[kind]),
            NotAFeed::Binary { kind, fix } => (kind::BINARY, &[kind, fix]),
            NotAFeed::Unrecognised { looks_like, fix } => (kind::UNRECOGNISED, &[looks_like, fix]),
            NotAFeed::NoEntries { expected, .. } => (kind::NO_ENTRIES, &[expected]),
            NotAFeed::Mismatch { reason, .. } => (kind::MISMATCH, &[reason]),
            NotAFeed::Status { status, fix } => (kind::STATUS, &[status, fix]),
        };
        self.bytes(&[kind]);
        if let NotAFeed::NoEntries { format, .. } | NotAFeed::Mismatch { format, .. } = reason {
            self.format(*format);
        }
        for text in texts {
            self.text(text, MAX_REASON);
        }
    }

    fn parsed(&mut self, kind: u8, parsed: &Parsed) -> io::Result<()> {
        self.bytes(&[kind]);
        self.format(parsed.format);
        self.text(&parsed.known_by, MAX_REASON);
        self.bytes(&[parsed.complete.map_or(0, |complete| 1 + u8::from(complete))]);
        self.bytes(&parsed.ignored.to_le_bytes());
        self.bytes(&parsed.rejected.to_le_bytes());
        self.list(&parsed.withdrawn, |answer, indicator| {
            answer.bytes(&flags(indicator).to_le_bytes());
            answer.indicator(indicator);
        })?;
        self.list(&parsed.rejections, Self::rejection)?;
        let warnings = &parsed.warnings;
        let warnings = warnings.get(..MAX_WARNINGS).unwrap_or(warnings);
        self.list(warnings, |answer, warning| answer.text(warning, MAX_REASON))
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) -> io::Result<()> {
        let count = u32::try_from(items.len()).map_err(io::Error::other)?;
        self.bytes(&count.to_le_bytes());
        for item in items {
            write(self, item);
            if self.buffer.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &Row) {
        let Row {
            line,
            indicator,
            sighting,
        } = row;
        let times = [
            (has::FIRST_SEEN, sighting.first_seen),
            (has::LAST_SEEN, sighting.last_seen),
            (has::EXPIRES, sighting.expires),
        ];
        let mut what = flags(indicator);
        for (flag, time) in times {
            what |= flag_if(flag, time.is_some());
        }
        what |= flag_if(has::FAMILY, sighting.family.is_some());
        what |= flag_if(has::CONFIDENCE, sighting.confidence.is_some());
        what |= flag_if(has::OFFLINE, sighting.online == Some(false));
        what |= flag_if(has::ONLINE, sighting.online == Some(true));
        self.bytes(&what.to_le_bytes());
        self.line(*line);
        self.indicator(indicator);
        for seen in times.into_iter().filter_map(|(_, time)| time) {
            self.seen(seen);
        }
        if let Some(confidence) = sighting.confidence {
            self.bytes(&[confidence]);
        }
        if let Some(family) = &sighting.family {
            self.family(family);
        }
    }

    fn indicator(&mut self, indicator: &Indicator) {
        match indicator.prefix {
            IpNet::V4(prefix) => self.bytes(&prefix.addr().octets()),
            IpNet::V6(prefix) => self.bytes(&prefix.addr().octets()),
        }
        self.bytes(&[indicator.prefix.prefix_len()]);
        if let Some(protocol) = indicator.protocol {
            self.bytes(&[protocol.0]);
        }
        if let Some(port) = indicator.port {
            self.bytes(&port.get().to_le_bytes());
        }
    }

    fn seen(&mut self, seen: Seen) {
        // It is a u32 that is shown as something larger.
        let seconds = u32::try_from(seen.unix()).unwrap_or(u32::MAX);
        self.bytes(&seconds.to_le_bytes());
    }

    fn family(&mut self, name: &Arc<str>) {
        if let Some((last, number)) = &self.last
            && Arc::ptr_eq(last, name)
        {
            let number = *number;
            return self.bytes(&number.to_le_bytes());
        }
        let known = self.families.get(name).copied();
        let next = u16::try_from(self.families.len()).unwrap_or(UNNUMBERED);
        let is_new = known.is_none() && self.families.len() < MAX_FAMILIES;
        let number = known.unwrap_or(if is_new { next } else { UNNUMBERED });
        self.bytes(&number.to_le_bytes());
        if known.is_none() {
            self.text(name, MAX_TEXT);
        }
        if is_new {
            self.families.insert(Arc::clone(name), number);
        }
        self.last = (number != UNNUMBERED).then(|| (Arc::clone(name), number));
    }

    fn rejection(&mut self, rejection: &Rejection) {
        self.line(rejection.line);
        self.text(&rejection.text, MAX_TEXT);
        self.text(&rejection.reason, MAX_REASON);
    }

    /// Lines are counted from 1.
    fn line(&mut self, line: u32) {
        self.bytes(&line.max(1).to_le_bytes());
    }

    fn format(&mut self, format: Format) {
        let number = Format::ALL.iter().position(|known| *known == format);
        let number = number.and_then(|number| u8::try_from(number).ok());
        self.bytes(&[number.unwrap_or(u8::MAX)]);
    }

    /// At most so many characters of `text`.
    fn text(&mut self, text: &str, most: usize) {
        let end = text
            .char_indices()
            .nth(most)
            .map_or(text.len(), |(at, _)| at);
        let text = text.get(..end).unwrap_or_default();
        // Four bytes a character at most, of a few hundred.
        let length = u16::try_from(text.len()).unwrap_or_default();
        self.bytes(&length.to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

fn flags(indicator: &Indicator) -> u16 {
    flag_if(has::V6, matches!(indicator.prefix, IpNet::V6(_)))
        | flag_if(has::PROTOCOL, indicator.protocol.is_some())
        | flag_if(has::PORT, indicator.port.is_some())
}

fn flag_if(flag: u16, is: bool) -> u16 {
    if is { flag } else { 0 }
}
