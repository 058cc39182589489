//! Several files read as one set.

use std::{path::PathBuf, sync::Arc};

use super::files::{self, Found};
use crate::{
    feed::{self, Format, NotAFeed, Parsed},
    policy::{Action, FeedRows, Guard, RuleSet, merge},
};

/// Everything that was read, in the order of the command line and sorted within directories.
#[derive(Default)]
pub(in crate::cli) struct Set {
    pub(in crate::cli) feeds: Vec<(Arc<str>, Parsed)>,
    /// Files that contribute nothing, with the reason: `FILE: why`.
    pub(in crate::cli) skipped: Vec<String>,
    /// Those of them that were given by name, which makes the whole check fail.
    pub(in crate::cli) failed: Vec<String>,
}

impl Set {
    pub(in crate::cli) fn read(paths: &[PathBuf], forced: Option<Format>) -> Self {
        let mut set = Self::default();
        for path in paths {
            match files::list(path) {
                Ok(found) => found.iter().for_each(|file| set.add(file, forced)),
                Err(reason) => set.skip(format!("{}: {reason}", path.display()), true),
            }
        }
        set
    }

    pub(in crate::cli) fn merge(&self, guard: &Guard) -> RuleSet {
        let feeds: Vec<_> = self
            .feeds
            .iter()
            .map(|(name, parsed)| FeedRows {
                name: Arc::clone(name),
                action: Action::Drop,
                rows: &parsed.rows,
            })
            .collect();
        merge(&feeds, guard)
    }

    fn add(&mut self, file: &Found, forced: Option<Format>) {
        let name: Arc<str> = file.path.display().to_string().into();
        let body = match files::load(&file.path) {
            Ok(body) => body,
            Err(reason) => return self.skip(format!("{name}: {reason}"), file.named),
        };
        match feed::parse(&body, forced) {
            Ok(parsed) => self.feeds.push((name, parsed)),
            // The set as a whole decides whether that is too much.
            Err(NotAFeed::MostlyMalformed(mut parsed)) => {
                let error = NotAFeed::MostlyMalformed(parsed.clone()).to_string();
                parsed.warnings.insert(0, error);
                self.feeds.push((name, *parsed));
            }
            Err(reason) => self.skip(format!("{name}: {reason}"), file.named),
        }
    }

    fn skip(&mut self, reason: String, named: bool) {
        if named {
            self.failed.push(reason.clone());
        }
        self.skipped.push(reason);
    }
}
