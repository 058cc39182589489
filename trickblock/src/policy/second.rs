//! Wide prefixes that more than one feed names.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{FeedRows, Guard, guard::standing_for, is_wide};

/// Two feeds may be wrong together: beyond this only the operator's word counts.
const WIDEST_V4: u8 = 16;
const WIDEST_V6: u8 = 32;

/// For each feed, with its source and the checksum of its body, the number of the first one with the same source or the
/// same body: it is one list under several names.
pub fn voices(feeds: &[(String, Option<[u8; 32]>)]) -> Vec<u32> {
    let first = |(source, body): &(String, Option<[u8; 32]>)| {
        let same = |(other, its): &(String, Option<[u8; 32]>)| {
            other == source || (body.is_some() && its == body)
        };
        let at = feeds.iter().position(same);
        at.and_then(|at| u32::try_from(at).ok()).unwrap_or(u32::MAX)
    };
    feeds.iter().map(first).collect()
}

/// The wide prefixes of all feeds.
#[derive(Default)]
pub struct Second(BTreeMap<IpNet, Voices>);

/// Who names a prefix.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Voices {
    One(u32),
    Several,
}

impl Second {
    /// What the guard refuses confirms nothing.
    pub fn new(feeds: &[FeedRows<'_>], guard: &Guard) -> Self {
        let mut numbers = feeds.iter().map(|feed| feed.label.voice);
        let first = numbers.next();
        let mut second = Self::default();
        // One feed alone has nobody to agree with: its rows need not be looked at.
        if numbers.all(|number| Some(number) == first) {
            return second;
        }
        for feed in feeds {
            let Some(voice) = feed.label.voice else {
                continue;
            };
            let indicators = feed.rows.iter().map(|row| row.indicator);
            let wide = indicators.filter(|indicator| is_wide(&indicator.prefix));
            for indicator in wide.filter(|indicator| guard.refuse(indicator).is_none()) {
                second.hear(indicator.prefix, voice);
            }
        }
        second
    }

    fn hear(&mut self, prefix: IpNet, voice: u32) {
        let voices = self.0.entry(prefix).or_insert(Voices::One(voice));
        if *voices != Voices::One(voice) {
            *voices = Voices::Several;
        }
    }

    /// Whether another voice than `voice` names all of `prefix` as well, and it is not too much even for two.
    pub(super) fn confirms(&self, prefix: &IpNet, voice: Option<u32>) -> bool {
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
        around.any(|voices| voice.is_none_or(|voice| *voices != Voices::One(voice)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_list_under_several_names_is_one_voice() {
        let feed = |source: &str, body: u8| (source.to_owned(), Some([body; 32]));
        let unread = |source: &str| (source.to_owned(), None);
        let feeds = [
            feed("a", 1),
            feed("b", 2),
            feed("a", 3),
            feed("mirror of b", 2),
            unread("c"),
            unread("d"),
        ];
        assert_eq!(voices(&feeds), [0, 1, 0, 1, 4, 5]);
    }
}
