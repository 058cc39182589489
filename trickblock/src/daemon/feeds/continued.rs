//! A feed whose configuration was read again.

use std::sync::Arc;

use super::{Content, Feed};
use crate::config::FeedConfig;

impl Feed {
    /// The same source, perhaps under another name and on other terms.
    pub fn continued(&self, config: FeedConfig) -> Self {
        let mut feed = self.clone();
        feed.store_error = None;
        if feed.config.name != config.name {
            feed.rename(&config.name);
        }
        feed.shorten(config.policy.hold_down);
        feed.config = config;
        feed
    }

    fn rename(&mut self, name: &str) {
        // What waits comes again, and is held under the new name.
        self.held = None;
        self.trial = None;
        let parts = self
            .content
            .as_mut()
            .map(|content: &mut Content| &mut content.parts);
        for part in parts.into_iter().flatten() {
            // Files of a directory have a name behind that of the feed.
            let file = part.label.strip_prefix(self.config.name.as_str());
            part.label = Arc::from(format!("{name}{}", file.unwrap_or_default()));
        }
    }
}
