//! What must hold of any body, however wrong it is.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    io::{self, Read},
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use trickblock::{
    feed::{Format, NotAFeed, Parsed},
    indicator::Indicator,
};

use super::{document::Document, subject::Subject};
use crate::{http::gzip, random::Random, sys::allocation};

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one, in a few words that stay the same while the body is made smaller.
    pub promise: &'static str,
    pub detail: String,
}

fn broken<T>(promise: &'static str, detail: impl Into<String>) -> Result<T, Broken> {
    let detail = detail.into();
    Err(Broken { promise, detail })
}

/// What docs/feeds.md and the reader of feeds promise of numbers.
const MOST_ROWS: usize = 2_000_000;
const MOST_REJECTIONS: usize = 50_000;
const MOST_WARNINGS: usize = 101;
const LONGEST_TEXT: usize = 120;
/// Prefixes of the widest range.
const MOST_OF_RANGE: usize = 254;

/// Bytes that reading may ask for: by byte of the body, by entry found in it, and in any case. Far above what
/// is used; what grows with the square of the body is above it soon.
const BY_BYTE: u64 = 512;
const BY_ENTRY: u64 = 1_024;
const ALWAYS: u64 = 1 << 20;

/// All that holds of a document that is right.
pub fn of_document(subject: Subject, document: &Document) -> Result<(), Broken> {
    of_body(subject, document.format, &document.body)?;
    let format = document.format;
    let parsed = match subject.parse(&document.body, Some(format)) {
        Ok(parsed) => parsed,
        Err(error) => return broken("a valid document is read", error.to_string()),
    };
    if let Some(difference) = document.differs_from(&parsed) {
        return broken("a valid document is read as it was written", difference);
    }
    // Tables of somebody's own have to be named.
    if format == Format::Csv {
        return Ok(());
    }
    match subject.parse(&document.body, None) {
        Ok(detected) if detected.format == format => Ok(()),
        Ok(detected) => broken(
            "a valid document is known",
            format!(
                "{format} is taken for {}: {}",
                detected.format, detected.known_by
            ),
        ),
        Err(error) => broken("a valid document is known", error.to_string()),
    }
}

/// All that holds of any body.
pub fn of_body(subject: Subject, format: Format, body: &[u8]) -> Result<(), Broken> {
    let forced = measured(subject, Some(format), body)?;
    if forced != measured(subject, Some(format), body)? {
        return broken(
            "the same body is read the same again",
            format!("{forced:?}"),
        );
    }
    if let Some(parsed) = parsed(&forced) {
        numbers(parsed, body)?;
        texts(subject, parsed)?;
    }
    detection(subject, body)
}

/// The same whatever pieces a body comes in, also through gzip, and gzip that is cut.
pub fn of_stream(subject: Subject, body: &[u8], random: &mut Random) -> Result<(), Broken> {
    let packed = gzip(body);
    let cut = &packed[..random.below(packed.len())];
    for bytes in [body, &packed, cut] {
        let whole = caught(|| subject.read(bytes))?;
        for size in [1, 2, 3, 7, 64, 4_000] {
            // A byte at a time is slow, and a short beginning of a body shows as much.
            if size < 64 && !random.percent(20) {
                continue;
            }
            let pieces = Pieces {
                bytes,
                size,
                interrupted: false,
            };
            let found = caught(|| subject.read(pieces))?;
            if found != whole {
                let [whole, found] = [whole, found].map(|read| read.map(|bytes| bytes.len()));
                let detail = format!("at once {whole:?}, by {size} bytes {found:?}");
                return broken("pieces of any size make the same body", detail);
            }
        }
    }
    let plain = caught(|| subject.read(body))?;
    let unpacked = caught(|| subject.read(packed.as_slice()))?;
    match body.starts_with(b"\x1f\x8b") || plain == unpacked {
        true => Ok(()),
        false => broken("gzip makes no difference", format!("{:?}", unpacked.err())),
    }
}

/// What was read, also where it was refused for its many malformed rows.
fn parsed(outcome: &Result<Parsed, Refusal>) -> Option<&Parsed> {
    match outcome {
        Ok(parsed) => Some(parsed),
        Err(refusal) => refusal.parsed.as_deref(),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    message: String,
    parsed: Option<Box<Parsed>>,
}

impl From<NotAFeed> for Refusal {
    fn from(error: NotAFeed) -> Self {
        Self {
            message: error.to_string(),
            parsed: match error {
                NotAFeed::MostlyMalformed(parsed) => Some(parsed),
                _ => None,
            },
        }
    }
}

/// Reads without a panic, and within bounds on what is asked of the allocator.
fn measured(
    subject: Subject,
    format: Option<Format>,
    body: &[u8],
) -> Result<Result<Parsed, Refusal>, Broken> {
    let before = allocation::asked();
    let outcome = caught(|| subject.parse(body, format))?;
    let asked = allocation::asked() - before;
    let too_many = matches!(outcome, Err(NotAFeed::TooMany { .. }));
    let outcome = outcome.map_err(Refusal::from);
    let entries = match parsed(&outcome) {
        Some(parsed) => parsed.rows.len() + parsed.withdrawn.len() + parsed.rejections.len(),
        None if too_many => MOST_ROWS,
        None => 0,
    };
    let bound = ALWAYS + BY_BYTE * body.len() as u64 + BY_ENTRY * entries as u64;
    if asked > bound {
        let detail = format!(
            "{asked} bytes for {} of body and {entries} entries",
            body.len()
        );
        return broken("memory is bounded", detail);
    }
    if let Err(refusal) = &outcome
        && refusal.message.len() < 20
    {
        return broken("a refusal says why", refusal.message.clone());
    }
    Ok(outcome)
}

fn numbers(parsed: &Parsed, body: &[u8]) -> Result<(), Broken> {
    // Whatever the encoding, no text has more ends of lines than bytes that could be one.
    let ends = body
        .iter()
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
        .count();
    let lines = u32::try_from(ends + 1).expect("a body is shorter");
    let kept = parsed.rows.iter().map(|row| row.line);
    let refused = parsed.rejections.iter().map(|rejection| rejection.line);
    let mut told = kept.clone().chain(refused.clone());
    if let Some(line) = told.find(|line| !(1..=lines).contains(line)) {
        return broken(
            "entries stand in lines of the body",
            format!("line {line} of {lines}"),
        );
    }
    if !kept.is_sorted() || !refused.is_sorted() {
        return broken(
            "entries come in the order of their lines",
            format!("{parsed:?}"),
        );
    }
    let bounded = parsed.rows.len() <= MOST_ROWS
        && parsed.rejections.len() <= MOST_REJECTIONS
        && parsed.warnings.len() <= MOST_WARNINGS
        && parsed
            .rejections
            .iter()
            .all(|rejection| rejection.text.chars().count() <= LONGEST_TEXT);
    if !bounded {
        return broken(
            "what is kept is bounded",
            format!("{} rows", parsed.rows.len()),
        );
    }
    if parsed
        .rejections
        .iter()
        .any(|rejection| rejection.reason.is_empty())
    {
        return broken("a rejection says why", format!("{:?}", parsed.rejections));
    }
    by_line(parsed, u64::from(lines))
}

/// Where an entry is a line, there are no more of them than lines.
fn by_line(parsed: &Parsed, lines: u64) -> Result<(), Broken> {
    let distinct: BTreeSet<u32> = parsed.rows.iter().map(|row| row.line).collect();
    let told = distinct.len() as u64 + parsed.ignored + parsed.rejected;
    let fits = match parsed.format {
        Format::FeodoCsv | Format::Csv | Format::ThreatfoxCsv | Format::SpamhausJson => {
            parsed.total() <= lines
        }
        Format::Plain | Format::FeodoTxt | Format::SpamhausTxt => {
            told <= lines && parsed.rows.len() <= distinct.len() * MOST_OF_RANGE
        }
        Format::Suricata => parsed.ignored + parsed.rejected <= 2 * lines,
        _ => true,
    };
    match fits {
        true => Ok(()),
        false => broken(
            "there are no more entries than lines",
            format!("{lines} lines: {told} entries"),
        ),
    }
}

/// Each indicator is what its text says, and a list of these texts is a list of these indicators.
fn texts(subject: Subject, parsed: &Parsed) -> Result<(), Broken> {
    let mut list = String::new();
    for row in parsed.rows.iter().take(1_000) {
        let text = row.indicator.to_string();
        if text.parse::<Indicator>().ok() != Some(row.indicator) {
            return broken("an indicator is read from its own text", text);
        }
        list.push_str(&text);
        list.push('\n');
    }
    if list.is_empty() {
        return Ok(());
    }
    let again = measured(subject, Some(Format::Plain), list.as_bytes())?;
    let again = again.map(|read| {
        read.rows
            .into_iter()
            .map(|row| row.indicator)
            .collect::<Vec<_>>()
    });
    let wanted: Vec<Indicator> = parsed
        .rows
        .iter()
        .take(1_000)
        .map(|row| row.indicator)
        .collect();
    match again.as_ref() == Ok(&wanted) {
        true => Ok(()),
        false => broken(
            "a list of indicators is read as such",
            format!("{list}{again:?}"),
        ),
    }
}

/// What is detected says why, and is what the format says that is given by name.
fn detection(subject: Subject, body: &[u8]) -> Result<(), Broken> {
    let detected = measured(subject, None, body)?;
    let Some(found) = parsed(&detected) else {
        return Ok(());
    };
    if found.known_by.trim().is_empty() {
        return broken(
            "detection says what shows the format",
            found.format.to_string(),
        );
    }
    let named = measured(subject, Some(found.format), body)?;
    let same = parsed(&named).is_some_and(|named| {
        Parsed {
            known_by: found.known_by.clone(),
            ..named.clone()
        } == *found
    });
    match same {
        true => Ok(()),
        false => broken(
            "the detected format reads the same when it is given",
            format!("{detected:?}\n{named:?}"),
        ),
    }
}

/// Hands out a few bytes at a time, and is interrupted as system calls are.
struct Pieces<'a> {
    bytes: &'a [u8],
    size: usize,
    interrupted: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted && self.size == 64 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = self.size.min(buffer.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

thread_local! {
    /// Where the last panic of this thread was, while it is looked for.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A panic is a broken promise, and says where it was.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, Broken> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let looked_for = PANICKED.with_borrow_mut(|told| {
                let is = told.is_some();
                told.replace(info.to_string()).filter(|_| is).is_some()
            });
            if !looked_for {
                usual(info);
            }
        }));
    });
    PANICKED.set(Some(String::new()));
    let outcome = panic::catch_unwind(AssertUnwindSafe(run));
    let told = PANICKED.take().unwrap_or_default();
    outcome.or_else(|_| broken("nothing panics", told))
}
