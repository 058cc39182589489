//! The requests of one fetch, which share their bounds.

use std::time::{Duration, Instant};

use ureq::http::Uri;

use super::super::{
    HttpSource, Reason, SourceError,
    ask::{Answer, Ask},
    http::display_url,
};
use crate::feed::limits::{Caps, LimitError};

/// Of `timeout`, which bounds each request: many make one fetch.
const TIMES: u32 = 10;

/// What the requests of one fetch have left of its bounds.
pub(super) struct Requests<'a> {
    http: &'a HttpSource,
    /// Bytes that may still come.
    left: usize,
    /// One was made already.
    asked: bool,
    started: Instant,
    patience: Duration,
}

impl<'a> Requests<'a> {
    pub(super) fn new(http: &'a HttpSource) -> Self {
        Self {
            http,
            left: cap(),
            asked: false,
            started: Instant::now(),
            patience: http.spec().timeout.saturating_mul(TIMES),
        }
    }

    /// The operator's URL.
    pub(super) fn url(&self) -> &'a Uri {
        &self.http.spec().url
    }

    /// For the body that is made of the answers.
    pub(super) fn name(&self) -> String {
        display_url(self.url())
    }

    /// Bytes that are kept from earlier fetches count like those that come.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    pub(super) fn get(&mut self, url: Uri) -> Result<Answer, SourceError> {
        self.ask(Ask::get(url))
    }

    pub(super) fn ask(&mut self, mut ask: Ask<'_>) -> Result<Answer, SourceError> {
        if self.started.elapsed() > self.patience {
            return Err(self.error(Reason::Timeout("limit of ten times `timeout`")));
        }
        ask.cap = ask.cap.min(self.left);
        let before = std::mem::replace(&mut self.asked, true);
        let answer = self.http.ask(&ask).map_err(|error| SourceError {
            reached: error.reached || before,
            ..whole(error)
        })?;
        self.spend(answer.bytes.len());
        Ok(answer)
    }

    /// About the feed as a whole.
    pub(super) fn error(&self, reason: Reason) -> SourceError {
        SourceError::new(self.name(), reason)
    }
}

/// Bytes of all answers of one fetch, and of the snapshot that is made of them.
pub(super) fn cap() -> usize {
    Caps::default().decoded
}

/// The bound is that of all answers, whichever of them exceeds it.
fn whole(error: SourceError) -> SourceError {
    match error.reason {
        Reason::Limit(LimitError::Decoded(_)) => SourceError {
            reason: Reason::Limit(LimitError::Decoded(cap())),
            ..error
        },
        _ => error,
    }
}
