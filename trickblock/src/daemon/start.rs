//! From a configuration to a filter that is on. Maps are filled before anything is attached.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use ipnet::IpNet;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::{
    DaemonError,
    control::ControlSocket,
    engine::Engine,
    feeds::{Content, Feed},
    main_loop::{Daemon, Signals, take_event},
    refresh::{FeedEvent, FetchError, Job, Outcome, Refresher},
};
use crate::{
    config::{Config, FeedConfig},
    feed::{self, Format, cache::Cache},
    kernel::{Events, Pins},
    policy::Guard,
};

/// How long the start waits for feeds that have no last good copy. An earlier filter stays on
/// meanwhile.
const PATIENCE: Duration = Duration::from_secs(10);
const EVENTS: usize = 16;

/// Loads, fills and attaches. `None` where a signal ended the start.
pub async fn start(
    config: Config,
    file: Option<PathBuf>,
    mut signals: Signals,
) -> Result<Option<Daemon>, DaemonError> {
    let guard = guard(&config)?;
    let socket = ControlSocket::bind(&config.paths.socket)?;
    let (sender, mut receiver) = mpsc::channel(EVENTS);
    let refresher = refresher(&config, &sender);
    let first = tokio::select! {
        first = first_bodies(&mut receiver, config.feeds.len()) => first,
        () = signals.stop() => return Ok(None),
    };
    let contents = contents(&config.feeds, &first);
    let engine = Engine::start(config, guard, &contents)?;
    let pins = Pins::new(&engine.config.paths.pins);
    let engine = Arc::new(Mutex::new(engine));
    for event in first {
        take_event(&engine, event).await;
    }
    attach(&engine, &pins)?;
    let events = Events::open(&pins)?;
    Daemon::new(
        engine,
        socket,
        (refresher, sender, receiver),
        events,
        file,
        signals,
    )
    .map(Some)
}

pub(super) fn refresher(config: &Config, sender: &mpsc::Sender<FeedEvent>) -> Refresher {
    let jobs = config.feeds.iter().map(Job::from).collect();
    Refresher::start(jobs, &Cache::new(&config.paths.state), sender)
}

/// One event per feed, or what came until patience ended.
async fn first_bodies(receiver: &mut mpsc::Receiver<FeedEvent>, feeds: usize) -> Vec<FeedEvent> {
    let deadline = Instant::now() + PATIENCE;
    let mut spoken = vec![false; feeds];
    let mut first = Vec::new();
    while spoken.iter().any(|spoken| !spoken) {
        let Ok(Some(event)) = timeout_at(deadline, receiver.recv()).await else {
            tracing::warn!("starting without the feeds that have not answered yet");
            break;
        };
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

/// What the bodies hold, to choose the size of the table by.
fn contents(feeds: &[FeedConfig], first: &[FeedEvent]) -> Vec<Content> {
    let read = |event: &FeedEvent| match &event.outcome {
        Outcome::Loaded { body, .. } => Feed::new(feeds.get(event.feed)?.clone()).read(body).ok(),
        _ => None,
    };
    first.iter().filter_map(read).collect()
}

fn attach(engine: &Mutex<Engine>, pins: &Pins) -> Result<(), DaemonError> {
    let mut engine = super::handler::lock(engine);
    engine.on()?;
    if engine.hooks.attached()?.is_empty() {
        // Nothing of an earlier filter is left either: leave no pins that look like one.
        if let Err(error) = pins.remove() {
            tracing::warn!("pins are left at {}: {error}", pins.root().display());
        }
        return Err(DaemonError::NoInterface(
            engine.unattached.values().cloned().collect(),
        ));
    }
    Ok(())
}

/// The never-block list that the configuration asks for.
pub(super) fn guard(config: &Config) -> Result<Guard, DaemonError> {
    let mut allow = config.guard.allow.clone();
    for path in &config.guard.allow_files {
        let listed = allow_file(path).map_err(|reason| DaemonError::Allow {
            path: path.clone(),
            reason,
        })?;
        allow.extend(listed);
    }
    Ok(Guard::with(allow, config.own.clone()))
}

/// Every row of an allow file must be right: one that is misread protects nobody.
fn allow_file(path: &PathBuf) -> Result<Vec<IpNet>, String> {
    let body = fs::read(path).map_err(|error| format!("cannot be read ({error})"))?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let parsed = feed::parse(&body, Some(Format::Plain)).map_err(|error| error.to_string())?;
    if let Some(rejection) = parsed.rejections.first() {
        return Err(format!(
            "line {}: `{}`: {}",
            rejection.line, rejection.text, rejection.reason
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
