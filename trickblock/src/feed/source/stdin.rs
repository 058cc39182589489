//! A feed that another program writes to standard input: lines count as they come, and what is not made
//! of lines counts at its end.

use std::{
    io::{self, Read},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{Body, Part, Reason, SourceError};
use crate::feed::limits::{Caps, GZIP_MAGIC, LimitError, read_capped};

/// What `path` and `--feed` call it.
pub const NAME: &str = "-";
const SHOWN: &str = "standard input";
/// A writer that says nothing for this long has said what it has to say for now.
const QUIET: Duration = Duration::from_secs(1);
/// A fetch waits this long for the first byte.
const PATIENCE: Duration = Duration::from_secs(5);
const CHUNK: usize = 64 << 10;

/// What came is gone for who asks again, so it outlives the configuration that the daemon reads anew.
static INPUT: OnceLock<Arc<Shared>> = OnceLock::new();

/// Standard input, read by a thread of its own from the first moment that this is made. What came stays after
/// its end.
#[derive(Debug)]
pub struct StdinSource {
    shared: Arc<Shared>,
    caps: Caps,
    stopped: AtomicBool,
}

/// Tells one state of the input from another: the bytes that count so far, and whether there will be more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    bytes: usize,
    ended: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    raw: Vec<u8>,
    /// When the last byte came.
    last: Instant,
    end: Option<End>,
    /// Somebody had of it, so what comes now is an addition.
    given: bool,
}

#[derive(Debug)]
enum End {
    Closed,
    TooLong,
    Broken(io::Error),
}

impl StdinSource {
    /// Begins to read this process's standard input, unless that is being done.
    pub fn of_process() -> Self {
        let caps = Caps::default();
        let shared = INPUT.get_or_init(|| Shared::reading(io::stdin(), caps.decoded));
        Self::of(Arc::clone(shared), caps)
    }

    fn of(shared: Arc<Shared>, caps: Caps) -> Self {
        let stopped = AtomicBool::new(false);
        Self {
            shared,
            caps,
            stopped,
        }
    }

    /// `None` while nothing of the input counts.
    pub fn stamp(&self) -> Option<Stamp> {
        self.shared.lock().stamp()
    }

    /// What counts of the input so far. The first time it waits for a byte, and then until the writer pauses or
    /// ends, so that a list that is being piped in is not taken for a short one; later lines count at once.
    pub fn read(&self) -> Result<Body, SourceError> {
        self.read_located()
            .map_err(|reason| SourceError::new(SHOWN.to_owned(), reason))
    }

    /// Ends a read that another thread is in.
    pub fn stop(&self) {
        // Under the lock, or who is about to wait would not be woken.
        let _state = self.shared.lock();
        self.stopped.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
    }

    fn read_located(&self) -> Result<Body, Reason> {
        let mut state = self.shared.settled(self.caps.wall_clock, &self.stopped);
        let bytes = self.whole(&state)?;
        state.given = true;
        let part = Part {
            name: SHOWN.to_owned(),
            bytes,
        };
        Ok(Body::from(vec![part]))
    }

    fn whole(&self, state: &State) -> Result<Bytes, Reason> {
        match &state.end {
            _ if self.stopped.load(Ordering::Relaxed) => return Err(Reason::Stopped),
            Some(End::TooLong) => return Err(LimitError::Decoded(self.caps.decoded).into()),
            Some(End::Broken(error)) => return Err(Reason::Broken(error.to_string())),
            Some(End::Closed) if state.raw.is_empty() => return Err(Reason::NoInput("it ended")),
            None if state.raw.is_empty() => return Err(Reason::NoInput("nothing has come")),
            None if state.counts() == 0 => return Err(Reason::Unfinished),
            _ => {}
        }
        let counting = state.raw.get(..state.counts()).unwrap_or_default();
        Ok(read_capped(counting, &self.caps, false)?)
    }
}

impl Shared {
    fn reading(input: impl Read + Send + 'static, cap: usize) -> Arc<Self> {
        let state = State {
            raw: Vec::new(),
            last: Instant::now(),
            end: None,
            given: false,
        };
        let shared = Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        // Nothing interrupts a read of a pipe: the thread ends with its input, or with the process.
        thread::spawn(move || theirs.collect(input, cap));
        shared
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after each statement, so a panic elsewhere leaves nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(&self, mut input: impl Read, cap: usize) {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = input.read(&mut chunk);
            let mut state = self.lock();
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => state.end = Some(End::Broken(error)),
                Ok(0) => state.end = Some(End::Closed),
                Ok(count) => state.take(chunk.get(..count).unwrap_or_default(), cap),
            }
            self.changed.notify_all();
            if state.end.is_some() {
                return;
            }
        }
    }

    /// The state once the writer has paused, or ended, or the time is over, or nobody wants it any more.
    fn settled(&self, most: Duration, stopped: &AtomicBool) -> MutexGuard<'_, State> {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            let left = match state.raw.is_empty() {
                true => PATIENCE.saturating_sub(begun.elapsed()),
                false if state.given => Duration::ZERO,
                false => QUIET
                    .saturating_sub(state.last.elapsed())
                    .min(most.saturating_sub(begun.elapsed())),
            };
            if state.end.is_some() || stopped.load(Ordering::Relaxed) || left.is_zero() {
                return state;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl State {
    fn take(&mut self, fresh: &[u8], cap: usize) {
        self.last = Instant::now();
        if self.raw.len().saturating_add(fresh.len()) > cap {
            self.end = Some(End::TooLong);
            return;
        }
        self.raw.extend_from_slice(fresh);
    }

    fn stamp(&self) -> Option<Stamp> {
        let ended = self.end.is_some();
        let bytes = self.counts();
        (bytes > 0).then_some(Stamp { bytes, ended })
    }

    /// Bytes that count: whole lines, and all of it at the end.
    fn counts(&self) -> usize {
        if self.end.is_some() {
            return self.raw.len();
        }
        if !self.is_made_of_lines() {
            return 0;
        }
        let newline = self.raw.iter().rposition(|byte| *byte == b'\n');
        newline.map_or(0, |at| at.saturating_add(1))
    }

    /// Half of a JSON document, of XML or of a gzip stream is none.
    fn is_made_of_lines(&self) -> bool {
        let first = self.raw.trim_ascii_start().first();
        !self.raw.starts_with(&GZIP_MAGIC) && !matches!(first, Some(b'{' | b'[' | b'<'))
    }
}

#[cfg(test)]
mod tests;
