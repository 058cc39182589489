//! Requests of the control socket, carried out on the engine.

mod feeds;
mod hand;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

pub use self::{
    feeds::{Decided, History},
    hand::{Done, Said},
};
use super::{
    control::Peer,
    engine::Engine,
    protocol::{Code, Refusal, Request, Response, SCHEMA, Verb},
};
use crate::kernel::{Attached, FilterError};

/// The engine, shared by the main loop and requests.
pub type Shared = Arc<Mutex<Engine>>;

/// Asks the main loop to reload; it answers when every feed has been fetched.
pub type Reload = oneshot::Sender<Result<Reloaded, Refusal>>;

/// The answer to `reload`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reloaded {
    #[serde(default)]
    pub schema: u32,
    /// Feeds whose fetch failed or was refused, with the reason.
    pub failed: Vec<String>,
    /// Feeds whose servers were asked too short a time ago, with when they may be asked again.
    #[serde(default)]
    pub put_off: Vec<String>,
    /// Feeds that say what the operator rejected.
    #[serde(default)]
    pub rejected: Vec<String>,
    /// What is not in force: interfaces that could not be attached to, files that are no feed, and what needs a restart.
    #[serde(default)]
    pub problems: Vec<String>,
    pub indicators: usize,
}

/// The answer to `on` and `off`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Switched {
    #[serde(default)]
    pub schema: u32,
    pub interfaces: Vec<String>,
    /// Interfaces that could not be attached to, and why.
    pub failed: Vec<String>,
}

/// Each interface once, however many hooks it has.
pub fn names(attached: &[Attached]) -> Vec<String> {
    let mut names: Vec<String> = attached.iter().map(|on| on.name.clone()).collect();
    names.dedup();
    names
}

/// Takes the lock also after a panic elsewhere: the engine changes its state only after the kernel
/// took the new one.
pub fn lock(engine: &Mutex<Engine>) -> MutexGuard<'_, Engine> {
    engine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What only the main loop can do.
#[derive(Debug)]
pub enum Ask {
    Reload(Reload),
    /// Of a feed.
    Refetch(usize),
}

/// A response, and what has to follow.
pub(super) struct Answer {
    response: Response,
    /// The feed that is to be fetched.
    refetch: Option<usize>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self {
            response,
            refetch: None,
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Response::from(refusal).into()
    }
}

/// Carries out one request.
pub async fn handle(
    request: Request,
    peer: Peer,
    engine: Shared,
    asks: mpsc::Sender<Ask>,
) -> Response {
    let decision = request.verb.changes().then(|| request.clone());
    let (response, refetch) = match request.verb {
        Verb::Reload => (reload(&asks).await, None),
        _ => {
            let act = move || answer(&request, peer, &mut lock(&engine));
            let done = tokio::task::spawn_blocking(act).await;
            let answer = done.unwrap_or_else(|error| failed(&error).into());
            (answer.response, answer.refetch)
        }
    };
    if let Some(request) = decision {
        log(&request, peer, &response);
    }
    if let Some(feed) = refetch {
        // A main loop that is gone fetches nothing any more.
        asks.send(Ask::Refetch(feed)).await.ok();
    }
    response
}

/// Who changed what: the answer goes to the one who asked, and the log is for everybody else.
fn log(request: &Request, peer: Peer, response: &Response) {
    let (verb, uid) = (request.verb, peer.uid);
    let asked = match request.args.is_null() {
        true => String::new(),
        false => request.args.to_string(),
    };
    match response.refused() {
        None => tracing::info!(uid, pid = peer.pid, "{verb} {asked}: done"),
        Some(why) => tracing::warn!(uid, pid = peer.pid, "{verb} {asked}: not done: {why}"),
    }
}

async fn reload(asks: &mpsc::Sender<Ask>) -> Response {
    let (reply, answer) = oneshot::channel();
    if asks.send(Ask::Reload(reply)).await.is_err() {
        return failed(&"the daemon is stopping").into();
    }
    match answer.await {
        Ok(Ok(reloaded)) => Response::data(&reloaded),
        Ok(Err(refusal)) => refusal.into(),
        Err(_) => failed(&"the daemon is stopping").into(),
    }
}

fn answer(request: &Request, peer: Peer, engine: &mut Engine) -> Answer {
    let args = &request.args;
    let answer = match request.verb {
        Verb::Status | Verb::Metrics | Verb::List | Verb::On | Verb::Off => {
            switch(request.verb, engine)
        }
        Verb::Why => Ok(why(args, engine)),
        Verb::Contacts => Ok(contacts(args, engine)),
        Verb::Feeds => Ok(Response::data(&engine.feed_health())),
        Verb::Diff => feeds::diff(args, engine),
        Verb::History => feeds::history(args, engine),
        Verb::ByHand => Ok(hand::by_hand(engine)),
        Verb::Block => hand::block(args, peer, engine),
        Verb::Unblock => hand::unblock(args, engine),
        Verb::Allow => hand::allow(args, peer, engine),
        Verb::Disallow => hand::disallow(args, engine),
        Verb::Approve => return feeds::approve(args, engine).unwrap_or_else(Answer::from),
        Verb::Reject => return feeds::reject(args, engine).unwrap_or_else(Answer::from),
        Verb::RollBack => return feeds::roll_back(args, engine).unwrap_or_else(Answer::from),
        // Answered before, by the main loop.
        Verb::Reload => Err(failed(&"reload is not a question")),
    };
    answer.unwrap_or_else(Response::from).into()
}

/// What asks the kernel or changes what is attached.
fn switch(verb: Verb, engine: &mut Engine) -> Result<Response, Refusal> {
    let done = match verb {
        Verb::Status => engine.status().map(|status| Response::data(&status)),
        Verb::Metrics => engine.metrics().map(|metrics| Response::data(&metrics)),
        Verb::List => engine.list().map(|list| Response::data(&list)),
        Verb::Off => engine.off().map(|interfaces| {
            Response::data(&Switched {
                schema: SCHEMA,
                interfaces,
                failed: Vec::new(),
            })
        }),
        _ => engine
            .on()
            .map(|attached| Response::data(&switched(&attached, engine))),
    };
    done.map_err(|error: FilterError| failed(&error))
}

fn why(args: &Value, engine: &Engine) -> Response {
    let target = args
        .get("target")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match target.parse() {
        Ok(target) => match engine.why(&target) {
            Ok(why) => Response::data(&why),
            Err(error) => failed(&error).into(),
        },
        Err(error) => Refusal::new(Code::BadRequest, format!("{error}"), "give one address").into(),
    }
}

fn contacts(args: &Value, engine: &Engine) -> Response {
    let seconds = args.get("seconds").and_then(Value::as_u64);
    match engine.contacts(seconds) {
        Ok(contacts) => Response::data(&contacts),
        Err(refusal) => refusal.into(),
    }
}

fn switched(attached: &[Attached], engine: &Engine) -> Switched {
    Switched {
        schema: SCHEMA,
        interfaces: names(attached),
        failed: engine.unattached.values().cloned().collect(),
    }
}

fn failed(reason: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::Failed, reason.to_string(), "look at the daemon's log")
}
