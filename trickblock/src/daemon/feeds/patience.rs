//! A feed whose server may not be asked yet.

use std::time::Duration;

use jiff::Timestamp;

use super::Feed;

impl Feed {
    /// At `at` it was too soon, by `wait`, to ask its server.
    pub fn put_off(&mut self, at: Timestamp, wait: Duration) {
        let until = at.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.put_off = Some(until);
        tracing::info!(
            feed = self.config.name,
            "not asked: {}",
            self.patience(until)
        );
        // Without content somebody will want to know why.
        if self.content.is_none() && self.last_error.is_none() {
            self.last_error = Some(self.patience(until));
        }
    }

    /// Why the feed was left as it is, for the one who wanted it fetched.
    fn patience(&self, until: Timestamp) -> String {
        format!(
            "its server may be asked again at {until:.0}: at least {} s lie between two fetches (`min_interval`)",
            self.config.min_interval.as_secs_f64()
        )
    }

    /// [`Self::put_off`] with its reason, if it still holds.
    pub fn waits(&self) -> Option<String> {
        let until = self.put_off.filter(|until| *until > Timestamp::now())?;
        Some(format!("{}: {}", self.config.name, self.patience(until)))
    }
}
