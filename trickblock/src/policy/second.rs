//! Wide prefixes that more than one feed names.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{FeedRows, Guard, guard::standing_for, is_wide};

/// Two feeds may be wrong together: beyond this only the operator's word counts.
const WIDEST_V4: u8 = 16;
const WIDEST_V6: u8 = 32;

/// The wide prefixes of all feeds.
#[derive(Default)]
pub(super) struct Second(BTreeMap<IpNet, Voices>);

/// Who names a prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voices {
    One(u32),
    Several,
}

impl Second {
    /// What the guard refuses confirms nothing.
    pub(super) fn new(feeds: &[FeedRows<'_>], guard: &Guard) -> Self {
        let mut numbers = feeds.iter().map(|feed| feed.label.feed);
        let first = numbers.next();
        let mut second = Self::default();
        // One feed alone has nobody to agree with: its rows need not be looked at.
        if numbers.all(|number| Some(number) == first) {
            return second;
        }
        for feed in feeds {
            let indicators = feed.rows.iter().map(|row| row.indicator);
            let wide = indicators.filter(|indicator| is_wide(&indicator.prefix));
            for indicator in wide.filter(|indicator| guard.refuse(indicator).is_none()) {
                second.hear(indicator.prefix, feed.label.feed);
            }
        }
        second
    }

    fn hear(&mut self, prefix: IpNet, feed: u32) {
        let voices = self.0.entry(prefix).or_insert(Voices::One(feed));
        if *voices != Voices::One(feed) {
            *voices = Voices::Several;
        }
    }

    /// Whether another feed than `feed` names all of `prefix` as well, and it is not too much even for two.
    pub(super) fn confirms(&self, prefix: &IpNet, feed: u32) -> bool {
        let widest = match prefix {
            IpNet::V4(_) => WIDEST_V4,
            IpNet::V6(_) => WIDEST_V6,
        };
        if self.0.is_empty() || standing_for(prefix).is_some() {
            return false;
        }
        let mut around = (widest..=prefix.prefix_len()).filter_map(|length| {
            let around = IpNet::new(prefix.addr(), length).ok()?.trunc();
            self.0.get(&around)
        });
        around.any(|voices| *voices != Voices::One(feed))
    }
}
