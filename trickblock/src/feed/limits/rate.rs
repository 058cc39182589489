//! The rate below which a sender is given up. A byte every few seconds keeps a connection, and the one who waits
//! for it, busy until the whole timeout has passed.

use std::time::Duration;

/// What has to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Bytes a second, as they are sent.
    pub rate: u32,
    /// The rate is that of each such span; what comes within the first is never too slow.
    pub window: Duration,
}

/// Less came than has to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "its body came at {seen} bytes a second over {window:?}, and {floor} is the least: look at the server and the way to it, or lower `min_rate`"
)]
pub struct TooSlow {
    /// Bytes a second.
    pub seen: u64,
    /// Bytes a second.
    pub floor: u32,
    pub window: Duration,
}

/// Measures one span after another. Only waiting counts: what is done with the bytes is not the sender's fault.
pub(super) struct Meter {
    floor: Option<Floor>,
    waited: Duration,
    came: usize,
}

impl Meter {
    pub(super) fn new(floor: Option<Floor>) -> Self {
        Self {
            floor,
            waited: Duration::ZERO,
            came: 0,
        }
    }

    /// `count` bytes came after `waited`; none are the end of the body, which is never too late.
    pub(super) fn note(&mut self, count: usize, waited: Duration) -> Result<(), TooSlow> {
        self.waited = self.waited.saturating_add(waited);
        self.came = self.came.saturating_add(count);
        let Some(Floor { rate, window }) = self.floor else {
            return Ok(());
        };
        if count == 0 || self.waited < window {
            return Ok(());
        }
        let seen = per_second(self.came, self.waited);
        if seen < u64::from(rate) {
            return Err(TooSlow {
                seen,
                floor: rate,
                window,
            });
        }
        *self = Self::new(self.floor);
        Ok(())
    }
}

fn per_second(bytes: usize, span: Duration) -> u64 {
    let bytes = u128::try_from(bytes).unwrap_or(u128::MAX);
    let rate = bytes.saturating_mul(1_000) / span.as_millis().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn meter(rate: u32) -> Meter {
        Meter::new(Some(Floor {
            rate,
            window: 10 * SECOND,
        }))
    }

    #[test]
    fn a_dribble_is_given_up_after_one_window() {
        let mut meter = meter(1_000);
        for _ in 0..9 {
            assert_eq!(meter.note(1, SECOND), Ok(()));
        }
        let slow = meter.note(1, SECOND).unwrap_err();
        assert_eq!((slow.seen, slow.floor), (1, 1_000));
        let text = slow.to_string();
        assert!(
            text.contains("at 1 bytes a second over 10s, and 1000 is the least"),
            "{text}"
        );
    }

    #[test]
    fn what_comes_fast_enough_or_soon_enough_is_not() {
        let mut steady = meter(1_000);
        for _ in 0..100 {
            assert_eq!(steady.note(1_000, SECOND), Ok(()));
        }
        let mut small = meter(1_000);
        assert_eq!(small.note(20, 9 * SECOND), Ok(()));
        assert_eq!(small.note(0, 9 * SECOND), Ok(()));
        let mut off = Meter::new(None);
        assert_eq!(off.note(1, 100 * SECOND), Ok(()));
    }

    /// A fast beginning does not pay for a dribble behind it.
    #[test]
    fn each_window_is_judged_by_itself() {
        let mut meter = meter(1_000);
        assert_eq!(meter.note(1 << 20, 10 * SECOND), Ok(()));
        let slow = meter.note(1, 10 * SECOND);
        assert_eq!(slow.map_err(|slow| slow.seen), Err(0));
    }
}
