//! From a configuration to a filter that is on. Maps are filled before anything is attached.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use ipnet::IpNet;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, timeout_at},
};

use super::{
    DaemonError,
    control::ControlSocket,
    engine::{Engine, First},
    feeds::{Content, Feed, Refused},
    learned::{self, Hosts, Places},
    main_loop::Daemon,
    metrics, ranges,
    refresh::{FeedEvent, FetchError, Job, Origin, Outcome, Refresher},
    settle::settle_event,
    signals::Signals,
};
use crate::{
    config::{Config, FeedConfig},
    feed::{
        self, Format, NotAFeed,
        cache::Cache,
        limits::{Caps, read_capped},
        sandbox::{Program, Reader},
    },
    kernel::{Events, Pins, are_private, find_interface, memory},
    policy::{Guard, Kinds, Lists, Surroundings},
};

/// How long the start waits for feeds that have no last good copy. An earlier filter stays on
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long those that have something to say wait for the others.
const COURTESY: Duration = Duration::from_secs(2);
const EVENTS: usize = 16;

/// Loads, fills and attaches. `None` where a signal ended the start.
pub async fn start(
    config: Config,
    file: Option<PathBuf>,
    mut signals: Signals,
) -> Result<Option<Daemon>, DaemonError> {
    let (guard, kinds) = (guard(&config)?, ranges::kinds(&config)?);
    let hosts = Hosts::default();
    let looking = look_around(&config, &hosts);
    let socket = ControlSocket::bind(&config.paths.socket)?;
    let scrapes = config.metrics.listen.map(metrics::bind).transpose()?;
    let reader = reader().await;
    let (sender, mut receiver) = mpsc::channel(EVENTS);
    let refresher = refresher(&config, &sender);
    let first = tokio::select! {
        first = first_bodies(&mut receiver, config.feeds.len()) => first,
        () = signals.stop() => return Ok(None),
    };
    let first = read(&config.feeds, &reader, first).await;
    let guard = settled(guard, looking.await.ok());
    let pins = Pins::new(&config.paths.pins);
    warn_of_private(&config.paths.pins);
    let hold = (pins.hold()?, hold_state(&config.paths.state)?);
    some_interface(&config)?;
    let found = Found::at(&pins);
    let engine = filled(config, (guard, kinds), reader, &first)?;
    let engine = Arc::new(Mutex::new(engine));
    for Read { event, content } in first {
        settle_event(&engine, event, content).await;
    }
    attach(&engine, &pins, &found)?;
    let events = Events::open(&pins)?;
    Daemon::new(
        engine,
        (socket, scrapes),
        (refresher, sender, receiver),
        (events, hosts),
        file,
        signals,
        hold,
    )
    .map(Some)
}

/// Makes this process the only one with this state directory, until the result is dropped. One that cannot be used is
/// told by whoever wants to write there.
fn hold_state(path: &Path) -> Result<Option<File>, DaemonError> {
    let directory = fs::create_dir_all(path).and_then(|()| File::open(path));
    let Ok(directory) = directory else {
        return Ok(None);
    };
    match directory.try_lock() {
        Err(TryLockError::WouldBlock) => Err(DaemonError::StateHeld {
            path: path.to_owned(),
        }),
        _ => Ok(Some(directory)),
    }
}

fn warn_of_private(pins: &Path) {
    if are_private(pins) {
        tracing::warn!(
            "{}: the host's first process does not see this file system: pins on it go with this mount namespace. `ip netns exec` makes one that ends with its command: enter a network namespace with `nsenter --net=/run/netns/NAME` instead",
            pins.display()
        );
    }
}

/// Where nothing can be filtered nothing is changed: an earlier filter goes on with its own set.
fn some_interface(config: &Config) -> Result<(), DaemonError> {
    let wanted = config.interfaces.iter();
    let failures = wanted.filter_map(|interface| find_interface(&interface.name).err());
    let failures: Vec<String> = failures.map(|error| error.to_string()).collect();
    match failures.len() < config.interfaces.len() {
        true => Ok(()),
        false => Err(DaemonError::NoInterface(failures)),
    }
}

/// Meanwhile the feeds answer.
fn look_around(config: &Config, hosts: &Hosts) -> JoinHandle<Surroundings> {
    let (config, hosts) = (config.clone(), hosts.clone());
    spawn_blocking(move || learned::surroundings(&config, &Places::default(), &hosts))
}

fn settled(guard: Guard, surroundings: Option<Surroundings>) -> Guard {
    let moved = surroundings.and_then(|surroundings| guard.moved(&surroundings));
    moved.unwrap_or(guard)
}

/// With what the feeds say.
fn filled(
    config: Config,
    known: (Guard, Kinds),
    reader: Reader,
    first: &[Read],
) -> Result<Engine, DaemonError> {
    let said: Vec<_> = first.iter().filter_map(Read::said).collect();
    let engine = Engine::start(config, known, reader, &said)?;
    memory::return_free_pages();
    Ok(engine)
}

/// Confined readers. What they lack here is said once; where none works, every feed says so itself.
async fn reader() -> Reader {
    let reader = Reader::confined(Program::own());
    let tested = reader.clone();
    match spawn_blocking(move || tested.test()).await {
        Ok(Ok(Some(missing))) if !missing.is_none() => tracing::warn!(
            "feeds are read in a process with {missing}: the kernel or this service's capabilities have no more"
        ),
        Ok(Err(error)) => tracing::error!("feeds cannot be read: {error}"),
        _ => {}
    }
    reader
}

pub(super) fn refresher(config: &Config, sender: &mpsc::Sender<FeedEvent>) -> Refresher {
    let jobs = config.feeds.iter().map(Job::from).collect();
    Refresher::start(jobs, &Cache::new(&config.paths.state), sender)
}

/// One event per feed, or what came until patience ended.
async fn first_bodies(receiver: &mut mpsc::Receiver<FeedEvent>, feeds: usize) -> Vec<FeedEvent> {
    let mut deadline = Instant::now() + PATIENCE;
    let mut spoken = vec![false; feeds];
    let mut first = Vec::new();
    while spoken.iter().any(|spoken| !spoken) {
        let Ok(Some(event)) = timeout_at(deadline, receiver.recv()).await else {
            tracing::warn!("starting without the feeds that have not answered yet");
            break;
        };
        if matches!(event.outcome, Outcome::Loaded { .. }) {
            deadline = deadline.min(Instant::now() + COURTESY);
        }
        if let Some(spoken) = spoken.get_mut(event.feed) {
            *spoken |= !is_cache_error(&event.outcome);
        }
        first.push(event);
    }
    first
}

/// A damaged last good copy is no answer: the fetch follows.
fn is_cache_error(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Failed {
            error: FetchError::Cache(_),
            ..
        } | Outcome::Stored(_)
    )
}

/// An event of the start, and what its body holds.
struct Read {
    event: FeedEvent,
    content: Option<Result<Content, Refused>>,
}

impl Read {
    fn said(&self) -> Option<First<'_>> {
        let Outcome::Loaded { digest, from, .. } = &self.event.outcome else {
            return None;
        };
        Some(First {
            feed: self.event.feed,
            content: self.content.as_ref()?.as_ref().ok()?,
            digest: *digest,
            fresh: *from == Origin::Fetch,
        })
    }
}

/// Reads the bodies once: the size of the table is chosen by what they hold, and then it is filled
/// with just that.
async fn read(feeds: &[FeedConfig], reader: &Reader, events: Vec<FeedEvent>) -> Vec<Read> {
    let read = |event: FeedEvent| {
        let (feed, reader) = (feeds.get(event.feed).cloned(), reader.clone());
        spawn_blocking(move || {
            let content = match (&event.outcome, feed) {
                (Outcome::Loaded { body, .. }, Some(feed)) => {
                    Some(Feed::new(feed).read(body, &reader))
                }
                _ => None,
            };
            Read { event, content }
        })
    };
    let mut all = Vec::new();
    // All at once: there may be several large ones.
    for reading in events.into_iter().map(read).collect::<Vec<_>>() {
        all.extend(reading.await);
    }
    all
}

/// Which earlier filters' pins were there before.
struct Found {
    this_version: bool,
    other_version: Option<String>,
}

impl Found {
    fn at(pins: &Pins) -> Self {
        Self {
            this_version: pins.has_filter(),
            other_version: pins.other_version(),
        }
    }

    /// Leaves no pins that look like a filter; those of an earlier one keep its counters, or are it.
    fn clear(&self, pins: &Pins) {
        let removed = match (self.this_version, &self.other_version) {
            (true, _) => Ok(()),
            (false, Some(_)) => pins.remove_this_version(),
            (false, None) => pins.remove(),
        };
        if let Err(error) = removed {
            tracing::warn!("pins are left at {}: {error}", pins.root().display());
        }
    }
}

fn attach(engine: &Mutex<Engine>, pins: &Pins, found: &Found) -> Result<(), DaemonError> {
    let mut engine = super::handler::lock(engine);
    if let Some(version) = found
        .other_version
        .clone()
        .filter(|_| engine.live.is_empty())
    {
        // Its rules cannot be read: an empty set in its place would end the blocking.
        found.clear(pins);
        return Err(DaemonError::NothingInstead { version });
    }
    if !engine.on()?.is_empty() {
        return Ok(());
    }
    found.clear(pins);
    let reasons = engine.unattached.values().cloned().collect();
    Err(DaemonError::NoInterface(reasons))
}

/// The never-block list that the configuration asks for. What is around the host comes later.
pub fn guard(config: &Config) -> Result<Guard, DaemonError> {
    let mut allow = config.guard.allow.clone();
    for path in &config.guard.allow_files {
        let listed = allow_file(path).map_err(|reason| DaemonError::Allow {
            path: path.clone(),
            reason,
        })?;
        allow.extend(listed);
    }
    Ok(Guard::new(Lists {
        allow,
        own: config.own.clone(),
        except: config.guard.except.clone(),
        shipped: true,
        surroundings: Surroundings::default(),
    }))
}

/// Every row of an allow file must be right: one that is misread protects nobody.
fn allow_file(path: &Path) -> Result<Vec<IpNet>, String> {
    let parsed = match feed::parse(&list_text(path)?, Some(Format::Plain)) {
        // Nothing allowed yet, but perhaps a comment that says what belongs here.
        Err(NotAFeed::Empty | NotAFeed::NoEntries { .. }) => return Ok(Vec::new()),
        parsed => parsed.map_err(|error| error.to_string())?,
    };
    if let Some(rejection) = parsed.rejections.first() {
        return Err(format!(
            "line {}: `{}`: {}",
            rejection.line, rejection.text, rejection.reason
        ));
    }
    if parsed.ignored > 0 {
        return Err(format!(
            "{} lines are host names or the like: write addresses or prefixes",
            parsed.ignored
        ));
    }
    let with_port = parsed.rows.iter().find(|row| row.indicator.port.is_some());
    if let Some(row) = with_port {
        return Err(format!(
            "line {}: {} has a port: write the address or prefix alone",
            row.line, row.indicator
        ));
    }
    Ok(parsed.rows.iter().map(|row| row.indicator.prefix).collect())
}

pub(super) fn list_text(path: &Path) -> Result<Bytes, String> {
    let unreadable = |error| format!("cannot be read ({error})");
    // It may have been replaced since the configuration was read; a pipe would block for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err("is not a file: name the list itself".to_owned());
    }
    let file = File::open(path).map_err(unreadable)?;
    read_capped(file, &Caps::default(), false).map_err(|error| error.to_string())
}
