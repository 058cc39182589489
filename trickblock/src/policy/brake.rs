//! Whether a change of a feed is too large to be believed.
//!
//! Measured against that feed's last good set: what went through the limits of a first fetch is what later ones are
//! compared with. The thresholds are those of docs/feeds.md, with real feeds that broke either way.

use std::fmt;

use super::Trial;

/// Growth up to this many indicators is never held: small lists double in a day.
const SMALL_GROWTH: usize = 5_000;
/// A list that grows by this factor is another list.
const FACTOR: usize = 10;
/// Of a hundred: what may go away at once.
const MOST_GONE: usize = 90;

/// Numbers of indicators of one feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub before: usize,
    pub after: usize,
    /// Of `before`, those that are still there.
    pub kept: usize,
}

/// A change that waits for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Braked {
    Growth(Sizes),
    Shrink(Sizes),
    /// Its new indicators are tried, or were found to harm.
    Canary(Trial),
}

impl Sizes {
    pub fn added(&self) -> usize {
        self.after.saturating_sub(self.kept)
    }

    pub fn removed(&self) -> usize {
        self.before.saturating_sub(self.kept)
    }

    /// `None` lets the change through. `says_empty`: the body proves by its own count that its list is empty now.
    pub fn brake(self, says_empty: bool) -> Option<Braked> {
        let most = self
            .before
            .saturating_mul(FACTOR)
            .max(self.before.saturating_add(SMALL_GROWTH));
        if self.after > most {
            return Some(Braked::Growth(self));
        }
        let shrunk = self.before.saturating_sub(self.after);
        let too_much = shrunk.saturating_mul(100) > self.before.saturating_mul(MOST_GONE);
        (too_much && !says_empty).then_some(Braked::Shrink(self))
    }
}

impl fmt::Display for Braked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, sizes) = match self {
            Self::Growth(sizes) => ("grew", sizes),
            Self::Shrink(sizes) => ("shrank by more than nine of ten:", sizes),
            Self::Canary(trial) => return trial.fmt(f),
        };
        write!(
            f,
            "the list {what} from {} to {} at once ({} new, {} gone)",
            sizes.before,
            sizes.after,
            sizes.added(),
            sizes.removed()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn braked(before: usize, after: usize, kept: usize) -> Option<Braked> {
        let sizes = Sizes {
            before,
            after,
            kept,
        };
        sizes.brake(false)
    }

    #[test]
    fn growth_is_held_beyond_ten_times_and_five_thousand() {
        assert_eq!(braked(0, 5_000, 0), None);
        assert!(matches!(braked(0, 5_001, 0), Some(Braked::Growth(_))));
        assert_eq!(braked(100, 5_100, 100), None);
        assert!(matches!(braked(100, 5_101, 100), Some(Braked::Growth(_))));
        assert_eq!(braked(1_000, 10_000, 1_000), None);
        assert!(matches!(
            braked(1_000, 10_001, 1_000),
            Some(Braked::Growth(_))
        ));
    }

    #[test]
    fn a_shrink_is_held_beyond_nine_of_ten() {
        // ThreatFox in one hour, 136,103 to 27,167: large, but its own doing.
        assert_eq!(braked(136_103, 27_167, 27_167), None);
        assert_eq!(braked(100, 10, 10), None);
        assert!(matches!(braked(100, 9, 9), Some(Braked::Shrink(_))));
        assert!(matches!(braked(1, 0, 0), Some(Braked::Shrink(_))));
        assert_eq!(braked(0, 0, 0), None);
    }

    #[test]
    fn as_many_others_are_no_shrink() {
        assert_eq!(braked(100, 100, 5), None);
        assert_eq!(braked(2, 1, 0), None, "a list of two turns over in a day");
    }

    #[test]
    fn what_is_held_says_how_much() {
        let text = braked(100, 9, 5).map(|braked| braked.to_string());
        let says = |part: &str| text.as_deref().is_some_and(|text| text.contains(part));
        assert!(says("from 100 to 9 at once (4 new, 95 gone)"), "{text:?}");
    }

    #[test]
    fn an_empty_list_that_says_so_is_believed() {
        let sizes = Sizes {
            before: 375,
            after: 0,
            kept: 0,
        };
        assert!(sizes.brake(false).is_some());
        assert_eq!(sizes.brake(true), None);
    }
}
