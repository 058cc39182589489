//! What several feeds say at a start.

use std::collections::BTreeMap;

use super::Engine;
use crate::{
    daemon::{decisions::Word, feeds::Content},
    feed::cache::Digest,
    indicator::Seen,
};

impl Engine {
    /// Puts what several feeds say in force at once, before each is offered by itself: a set that grows feed by
    /// feed is compiled as often. What does not work out is left to those offers.
    pub fn preload<'a>(
        &mut self,
        offers: impl Iterator<Item = (usize, &'a Content, Digest, bool)>,
    ) {
        for (feed, content, digest, fresh) in offers {
            let may = self.may_preload(feed, content, (digest, fresh));
            let new = self.feeds.get_mut(feed);
            if let Some(feed) = new.filter(|feed| may && feed.content.is_none()) {
                feed.content = Some(content.clone());
                feed.digest = digest;
            }
        }
        let inherited = match self.has_heard_all(Seen::now()) {
            true => std::mem::take(&mut self.inherited),
            false => BTreeMap::new(),
        };
        if self.enforce(None).is_err() {
            self.inherited.extend(inherited);
            self.feeds.iter_mut().for_each(|feed| feed.content = None);
        }
    }

    /// Whether an offer would go through by itself.
    fn may_preload(&self, feed: usize, content: &Content, (digest, fresh): (Digest, bool)) -> bool {
        let is_sound = self.check_limits(feed, content).is_ok();
        let known = self.feeds.get(feed).filter(|_| is_sound);
        known.is_some_and(|known| {
            let tried = fresh && !known.config.policy.canary.span.is_zero();
            !tried && known.decisions.word(&digest) != Some(Word::Rejected)
        })
    }
}
