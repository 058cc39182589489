//! A feed whose configuration was read again.

use std::sync::Arc;

use super::{Content, Feed};
use crate::config::FeedConfig;

impl Feed {
    /// The same source, perhaps under another name and on other terms.
    pub fn continued(&self, config: FeedConfig) -> Self {
        let mut feed = self.clone();
        if feed.config.name != config.name {
            feed.rename(&config.name);
        }
        feed.shorten(config.policy.hold_down);
        feed.config = config;
        feed
    }

    fn rename(&mut self, name: &str) {
        // A trial begins again; what waits for the operator still does.
        self.trial = None;
        let held = self.held.as_mut().map(|held| &mut held.content);
        for content in self.content.iter_mut().chain(held) {
            content.rename(&self.config.name, name);
        }
    }
}

impl Content {
    fn rename(&mut self, old: &str, new: &str) {
        for part in &mut self.parts {
            // Files of a directory have a name behind that of the feed.
            let file = part.label.strip_prefix(old);
            part.label = Arc::from(format!("{new}{}", file.unwrap_or_default()));
        }
    }
}
