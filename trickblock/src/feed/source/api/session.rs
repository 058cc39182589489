//! What is known of a feed between two fetches.

use std::sync::{Mutex, PoisonError};

use super::{
    super::{Body, Fetched, SourceError, Validators},
    requests::Requests,
};

/// Something that changes are merged into.
pub(super) trait Merge: Default {
    /// Asks for what is new and returns the snapshot.
    fn update(&mut self, requests: &mut Requests<'_>) -> Result<Body, SourceError>;

    /// The next update asks for everything.
    fn restart(&mut self) {
        *self = Self::default();
    }

    /// An update ended halfway.
    fn failed(&mut self) {
        self.restart();
    }
}

/// The merged set, and the mark of the snapshot that it was handed out as.
#[derive(Debug, Default)]
pub(super) struct Session<T>(Mutex<State<T>>);

#[derive(Debug, Default)]
struct State<T> {
    set: T,
    /// The mark that the next fetch brings back if all went well.
    mark: Option<String>,
    count: u64,
}

impl<T: Merge> Session<T> {
    /// Changes may only be merged into what the daemon has taken: a mark that does not come back
    /// says that it has not.
    pub(super) fn fetch(
        &self,
        requests: &mut Requests<'_>,
        validators: &Validators,
    ) -> Result<Fetched, SourceError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.mark != validators.etag {
            state.set.restart();
        }
        // After a failure the same mark comes again.
        state.mark.clone_from(&validators.etag);
        match state.set.update(requests) {
            Ok(body) => Ok(state.hand_out(body)),
            Err(error) => {
                state.set.failed();
                Err(error)
            }
        }
    }
}

impl<T> State<T> {
    fn hand_out(&mut self, body: Body) -> Fetched {
        self.count = self.count.saturating_add(1);
        self.mark = Some(format!("snapshot {}", self.count));
        let validators = Validators {
            etag: self.mark.clone(),
            last_modified: None,
        };
        Fetched::Body { body, validators }
    }
}
