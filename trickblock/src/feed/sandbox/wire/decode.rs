//! An answer, taken by the parent, which believes nothing of it: who broke a reader writes its answers.

use std::{
    io::{self, Read},
    num::NonZeroU16,
    sync::Arc,
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{ANSWER, END, MAX_REASON, UNNUMBERED, buffer::Buffered, has, kind};
use crate::{
    feed::{
        Format, NotAFeed, Parsed, Rejection, Row,
        collect::{MAX_FAMILIES, MAX_REJECTIONS, MAX_ROWS, MAX_TEXT, MAX_WARNINGS},
        sandbox::Missing,
    },
    indicator::{Indicator, Protocol, Seen, Sighting},
};

/// Bytes of all texts of an answer. An honest one has a few MiB; what broke a reader is not to fill the memory.
const MAX_TEXTS: usize = 128 << 20;
const MAX_CONFIDENCE: u8 = 100;

/// What a reader answered.
#[derive(Debug)]
pub(in super::super) struct Answer {
    pub(in super::super) missing: Missing,
    pub(in super::super) content: Result<Parsed, NotAFeed>,
}

/// What was asked, as far as the answer depends on it.
#[derive(Debug)]
pub(in super::super) struct Asked {
    /// The body has no more.
    pub(in super::super) lines: usize,
    pub(in super::super) format: Option<Format>,
}

/// No answer of a reader.
#[derive(Debug)]
pub(in super::super) enum Garbled {
    Io(io::Error),
    /// What is wrong with it.
    Wrong(&'static str),
}

type Read1<T> = Result<T, Garbled>;

/// Takes an answer. What comes out of it is as canonical as what the readers of this process make, and no
/// more of it.
pub(in super::super) fn answer(input: impl Read, asked: &Asked) -> Read1<Answer> {
    let mut input = Decoder::new(input, asked);
    if input.bytes()? != ANSWER {
        return Err(Garbled::Wrong("it does not begin as one"));
    }
    let missing = Missing::from_bits(input.byte()?);
    let missing = missing.ok_or(Garbled::Wrong("an unknown state of its sandbox"))?;
    let rows = input.rows()?;
    let content = input.content(rows)?;
    if input.bytes()? != END {
        return Err(Garbled::Wrong("it does not end as one"));
    }
    Ok(Answer { missing, content })
}

struct Decoder<'a, R> {
    input: Buffered<R>,
    asked: &'a Asked,
    families: Vec<Arc<str>>,
    /// Bytes of texts that are still believed.
    texts: usize,
}

impl<'a, R: Read> Decoder<'a, R> {
    fn new(input: R, asked: &'a Asked) -> Self {
        Self {
            input: Buffered::new(input),
            asked,
            families: Vec::new(),
            texts: MAX_TEXTS,
        }
    }

    /// They are worth something only if a parsed body follows.
    fn rows(&mut self) -> Read1<Vec<Row>> {
        let mut rows = Vec::new();
        while self.more(&mut rows, MAX_ROWS, Self::row)? > 0 {}
        Ok(rows)
    }

    fn content(&mut self, rows: Vec<Row>) -> Read1<Result<Parsed, NotAFeed>> {
        let kind = self.byte()?;
        let malformed = |parsed: &Parsed| parsed.rejected > parsed.total() / 2;
        match kind {
            kind::PARSED => {
                let parsed = self.parsed(rows)?;
                check(!malformed(&parsed), "most rows are malformed")?;
                Ok(Ok(parsed))
            }
            kind::MOSTLY_MALFORMED => {
                let parsed = self.parsed(rows)?;
                check(malformed(&parsed), "most rows are well-formed")?;
                Ok(Err(NotAFeed::MostlyMalformed(Box::new(parsed))))
            }
            kind => self.reason(kind).map(Err),
        }
    }

    /// Fields are read in the order in which they are written here.
    fn reason(&mut self, kind: u8) -> Read1<NotAFeed> {
        Ok(match kind {
            kind::EMPTY => NotAFeed::Empty,
            kind::HTML => NotAFeed::Html,
            kind::TOO_MANY => NotAFeed::TooMany { most: MAX_ROWS },
            kind::COMPRESSED => NotAFeed::Compressed {
                kind: self.text(MAX_REASON)?.into(),
            },
            kind::BINARY => NotAFeed::Binary {
                kind: self.text(MAX_REASON)?.into(),
                fix: self.text(MAX_REASON)?.into(),
            },
            kind::UNRECOGNISED => NotAFeed::Unrecognised {
                looks_like: self.text(MAX_REASON)?.into(),
                fix: self.text(MAX_REASON)?.into(),
            },
            kind::NO_ENTRIES => NotAFeed::NoEntries {
                format: self.format()?,
                expected: self.text(MAX_REASON)?.into(),
            },
            kind::MISMATCH => NotAFeed::Mismatch {
                format: self.format()?,
                reason: self.text(MAX_REASON)?,
            },
            kind::STATUS => NotAFeed::Status {
                status: self.text(MAX_REASON)?,
                fix: self.text(MAX_REASON)?.into(),
            },
            _ => return Err(Garbled::Wrong("an unknown kind")),
        })
    }

    fn parsed(&mut self, rows: Vec<Row>) -> Read1<Parsed> {
        let mut parsed = Parsed {
            format: self.format()?,
            known_by: self.text(MAX_REASON)?.into(),
            complete: match self.byte()? {
                0 => None,
                1 => Some(false),
                2 => Some(true),
                _ => return Err(Garbled::Wrong("neither complete nor not")),
            },
            ignored: u64::from_le_bytes(self.bytes()?),
            rejected: u64::from_le_bytes(self.bytes()?),
            rows,
            withdrawn: self.list(MAX_ROWS, Self::withdrawn)?,
            rejections: self.list(MAX_REJECTIONS, Self::rejection)?,
            warnings: self.list(MAX_WARNINGS, |input| input.text(MAX_REASON))?,
        };
        let listed = u64::try_from(parsed.rejections.len()).unwrap_or(u64::MAX);
        check(listed <= parsed.rejected, "more rejections than it counts")?;
        parsed.in_order();
        Ok(parsed)
    }

    fn list<T>(&mut self, most: usize, read: impl Fn(&mut Self) -> Read1<T>) -> Read1<Vec<T>> {
        let mut items = Vec::new();
        self.more(&mut items, most, read)?;
        Ok(items)
    }

    /// Adds to `items`, of which there may be `most`. Returns how many came.
    fn more<T>(
        &mut self,
        items: &mut Vec<T>,
        most: usize,
        read: impl Fn(&mut Self) -> Read1<T>,
    ) -> Read1<usize> {
        let count = usize::try_from(u32::from_le_bytes(self.bytes()?)).unwrap_or(usize::MAX);
        let room = most.saturating_sub(items.len());
        check(count <= room, "more entries than are kept")?;
        // Pages of it are used as entries arrive, whatever the count says.
        let reserved = items.try_reserve(count);
        reserved.map_err(|_| Garbled::Wrong("more entries than there is memory for"))?;
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(count)
    }

    fn row(&mut self) -> Read1<Row> {
        let what = u16::from_le_bytes(self.bytes()?);
        check(what & !has::ALL == 0, "a row has unknown fields")?;
        Ok(Row {
            line: self.line()?,
            indicator: self.indicator(what)?,
            sighting: Sighting {
                first_seen: self.seen(what & has::FIRST_SEEN)?,
                last_seen: self.seen(what & has::LAST_SEEN)?,
                expires: self.seen(what & has::EXPIRES)?,
                confidence: self.confidence(what & has::CONFIDENCE)?,
                family: self.family(what & has::FAMILY)?,
                online: match what & (has::ONLINE | has::OFFLINE) {
                    0 => None,
                    has::OFFLINE => Some(false),
                    has::ONLINE => Some(true),
                    _ => return Err(Garbled::Wrong("both online and offline")),
                },
            },
        })
    }

    fn withdrawn(&mut self) -> Read1<Indicator> {
        let what = u16::from_le_bytes(self.bytes()?);
        check(
            what & !has::INDICATOR == 0,
            "a withdrawn entry has fields of rows",
        )?;
        self.indicator(what)
    }

    fn indicator(&mut self, what: u16) -> Read1<Indicator> {
        let prefix = self.prefix(what & has::V6 != 0)?;
        let protocol = match what & has::PROTOCOL {
            0 => None,
            _ => Some(Protocol(self.byte()?)),
        };
        let port = match what & has::PORT {
            0 => None,
            _ => Some(u16::from_le_bytes(self.bytes()?)),
        };
        let ports = protocol.is_none_or(Protocol::has_ports);
        check(ports, "a protocol without ports")?;
        check(port != Some(0), "port 0")?;
        let indicator = Indicator::new(prefix, protocol, port.and_then(NonZeroU16::new));
        check(indicator.prefix == prefix, "a prefix that is not canonical")?;
        Ok(indicator)
    }

    fn prefix(&mut self, v6: bool) -> Read1<IpNet> {
        let long = Garbled::Wrong("a prefix that is too long");
        if v6 {
            let address = self.bytes::<16>()?.into();
            let prefix = Ipv6Net::new(address, self.byte()?);
            return prefix.map(IpNet::V6).map_err(|_| long);
        }
        let address = self.bytes::<4>()?.into();
        let prefix = Ipv4Net::new(address, self.byte()?);
        prefix.map(IpNet::V4).map_err(|_| long)
    }

    fn seen(&mut self, flag: u16) -> Read1<Option<Seen>> {
        if flag == 0 {
            return Ok(None);
        }
        let seen = Seen::from_unix(u32::from_le_bytes(self.bytes()?).into());
        check(seen.is_some(), "a time of zero")?;
        Ok(seen)
    }

    fn confidence(&mut self, flag: u16) -> Read1<Option<u8>> {
        if flag == 0 {
            return Ok(None);
        }
        let confidence = self.byte()?;
        check(confidence <= MAX_CONFIDENCE, "a confidence above 100")?;
        Ok(Some(confidence))
    }

    fn family(&mut self, flag: u16) -> Read1<Option<Arc<str>>> {
        if flag == 0 {
            return Ok(None);
        }
        let number = u16::from_le_bytes(self.bytes()?);
        if number == UNNUMBERED {
            return self.text(MAX_TEXT).map(|name| Some(name.into()));
        }
        let number = usize::from(number);
        if number == self.families.len() && number < MAX_FAMILIES {
            let name = self.text(MAX_TEXT)?.into();
            self.families.push(name);
        }
        let name = self.families.get(number).cloned();
        check(name.is_some(), "a family without a name")?;
        Ok(name)
    }

    fn rejection(&mut self) -> Read1<Rejection> {
        Ok(Rejection {
            line: self.line()?,
            text: self.text(MAX_TEXT)?,
            reason: self.text(MAX_REASON)?,
        })
    }

    fn line(&mut self) -> Read1<u32> {
        let line = u32::from_le_bytes(self.bytes()?);
        let exists = usize::try_from(line).is_ok_and(|line| line <= self.asked.lines);
        check(line > 0 && exists, "a line that the body does not have")?;
        Ok(line)
    }

    fn format(&mut self) -> Read1<Format> {
        let format = Format::ALL.get(usize::from(self.byte()?)).copied();
        let format = format.ok_or(Garbled::Wrong("an unknown format"))?;
        let as_asked = self.asked.format.is_none_or(|asked| asked == format);
        check(as_asked, "another format than was asked for")?;
        Ok(format)
    }

    fn text(&mut self, most: usize) -> Read1<String> {
        let length = usize::from(u16::from_le_bytes(self.bytes()?));
        let left = self.texts.checked_sub(length);
        self.texts = left.ok_or(Garbled::Wrong("more text than is kept"))?;
        let bytes = self.input.sized(length).map_err(Garbled::Io)?;
        let text = String::from_utf8(bytes).map_err(|_| Garbled::Wrong("text that is none"))?;
        let fits = length <= most || text.chars().nth(most).is_none();
        check(fits, "a text that is too long")?;
        Ok(text)
    }

    fn byte(&mut self) -> Read1<u8> {
        self.bytes().map(|[byte]| byte)
    }

    fn bytes<const N: usize>(&mut self) -> Read1<[u8; N]> {
        self.input.bytes().map_err(Garbled::Io)
    }
}

fn check(holds: bool, otherwise: &'static str) -> Read1<()> {
    match holds {
        true => Ok(()),
        false => Err(Garbled::Wrong(otherwise)),
    }
}
