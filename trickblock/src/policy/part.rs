//! A part of a rule set is made anew, and the rest of it stays.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use super::{Label, Reach, Rule, RuleSet, Source, Sources, merge::MAX_REFUSALS};

/// Rules that are put where they belong one by one: the others need not be looked at.
const FEW: usize = 16;
/// The index of a list that is gone.
const NOBODY: u32 = u32::MAX;

impl RuleSet {
    /// Names of the lists of this set of which no row in reach was kept or refused: they need not be read through. What has ended
    /// stays so. None where not all of the refused rows are known, or not of whom they are.
    pub fn silent(&self, reach: &Reach) -> BTreeSet<&str> {
        if usize::try_from(self.refused).is_ok_and(|refused| refused > MAX_REFUSALS) {
            return BTreeSet::new();
        }
        let rules = reach.of(&self.rules, |rule| &rule.indicator);
        let kept = rules.flat_map(|rule| rule.sources.as_slice());
        let refusals = self.refusals.iter();
        let refused = refusals.filter(|refused| reach.holds(&refused.indicator));
        let spoke = kept.chain(refused.map(|refused| &refused.source));
        let spoke: BTreeSet<u32> = spoke.map(|source| source.feed).collect();
        if spoke.contains(&NOBODY) {
            return BTreeSet::new();
        }
        let (mut silent, mut loud) = (BTreeSet::new(), BTreeSet::new());
        for (index, label) in (0_u32..).zip(&self.feeds) {
            let names = if spoke.contains(&index) {
                &mut loud
            } else {
                &mut silent
            };
            names.insert(&*label.name);
        }
        // What a list says and what it said before have one name.
        &silent - &loud
    }

    /// Puts `part` in the place of all that is in reach. Its labels are those of the whole set; what stays is
    /// made to point at them, since a list of the operator that comes or goes moves all that follow.
    pub fn replace_some(&mut self, part: Self, reach: &Reach) {
        for range in reach
            .ranges(&self.rules, |rule| &rule.indicator)
            .into_iter()
            .rev()
        {
            let others = |rule: &mut Rule| reach.holds(&rule.indicator);
            self.rules.extract_if(range, others).for_each(drop);
        }
        for list in [&mut self.refusals, &mut self.notices] {
            list.retain(|refused| !reach.holds(&refused.indicator));
        }
        if self.feeds != part.feeds {
            self.follow(&part.feeds);
        }
        self.add_rules(part.rules);
        self.refused = self.refused.max(part.refused);
        self.refusals.extend(part.refusals);
        self.notices.extend(part.notices);
        self.feeds = part.feeds;
    }

    /// Rules of indicators that have none.
    fn add_rules(&mut self, rules: Vec<Rule>) {
        if rules.len() > FEW {
            self.rules.extend(rules);
            // Two sorted runs: this is a merge of them.
            self.rules.sort_by_key(|rule: &Rule| rule.indicator);
            return;
        }
        for rule in rules {
            let at = self
                .rules
                .partition_point(|other| other.indicator < rule.indicator);
            self.rules.insert(at, rule);
        }
    }

    fn follow(&mut self, labels: &[Label]) {
        let moved = moved(&self.feeds, labels);
        let to = |feed: u32| {
            let index = usize::try_from(feed).ok()?;
            moved.get(index).copied().flatten()
        };
        for rule in &mut self.rules {
            rule.sources = rule.sources.moved(&to);
        }
        for refused in self.refusals.iter_mut().chain(&mut self.notices) {
            refused.source.feed = to(refused.source.feed).unwrap_or(NOBODY);
        }
        let narrowed = std::mem::take(&mut self.narrowed).into_iter();
        let narrowed = narrowed.filter_map(|((feed, kind), rows)| Some(((to(feed)?, kind), rows)));
        self.narrowed = narrowed.collect();
    }
}

impl Sources {
    /// One whose label is gone names no list any more, as an index of none says.
    fn moved(&self, to: &dyn Fn(u32) -> Option<u32>) -> Self {
        let point = |source: &Source| Source {
            feed: to(source.feed).unwrap_or(NOBODY),
            ..*source
        };
        match self {
            Self::One([source]) => Self::One([point(source)]),
            Self::Many(many) => {
                let mut many: Box<[Source]> = many.iter().map(point).collect();
                many.sort_unstable();
                Self::Many(many)
            }
        }
    }
}

/// Where each label of `before` is in `now`. A directory may have thousands of them.
fn moved(before: &[Label], now: &[Label]) -> Vec<Option<u32>> {
    let mut by_name: HashMap<&Arc<str>, Vec<u32>> = HashMap::new();
    for (index, label) in (0_u32..).zip(now) {
        by_name.entry(&label.name).or_default().push(index);
    }
    let is = |label: &Label, index: u32| {
        usize::try_from(index).is_ok_and(|index| now.get(index) == Some(label))
    };
    let find = |label: &Label| {
        let mut named = by_name.get(&label.name)?.iter().copied();
        named.find(|index| is(label, *index))
    };
    before.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        feed,
        policy::{Action, Context, FeedRows, Guard, Kinds, Terms, merge},
    };

    fn label(name: &str, feed: u32) -> Label {
        Label::new(name, feed, Terms::of(Action::Drop))
    }

    fn merged(lists: &[(Label, &str)]) -> RuleSet {
        let rows: Vec<_> = lists
            .iter()
            .map(|(label, list)| {
                (
                    label.clone(),
                    feed::parse(list.as_bytes(), None).expect("a list").rows,
                )
            })
            .collect();
        let feeds: Vec<_> = rows
            .iter()
            .map(|(label, rows)| FeedRows {
                label: label.clone(),
                rows,
            })
            .collect();
        let context = Context {
            guard: &Guard::standard(),
            kinds: &Kinds::default(),
            now: None,
        };
        merge(&feeds, context)
    }

    /// A list before all others comes and goes; each rule names its own lists all the time.
    #[test]
    fn what_stays_keeps_its_sources() {
        const ONE: &str = "203.0.113.1\n203.0.113.2\n10.0.0.1\n";
        const TWO: &str = "203.0.113.2\n203.0.113.3\n";
        let feeds = || vec![(label("one", 0), ONE), (label("two", 1), TWO)];
        let by_hand = || (label("by hand", u32::MAX), "203.0.113.9\n");
        let before = merged(&feeds());
        let mut all = feeds();
        all.insert(0, by_hand());
        let after = merged(&all);
        let by_hand_alone = Reach::Just("203.0.113.9".parse().expect("an indicator"));
        let mut part = after.clone();
        part.rules
            .retain(|rule| by_hand_alone.holds(&rule.indicator));
        part.refusals.clear();

        let mut set = before.clone();
        set.replace_some(part, &by_hand_alone);
        assert_eq!((&set.rules, &set.refusals), (&after.rules, &after.refusals));

        let gone = RuleSet {
            feeds: before.feeds.clone(),
            ..RuleSet::default()
        };
        set.replace_some(gone, &by_hand_alone);
        assert_eq!(
            (&set.rules, &set.refusals),
            (&before.rules, &before.refusals)
        );
    }

    #[test]
    fn who_names_or_named_something_in_reach_is_not_silent() {
        let mut before = label("three", 2);
        before.departed = true;
        let set = merged(&[
            (label("one", 0), "203.0.113.1\n10.0.0.1\n"),
            (label("two", 1), "203.0.113.2\n203.0.113.1:443/tcp\n"),
            (label("three", 2), "203.0.113.3\n"),
            (before, "203.0.113.4\n"),
        ]);
        let silent = |reach: Reach| set.silent(&reach).into_iter().collect::<Vec<_>>();
        let just = |text: &str| Reach::Just(text.parse().expect("an indicator"));
        let inside = |text: &str| Reach::Inside(text.parse().expect("a prefix"));
        assert_eq!(silent(just("203.0.113.9")), ["one", "three", "two"]);
        assert_eq!(silent(just("203.0.113.1")), ["three", "two"]);
        assert_eq!(silent(just("203.0.113.4")), ["one", "two"], "it said so");
        assert_eq!(silent(just("10.0.0.1")), ["three", "two"], "refused");
        assert_eq!(silent(inside("203.0.113.0/30")), Vec::<&str>::new());
        assert_eq!(silent(inside("203.0.113.4/30")), ["one", "two"]);

        // An allowance takes out more than can be noted down.
        let part = RuleSet {
            feeds: set.feeds.clone(),
            refused: 60_000,
            ..RuleSet::default()
        };
        let mut less = set.clone();
        less.replace_some(part, &inside("203.0.113.0/24"));
        assert!(less.silent(&just("203.0.113.9")).is_empty());
        let mut full = set.clone();
        full.refused = 50_001;
        assert!(
            full.silent(&just("203.0.113.9")).is_empty(),
            "not all refused rows are known"
        );
    }
}
