//! A feed whose server may not be asked yet.

use std::time::Duration;

use jiff::Timestamp;

use super::Feed;

impl Feed {
    /// At `at` it was too soon, by `wait`, to ask its server.
    pub fn put_off(&mut self, at: Timestamp, wait: Duration) {
        let until = at.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.put_off = Some(until);
        self.next_try = Some(until);
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

    /// At `at` it failed, and its source is tried again in `wait`.
    pub fn retry(&mut self, at: Timestamp, wait: Option<Duration>) {
        self.next_try = wait.and_then(|wait| at.checked_add(wait).ok());
    }

    /// What went wrong, and when it is tried again.
    pub fn trouble(&self) -> Option<String> {
        if self.stands && self.content.is_none() {
            return Some(
                "its body was rejected by the operator, or gone back from: another one is waited for".to_owned(),
            );
        }
        if let Some(trial) = self.trial.as_ref().filter(|_| self.content.is_none()) {
            return Some(format!(
                "its first body is on trial until {}: it only monitors",
                trial.until
            ));
        }
        let error = self.last_error.as_deref()?;
        let again = self.next_try.filter(|_| self.put_off.is_none());
        Some(match again {
            Some(at) => format!("{error}; tried again at {at:.0}"),
            None => error.to_owned(),
        })
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
