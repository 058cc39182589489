//! When a feed saw something.

use std::{fmt, num::NonZeroU32, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Seconds since 1970 in UTC, up to the year 2106. `Option<Seen>` takes four bytes where
/// `Option<Timestamp>` takes 24, and every row of a feed carries two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seen(NonZeroU32);

/// The text is not a date or time, or lies before 1970 or after 2106.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: use `2021-01-17 07:30:05` or `2021-01-17T07:30:05Z`, from 1970 to 2106")]
pub struct NotATime;

impl Seen {
    /// `None` when the seconds are negative, zero, or beyond the year 2106.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        NonZeroU32::new(u32::try_from(seconds).ok()?).map(Self)
    }

    /// Now; the first second of 1970 has passed on any clock that is set.
    pub fn now() -> Self {
        Self::from_unix(Timestamp::now().as_second()).unwrap_or(Self(NonZeroU32::MIN))
    }

    /// `span` later, at most the end of 2106.
    pub fn later(self, span: std::time::Duration) -> Self {
        let seconds = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(seconds))
    }

    pub fn unix(self) -> i64 {
        i64::from(self.0.get())
    }

    pub fn timestamp(self) -> Timestamp {
        // Every u32 is inside jiff's range, so the epoch is never really returned.
        Timestamp::from_second(self.unix()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl FromStr for Seen {
    type Err = NotATime;

    /// Reads RFC 3339, and dates with or without a time, which feeds mean as UTC.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = match text.parse::<Timestamp>() {
            Ok(moment) => moment,
            Err(_) => in_utc(text.trim_end_matches(" UTC"))?,
        };
        Self::from_unix(moment.as_second()).ok_or(NotATime)
    }
}

fn in_utc(text: &str) -> Result<Timestamp, NotATime> {
    let civil = text.parse::<DateTime>().map_err(|_| NotATime)?;
    TimeZone::UTC.to_timestamp(civil).map_err(|_| NotATime)
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

impl Serialize for Seen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_write_times_in_several_ways() {
        for (text, written) in [
            ("2021-01-17 07:30:05", "2021-01-17T07:30:05Z"),
            ("2021-01-17 07:30:05 UTC", "2021-01-17T07:30:05Z"),
            ("2021-01-17T07:30:05Z", "2021-01-17T07:30:05Z"),
            ("2021-01-17T08:30:05+01:00", "2021-01-17T07:30:05Z"),
            ("2021-03-19", "2021-03-19T00:00:00Z"),
        ] {
            assert_eq!(text.parse::<Seen>().unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "None",
            "yesterday",
            "2021-13-01",
            "1969-12-31",
            "9999-01-01",
        ] {
            assert_eq!(text.parse::<Seen>(), Err(NotATime), "{text}");
        }
    }
}
