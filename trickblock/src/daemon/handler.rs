//! Requests of the control socket, carried out on the engine.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use super::{
    engine::Engine,
    protocol::{Code, Refusal, Request, Response, Verb},
};
use crate::kernel::{Attached, FilterError};

/// The engine, shared by the main loop and requests.
pub type Shared = Arc<Mutex<Engine>>;

/// Asks the main loop to reload; it answers when every feed has been fetched.
pub type Reload = oneshot::Sender<Result<Reloaded, Refusal>>;

/// The answer to `reload`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reloaded {
    /// Feeds whose fetch failed or was refused, with the reason.
    pub failed: Vec<String>,
    pub indicators: usize,
}

/// The answer to `on` and `off`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Switched {
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

/// Carries out one request.
pub async fn handle(request: Request, engine: Shared, reloads: mpsc::Sender<Reload>) -> Response {
    if request.verb == Verb::Reload {
        return reload(&reloads).await;
    }
    let done = tokio::task::spawn_blocking(move || answer(&request, &mut lock(&engine))).await;
    done.unwrap_or_else(|error| failed(&error).into())
}

async fn reload(reloads: &mpsc::Sender<Reload>) -> Response {
    let (reply, answer) = oneshot::channel();
    if reloads.send(reply).await.is_err() {
        return failed(&"the daemon is stopping").into();
    }
    match answer.await {
        Ok(Ok(reloaded)) => Response::data(&reloaded),
        Ok(Err(refusal)) => refusal.into(),
        Err(_) => failed(&"the daemon is stopping").into(),
    }
}

fn answer(request: &Request, engine: &mut Engine) -> Response {
    let answer = match request.verb {
        Verb::Status => engine.status().map(|status| Response::data(&status)),
        Verb::List => engine.list().map(|list| Response::data(&list)),
        Verb::Why => return why(&request.args, engine),
        Verb::Contacts => return contacts(&request.args, engine),
        Verb::Off => engine.off().map(|interfaces| {
            Response::data(&Switched {
                interfaces,
                failed: Vec::new(),
            })
        }),
        Verb::On => engine
            .on()
            .map(|attached| Response::data(&switched(&attached, engine))),
        // Answered before, by the main loop.
        Verb::Reload => return failed(&"reload is not a question").into(),
    };
    answer.unwrap_or_else(|error: FilterError| failed(&error).into())
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
        interfaces: names(attached),
        failed: engine.unattached.values().cloned().collect(),
    }
}

fn failed(reason: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Code::Failed, reason.to_string(), "look at the daemon's log")
}
