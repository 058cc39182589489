//! What the operator does by hand. Only what is concerned is looked at: a set of a million indicators must not be in the way
//! of one.

use std::collections::BTreeSet;

use super::{Engine, Held};
use crate::{
    daemon::{
        operator::{Allow, Block, FEED, Lists, Overview},
        protocol::SCHEMA,
    },
    feed::Row,
    indicator::{Indicator, Seen},
    policy::{FeedRows, Label, Reach, Refusal, RuleSet, merge_some},
};

impl Engine {
    /// Blocks, or changes a block. `Err` of the inner result: it would not drop, and nothing was done.
    pub fn block(&mut self, block: Block) -> Result<Result<(), Refusal>, Held> {
        if let Some(refusal) = self.idle(&block.indicator) {
            return Ok(Err(refusal));
        }
        let indicator = block.indicator;
        let mut lists = self.living_lists();
        lists.blocks.retain(|known| known.indicator != indicator);
        lists.blocks.push(block);
        self.change_by_hand(lists, Reach::Just(indicator))?;
        Ok(Ok(()))
    }

    /// Takes a block back; false where there is none. What a feed names as well stays in force.
    pub fn unblock(&mut self, indicator: &Indicator) -> Result<bool, Held> {
        let mut lists = self.living_lists();
        let before = lists.blocks.len();
        lists.blocks.retain(|block| block.indicator != *indicator);
        if lists.blocks.len() == before {
            return Ok(false);
        }
        self.change_by_hand(lists, Reach::Just(*indicator))?;
        Ok(true)
    }

    /// Protects a prefix: at once in the kernel, whatever is in force.
    pub fn allow(&mut self, allow: Allow) -> Result<(), Held> {
        let prefix = allow.prefix;
        let mut lists = self.living_lists();
        lists.allows.retain(|known| known.prefix != prefix);
        lists.allows.push(allow);
        self.change_by_hand(lists, Reach::Inside(prefix))
    }

    /// Takes a protection back; false where there is none.
    pub fn disallow(&mut self, prefix: &ipnet::IpNet) -> Result<bool, Held> {
        let mut lists = self.living_lists();
        let before = lists.allows.len();
        lists.allows.retain(|allow| allow.prefix != *prefix);
        if lists.allows.len() == before {
            return Ok(false);
        }
        self.change_by_hand(lists, Reach::Inside(*prefix))?;
        Ok(true)
    }

    /// Whether just this indicator is in force, and drops.
    pub fn drops(&self, indicator: &Indicator) -> bool {
        let found = self
            .live
            .binary_search_by_key(indicator, |entry| entry.indicator);
        let entry = found.ok().and_then(|at| self.live.get(at));
        entry.is_some_and(|entry| entry.drop)
    }

    /// Why an indicator of the operator's drops nothing, if it does not.
    pub fn idle(&self, indicator: &Indicator) -> Option<Refusal> {
        let guarded = self.guard.refuse(indicator);
        let softened = || self.guard.soften(indicator);
        guarded
            .or_else(softened)
            .or_else(|| self.kinds.soften(indicator))
    }

    /// What the operator blocks and allows now, and what comes of it.
    pub fn by_hand(&self) -> Overview {
        let Lists { blocks, allows, .. } = self.living_lists();
        let told = |block: &Block| {
            let idle = self.idle(&block.indicator);
            block.told(idle.map(|refusal| refusal.reason))
        };
        Overview {
            schema: SCHEMA,
            blocks: blocks.iter().map(told).collect(),
            allows: allows.iter().map(Allow::told).collect(),
        }
    }

    pub(in crate::daemon) fn living_lists(&self) -> Lists {
        self.operator.lists.living(Seen::now())
    }

    /// On disk first: what was said and is forgotten is worse than what is said twice.
    fn change_by_hand(&mut self, lists: Lists, reach: Reach) -> Result<(), Held> {
        self.note_trials()?;
        let before = self.operator.clone();
        self.operator = self.operator.replaced(lists)?;
        self.renew_guard();
        let done = self.settle_kernel().map_err(Held::from);
        if let Err(error) = done.and_then(|()| self.enforce_some(&reach)) {
            let lists = before.lists.clone();
            self.operator = before.replaced(lists).unwrap_or_else(|error| {
                tracing::error!("{error}");
                before
            });
            self.renew_guard();
            self.settle_kernel()?;
            return Err(error);
        }
        Ok(())
    }

    /// As [`Engine::enforce`], for the indicators in reach; all others stay as they are.
    fn enforce_some(&mut self, reach: &Reach) -> Result<(), Held> {
        let now = Seen::now();
        let part = self.merged_some(reach, now);
        if !self.patch(&part, reach)? {
            self.put_in_force(self.wanted_with(&part, reach))?;
        }
        let allow_end = self.operator.next_allow_end(now);
        let ends = [self.next_end, part.next_end, allow_end];
        self.next_end = ends.into_iter().flatten().min();
        self.rules.replace_some(part, reach);
        Ok(())
    }

    fn merged_some(&self, reach: &Reach, now: Seen) -> RuleSet {
        let all = self.rows(None);
        let silent = self.silent(&all, reach);
        let concerned = |feed: &FeedRows<'_>| -> (Label, Vec<Row>) {
            let is_silent = feed.label.feed != FEED && silent.contains(&*feed.label.name);
            let rows = if is_silent { &[] } else { feed.rows };
            let rows = rows.iter().filter(|row| reach.holds(&row.indicator));
            (feed.label.clone(), rows.cloned().collect())
        };
        let some: Vec<_> = all.iter().map(concerned).collect();
        let some: Vec<_> = some
            .iter()
            .map(|(label, rows)| FeedRows {
                label: label.clone(),
                rows,
            })
            .collect();
        merge_some(&some, &all, self.context(now))
    }

    /// Names of feeds that have nothing in reach. What is known of them is of the last time that all were merged: none where a feed
    /// has become somebody else since.
    fn silent(&self, all: &[FeedRows<'_>], reach: &Reach) -> BTreeSet<&str> {
        let of_feeds = |label: &&Label| label.feed != FEED;
        let now = all.iter().map(|feed| &feed.label).filter(of_feeds);
        if now.eq(self.rules.feeds.iter().filter(of_feeds)) {
            self.rules.silent(reach)
        } else {
            BTreeSet::new()
        }
    }

    /// What is in force, with the rules of `part` in the place of all that is in reach.
    fn wanted_with(&self, part: &RuleSet, reach: &Reach) -> Vec<(Indicator, bool)> {
        let others = self
            .live
            .iter()
            .filter(|entry| !reach.holds(&entry.indicator));
        let others = others.map(|entry| (entry.indicator, entry.drop));
        let mut wanted: Vec<_> = others
            .chain(self.with_inherited(part, Some(reach)))
            .collect();
        // Sorted runs: this is a merge of them.
        wanted.sort();
        wanted.dedup_by_key(|(indicator, _)| *indicator);
        wanted
    }
}
