//! Lines of bounded length from a socket.

use tokio::io::{self, AsyncBufReadExt as _, AsyncRead, BufReader};

/// A line this many times the cap is not discarded any more, the connection is.
const PATIENCE: usize = 16;

/// What came next.
pub(in crate::daemon) enum Line {
    /// Without its newline, blank lines left out.
    Request(Vec<u8>),
    /// It was discarded up to its end; the next one can be read.
    TooLong,
    End,
}

/// Safe to drop at any `await`: what was read stays in `self`.
pub(in crate::daemon) struct Lines<R> {
    reader: BufReader<R>,
    cap: usize,
    line: Vec<u8>,
    discarded: usize,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(in crate::daemon) fn new(reader: R, cap: usize) -> Self {
        Self {
            reader: BufReader::new(reader),
            cap,
            line: Vec::new(),
            discarded: 0,
        }
    }

    pub(in crate::daemon) async fn next(&mut self) -> io::Result<Line> {
        loop {
            let buffer = self.reader.fill_buf().await?;
            if buffer.is_empty() {
                return Ok(self.last());
            }
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let end = newline.unwrap_or(buffer.len());
            let room = self.cap.saturating_sub(self.line.len());
            self.line
                .extend_from_slice(buffer.get(..end.min(room)).unwrap_or_default());
            self.discarded = self.discarded.saturating_add(end.saturating_sub(room));
            let consumed = end.saturating_add(usize::from(newline.is_some()));
            self.reader.consume(consumed);
            if self.discarded > self.cap.saturating_mul(PATIENCE) {
                return Ok(Line::End);
            }
            if newline.is_some()
                && let Some(line) = self.finish()
            {
                return Ok(line);
            }
        }
    }

    fn finish(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.discarded) > 0 {
            return Some(Line::TooLong);
        }
        (!line.trim_ascii().is_empty()).then_some(Line::Request(line))
    }

    /// A request counts without its newline too, if the caller has closed its side.
    fn last(&mut self) -> Line {
        self.finish().unwrap_or(Line::End)
    }
}
