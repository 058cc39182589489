//! Requests of the operator's hand: `block` and `allow`.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failed;
use crate::{
    daemon::{
        control::Peer,
        engine::Engine,
        operator::{Allow, Block, Note, Told, local},
        protocol::{Code, Refusal, Response, SCHEMA},
    },
    indicator::{self, Indicator, Seen},
    policy::{Action, Authority, AuthorityKind, WIDEST_V4, WIDEST_V6, is_vast, is_wide},
};

/// Longest reason, in characters.
const MAX_REASON: usize = 500;

/// What `block add` and `allow add` say; times are Unix seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// An indicator, or a prefix.
    pub what: String,
    #[serde(default)]
    pub until: Option<i64>,
    #[serde(default)]
    pub reason: String,
    /// The number of a court order.
    #[serde(default)]
    pub order: Option<String>,
    /// So wide a prefix is meant. Left out where it is not: an older daemon does not know it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wide: bool,
}

/// The answer to all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    #[serde(default)]
    pub schema: u32,
    /// As it is listed.
    pub what: String,
    pub until: Option<String>,
    /// Indicators in force.
    pub in_force: usize,
    /// How many there are less than before.
    #[serde(default)]
    pub gone: usize,
    /// Nothing is dropped, whatever is in force: the configuration's action is `monitor`.
    #[serde(default)]
    pub monitor: bool,
    /// Why it goes on although it was taken back: feeds that name it as well.
    pub still: Vec<String>,
    /// What was written before and is replaced.
    #[serde(default)]
    pub replaced: Option<Told>,
}

pub(super) fn block(args: &Value, peer: Peer, engine: &mut Engine) -> Result<Response, Refusal> {
    let said = said(args)?;
    let indicator: Indicator = parsed(&said.what)?;
    if is_wide(&indicator.prefix) && !said.wide {
        let prefix = indicator.prefix;
        return Err(guarded(
            format!("{prefix} is wider than /{WIDEST_V4} (IPv6: /{WIDEST_V6})"),
            "nothing was blocked; say `--wide` if all of it is meant",
        ));
    }
    let note = note(&said, peer)?;
    let until = note.until;
    let authority = said.order.map_or_else(local, |order| Authority {
        kind: AuthorityKind::Court,
        order: Some(order),
        until,
    });
    let block = Block {
        indicator,
        authority,
        note,
    };
    let before = engine.live.len();
    let known = engine.by_hand().blocks.into_iter();
    let replaced = { known }.find(|told| told.what == indicator.to_string());
    let done = engine.block(block).map_err(|error| failed(&error))?;
    done.map_err(|refusal| guarded(refusal.reason, "nothing was blocked"))?;
    let what = (indicator.to_string(), until);
    Ok(answer(engine, before, what, Vec::new(), replaced))
}

pub(super) fn unblock(args: &Value, engine: &mut Engine) -> Result<Response, Refusal> {
    let indicator: Indicator = parsed(&said(args)?.what)?;
    let before = engine.live.len();
    let known = engine.unblock(&indicator).map_err(|error| failed(&error))?;
    if !known {
        return Err(not_listed("blocks", &indicator.to_string(), "block list"));
    }
    let still = match engine.drops(&indicator) {
        true => engine.feeds_naming(&indicator),
        false => Vec::new(),
    };
    let what = (indicator.to_string(), None);
    Ok(answer(engine, before, what, still, None))
}

pub(super) fn allow(args: &Value, peer: Peer, engine: &mut Engine) -> Result<Response, Refusal> {
    let said = said(args)?;
    let prefix = prefix(&said.what)?;
    if is_vast(&prefix) && !said.wide {
        return Err(guarded(
            format!("{prefix} is so wide that next to nothing would be blocked any more"),
            "nothing was changed; say `--wide` if all of it is meant, or `trickblock off` to let everything pass",
        ));
    }
    let note = note(&said, peer)?;
    let until = note.until;
    let before = engine.live.len();
    let known = engine.by_hand().allows.into_iter();
    let replaced = { known }.find(|told| told.what == prefix.to_string());
    let done = engine.allow(Allow { prefix, note });
    done.map_err(|error| failed(&error))?;
    let what = (prefix.to_string(), until);
    Ok(answer(engine, before, what, Vec::new(), replaced))
}

pub(super) fn disallow(args: &Value, engine: &mut Engine) -> Result<Response, Refusal> {
    let prefix = prefix(&said(args)?.what)?;
    let before = engine.live.len();
    let known = engine.disallow(&prefix).map_err(|error| failed(&error))?;
    if !known {
        return Err(not_listed("allows", &prefix.to_string(), "allow list"));
    }
    Ok(answer(
        engine,
        before,
        (prefix.to_string(), None),
        Vec::new(),
        None,
    ))
}

pub(super) fn by_hand(engine: &Engine) -> Response {
    Response::data(&engine.by_hand())
}

/// `before` is how many indicators were in force.
fn answer(
    engine: &Engine,
    before: usize,
    (what, until): (String, Option<Seen>),
    still: Vec<String>,
    replaced: Option<Told>,
) -> Response {
    let in_force = engine.live.len();
    Response::data(&Done {
        schema: SCHEMA,
        what,
        until: until.map(|until| until.to_string()),
        in_force,
        gone: before.saturating_sub(in_force),
        monitor: engine.config.filter.action == Action::Monitor,
        still,
        replaced,
    })
}

fn guarded(reason: String, fix: &str) -> Refusal {
    Refusal::new(Code::Guarded, reason, fix)
}

fn said(args: &Value) -> Result<Said, Refusal> {
    Said::deserialize(args)
        .map_err(|error| bad(format!("the arguments are not understood ({error})"), FORM))
}

/// A list may be sloppy; who writes by hand is asked what is meant.
fn parsed(text: &str) -> Result<Indicator, Refusal> {
    let wrong = |error| bad(format!("`{text}` is not an indicator ({error})"), FORM);
    let written = indicator::written(text).map_err(wrong)?;
    let indicator = written.indicator;
    match written.host_bits {
        false => Ok(indicator),
        true => Err(bad(
            format!("`{text}` has bits behind its prefix"),
            format!("write {indicator} for all of it, or the one address alone"),
        )),
    }
}

/// A prefix without a port, in canonical form.
fn prefix(text: &str) -> Result<IpNet, Refusal> {
    let indicator = parsed(text)?;
    match indicator.port.is_none() && indicator.protocol.is_none() {
        true => Ok(indicator.prefix),
        false => Err(bad(
            format!("`{text}` has a port: what is allowed is an address or a prefix"),
            "write the address alone",
        )),
    }
}

fn note(said: &Said, peer: Peer) -> Result<Note, Refusal> {
    let now = Seen::now();
    let until = said.until.map(|until| end(until, now)).transpose()?;
    Ok(Note {
        until,
        reason: said.reason.chars().take(MAX_REASON).collect(),
        by: format!("uid {}", peer.uid),
        at: Some(now),
    })
}

/// `until` is in Unix seconds.
fn end(until: i64, now: Seen) -> Result<Seen, Refusal> {
    let fix = "name a time to come, or a span with `--for 6h`";
    let end = Seen::from_unix(until);
    let end = end.ok_or_else(|| bad("the end is no time from 1970 to 2106".to_owned(), fix))?;
    match end > now {
        true => Ok(end),
        false => Err(bad(format!("the end, {end}, has passed already"), fix)),
    }
}

const FORM: &str = "write IP[:PORT][/PROTO] or PREFIX, with IPv6 in brackets before a port";

fn bad(message: String, fix: impl Into<String>) -> Refusal {
    Refusal::new(Code::BadRequest, message, fix)
}

fn not_listed(verb: &str, what: &str, list: &str) -> Refusal {
    Refusal::new(
        Code::BadRequest,
        format!("the operator's list {verb} no {what}"),
        format!(
            "`trickblock {list}` shows what it holds; what a feed or the configuration says is not taken back here"
        ),
    )
}
