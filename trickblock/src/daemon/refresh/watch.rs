//! Waits for files, or for what standard input brings, to change. By `stat` and not by inotify: it sees replacement by rename,
//! deletion, re-created directories, bind mounts and network file systems alike.

use std::{sync::Arc, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};

use crate::feed::source::{Source, Stamp};

const POLL: Duration = Duration::from_millis(200);
/// A writer is given this long between two of its writes, this many times.
const SETTLE: Duration = Duration::from_millis(40);
const SETTLE_ROUNDS: usize = 4;

/// The state of a source that is watched; `None` while it cannot be looked at, and for what is fetched.
pub(super) async fn stamp(source: &Arc<Source>) -> Option<Stamp> {
    let source = Arc::clone(source);
    spawn_blocking(move || source.stamp()).await.ok().flatten()
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
