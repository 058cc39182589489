//! A few indicators change, and all others are left alone: a set of a million is neither copied nor compared.

use std::ops::Range;

use ipnet::IpNet;

use super::{Engine, Held};
use crate::{
    kernel::{FilterError, random_seed},
    policy::{Reach, RuleSet},
    table::{Entry, Plan, changes},
};

/// Prefixes of which a change is little, however small the set.
const FEW: usize = 16;

/// What is in force of some prefixes, and what shall be. A prefix is always whole.
struct Patch {
    /// Sorted.
    prefixes: Vec<IpNet>,
    before: Vec<Entry>,
    plan: Plan,
}

impl Engine {
    /// Puts `part` in the place of what is in reach; false where that is too much, or does not fit: then the whole set has
    /// to be put in force.
    pub(super) fn patch(&mut self, part: &RuleSet, reach: &Reach) -> Result<bool, Held> {
        let Some(patch) = self.patch_of(part, reach).filter(|_| !self.outgrown) else {
            return Ok(false);
        };
        if !self.patch_kernel(&patch)? {
            return Ok(false);
        }
        self.ids.commit(&patch.plan);
        let changed = patch.before != patch.plan.entries;
        let (new, gone) = (patch.plan.fresh.len(), patch.plan.retired.len());
        self.cut_in(patch);
        if changed {
            self.forget_hashes();
            tracing::info!(indicators = self.live.len(), new, gone, "changed in place");
        }
        Ok(true)
    }

    fn patch_of(&self, part: &RuleSet, reach: &Reach) -> Option<Patch> {
        let wanted = self.with_inherited(part, Some(reach));
        let concerned = reach.of(&self.live, |entry| &entry.indicator);
        let concerned = concerned.map(|entry| entry.indicator);
        let named = wanted.iter().map(|(indicator, _)| *indicator);
        let mut prefixes: Vec<IpNet> = concerned.chain(named).map(|found| found.prefix).collect();
        prefixes.dedup();
        prefixes.sort_unstable();
        prefixes.dedup();
        if prefixes.len().saturating_mul(4) > self.live.len().max(4 * FEW) {
            return None;
        }
        let groups = prefixes.iter().flat_map(|prefix| self.live_at(prefix));
        let before: Vec<Entry> = groups.copied().collect();
        let others = before.iter().filter(|entry| !reach.holds(&entry.indicator));
        let others = others.map(|entry| (entry.indicator, entry.drop));
        let mut after: Vec<_> = others.chain(wanted).collect();
        after.sort_unstable();
        let plan = self.ids.plan(&before, after).ok()?;
        Some(Patch {
            prefixes,
            before,
            plan,
        })
    }

    /// False where it has no room; then the kernel has what it had.
    fn patch_kernel(&self, patch: &Patch) -> Result<bool, FilterError> {
        let maps = &self.filter.maps;
        let changes: Vec<_> = changes(&patch.before, &patch.plan.entries).collect();
        if changes.is_empty() {
            return Ok(true);
        }
        if !maps.takes(&changes)? {
            return Ok(false);
        }
        if maps.apply(&changes, &patch.plan.fresh).is_err() {
            // It may have stopped on its way.
            maps.swap(&self.live, &[], random_seed())?;
            return Ok(false);
        }
        Ok(true)
    }

    fn range_of(&self, prefix: &IpNet) -> Range<usize> {
        let live = &self.live;
        let start = live.partition_point(|entry| entry.indicator.prefix < *prefix);
        let end = live.partition_point(|entry| entry.indicator.prefix <= *prefix);
        start..end
    }

    fn live_at(&self, prefix: &IpNet) -> &[Entry] {
        self.live.get(self.range_of(prefix)).unwrap_or_default()
    }

    /// The entries of a patch, in the place of those before. What lies before and behind all of them is not looked at.
    fn cut_in(&mut self, patch: Patch) {
        let Patch { prefixes, plan, .. } = patch;
        let (Some(first), Some(last)) = (prefixes.first(), prefixes.last()) else {
            return;
        };
        let range = self.range_of(first).start..self.range_of(last).end;
        let is_other = |entry: &&Entry| {
            let prefix = &entry.indicator.prefix;
            prefixes.binary_search(prefix).is_err()
        };
        let between = self.live.get(range.clone()).unwrap_or_default();
        let others = between.iter().filter(is_other).copied();
        let mut now: Vec<Entry> = others.chain(plan.entries).collect();
        // Two sorted runs: this is a merge of them.
        now.sort_by_key(|entry| entry.indicator);
        self.live.splice(range, now);
    }
}
