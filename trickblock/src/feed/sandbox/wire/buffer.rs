//! Bytes of a stream, a few at a time: a million rows are ten million of these.

use std::io::{self, ErrorKind, Read};

const SIZE: usize = 64 << 10;

/// A stream, read in large pieces.
pub(super) struct Buffered<R> {
    input: R,
    buffer: Vec<u8>,
    /// What is not taken yet.
    at: usize,
    end: usize,
}

impl<R: Read> Buffered<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; SIZE],
            at: 0,
            end: 0,
        }
    }

    /// The next `N` bytes.
    #[inline]
    pub(super) fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let there = self.buffer.get(self.at..self.end);
        if let Some(bytes) = there.and_then(<[u8]>::first_chunk) {
            self.at = self.at.saturating_add(N);
            return Ok(*bytes);
        }
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// The next `length` bytes.
    pub(super) fn sized(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    #[cold]
    fn fill(&mut self, mut wanted: &mut [u8]) -> io::Result<()> {
        while !wanted.is_empty() {
            let there = self.buffer.get(self.at..self.end).unwrap_or_default();
            let count = there.len().min(wanted.len());
            let (now, later) = wanted.split_at_mut(count);
            now.copy_from_slice(there.get(..count).unwrap_or_default());
            self.at = self.at.saturating_add(count);
            wanted = later;
            if count == 0 {
                self.refill()?;
            }
        }
        Ok(())
    }

    fn refill(&mut self) -> io::Result<()> {
        loop {
            match self.input.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    (self.at, self.end) = (0, count);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
