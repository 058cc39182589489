//! What becomes of the events of feeds: bodies are read, offered to the engine, and judged.

use std::{error::Error, sync::Arc};

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::{
    engine::{Held, Offer},
    feeds::{Content, Feed, Refused},
    handler::{Shared, lock},
    refresh::{Accepted, FeedEvent, Origin, Outcome},
};
use crate::kernel::memory;

/// Acts on what happened to a feed; true where that was an answer of its source.
pub(super) async fn take_event(engine: &Shared, event: FeedEvent) -> bool {
    let content = read_event(engine, &event).await;
    settle_event(engine, event, content).await
}

/// Reads the body, if the event has one, without keeping the engine from others meanwhile.
async fn read_event(engine: &Shared, event: &FeedEvent) -> Option<Result<Content, Refused>> {
    let Outcome::Loaded { body, .. } = &event.outcome else {
        return None;
    };
    let (feed, reader) = {
        let engine = lock(engine);
        let feed = engine.feeds.get(event.feed).cloned()?;
        (feed, engine.reader.clone())
    };
    let body = body.clone();
    spawn_blocking(move || feed.read(&body, &reader)).await.ok()
}

/// As [`take_event`], with what the event's body holds.
pub(super) async fn settle_event(
    engine: &Shared,
    event: FeedEvent,
    content: Option<Result<Content, Refused>>,
) -> bool {
    let FeedEvent {
        feed, at, outcome, ..
    } = event;
    match outcome {
        Outcome::Loaded {
            digest,
            from,
            judge,
            ..
        } => {
            let fresh = from == Origin::Fetch;
            let confirmed = match from {
                Origin::Cache { fetched_at, .. } => fetched_at,
                Origin::Fetch => at,
            };
            let offer = |content| Offer {
                content,
                digest,
                at: confirmed,
                fresh,
                back: false,
            };
            let offered = content.map(|content| content.map(offer));
            match put(engine, feed, offered).await {
                Ok(accepted) => {
                    judge.accept(accepted);
                    if !fresh {
                        hold_again(engine, feed).await;
                    }
                }
                Err(reason) => {
                    match reason.downcast_ref() {
                        Some(Held::OnTrial { .. } | Held::Braked { .. }) => judge.hold(),
                        _ => judge.refuse(),
                    }
                    not_taken(engine, feed, reason.as_ref());
                }
            }
            return fresh;
        }
        Outcome::NotModified => confirm(engine, feed, at).await,
        Outcome::Failed { error, retry_in } => {
            refused(engine, feed, &error);
            with_feed(engine, feed, |feed| feed.retry(at, retry_in));
        }
        Outcome::TooSoon { wait } => with_feed(engine, feed, |feed| feed.put_off(at, wait)),
        Outcome::Stored(stored) => {
            with_feed(engine, feed, |feed| {
                feed.store_error = stored.err().map(|error| error.to_string());
            });
            return false;
        }
    }
    true
}

/// What waited for the operator before a restart still does, whether its source answers or not.
async fn hold_again(engine: &Shared, feed: usize) {
    let shared = Arc::clone(engine);
    let hold = move || {
        let (known, reader, cache) = {
            let engine = lock(&shared);
            let known = engine.feeds.get(feed).cloned()?;
            (known, engine.reader.clone(), engine.cache.clone())
        };
        let stored = cache.waiting(&known.config.name)?;
        let digest = stored.body.digest();
        let is_same = stored.origin == known.config.location.identity();
        (is_same && known.decisions.waits(&digest) && known.held.is_none()).then_some(())?;
        let content = known.read(&stored.body, &reader).ok()?;
        lock(&shared).hold_again(feed, content, digest);
        Some(())
    };
    // Nothing waits, or what does cannot be read: then its source says it again.
    spawn_blocking(hold).await.ok();
}

/// Off this thread: a trial may have to end.
async fn confirm(engine: &Shared, feed: usize, at: Timestamp) {
    let shared = Arc::clone(engine);
    let confirmed = spawn_blocking(move || lock(&shared).confirm(feed, at)).await;
    if let Ok(Err(error)) = confirmed {
        not_taken(engine, feed, &error);
    }
}

/// Puts a feed's content in force; returns what its task has to know.
async fn put(
    engine: &Shared,
    feed: usize,
    offer: Option<Result<Offer, Refused>>,
) -> Result<Accepted, Box<dyn Error + Send + Sync>> {
    let offer = offer.ok_or("reading the body failed: report this as a bug, with the log")??;
    let shared = Arc::clone(engine);
    let offer = move || {
        let mut engine = lock(&shared);
        let offered = engine.offer(feed, offer);
        // The old rows and what the new ones were made with.
        memory::return_free_pages();
        offered?;
        Ok(engine
            .feeds
            .get(feed)
            .map(Feed::accepted)
            .unwrap_or_default())
    };
    spawn_blocking(offer).await?
}

/// Neither a trial nor what the operator decided is a failure of the feed.
fn not_taken(engine: &Shared, feed: usize, reason: &(dyn Error + Send + Sync + 'static)) {
    match reason.downcast_ref() {
        Some(Held::Outdated) => {}
        Some(Held::OnTrial { .. }) => with_feed(engine, feed, Feed::try_out),
        Some(Held::Rejected { .. }) => with_feed(engine, feed, Feed::stand),
        _ => refused(engine, feed, reason),
    }
}

fn refused(engine: &Shared, feed: usize, reason: &dyn Error) {
    with_feed(engine, feed, |feed| {
        let left = match feed.content {
            Some(_) => "the last good set stays in force",
            None => "nothing of it is in force",
        };
        tracing::warn!(feed = feed.config.name, "{reason}; {left}");
        feed.fail(reason.to_string());
    });
}

fn with_feed(engine: &Shared, feed: usize, change: impl FnOnce(&mut Feed)) {
    if let Some(feed) = lock(engine).feeds.get_mut(feed) {
        change(feed);
    }
}
