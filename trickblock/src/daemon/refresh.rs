//! Keeps feeds fresh: one task per feed fetches it, waits, and tells the main loop, which
//! parses the body and says whether it accepts it.
//!
//! Only an accepted body is stored and only its validators are sent, so a bad body neither
//! replaces the last good one nor hides behind `304 Not Modified` for ever.

mod floor;
mod pace;
mod task;
mod watch;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::{RwLock, mpsc, oneshot, watch as channel},
    task::JoinSet,
    time::timeout,
};

use self::task::Task;
use crate::{
    config::FeedConfig,
    feed::{
        cache::{Cache, CacheError, Digest},
        source::{Body, Location, Source, SourceError},
    },
};

/// How long the end waits for last good copies to be written.
const WRITING: Duration = Duration::from_secs(5);

/// What one task keeps fresh.
#[derive(Clone, Debug)]
pub struct Job {
    /// Names the last good copy.
    pub name: String,
    pub location: Location,
    /// Between two fetches of a URL; files are watched.
    pub interval: Duration,
    /// A server is not asked sooner than this after it was asked, whoever wants to know.
    pub min_interval: Duration,
}

impl From<&FeedConfig> for Job {
    fn from(feed: &FeedConfig) -> Self {
        Self {
            name: feed.name.clone(),
            location: feed.location.clone(),
            interval: feed.interval,
            min_interval: feed.min_interval,
        }
    }
}

/// Something happened to a feed.
#[derive(Debug)]
pub struct FeedEvent {
    /// Position in the jobs that [`Refresher::start`] was given.
    pub feed: usize,
    pub at: Timestamp,
    /// The latest [`Refresher::reload`] that this attempt answers; 0 before the first.
    pub round: u64,
    pub outcome: Outcome,
}

#[derive(Debug)]
pub enum Outcome {
    /// A body to parse. The task waits until `judge` is answered (or dropped, which refuses).
    Loaded {
        body: Body,
        /// Of the body.
        digest: Digest,
        from: Origin,
        judge: Judge,
    },
    /// The source confirms the accepted body: by 304, or by sending the same bytes again.
    NotModified,
    /// The accepted body, if any, stays in force. `retry_in` is `None` where a change of the
    /// file is waited for.
    Failed {
        error: FetchError,
        retry_in: Option<Duration>,
    },
    /// Its server was asked too short a time ago; it is asked after `wait`.
    TooSoon { wait: Duration },
    /// The last good copy was written, or will not survive a restart; it is tried again.
    Stored(Result<(), CacheError>),
}

/// Where a body comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The last good copy on disk: stale until the source answers.
    Cache {
        /// When the source last confirmed it.
        fetched_at: Timestamp,
        /// The format it was accepted as.
        format: Option<String>,
    },
    Fetch,
}

/// A feed could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("the fetch ended without a result: report this as a bug, with the log")]
    Lost,
}

impl FetchError {
    /// The server heard of the attempt, as far as there is one.
    fn reached(&self) -> bool {
        !matches!(self, Self::Source(error) if !error.reached)
    }
}

/// Answers for a body. Dropping it refuses.
#[derive(Debug)]
pub struct Judge(oneshot::Sender<Verdict>);

#[derive(Debug)]
enum Verdict {
    Accepted(Accepted),
    Waits,
}

impl Judge {
    /// The body is in force: it becomes the last good copy.
    pub fn accept(self, accepted: Accepted) {
        // A task that is gone has no use for the answer.
        self.0.send(Verdict::Accepted(accepted)).ok();
    }

    /// The body may come into force yet: it is kept until that is decided.
    pub fn hold(self) {
        self.0.send(Verdict::Waits).ok();
    }

    /// The body is not in force; the next fetch asks for all of it again.
    pub fn refuse(self) {
        drop(self);
    }
}

/// What was taken of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// What it was read as.
    pub format: Option<String>,
    /// Files of a directory that were not taken: what they held before is their last good copy still.
    pub unread: Vec<String>,
}

/// The running tasks. Dropping it ends them, like [`Self::stop`], without waiting.
#[derive(Debug)]
pub struct Refresher {
    rounds: channel::Sender<u64>,
    /// One for each task.
    orders: Vec<mpsc::UnboundedSender<()>>,
    sources: Vec<Arc<Source>>,
    /// Held by tasks from offering a body to having written its copy.
    settling: Arc<RwLock<()>>,
    tasks: JoinSet<()>,
}

impl Refresher {
    /// Starts a task per job. Each first sends the last good copy, if there is one, then
    /// fetches as soon as it may. Must be called inside a tokio runtime with time.
    pub fn start(jobs: Vec<Job>, cache: &Cache, events: &mpsc::Sender<FeedEvent>) -> Self {
        let rounds = channel::Sender::new(0);
        let mut refresher = Self {
            rounds,
            orders: Vec::new(),
            sources: Vec::new(),
            settling: Arc::default(),
            tasks: JoinSet::new(),
        };
        for (feed, job) in jobs.into_iter().enumerate() {
            let source = Arc::new(Source::new(&job.location));
            refresher.sources.push(Arc::clone(&source));
            let (order, orders) = mpsc::unbounded_channel();
            refresher.orders.push(order);
            let task = Task::new(
                feed,
                job,
                source,
                cache.clone(),
                events.clone(),
                (refresher.rounds.subscribe(), orders),
                Arc::clone(&refresher.settling),
            );
            refresher.tasks.spawn(task.run());
        }
        refresher
    }

    /// Fetches all feeds now, also those that wait after a failure, but for those whose server was asked less than
    /// `min_interval` ago. Returns the round:
    /// once every feed has sent an event of at least this round, the reload is done.
    pub fn reload(&self) -> u64 {
        self.rounds
            .send_modify(|round| *round = round.saturating_add(1));
        *self.rounds.borrow()
    }

    /// Another body is in force than the one that a task had accepted: it fetches, as soon as the server may be asked,
    /// and hears all of what its source says.
    pub fn refetch(&self, feed: usize) {
        if let Some(orders) = self.orders.get(feed) {
            // A task that is gone has nothing left to do.
            orders.send(()).ok();
        }
    }

    /// Ends all tasks, also those in the middle of a fetch. What went into force is written first: a
    /// restart must not bring back what was removed a moment ago. The receiver of events must be gone,
    /// or a body that nobody judges is waited for.
    pub async fn stop(mut self) {
        self.interrupt();
        if timeout(WRITING, self.settling.write()).await.is_err() {
            tracing::warn!("the last good copies could not be written in time");
        }
        self.tasks.shutdown().await;
    }

    fn interrupt(&self) {
        for source in &self.sources {
            source.stop();
        }
    }
}

impl Drop for Refresher {
    fn drop(&mut self) {
        self.interrupt();
    }
}
