//! The reader that is searched: the product's, or one with a bug planted in it.

use std::{cell::Cell, fmt, hint::black_box, io, io::Read, str::FromStr, thread, time::Duration};

use anyhow::bail;
use trickblock::feed::{
    self, Format, NotAFeed, Options, Parsed,
    limits::{Caps, read_capped},
};

/// Bugs planted on purpose: a search that finds none of them would find nothing. Each breaks another promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Cuts a message inside of a character.
    Panic,
    /// Never comes back from a line with two colons side by side at its end.
    Hang,
    /// Asks for room for the rest of the body at each bracket.
    Memory,
    /// Says something else when it is asked again.
    Memoir,
    /// Loses the ports of servers with IPv6 addresses.
    Widen,
    /// Leaves host bits in a prefix.
    HostBits,
    /// Detects text forms as plain lists.
    Detect,
    /// Does not say how it knew.
    Silent,
    /// Loses the last byte of a body that comes in more than 50 pieces.
    Pieces,
    /// Puts an entry into a line that is not there.
    Line,
}

impl Plant {
    pub const ALL: [(&'static str, Self); 10] = [
        ("panic", Self::Panic),
        ("hang", Self::Hang),
        ("memory", Self::Memory),
        ("memoir", Self::Memoir),
        ("widen", Self::Widen),
        ("host-bits", Self::HostBits),
        ("detect", Self::Detect),
        ("silent", Self::Silent),
        ("pieces", Self::Pieces),
        ("line", Self::Line),
    ];
}

impl fmt::Display for Plant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.iter().find(|(_, plant)| plant == self);
        formatter.write_str(known.map_or("", |(name, _)| name))
    }
}

impl FromStr for Plant {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let names = Self::ALL.map(|(name, _)| name).join(", ");
        match Self::ALL.iter().find(|(name, _)| *name == text) {
            Some((_, plant)) => Ok(*plant),
            None => bail!("`{text}`: a planted bug is one of {names}"),
        }
    }
}

/// How bodies are had and read.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub plant: Option<Plant>,
}

impl Subject {
    /// Reads a body, as [`feed::parse`] does.
    pub fn parse(self, body: &[u8], format: Option<Format>) -> Result<Parsed, NotAFeed> {
        let format = match self.plant {
            Some(Plant::Detect) if format.is_none() => lazily_detected(body),
            _ => format,
        };
        let mut parsed = feed::parse(body, Options::from(format))?;
        if let Some(plant) = self.plant {
            spoil(plant, body, &mut parsed);
        }
        Ok(parsed)
    }

    /// Reads all of a stream, as [`read_capped`] does.
    pub fn read(self, stream: impl Read) -> Result<Vec<u8>, String> {
        let calls = Cell::new(0_usize);
        let counted = Counted {
            inner: stream,
            calls: &calls,
        };
        let read = read_capped(counted, &Caps::default(), false);
        let mut bytes = read.map_err(|error| error.to_string())?.to_vec();
        if self.plant == Some(Plant::Pieces) && calls.get() > 50 {
            bytes.pop();
        }
        Ok(bytes)
    }
}

fn lazily_detected(body: &[u8]) -> Option<Format> {
    let is_text = !matches!(body.first(), Some(b'{' | b'[' | b'<'));
    is_text.then_some(Format::Plain)
}

fn spoil(plant: Plant, body: &[u8], parsed: &mut Parsed) {
    match plant {
        Plant::Panic => {
            for rejection in &parsed.rejections {
                drop(rejection.text[..rejection.text.len().min(20)].to_owned());
            }
        }
        Plant::Hang if body.windows(3).any(|three| three == b"::\n") => {
            thread::sleep(Duration::from_secs(1_000));
        }
        Plant::Memory => {
            let brackets = body.iter().enumerate().filter(|(_, byte)| **byte == b'(');
            brackets.for_each(|(at, _)| drop(black_box(Vec::<u8>::with_capacity(body.len() - at))));
        }
        Plant::Memoir => {
            thread_local! {
                static ASKED: Cell<u64> = const { Cell::new(0) };
            }
            let asked = ASKED.replace(ASKED.get() + 1);
            parsed.ignored += u64::from(asked % 50 == 49);
        }
        Plant::Widen => {
            let ports = parsed.rows.iter_mut().map(|row| &mut row.indicator);
            ports
                .filter(|found| found.prefix.addr().is_ipv6())
                .for_each(|found| {
                    found.port = None;
                    found.protocol = None;
                });
        }
        Plant::HostBits => {
            for row in &mut parsed.rows {
                let (address, length) = (
                    row.indicator.prefix.addr(),
                    row.indicator.prefix.prefix_len(),
                );
                let shorter = ipnet::IpNet::new(address, length.min(31)).expect("a length");
                row.indicator.prefix = shorter;
            }
        }
        Plant::Silent => parsed.known_by = "".into(),
        Plant::Line => parsed
            .rows
            .iter_mut()
            .filter(|row| row.line > 9)
            .for_each(|row| row.line *= 2),
        Plant::Hang | Plant::Detect | Plant::Pieces => {}
    }
}

struct Counted<'a, R> {
    inner: R,
    calls: &'a Cell<usize>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls.set(self.calls.get() + 1);
        self.inner.read(buffer)
    }
}
