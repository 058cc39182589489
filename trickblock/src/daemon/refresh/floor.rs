//! How soon a server may be asked again, whoever wants to know.

use std::time::Duration;

use jiff::Timestamp;
use tokio::{task::spawn_blocking, time::Instant};

use super::Job;
use crate::feed::{cache::Cache, source::Location};

/// The floor of one feed's interval.
#[derive(Debug)]
pub(super) struct Floor {
    name: String,
    origin: String,
    least: Duration,
    cache: Cache,
    not_before: Option<Instant>,
}

impl Floor {
    /// Of a server that was not asked yet, as far as this process knows. What is watched has none.
    pub(super) fn new(job: &Job, cache: &Cache) -> Self {
        let fetched = matches!(job.location, Location::Http(_));
        Self {
            name: job.name.clone(),
            origin: job.location.identity(),
            least: job.min_interval.saturating_mul(u32::from(fetched)),
            cache: cache.clone(),
            not_before: None,
        }
    }

    /// Learns when an earlier process asked.
    pub(super) async fn restore(&mut self) {
        if self.least.is_zero() {
            return;
        }
        let (cache, name, origin) = self.place();
        let asked = spawn_blocking(move || cache.asked(&name, &origin)).await;
        let Some(asked) = asked.ok().flatten() else {
            return;
        };
        let left = left(self.least, asked, Timestamp::now());
        self.not_before = Instant::now().checked_add(left);
    }

    /// How long the server is to be left alone; `None` where it may be asked.
    pub(super) fn left(&self) -> Option<Duration> {
        let left = self.not_before?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// The server is asked now. A note that cannot be written holds for this process all the same.
    pub(super) async fn ask(&mut self) {
        if self.least.is_zero() {
            return;
        }
        self.not_before = Instant::now().checked_add(self.least);
        let (cache, name, origin) = self.place();
        let note = move || cache.note_asked(&name, &origin, Timestamp::now());
        if let Ok(Err(error)) = spawn_blocking(note).await {
            tracing::warn!("a restart may ask too soon: {error}");
        }
    }

    /// The server never heard of the last attempt, so it may be made again.
    pub(super) async fn not_reached(&mut self) {
        if self.least.is_zero() {
            return;
        }
        self.not_before = None;
        let (cache, name, _) = self.place();
        let forgotten = spawn_blocking(move || cache.forget_asked(&name)).await;
        if let Ok(Err(error)) = forgotten {
            tracing::warn!("a restart may ask too late: {error}");
        }
    }

    fn place(&self) -> (Cache, String, String) {
        (self.cache.clone(), self.name.clone(), self.origin.clone())
    }
}

/// What is left of `least`. A clock that was set back makes it whole, never longer.
fn left(least: Duration, asked: Timestamp, now: Timestamp) -> Duration {
    let since = Duration::try_from(now.duration_since(asked)).unwrap_or_default();
    least.saturating_sub(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_ends_and_never_exceeds_the_floor() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let hour = Duration::from_secs(3_600);
        for (asked, now, expected) in [
            (1_000, 1_000, 3_600),
            (1_000, 1_600, 3_000),
            (1_000, 4_600, 0),
            (1_000, 1_000_000, 0),
            (1_000_000, 1_000, 3_600),
        ] {
            let left = left(hour, at(asked), at(now));
            assert_eq!(left.as_secs(), expected, "{asked} to {now}");
        }
    }
}
