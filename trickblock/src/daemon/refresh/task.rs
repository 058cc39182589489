//! The life of one feed.

use std::{future::pending, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{RwLock, mpsc, oneshot, watch as channel},
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    Accepted, FeedEvent, FetchError, Job, Judge, Origin, Outcome, Verdict, floor::Floor, pace,
    watch,
};
use crate::feed::{
    cache::{Cache, CacheError, Digest, Stored},
    source::{Body, Fetched, Source, SourceError, Stamp, Validators},
};

/// How often the copy on disk is told that it was confirmed.
const CONFIRM_EVERY: Duration = Duration::from_secs(60);

/// Rounds of reloads, and what is asked of this task alone.
type Orders = (channel::Receiver<u64>, mpsc::UnboundedReceiver<()>);

/// The main loop is gone, so the task ends as well.
struct Gone;

pub(super) struct Task {
    feed: usize,
    job: Job,
    floor: Floor,
    source: Arc<Source>,
    cache: Cache,
    events: mpsc::Sender<FeedEvent>,
    rounds: channel::Receiver<u64>,
    orders: mpsc::UnboundedReceiver<()>,
    round: u64,
    /// Of the accepted body.
    validators: Validators,
    accepted: Option<Digest>,
    /// Accepted, but not on disk yet.
    unsaved: Option<Arc<Stored>>,
    /// When the copy on disk was last written or confirmed.
    confirmed: Option<Instant>,
    /// State of the files when they were last read.
    stamp: Option<Stamp>,
    failures: u32,
    /// Held from offering a body to having written its copy.
    settling: Arc<RwLock<()>>,
}

impl Task {
    pub(super) fn new(
        feed: usize,
        job: Job,
        source: Arc<Source>,
        cache: Cache,
        events: mpsc::Sender<FeedEvent>,
        (rounds, orders): Orders,
        settling: Arc<RwLock<()>>,
    ) -> Self {
        let validators = Validators::default();
        let (accepted, unsaved, confirmed, stamp) = (None, None, None, None);
        let floor = Floor::new(&job, &cache);
        Self {
            feed,
            job,
            floor,
            source,
            cache,
            events,
            rounds,
            orders,
            round: 0,
            validators,
            accepted,
            unsaved,
            confirmed,
            stamp,
            failures: 0,
            settling,
        }
    }

    pub(super) async fn run(mut self) {
        // The only error is that nobody listens any more.
        self.live().await.ok();
    }

    async fn live(&mut self) -> Result<(), Gone> {
        self.restore().await?;
        self.floor.restore().await;
        loop {
            self.round = *self.rounds.borrow_and_update();
            let pause = match self.floor.left() {
                Some(wait) => self.too_soon(wait).await?,
                None => self.attempt().await?,
            };
            if self.wait(pause).await?.is_some() {
                self.validators = Validators::default();
                self.accepted = None;
                self.unsaved = None;
            }
        }
    }

    async fn too_soon(&self, wait: Duration) -> Result<Option<Duration>, Gone> {
        self.send(Outcome::TooSoon { wait }).await?;
        Ok(Some(wait))
    }

    /// Offers the last good copy, or the newest earlier one that is good: without one in force a list that is no
    /// more what it was would be the first.
    async fn restore(&mut self) -> Result<(), Gone> {
        let (cache, name) = (self.cache.clone(), self.job.name.clone());
        if self.offer_copy(move || cache.load(&name)).await? {
            return Ok(());
        }
        let (cache, name) = (self.cache.clone(), self.job.name.clone());
        let versions = spawn_blocking(move || cache.history(&name)).await;
        for version in versions.unwrap_or_default() {
            let (cache, name) = (self.cache.clone(), self.job.name.clone());
            let earlier = move || cache.earlier(&name, &version.id);
            if self.offer_copy(earlier).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// True where a copy was taken. One of another source under the same name is none.
    async fn offer_copy(
        &mut self,
        load: impl FnOnce() -> Result<Option<Stored>, CacheError> + Send + 'static,
    ) -> Result<bool, Gone> {
        let stored = match spawn_blocking(load).await {
            Ok(Ok(Some(stored))) if stored.origin == self.job.location.identity() => stored,
            Ok(Ok(_)) => return Ok(false),
            Ok(Err(error)) => {
                self.failed(error.into(), Some(Duration::ZERO)).await?;
                return Ok(false);
            }
            Err(_) => {
                self.failed(FetchError::Lost, Some(Duration::ZERO)).await?;
                return Ok(false);
            }
        };
        let digest = stored.body.digest();
        let from = Origin::Cache {
            fetched_at: stored.fetched_at,
            format: stored.format,
        };
        let verdict = self.judge(stored.body, digest, from).await?;
        let taken = matches!(verdict, Some(Verdict::Accepted(_)));
        if taken {
            self.validators = stored.validators;
            self.accepted = Some(digest);
        }
        Ok(taken)
    }

    /// One fetch and what follows from it; returns the pause until the next, `None` where a
    /// change of the file is waited for.
    async fn attempt(&mut self) -> Result<Option<Duration>, Gone> {
        self.floor.ask().await;
        self.stamp = watch::stamp(&self.source).await;
        match self.fetch().await {
            Ok(fetched) => {
                self.failures = 0;
                self.settle(fetched).await?;
                let (interval, least) = (self.job.interval, self.job.min_interval);
                let pause = || pace::jittered_above(interval, least);
                Ok((!self.source.is_watched()).then(pause))
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                if !error.reached() {
                    self.floor.not_reached().await;
                }
                let pause = self.retry_in(&error);
                self.failed(error, pause).await?;
                Ok(pause)
            }
        }
    }

    async fn fetch(&self) -> Result<Fetched, FetchError> {
        let (source, validators) = (Arc::clone(&self.source), self.validators.clone());
        match spawn_blocking(move || source.fetch(&validators)).await {
            Ok(result) => Ok(result?),
            Err(_) => Err(FetchError::Lost),
        }
    }

    /// A file that is not there is waited for; what else may go wrong may also pass by itself.
    fn retry_in(&self, error: &FetchError) -> Option<Duration> {
        let retry_after = match error {
            FetchError::Source(SourceError { retry_after, .. }) => *retry_after,
            FetchError::Cache(_) | FetchError::Lost => None,
        };
        if self.source.is_watched() && self.stamp.is_none() {
            return None;
        }
        let pause = pace::pause(self.job.interval, self.failures, retry_after);
        let floor = match error.reached() {
            true => self.job.min_interval,
            false => Duration::ZERO,
        };
        let least = floor.max(retry_after.unwrap_or_default());
        Some(pace::jittered_above(pause, least))
    }

    async fn settle(&mut self, fetched: Fetched) -> Result<(), Gone> {
        let Fetched::Body { body, validators } = fetched else {
            return self.not_modified().await;
        };
        let digest = body.digest();
        if self.accepted == Some(digest) {
            self.validators = validators;
            return self.not_modified().await;
        }
        let settling = Arc::clone(&self.settling);
        let _settling = settling.read().await;
        // Until it is accepted, the next request must not be conditional on this body, nor
        // on the one before it: a source that goes back to that one has to be heard.
        self.validators = Validators::default();
        let stored = Stored {
            body: body.clone(),
            validators,
            fetched_at: Timestamp::now(),
            format: None,
            origin: self.job.location.identity(),
        };
        match self.judge(body, digest, Origin::Fetch).await? {
            Some(Verdict::Accepted(accepted)) => {
                self.validators = stored.validators.clone();
                self.accepted = Some(digest);
                self.keep(stored, accepted).await
            }
            verdict => {
                self.accepted = None;
                match verdict {
                    Some(_) => self.keep_waiting(stored).await,
                    None => Ok(()),
                }
            }
        }
    }

    async fn keep_waiting(&self, stored: Stored) -> Result<(), Gone> {
        let (cache, name) = (self.cache.clone(), self.job.name.clone());
        let kept = spawn_blocking(move || cache.keep_waiting(&name, &stored));
        if let Err(error) = kept.await.map_err(|_| Gone)? {
            tracing::warn!("{error}");
        }
        Ok(())
    }

    /// Makes what was taken of a body the last good copy.
    async fn keep(&mut self, mut stored: Stored, accepted: Accepted) -> Result<(), Gone> {
        stored.format = accepted.format;
        if !accepted.unread.is_empty() {
            let (cache, name) = (self.cache.clone(), self.job.name.clone());
            let kept = move || cache.with_last_good(&name, stored, &accepted.unread);
            stored = spawn_blocking(kept).await.map_err(|_| Gone)?;
        }
        self.store(Arc::new(stored)).await
    }

    async fn judge(
        &self,
        body: Body,
        digest: Digest,
        from: Origin,
    ) -> Result<Option<Verdict>, Gone> {
        let (judge, verdict) = oneshot::channel();
        self.send(Outcome::Loaded {
            body,
            digest,
            from,
            judge: Judge(judge),
        })
        .await?;
        Ok(verdict.await.ok())
    }

    /// Writes the copy, and keeps it in memory for another attempt if that fails.
    async fn store(&mut self, stored: Arc<Stored>) -> Result<(), Gone> {
        let (cache, name, copy) = (
            self.cache.clone(),
            self.job.name.clone(),
            Arc::clone(&stored),
        );
        let result = self.on_disk(move || cache.store(&name, &copy)).await?;
        self.unsaved = result.is_err().then_some(stored);
        self.send(Outcome::Stored(result)).await
    }

    async fn not_modified(&mut self) -> Result<(), Gone> {
        self.send(Outcome::NotModified).await?;
        if self
            .confirmed
            .is_some_and(|at| at.elapsed() < CONFIRM_EVERY)
        {
            return Ok(());
        }
        if let Some(stored) = self.unsaved.take() {
            return self.store(stored).await;
        }
        let (cache, name, now) = (self.cache.clone(), self.job.name.clone(), Timestamp::now());
        let result = self.on_disk(move || cache.confirm(&name, now)).await?;
        self.send(Outcome::Stored(result)).await
    }

    async fn on_disk(
        &mut self,
        work: impl FnOnce() -> Result<(), CacheError> + Send + 'static,
    ) -> Result<Result<(), CacheError>, Gone> {
        self.confirmed = Some(Instant::now());
        // Only a panic, or the end of the runtime, leaves no result.
        spawn_blocking(work).await.map_err(|_| Gone)
    }

    /// Until the pause is over, the files change, or a reload or something else is asked for.
    async fn wait(&mut self, pause: Option<Duration>) -> Result<Option<()>, Gone> {
        let timer = async {
            match pause {
                Some(pause) => sleep(pause).await,
                None => pending().await,
            }
        };
        let watched = self.source.is_watched();
        let change = async {
            if watched {
                watch::changed(&self.source, self.stamp.as_ref()).await;
            } else {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = timer => Ok(None),
            () = change => Ok(None),
            reload = self.rounds.changed() => reload.map(|()| None).map_err(|_| Gone),
            order = self.orders.recv() => order.map(Some).ok_or(Gone),
        }
    }

    async fn failed(&self, error: FetchError, retry_in: Option<Duration>) -> Result<(), Gone> {
        self.send(Outcome::Failed { error, retry_in }).await
    }

    async fn send(&self, outcome: Outcome) -> Result<(), Gone> {
        let event = FeedEvent {
            feed: self.feed,
            at: Timestamp::now(),
            round: self.round,
            outcome,
        };
        self.events.send(event).await.map_err(|_| Gone)
    }
}
