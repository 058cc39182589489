//! Requests about feeds: what waits for the operator, and what was in force before.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Answer, failed};
use crate::{
    daemon::{
        engine::{Engine, Offer},
        feeds::{Feed, HeldUpdate},
        protocol::{Code, Refusal, Response, SCHEMA},
    },
    feed::cache::{Stored, Version},
};

/// Indicators that a diff names of either kind where the caller does not say how many.
const SHOWN: usize = 100;

/// The answer to `approve`, `reject` and `rollback`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    #[serde(default)]
    pub schema: u32,
    pub feed: String,
    /// The body in force, as `feeds history` and `feeds diff` call it.
    #[serde(default)]
    pub body: String,
    /// Distinct indicators that it names now.
    pub indicators: usize,
    /// What it does not name any more, and stays in force for `hold_down`.
    #[serde(default)]
    pub departed: usize,
    /// Of all feeds.
    pub in_force: usize,
}

/// The answer to `history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    #[serde(default)]
    pub schema: u32,
    pub feed: String,
    /// What is in force now.
    #[serde(default)]
    pub in_force: Option<InForce>,
    /// Newest first, each body once; the one in force is not one of them.
    pub versions: Vec<Version>,
}

/// The body in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    pub id: String,
    /// When its source last confirmed it.
    pub confirmed_at: Option<String>,
    pub format: Option<String>,
    /// Distinct ones that it names.
    pub indicators: usize,
}

pub(super) fn diff(args: &Value, engine: &Engine) -> Result<Response, Refusal> {
    let (_, feed) = named(args, engine)?;
    let most = args.get("most").and_then(Value::as_u64);
    let most = most.map_or(SHOWN, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let diff = feed.diff(most).ok_or_else(|| nothing_held(feed))?;
    Ok(Response::data(&diff))
}

pub(super) fn history(args: &Value, engine: &Engine) -> Result<Response, Refusal> {
    let (_, feed) = named(args, engine)?;
    Ok(Response::data(&History {
        schema: SCHEMA,
        feed: feed.config.name.clone(),
        in_force: feed.content.as_ref().map(|content| InForce {
            id: feed.id(),
            confirmed_at: feed.last_ok.map(|at| at.to_string()),
            format: feed.format().map(|format| format.to_string()),
            indicators: content.indicators().len(),
        }),
        versions: versions(feed, engine),
    }))
}

pub(super) fn approve(args: &Value, engine: &mut Engine) -> Result<Answer, Refusal> {
    let (feed, update) = meant(args, engine)?;
    let done = engine.approve(feed, update);
    done.map_err(|error| failed(&error))?;
    Ok(decided(feed, engine, true))
}

pub(super) fn reject(args: &Value, engine: &mut Engine) -> Result<Answer, Refusal> {
    let (feed, update) = meant(args, engine)?;
    let done = engine.reject(feed, &update);
    done.map_err(|error| failed(&error))?;
    Ok(decided(feed, engine, false))
}

/// Earlier bodies, newest first.
fn versions(feed: &Feed, engine: &Engine) -> Vec<Version> {
    let mut versions = engine.cache.history(&feed.config.name);
    let origin = feed.config.location.identity();
    let is_other = |version: &Version| feed.content.is_none() || version.id != feed.id();
    versions.retain(|version| version.origin == origin && is_other(version));
    for version in &mut versions {
        version.rejected = feed.decisions.has_rejected(&version.id);
    }
    versions
}

/// The version whose id begins so; without an id the newest one that was not rejected and can be read.
fn earlier(feed: &Feed, engine: &Engine, id: &str) -> Result<Stored, Refusal> {
    let mut versions = versions(feed, engine);
    match id {
        "" => versions.retain(|version| !version.rejected),
        id => versions.retain(|version| version.id.starts_with(id)),
    }
    let name = &feed.config.name;
    if versions.len() > 1 && !id.is_empty() {
        let several = format!(
            "{} versions of the feed {name} begin with {id}",
            versions.len()
        );
        return Err(Refusal::new(Code::BadRequest, several, "write more digits"));
    }
    let mut refusal = no_version(name, id);
    for version in versions {
        match engine.cache.earlier(name, &version.id) {
            Ok(Some(stored)) => return Ok(stored),
            Ok(None) => {}
            Err(error) => refusal = failed(&error),
        }
    }
    Err(refusal)
}

/// Goes back to the version that `args` names, or the newest one.
pub(super) fn roll_back(args: &Value, engine: &mut Engine) -> Result<Answer, Refusal> {
    let (feed, known) = named(args, engine)?;
    let id = args
        .get("version")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let stored = earlier(known, engine, id)?;
    let content = known
        .read(&stored.body, &engine.reader)
        .map_err(|error| failed(&error))?;
    let stored = Stored {
        fetched_at: Timestamp::now(),
        ..stored
    };
    let offer = Offer {
        content,
        digest: stored.body.digest(),
        at: stored.fetched_at,
        fresh: true,
        back: true,
    };
    let done = engine.roll_back(feed, offer, &stored);
    done.map_err(|error| failed(&error))?;
    Ok(decided(feed, engine, true))
}

/// `refetch`: another body is in force now.
fn decided(feed: usize, engine: &Engine, refetch: bool) -> Answer {
    let known = engine.feeds.get(feed);
    let content = known.and_then(|feed| feed.content.as_ref());
    let decided = Decided {
        schema: SCHEMA,
        body: known.map_or_else(String::new, Feed::id),
        feed: known.map_or_else(String::new, |feed| feed.config.name.clone()),
        indicators: content.map_or(0, |content| content.indicators().len()),
        departed: known.map_or(0, |feed| feed.departed.rows().len()),
        in_force: engine.live.len(),
    };
    Answer {
        response: Response::data(&decided),
        refetch: refetch.then_some(feed),
    }
}

fn named<'e>(args: &Value, engine: &'e Engine) -> Result<(usize, &'e Feed), Refusal> {
    let name = args.get("feed").and_then(Value::as_str).unwrap_or_default();
    engine.feed_named(name).ok_or_else(|| {
        let known: Vec<_> = engine
            .feeds
            .iter()
            .map(|feed| feed.config.name.as_str())
            .collect();
        Refusal::new(
            Code::BadRequest,
            format!("there is no feed `{name}`"),
            format!("use one of {}", known.join(", ")),
        )
    })
}

/// The update that waits, if it is the one that `args` names.
fn meant(args: &Value, engine: &Engine) -> Result<(usize, HeldUpdate), Refusal> {
    let (feed, known) = named(args, engine)?;
    let update = known.waiting().ok_or_else(|| nothing_held(known))?;
    let id = args.get("update").and_then(Value::as_str);
    let id = id.unwrap_or_default();
    if update.is_meant(id) {
        return Ok((feed, update.clone()));
    }
    let name = &known.config.name;
    Err(Refusal::new(
        Code::Guarded,
        format!(
            "the update of the feed {name} that waits is {}, not {id}",
            update.id()
        ),
        format!("look at it with `trickblock feeds diff {name}`"),
    ))
}

fn nothing_held(feed: &Feed) -> Refusal {
    Refusal::new(
        Code::BadRequest,
        format!("no update of the feed {} is held", feed.config.name),
        "`trickblock feeds` shows what waits",
    )
}

fn no_version(name: &str, id: &str) -> Refusal {
    let what = match id {
        "" => format!("the feed {name} has no earlier version that was not rejected"),
        id => format!("the feed {name} has no earlier version {id}"),
    };
    Refusal::new(
        Code::BadRequest,
        what,
        format!("`trickblock feeds history {name}` lists what there is"),
    )
}
