//! What a started daemon does.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::unix::AsyncFd,
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::{
    DaemonError,
    contacts::Contacts,
    control::{self, ControlSocket, Limits},
    handler::{self, Reload, Reloaded, Shared, lock},
    protocol::{Code, Refusal, Request},
    refresh::{FeedEvent, Origin, Outcome, Refresher},
    start,
};
use crate::{config::Config, kernel::Events};

/// How often interfaces are looked at: one that was made anew is filtered again within this.
const WATCH: Duration = Duration::from_millis(500);
/// Events read in one go, so that a flood does not starve the rest.
const BATCH: usize = 1_024;

/// SIGTERM and SIGINT end the daemon, SIGHUP reloads.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    /// Returns when the daemon is to end.
    pub async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

type Feeding = (
    Refresher,
    mpsc::Sender<FeedEvent>,
    mpsc::Receiver<FeedEvent>,
);

/// A filter that is on, and everything that keeps it current.
pub struct Daemon {
    engine: Shared,
    socket: ControlSocket,
    refresher: Refresher,
    sender: mpsc::Sender<FeedEvent>,
    receiver: mpsc::Receiver<FeedEvent>,
    events: AsyncFd<Events>,
    contacts: Contacts,
    file: Option<PathBuf>,
    signals: Signals,
    reloads: Reloads,
}

/// Reloads that wait for their feeds.
#[derive(Default)]
struct Reloads {
    /// The latest round that each feed has answered.
    rounds: Vec<u64>,
    waiting: Vec<(u64, Reload)>,
}

impl Daemon {
    pub fn new(
        engine: Shared,
        socket: ControlSocket,
        (refresher, sender, receiver): Feeding,
        events: Events,
        file: Option<PathBuf>,
        signals: Signals,
    ) -> Result<Self, DaemonError> {
        let feeds = lock(&engine).feeds.len();
        Ok(Self {
            engine,
            socket,
            refresher,
            sender,
            receiver,
            events: events.watched().map_err(DaemonError::Runtime)?,
            contacts: Contacts::default(),
            file,
            signals,
            reloads: Reloads {
                rounds: vec![0; feeds],
                waiting: Vec::new(),
            },
        })
    }

    /// Runs until a signal. The filter stays on.
    pub async fn serve(mut self) -> Result<(), DaemonError> {
        let (asks, mut asked) = mpsc::channel::<Reload>(8);
        let engine = Arc::clone(&self.engine);
        let answer = move |request: Request, _peer| {
            handler::handle(request, Arc::clone(&engine), asks.clone())
        };
        let socket = self.socket;
        let serving = control::serve(&socket, Limits::default(), answer);
        tokio::pin!(serving);
        let mut watch = interval(WATCH);
        watch.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut work = Work {
            engine: self.engine,
            refresher: self.refresher,
            sender: self.sender,
            receiver: self.receiver,
            contacts: self.contacts,
            file: self.file,
            reloads: self.reloads,
        };
        tracing::info!("filtering");
        loop {
            tokio::select! {
                served = &mut serving => return served.map_err(DaemonError::Control),
                Some(event) = work.receiver.recv() => work.feed(event).await,
                Some(reply) = asked.recv() => work.reload(Some(reply)).await,
                _ = self.signals.reload.recv() => work.reload(None).await,
                () = stop(&mut self.signals.terminate, &mut self.signals.interrupt) => break,
                _ = watch.tick() => work.watch_interfaces(),
                ready = self.events.readable_mut() => {
                    let mut ready = ready.map_err(DaemonError::Runtime)?;
                    if work.read_events(ready.get_inner_mut()) {
                        ready.clear_ready();
                    }
                }
            }
        }
        work.refresher.stop().await;
        tracing::info!("stopped; the filter stays on until `trickblock off`");
        Ok(())
    }
}

async fn stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// The parts of a daemon that its loop changes.
struct Work {
    engine: Shared,
    refresher: Refresher,
    sender: mpsc::Sender<FeedEvent>,
    receiver: mpsc::Receiver<FeedEvent>,
    contacts: Contacts,
    file: Option<PathBuf>,
    reloads: Reloads,
}

impl Work {
    async fn feed(&mut self, event: FeedEvent) {
        let (feed, round) = (event.feed, event.round);
        if !take_event(&self.engine, event).await {
            return;
        }
        if let Some(known) = self.reloads.rounds.get_mut(feed) {
            *known = round;
        }
        self.finish_reloads();
    }

    fn watch_interfaces(&self) {
        if let Err(error) = lock(&self.engine).keep_attached() {
            tracing::error!("looking at the interfaces failed: {error}");
        }
    }

    /// True where no event is left.
    fn read_events(&mut self, events: &mut Events) -> bool {
        let read = lock(&self.engine).events_read.clone();
        for _ in 0..BATCH {
            let Some(event) = events.next() else {
                return true;
            };
            read.fetch_add(1, Ordering::Relaxed);
            self.contacts.log(&event);
        }
        false
    }

    /// Reads the configuration again where there is a file, then fetches every feed.
    async fn reload(&mut self, reply: Option<Reload>) {
        if let Err(refusal) = self.reconfigure().await {
            tracing::error!("reload refused: {refusal}");
            if let Some(reply) = reply {
                // A caller that left has no use for the answer.
                let _ = reply.send(Err(refusal));
            }
            return;
        }
        let round = self.refresher.reload();
        self.reloads
            .waiting
            .extend(reply.map(|reply| (round, reply)));
        self.finish_reloads();
    }

    async fn reconfigure(&mut self) -> Result<(), Refusal> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let refuse = |error: &dyn std::fmt::Display| {
            Refusal::new(
                Code::Failed,
                error.to_string(),
                "mend it and reload again; the old configuration stays in force",
            )
        };
        let config = Config::load(file).map_err(|error| refuse(&error))?;
        let guard = start::guard(&config).map_err(|error| refuse(&error))?;
        let (feeds, engine) = (config.feeds.clone(), Arc::clone(&self.engine));
        let before = lock(&engine).config.feeds.clone();
        let done =
            tokio::task::spawn_blocking(move || lock(&engine).reconfigure(config, guard)).await;
        done.map_err(|error| refuse(&error))?
            .map_err(|error| refuse(&error))?;
        if feeds != before {
            self.restart_refresher(feeds.len());
        }
        Ok(())
    }

    /// Events of the old tasks end with their channel: their indices mean other feeds now.
    fn restart_refresher(&mut self, feeds: usize) {
        (self.sender, self.receiver) = mpsc::channel(16);
        self.refresher = start::refresher(&lock(&self.engine).config, &self.sender);
        self.reloads.rounds = vec![0; feeds];
    }

    fn finish_reloads(&mut self) {
        let answered = self
            .reloads
            .rounds
            .iter()
            .copied()
            .min()
            .unwrap_or(u64::MAX);
        let (done, waiting) = std::mem::take(&mut self.reloads.waiting)
            .into_iter()
            .partition(|(round, _)| *round <= answered);
        self.reloads.waiting = waiting;
        for (_, reply) in Vec::<(u64, Reload)>::from(done) {
            // A caller that left has no use for the answer.
            let _ = reply.send(Ok(self.reloaded()));
        }
    }

    fn reloaded(&self) -> Reloaded {
        let engine = lock(&self.engine);
        let failed = |feed: &super::feeds::Feed| {
            Some(format!(
                "{}: {}",
                feed.config.name,
                feed.last_error.as_ref()?
            ))
        };
        Reloaded {
            failed: engine.feeds.iter().filter_map(failed).collect(),
            indicators: engine.live.len(),
        }
    }
}

/// Acts on what happened to a feed; true where that was an answer of its source.
pub(super) async fn take_event(engine: &Shared, event: FeedEvent) -> bool {
    let FeedEvent {
        feed, at, outcome, ..
    } = event;
    match outcome {
        Outcome::Loaded { body, from, judge } => {
            let fresh = from == Origin::Fetch;
            let confirmed = match from {
                Origin::Cache { fetched_at, .. } => fetched_at,
                Origin::Fetch => at,
            };
            let shared = Arc::clone(engine);
            let offered = tokio::task::spawn_blocking(move || {
                let mut engine = lock(&shared);
                let offered = engine.offer(feed, &body, confirmed, fresh);
                offered.map(|()| engine.feeds.get(feed).and_then(super::feeds::Feed::format))
            });
            match offered.await {
                Ok(Ok(format)) => judge.accept(format.map(|format| format.to_string())),
                Ok(Err(held)) => {
                    judge.refuse();
                    refused(engine, feed, &held);
                }
                Err(error) => {
                    judge.refuse();
                    refused(engine, feed, &error);
                }
            }
            return fresh;
        }
        Outcome::NotModified => with_feed(engine, feed, |feed| feed.confirm(at, true)),
        Outcome::Failed { error, .. } => refused(engine, feed, &error),
        Outcome::Stored(stored) => {
            with_feed(engine, feed, |feed| {
                feed.store_error = stored.err().map(|error| error.to_string())
            });
            return false;
        }
    }
    true
}

fn refused(engine: &Shared, feed: usize, reason: &dyn std::fmt::Display) {
    with_feed(engine, feed, |feed| {
        tracing::warn!(
            feed = feed.config.name,
            "{reason}; the last good set stays in force"
        );
        feed.fail(reason.to_string());
    });
}

fn with_feed(engine: &Shared, feed: usize, change: impl FnOnce(&mut super::feeds::Feed)) {
    if let Some(feed) = lock(engine).feeds.get_mut(feed) {
        change(feed);
    }
}
