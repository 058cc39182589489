//! The table before a larger one: it decides and counts until every interface has the new program.

use super::{FilterError, Maps, sys};
use crate::table::Entry;

/// Maps of a program that is being replaced.
pub(super) struct Outgrown {
    old: Maps,
    /// What it had in force.
    entries: Vec<Entry>,
    /// How many hits of each entry the new maps have got.
    moved: Vec<u64>,
}

impl Outgrown {
    /// Puts what `old` has in force into `new`, with its ids and hits.
    pub(super) fn move_into(old: Maps, new: &Maps, seed: u64) -> Result<Self, FilterError> {
        let entries = old.entries()?;
        new.swap(&entries, &[], seed)?;
        let mut outgrown = Self {
            moved: vec![0; entries.len()],
            old,
            entries,
        };
        outgrown.hand_on(new)?;
        Ok(outgrown)
    }

    /// As [`Self::hand_on`], when no packet is inside of the program that was just replaced. Called after each interface,
    /// since the others still have the old one.
    pub(super) fn catch_up(&mut self, new: &Maps) -> Result<(), FilterError> {
        sys::grace_period().map_err(FilterError::io("wait for", "a grace period"))?;
        self.hand_on(new)
    }

    /// Hands on what the old program counted since the last time.
    pub(super) fn hand_on(&mut self, new: &Maps) -> Result<(), FilterError> {
        let live = new.entries()?;
        // Last, since a crash loses what is counted between this and the new program.
        let now = self.old.hits(self.entries.iter().map(|entry| entry.id))?;
        let mut live = live.iter().peekable();
        let mut growth = Vec::new();
        for ((entry, now), moved) in self.entries.iter().zip(now).zip(&mut self.moved) {
            let since = now.saturating_sub(std::mem::replace(moved, now));
            while live
                .next_if(|other| other.indicator < entry.indicator)
                .is_some()
            {}
            // An id that another indicator has got meanwhile counts that one.
            let same = live
                .peek()
                .is_some_and(|other| (other.indicator, other.id) == (entry.indicator, entry.id));
            if same && since > 0 {
                growth.push((entry.id, since));
            }
        }
        new.add_hits(&growth)
    }
}
