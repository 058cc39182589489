//! Bounds on what a feed may send. Feeds are hostile input: nothing here trusts a length
//! that was announced, only bytes that were counted.

mod line;
mod rate;

use std::{
    cell::Cell,
    io::{self, BufReader, Read},
    time::{Duration, Instant},
};

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;

pub use self::rate::{Floor, TooSlow};
use self::{line::Lines, rate::Meter};

/// The bounds of one body. A directory counts as one body.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Bytes of a gzip stream.
    pub compressed: usize,
    /// Bytes after decoding; also the bound of a body that is not compressed.
    pub decoded: usize,
    /// Decoded bytes per compressed byte, judged once `ratio_floor` decoded bytes exist:
    /// small repetitive lists honestly compress better than any bomb threshold.
    pub ratio: usize,
    /// Decoded bytes below which `ratio` is not judged.
    pub ratio_floor: usize,
    /// Bytes of one line. Not applied to JSON, XML and HTML, which may be one single line.
    pub line: usize,
    /// Time that reading may take.
    pub wall_clock: Duration,
    /// The rate below which a sender is given up; `None` for what is no network.
    pub floor: Option<Floor>,
}

impl Default for Caps {
    fn default() -> Self {
        Self {
            compressed: 16 << 20,
            decoded: 64 << 20,
            ratio: 100,
            ratio_floor: 1 << 20,
            line: 4 << 10,
            wall_clock: Duration::from_secs(60),
            floor: None,
        }
    }
}

/// Why a body was given up. Everything read of it so far is dropped.
#[derive(Debug, thiserror::Error)]
pub enum LimitError {
    #[error(
        "its compressed body is larger than {0} bytes: no list of indicators is that large, check what it serves"
    )]
    Compressed(usize),
    #[error(
        "its body is larger than {0} bytes: no list of indicators is that large, check what it serves"
    )]
    Decoded(usize),
    #[error(
        "its body expands more than {0} times: this looks like a compression bomb, check what it serves"
    )]
    Ratio(usize),
    #[error(
        "line {number} is longer than {cap} bytes: this is not a list of indicators, check what it serves"
    )]
    Line { number: usize, cap: usize },
    #[error("reading it took longer than {0:?}: try again, or raise `timeout`")]
    WallClock(Duration),
    #[error(transparent)]
    TooSlow(#[from] TooSlow),
    #[error("its gzip stream is damaged or cut short ({0}): fetch it again")]
    Gzip(io::Error),
    #[error(transparent)]
    Read(io::Error),
}

/// Reads all of `reader`, decoding gzip when the first two bytes say so (or `gzip` does,
/// as `Content-Encoding` may: a stream so announced that is not gzip is an error).
///
/// Memory stays below the decoded cap plus small buffers, whatever the input.
pub fn read_capped(reader: impl Read, caps: &Caps, gzip: bool) -> Result<Bytes, LimitError> {
    let deadline = Instant::now().checked_add(caps.wall_clock);
    let wire = Cell::new(0);
    let mut counted = Counted {
        inner: reader,
        count: &wire,
        deadline,
        meter: Meter::new(caps.floor),
    };
    let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
    let wanted = u64::try_from(GZIP_MAGIC.len()).unwrap_or(u64::MAX);
    Read::by_ref(&mut counted)
        .take(wanted)
        .read_to_end(&mut magic)
        .map_err(|error| read_error(error, caps))?;
    let encoded = gzip || magic == GZIP_MAGIC;
    let stream = magic.as_slice().chain(counted);
    let body = Body {
        caps,
        wire: &wire,
        encoded,
    };
    if encoded {
        body.read(MultiGzDecoder::new(BufReader::new(stream)))
    } else {
        body.read(stream)
    }
}

/// What is left of `caps` for the next part of a set of which `used` decoded bytes were read.
pub fn remaining(caps: &Caps, used: usize) -> Caps {
    Caps {
        decoded: caps.decoded.saturating_sub(used),
        ..*caps
    }
}

/// How a gzip stream begins (RFC 1952).
pub const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const CHUNK: usize = 64 << 10;

struct Body<'a> {
    caps: &'a Caps,
    wire: &'a Cell<usize>,
    encoded: bool,
}

impl Body<'_> {
    fn read(&self, mut stream: impl Read) -> Result<Bytes, LimitError> {
        let mut chunk = vec![0; CHUNK];
        let mut body = Vec::new();
        let mut lines = Lines::new(self.caps.line);
        loop {
            let count = match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.error(error)),
            };
            let fresh = chunk.get(..count).unwrap_or_default();
            self.admit(body.len().saturating_add(fresh.len()))?;
            lines.scan(fresh)?;
            body.extend_from_slice(fresh);
        }
        body.shrink_to_fit();
        Ok(Bytes::from(body))
    }

    fn admit(&self, decoded: usize) -> Result<(), LimitError> {
        let Caps {
            compressed,
            decoded: cap,
            ratio,
            ratio_floor,
            ..
        } = *self.caps;
        let wire = self.wire.get();
        if self.encoded && wire > compressed {
            return Err(LimitError::Compressed(compressed));
        }
        if decoded > cap {
            return Err(LimitError::Decoded(cap));
        }
        if self.encoded && decoded > ratio_floor && decoded > wire.saturating_mul(ratio) {
            return Err(LimitError::Ratio(ratio));
        }
        Ok(())
    }

    /// The decoder reports damage with its own kinds; what the transport said keeps its kind.
    fn error(&self, error: io::Error) -> LimitError {
        let damage = matches!(
            error.kind(),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        );
        if self.encoded && damage && !is_expired(&error) {
            LimitError::Gzip(error)
        } else {
            read_error(error, self.caps)
        }
    }
}

fn read_error(error: io::Error, caps: &Caps) -> LimitError {
    let slow = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(slow) = slow {
        LimitError::TooSlow(TooSlow::clone(slow))
    } else if is_expired(&error) {
        LimitError::WallClock(caps.wall_clock)
    } else {
        LimitError::Read(error)
    }
}

/// Counts wire bytes, and ends a read that outlives its deadline or brings too little.
struct Counted<'a, R> {
    inner: R,
    count: &'a Cell<usize>,
    deadline: Option<Instant>,
    meter: Meter,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline)
        {
            return Err(io::Error::new(io::ErrorKind::TimedOut, Expired));
        }
        let asked = Instant::now();
        let count = self.inner.read(buffer)?;
        self.count.set(self.count.get().saturating_add(count));
        self.meter
            .note(count, asked.elapsed())
            .map_err(|slow| io::Error::new(io::ErrorKind::TimedOut, slow))?;
        Ok(count)
    }
}

/// Marks a timeout as ours, not the transport's.
#[derive(Debug, thiserror::Error)]
#[error("wall clock")]
struct Expired;

fn is_expired(error: &io::Error) -> bool {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Expired>())
        .is_some()
}

#[cfg(test)]
mod tests;
