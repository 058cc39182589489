//! What each feed added to the others, day by day: a list that is given up seldom says so, it adds less and less.

use crate::feed::cache::{Cache, CacheError};

/// Beside the last good copy: a line `DAY INDICATORS` for each day, oldest first.
const FILE: &str = "worth";
/// Days that are kept.
const KEPT: usize = 30;
/// Days that have to be known before there is a usual.
const ENOUGH: usize = 7;
const DAY: i64 = 24 * 60 * 60;

/// Indicators that a feed named alone, on so many days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worth(Vec<(i64, u64)>);

impl Worth {
    /// What was kept; nothing where it cannot be read.
    pub fn load(cache: &Cache, feed: &str) -> Self {
        let text = cache.read_beside(feed, FILE).ok().flatten();
        let day = |line: &str| {
            let (day, unique) = line.split_once(' ')?;
            Some((day.parse().ok()?, unique.parse().ok()?))
        };
        let text = text.unwrap_or_default();
        Self(text.lines().filter_map(day).take(KEPT).collect())
    }

    /// Whether the day of `now` (Unix seconds) is there.
    pub fn has(&self, now: i64) -> bool {
        self.0.iter().any(|(day, _)| *day == now / DAY)
    }

    /// Adds the day of `now`, unless it is there.
    pub fn add(&mut self, now: i64, unique: u64) {
        if self.has(now) {
            return;
        }
        self.0.push((now / DAY, unique));
        let superfluous = self.0.len().saturating_sub(KEPT);
        self.0.drain(..superfluous);
    }

    /// # Errors
    /// If it cannot be written.
    pub fn keep(&self, cache: &Cache, feed: &str) -> Result<(), CacheError> {
        cache.write_beside(feed, FILE, |to| {
            let mut days = self.0.iter();
            days.try_for_each(|(day, unique)| writeln!(to, "{day} {unique}"))
        })
    }

    /// The median of the days that are known, if these are enough.
    pub fn usual(&self) -> Option<u64> {
        if self.0.len() < ENOUGH {
            return None;
        }
        let mut counts: Vec<u64> = self.0.iter().map(|(_, unique)| *unique).collect();
        counts.sort_unstable();
        counts.get(counts.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_is_the_median_of_a_month_and_survives_a_restart() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = Cache::new(state.path());
        let mut worth = Worth::load(&cache, "one");
        for day in 0..6 {
            worth.add(day * DAY, 100);
        }
        assert_eq!(worth.usual(), None, "six days are few");
        worth.add(6 * DAY, 0);
        worth.add(6 * DAY + 5, 7_000);
        assert_eq!(worth.usual(), Some(100));
        for day in 7..60 {
            worth.add(day * DAY, 3);
        }
        worth.keep(&cache, "one").expect("written");
        let read = Worth::load(&cache, "one");
        assert_eq!((read.usual(), read.0.len()), (Some(3), KEPT));
        assert_eq!(read, worth);
        assert!(read.has(59 * DAY + 1) && !read.has(60 * DAY));
    }
}
