//! When to try again.

use std::time::Duration;

/// The first attempt after a failure comes this soon, or after the interval if that is shorter.
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// Attempts never get rarer than this, or than the interval if that is longer.
const RAREST_RETRY: Duration = Duration::from_secs(60);

/// The pause after `failures` failures in a row (0: after a success).
pub(super) fn pause(interval: Duration, failures: u32, retry_after: Option<Duration>) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return interval;
    };
    let factor = 1_u32.checked_shl(doublings.min(16)).unwrap_or(u32::MAX);
    let backoff = interval
        .min(FIRST_RETRY)
        .saturating_mul(factor)
        .min(interval.max(RAREST_RETRY));
    backoff.max(retry_after.unwrap_or_default())
}

/// `pause` ±10 %, so that a thousand routers that started together drift apart.
fn jittered(pause: Duration) -> Duration {
    // Without randomness there is no jitter, which is bad manners and no more.
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    spread(pause, random)
}

/// What a server asked for is not cut short.
pub(super) fn jittered_above(pause: Duration, least: Duration) -> Duration {
    jittered(pause).max(least)
}

fn spread(pause: Duration, random: u32) -> Duration {
    let permille = 900_u32.saturating_add(random % 201);
    pause.saturating_mul(permille) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn backoff_doubles_up_to_the_interval() {
        let pauses: Vec<_> = (0..8)
            .map(|failures| pause(seconds(300), failures, None).as_secs())
            .collect();
        assert_eq!(pauses, [300, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn short_intervals_back_off_to_a_minute() {
        let pauses: Vec<_> = (0..10)
            .map(|failures| pause(Duration::from_millis(500), failures, None).as_millis())
            .collect();
        assert_eq!(
            pauses,
            [
                500, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000
            ]
        );
        assert_eq!(pause(seconds(1), u32::MAX, None), seconds(60));
    }

    #[test]
    fn servers_may_ask_for_more_patience_but_not_for_less() {
        assert_eq!(pause(seconds(300), 1, Some(seconds(3_600))), seconds(3_600));
        assert_eq!(pause(seconds(300), 3, Some(seconds(0))), seconds(40));
        assert!(jittered_above(seconds(100), seconds(100)) >= seconds(100));
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_reaches_both_ends() {
        assert_eq!(spread(seconds(1_000), 0), seconds(900));
        assert_eq!(spread(seconds(1_000), 100), seconds(1_000));
        assert_eq!(spread(seconds(1_000), 200), seconds(1_100));
        assert_eq!(spread(seconds(1_000), 201), seconds(900));
        assert!(spread(seconds(7 * 86_400), u32::MAX) <= seconds(8 * 86_400));
    }
}
