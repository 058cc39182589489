//! Waits for files to change. By `stat` and not by inotify: it sees replacement by rename,
//! deletion, re-created directories, bind mounts and network file systems alike.

use std::{sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};

use crate::feed::source::{FileSource, Source, Stamp};

const POLL: Duration = Duration::from_millis(200);
/// A writer is given this long between two of its writes, this many times.
const SETTLE: Duration = Duration::from_millis(40);
const SETTLE_ROUNDS: usize = 4;

/// The state of a file source now; `None` while its files cannot be looked at, and for
/// sources that are not files.
pub(super) async fn stamp(source: &Arc<Source>) -> Option<Stamp> {
    let source = Arc::clone(source);
    let look = move || match source.as_ref() {
        Source::File(file) => FileSource::stamp(file).ok(),
        Source::Http(_) | Source::Api(_) => None,
    };
    spawn_blocking(look).await.ok().flatten()
}

/// Returns once the files differ from `known` and have settled.
pub(super) async fn changed(source: &Arc<Source>, known: Option<&Stamp>) {
    let mut current = stamp(source).await;
    while current.as_ref() == known {
        sleep(POLL).await;
        current = stamp(source).await;
    }
    for _ in 0..SETTLE_ROUNDS {
        sleep(SETTLE).await;
        let next = stamp(source).await;
        if next == current {
            return;
        }
        current = next;
    }
}
