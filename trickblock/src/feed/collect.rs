//! Gathers what a format reader finds, with bounds on what hostile input can make it keep.

use std::{collections::HashSet, fmt::Display, sync::Arc};

use crate::indicator::{Indicator, Seen, Sighting};

use super::{Format, NotAFeed, Parsed, Rejection, Row};

/// Rejections kept with their text. The count goes on; a feed that has more is broken anyhow.
pub(super) const MAX_REJECTIONS: usize = 50_000;
/// Twice the largest set the tables are made for. One short line can be a range of 254 prefixes,
/// so the cap on the body's bytes does not bound this.
pub(super) const MAX_ROWS: usize = 2_000_000;
pub(super) const MAX_TEXT: usize = 120;
pub(super) const MAX_WARNINGS: usize = 100;
/// Names kept for sharing; beyond that each row owns its own, which only a hostile feed causes.
pub(super) const MAX_FAMILIES: usize = 4096;

/// Rows that are gathered before they are given away: few enough that whoever takes them works on some while the next ones
/// are read.
const BATCH: usize = 4 << 10;

/// Takes rows as they are found, in the order in which they are.
pub(super) type Taker = Box<dyn FnMut(&[Row])>;

pub(super) struct Collector {
    parsed: Parsed,
    /// Without it all rows are kept.
    taker: Option<Taker>,
    /// Rows that it took.
    taken: usize,
    families: HashSet<Arc<str>>,
    last_family: Option<Arc<str>>,
    notes: [Noted; Note::COUNT],
    /// The body proves by itself that it is whole, so that no entries means none.
    authoritative: bool,
    overflow: bool,
    /// Rows before the footer that counts them.
    counted: Option<u64>,
    expected: &'static str,
}

/// Oddities that are counted and told once.
#[derive(Clone, Copy)]
pub(super) enum Note {
    HostBits,
    BadTime,
    Decoy,
    Nomatch,
    Commented,
    NoC2,
    Compromised,
    /// A source that is not where a server is.
    Source,
    /// `to_ids` is false, or it was taken back.
    NotForDetection,
    Unpublished,
    /// Its time is over, or has not come.
    NotNow,
    /// It says more than an address, and only with that it is a C2.
    Narrower,
    /// An exception from other entries.
    Exception,
    /// Another decision than to block.
    NoBan,
}

#[derive(Clone, Copy, Default)]
struct Noted {
    count: u64,
    first: u32,
}

impl Note {
    const COUNT: usize = 14;
    const ALL: [Self; Self::COUNT] = [
        Self::HostBits,
        Self::BadTime,
        Self::Decoy,
        Self::Nomatch,
        Self::Commented,
        Self::NoC2,
        Self::Compromised,
        Self::Source,
        Self::NotForDetection,
        Self::Unpublished,
        Self::NotNow,
        Self::Narrower,
        Self::Exception,
        Self::NoBan,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::HostBits => "prefixes had bits set beyond their length, which were cleared",
            Self::BadTime => "times could not be read and were left out",
            Self::Decoy => "psrva/srva values were ignored: they are encoded decoys, not addresses",
            Self::Nomatch => {
                "nomatch entries are exceptions: they were taken out of the prefixes of their set"
            }
            Self::Commented => "servers in <!-- --> comments were ignored",
            Self::NoC2 => "servers that are no C2 (payload delivery and the like) were ignored",
            Self::Compromised => "sites were broken into: others' services stand behind them",
            Self::Source => "addresses that connections came from were ignored",
            Self::NotForDetection => {
                "entries that are not meant for detection, or were taken back, were ignored"
            }
            Self::Unpublished => "entries of events that are not published were taken",
            Self::NotNow => "entries whose time is over or has not come were ignored",
            Self::Narrower => {
                "entries that mean less than all traffic with their address were ignored"
            }
            Self::Exception => "exceptions were ignored",
            Self::NoBan => "decisions other than to ban were ignored",
        }
    }
}

impl Collector {
    pub(super) fn new(format: Format, known_by: &'static str, taker: Option<Taker>) -> Self {
        let parsed = Parsed {
            format,
            known_by: known_by.into(),
            rows: Vec::new(),
            withdrawn: Vec::new(),
            ignored: 0,
            rejections: Vec::new(),
            rejected: 0,
            complete: None,
            warnings: Vec::new(),
        };
        Self {
            parsed,
            taker,
            taken: 0,
            families: HashSet::new(),
            last_family: None,
            notes: [Noted::default(); Note::COUNT],
            authoritative: false,
            overflow: false,
            counted: None,
            expected: "one address, prefix or address:port a line",
        }
    }

    pub(super) fn accept(&mut self, line: u32, indicator: Indicator, sighting: Sighting) {
        if self.taken.saturating_add(self.parsed.rows.len()) >= MAX_ROWS {
            self.overflow = true;
            return;
        }
        let row = Row {
            line,
            indicator,
            sighting,
        };
        self.parsed.rows.push(row);
        self.give(BATCH);
    }

    /// Gives the rows away, if they are so many.
    fn give(&mut self, least: usize) {
        let rows = &mut self.parsed.rows;
        if let Some(taker) = self.taker.as_mut().filter(|_| rows.len() >= least) {
            taker(rows);
            self.taken = self.taken.saturating_add(rows.len());
            rows.clear();
        }
    }

    /// All rows so far: well-formed, ignored and rejected ones.
    fn total(&self) -> u64 {
        let taken = u64::try_from(self.taken).unwrap_or(u64::MAX);
        self.parsed.total().saturating_add(taken)
    }

    /// The body takes `indicator` back.
    pub(super) fn withdraw(&mut self, indicator: Indicator) {
        if self.parsed.withdrawn.len() >= MAX_ROWS {
            self.overflow = true;
            return;
        }
        self.parsed.withdrawn.push(indicator);
    }

    /// Nothing more is taken, and the body will be refused.
    pub(super) fn is_full(&self) -> bool {
        self.overflow
    }

    /// There is more than can be kept.
    pub(super) fn overflow(&mut self) {
        self.overflow = true;
    }

    pub(super) fn ignore(&mut self) {
        self.parsed.ignored = self.parsed.ignored.saturating_add(1);
    }

    pub(super) fn reject(&mut self, line: u32, text: &str, reason: impl Display) {
        self.parsed.rejected = self.parsed.rejected.saturating_add(1);
        if self.parsed.rejections.len() < MAX_REJECTIONS {
            let text = text.chars().take(MAX_TEXT).collect();
            let reason = reason.to_string();
            self.parsed
                .rejections
                .push(Rejection { line, text, reason });
        }
    }

    pub(super) fn note(&mut self, line: u32, note: Note) {
        let noted = &mut self.notes[note as usize];
        noted.count = noted.count.saturating_add(1);
        if noted.count == 1 {
            noted.first = line;
        }
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        if self.parsed.warnings.len() < MAX_WARNINGS {
            self.parsed.warnings.push(text.into());
        }
    }

    /// Compares the number that the feed states with the rows seen so far. A later footer cannot
    /// make good what an earlier one showed.
    pub(super) fn confirm(&mut self, stated: u64) {
        self.check_end();
        let seen = self.total();
        self.counted = Some(seen);
        if stated != seen {
            self.parsed.complete = Some(false);
            self.warn(format!(
                "the feed states {stated} entries but {seen} were found: it is truncated or damaged"
            ));
        }
        self.parsed.complete.get_or_insert(true);
    }

    /// Rows behind the footer belong to no count.
    fn check_end(&mut self) {
        let seen = self.total();
        if let Some(counted) = self.counted.filter(|counted| *counted != seen) {
            self.parsed.complete = Some(false);
            let behind = seen.saturating_sub(counted);
            self.warn(format!(
                "{behind} entries stand behind the footer that ends the feed: it is damaged"
            ));
        }
    }

    pub(super) fn confirm_whole(&mut self) {
        self.authoritative = true;
    }

    /// A time that cannot be read does not make the address less of a C2: it is noted and left out.
    pub(super) fn time(&mut self, line: u32, text: &str) -> Option<Seen> {
        let time = text.parse().ok();
        if time.is_none() {
            self.note(line, Note::BadTime);
        }
        time
    }

    /// What a body without entries should have held, for the message.
    pub(super) fn expect(&mut self, expected: &'static str) {
        self.expected = expected;
    }

    /// One shared copy of a family name; `None` when the feed leaves it out.
    pub(super) fn family(&mut self, name: &str) -> Option<Arc<str>> {
        let name = name.trim();
        if name.is_empty() || name.eq_ignore_ascii_case("none") {
            return None;
        }
        if self.last_family.as_deref() != Some(name) {
            self.last_family = Some(self.intern(name));
        }
        self.last_family.clone()
    }

    fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.families.get(name) {
            return Arc::clone(known);
        }
        let fresh: Arc<str> = name.chars().take(MAX_TEXT).collect::<String>().into();
        if self.families.len() < MAX_FAMILIES {
            self.families.insert(Arc::clone(&fresh));
        }
        fresh
    }

    pub(super) fn finish(mut self) -> Result<Parsed, NotAFeed> {
        if self.overflow {
            return Err(NotAFeed::TooMany { most: MAX_ROWS });
        }
        self.check_end();
        let total = self.total();
        let confirmed = self.authoritative || self.parsed.complete == Some(true);
        if total == 0 && !confirmed {
            let format = self.parsed.format;
            return Err(NotAFeed::NoEntries {
                format,
                expected: self.expected.into(),
            });
        }
        self.tell_notes();
        self.give(1);
        self.parsed.in_order();
        if self.parsed.rejected > total / 2 {
            return Err(NotAFeed::MostlyMalformed(Box::new(self.parsed)));
        }
        Ok(self.parsed)
    }

    fn tell_notes(&mut self) {
        for note in Note::ALL {
            let Noted { count, first } = self.notes[note as usize];
            if count > 0 {
                self.warn(format!("{count} {} (first in line {first})", note.text()));
            }
        }
        if self.total() == 0 {
            self.warn("the feed is whole but holds no entries");
        } else if self.taken == 0 && self.parsed.rows.is_empty() && self.parsed.rejected == 0 {
            self.warn("the feed names no address at all: nothing in it can be blocked here");
        }
        let listed = self.parsed.rejections.len();
        if u64::try_from(listed).is_ok_and(|listed| listed < self.parsed.rejected) {
            self.warn(format!("only the first {listed} rejected rows are listed"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_rejections_are_counted_but_not_all_kept() {
        let mut out = Collector::new(Format::Plain, "", None);
        for line in 0..60_000 {
            out.reject(line, &"x".repeat(500), "bad");
        }
        let Err(NotAFeed::MostlyMalformed(parsed)) = out.finish() else {
            panic!("all rows were malformed");
        };
        assert_eq!(parsed.rejected, 60_000);
        assert_eq!(parsed.rejections.len(), MAX_REJECTIONS);
        assert_eq!(parsed.rejections[0].text.len(), MAX_TEXT);
        assert!(
            parsed
                .warnings
                .iter()
                .any(|text| text.contains("only the first 50000"))
        );
    }

    #[test]
    fn half_malformed_is_still_a_feed() {
        let mut out = Collector::new(Format::Plain, "", None);
        out.reject(1, "x", "bad");
        out.ignore();
        assert_eq!(out.finish().unwrap().total(), 2);
    }

    #[test]
    fn families_are_shared() {
        let mut out = Collector::new(Format::FeodoCsv, "", None);
        let (first, other, again) = (
            out.family("Emotet"),
            out.family(" Dridex"),
            out.family("Emotet"),
        );
        assert!(Arc::ptr_eq(&first.unwrap(), &again.unwrap()));
        assert_eq!(other.as_deref(), Some("Dridex"));
        assert_eq!(out.family("None"), None);
    }
}
