//! What a started daemon does.

use std::{
    convert::Infallible,
    error::Error,
    fs::File,
    future::pending,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::unix::AsyncFd,
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::{MissedTickBehavior, interval},
};

use super::{
    DaemonError,
    contacts::Contacts,
    control::{self, ControlSocket, Limits},
    docker::Follower,
    engine::Engine,
    feeds::Feed,
    handler::{self, Ask, Reload, Reloaded, Shared, lock},
    learned::{self, Hosts, Places},
    protocol::{Code, Refusal, Request, SCHEMA},
    ranges,
    refresh::{FeedEvent, Refresher},
    settle::take_event,
    signals::{Signals, Told},
    start,
};
use crate::{
    config::Config,
    kernel::{Events, Hold},
};

/// How often interfaces are looked at: one that was made anew is filtered again within this.
const WATCH: Duration = Duration::from_millis(500);
/// How often this host's surroundings are looked at: gateways, resolvers, logins and the like.
const LEARN: Duration = Duration::from_secs(10);
/// Events read in one go, so that a flood does not starve the rest.
const BATCH: usize = 1_024;

type Feeding = (
    Refresher,
    mpsc::Sender<FeedEvent>,
    mpsc::Receiver<FeedEvent>,
);

/// A filter that is on, and everything that keeps it current.
pub struct Daemon {
    engine: Shared,
    socket: ControlSocket,
    /// Where metrics are asked for.
    scrapes: Option<TcpListener>,
    refresher: Refresher,
    sender: mpsc::Sender<FeedEvent>,
    receiver: mpsc::Receiver<FeedEvent>,
    events: AsyncFd<Events>,
    contacts: Contacts,
    file: Option<PathBuf>,
    signals: Signals,
    reloads: Reloads,
    hosts: Hosts,
    /// Keeps other daemons from the same pins, and from the same state.
    _hold: (Hold, Option<File>),
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
        (socket, scrapes): (ControlSocket, Option<TcpListener>),
        (refresher, sender, receiver): Feeding,
        (events, hosts): (Events, Hosts),
        file: Option<PathBuf>,
        signals: Signals,
        hold: (Hold, Option<File>),
    ) -> Result<Self, DaemonError> {
        let (feeds, ledger) = {
            let engine = lock(&engine);
            (engine.feeds.len(), engine.ledger.clone())
        };
        Ok(Self {
            engine,
            socket,
            scrapes,
            refresher,
            sender,
            receiver,
            events: events.watched().map_err(DaemonError::Runtime)?,
            contacts: Contacts::new(ledger),
            file,
            signals,
            hosts,
            reloads: Reloads {
                rounds: vec![0; feeds],
                waiting: Vec::new(),
            },
            _hold: hold,
        })
    }

    /// Runs until a signal. The filter stays on.
    pub async fn serve(mut self) -> Result<(), DaemonError> {
        let (asks, mut asked) = mpsc::channel::<Ask>(8);
        let engine = Arc::clone(&self.engine);
        let answer = move |request: Request, peer| {
            handler::handle(request, peer, Arc::clone(&engine), asks.clone())
        };
        let socket = self.socket;
        let serving = control::serve(&socket, Limits::default(), answer);
        tokio::pin!(serving);
        let scrapes = metrics(self.scrapes, Arc::clone(&self.engine));
        tokio::pin!(scrapes);
        let mut watch = interval(WATCH);
        watch.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut learn = interval(LEARN);
        learn.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let events_read = Arc::clone(&lock(&self.engine).events_read);
        let follower = Follower::start(&lock(&self.engine));
        let mut work = Work {
            events_read,
            follower,
            engine: self.engine,
            refresher: self.refresher,
            sender: self.sender,
            receiver: self.receiver,
            contacts: self.contacts,
            file: self.file,
            reloads: self.reloads,
            hosts: self.hosts,
            learning: None,
        };
        tracing::info!("filtering");
        loop {
            tokio::select! {
                Err(failed) = &mut scrapes => return Err(failed),
                served = &mut serving => return served.map_err(DaemonError::Control),
                Some(event) = work.receiver.recv() => work.feed(event).await,
                Some(ask) = asked.recv() => work.ask(ask).await,
                told = self.signals.next() => match told {
                    Told::Reload => work.reload(None).await,
                    Told::Stop => break,
                },
                _ = watch.tick() => work.watch().await,
                _ = learn.tick() => work.learn(),
                ready = self.events.readable_mut() => {
                    let mut ready = ready.map_err(DaemonError::Runtime)?;
                    if work.read_events(ready.get_inner_mut()) {
                        ready.clear_ready();
                    }
                }
            }
        }
        // Bodies that wait are refused by this.
        drop(work.receiver);
        work.refresher.stop().await;
        tracing::info!("stopped; the filter stays on until `trickblock off`");
        Ok(())
    }
}

/// Never returns where nobody is to be answered.
async fn metrics(scrapes: Option<TcpListener>, engine: Shared) -> Result<Infallible, DaemonError> {
    match scrapes {
        Some(bound) => super::metrics::serve(bound, engine).await,
        None => pending().await,
    }
}

/// The parts of a daemon that its loop changes.
struct Work {
    engine: Shared,
    refresher: Refresher,
    sender: mpsc::Sender<FeedEvent>,
    receiver: mpsc::Receiver<FeedEvent>,
    contacts: Contacts,
    events_read: Arc<AtomicU64>,
    follower: Follower,
    file: Option<PathBuf>,
    reloads: Reloads,
    hosts: Hosts,
    /// Looks around this host.
    learning: Option<JoinHandle<()>>,
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

    async fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Reload(reply) => self.reload(Some(reply)).await,
            Ask::Refetch(feed) => self.refresher.refetch(feed),
        }
    }

    /// Not on this thread: a request may hold the engine, and a driver takes its time to attach.
    async fn watch(&self) {
        let engine = Arc::clone(&self.engine);
        let look = move || {
            let mut engine = lock(&engine);
            let tried = engine.keep_time().unwrap_or_else(|error| {
                tracing::error!("what has come to its end is still in force: {error}");
                Vec::new()
            });
            engine.note_worth();
            (0..engine.feeds.len()).for_each(|feed| engine.keep_departed(feed));
            let looked = engine.keep_attached();
            (tried, looked.and_then(|_| engine.settle_contacts()))
        };
        let Ok((tried, looked)) = spawn_blocking(look).await else {
            return;
        };
        if let Err(error) = looked {
            tracing::error!("looking at the interfaces failed: {error}");
        }
        for feed in tried {
            self.refresher.refetch(feed);
        }
    }

    /// Looks around this host, unless the last look still lasts; nobody waits for it.
    fn learn(&mut self) {
        if self
            .learning
            .as_ref()
            .is_some_and(|look| !look.is_finished())
        {
            return;
        }
        let (engine, hosts) = (Arc::clone(&self.engine), self.hosts.clone());
        let look = move || {
            let config = lock(&engine).config.clone();
            let found = learned::surroundings(&config, &Places::default(), &hosts);
            if let Err(error) = lock(&engine).settle_in(&found) {
                tracing::error!("protecting what is around this host failed: {error}");
            }
        };
        self.learning = Some(spawn_blocking(look));
    }

    /// True where no event is left.
    fn read_events(&mut self, events: &mut Events) -> bool {
        for _ in 0..BATCH {
            let Some(event) = events.pop() else {
                return true;
            };
            self.events_read.fetch_add(1, Ordering::Relaxed);
            self.contacts.take(&event);
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
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        let refuse = |error: &dyn Error| {
            Refusal::new(
                Code::Failed,
                error.to_string(),
                "mend it and reload again; the old configuration stays in force",
            )
        };
        let engine = Arc::clone(&self.engine);
        let done = spawn_blocking(move || reconfigured(&file, &engine)).await;
        let feeds = done
            .map_err(|error| refuse(&error))?
            .map_err(|error| refuse(error.as_ref()))?;
        if let Some(feeds) = feeds {
            self.restart_refresher(feeds);
        }
        self.follower.keep(&lock(&self.engine));
        Ok(())
    }

    /// Events of the old tasks end with their channel: their indices mean other feeds now. Rounds
    /// start anew, so reloads that still wait are answered by the round that follows.
    fn restart_refresher(&mut self, feeds: usize) {
        (self.sender, self.receiver) = mpsc::channel(16);
        self.refresher = start::refresher(&lock(&self.engine).config, &self.sender);
        self.reloads.rounds = vec![0; feeds];
        self.reloads
            .waiting
            .iter_mut()
            .for_each(|(round, _)| *round = 1);
    }

    fn finish_reloads(&mut self) {
        let answered = self
            .reloads
            .rounds
            .iter()
            .copied()
            .min()
            .unwrap_or(u64::MAX);
        let (done, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.reloads.waiting)
            .into_iter()
            .partition(|(round, _)| *round <= answered);
        self.reloads.waiting = waiting;
        for (_, reply) in done {
            // A caller that left has no use for the answer.
            let _ = reply.send(Ok(self.reloaded()));
        }
    }

    fn reloaded(&self) -> Reloaded {
        let engine = lock(&self.engine);
        let failed = |feed: &Feed| {
            Some(format!(
                "{}: {}",
                feed.config.name,
                feed.last_error.as_ref()?
            ))
        };
        Reloaded {
            schema: SCHEMA,
            problems: engine.unapplied(),
            failed: engine.feeds.iter().filter_map(failed).collect(),
            put_off: engine.feeds.iter().filter_map(Feed::waits).collect(),
            rejected: {
                let standing = engine.feeds.iter().filter(|feed| feed.stands);
                standing.map(|feed| feed.config.name.clone()).collect()
            },
            indicators: engine.live.len(),
        }
    }
}

/// Reads the file and applies it. Returns the number of feeds where these changed.
fn reconfigured(
    file: &Path,
    engine: &Mutex<Engine>,
) -> Result<Option<usize>, Box<dyn Error + Send + Sync>> {
    let config = Config::load(file)?;
    let known = (start::guard(&config)?, ranges::kinds(&config)?);
    let mut engine = lock(engine);
    let before = engine.config.feeds.clone();
    engine.reconfigure(config, known)?;
    let feeds = &engine.config.feeds;
    Ok((*feeds != before).then_some(feeds.len()))
}
