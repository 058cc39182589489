//! Requests of the operator's hand: `block` and `allow`.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failed;
use crate::{
    daemon::{
        control::Peer,
        engine::Engine,
        operator::{Allow, Block, Note, local},
        protocol::{Code, Refusal, Response},
    },
    indicator::{Indicator, Seen},
    policy::{Authority, AuthorityKind},
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
}

/// The answer to all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// As it is listed.
    pub what: String,
    pub until: Option<String>,
    /// Indicators in force.
    pub in_force: usize,
    /// Why it goes on although it was taken back: feeds that name it as well.
    pub still: Vec<String>,
}

pub(super) fn block(args: &Value, peer: Peer, engine: &mut Engine) -> Result<Response, Refusal> {
    let said = said(args)?;
    let indicator: Indicator = parsed(&said.what)?;
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
    let done = engine.block(block).map_err(|error| failed(&error))?;
    done.map_err(|refusal| {
        Refusal::new(
            Code::Guarded,
            refusal.reason,
            "nothing was blocked; `trickblock why` explains the guard",
        )
    })?;
    Ok(answer(engine, indicator.to_string(), until, Vec::new()))
}

pub(super) fn unblock(args: &Value, engine: &mut Engine) -> Result<Response, Refusal> {
    let indicator: Indicator = parsed(&said(args)?.what)?;
    let known = engine.unblock(&indicator).map_err(|error| failed(&error))?;
    if !known {
        return Err(not_listed("blocks", &indicator.to_string(), "block list"));
    }
    let still = engine.feeds_naming(&indicator);
    Ok(answer(engine, indicator.to_string(), None, still))
}

pub(super) fn allow(args: &Value, peer: Peer, engine: &mut Engine) -> Result<Response, Refusal> {
    let said = said(args)?;
    let prefix = prefix(&said.what)?;
    let note = note(&said, peer)?;
    let until = note.until;
    let done = engine.allow(Allow { prefix, note });
    done.map_err(|error| failed(&error))?;
    Ok(answer(engine, prefix.to_string(), until, Vec::new()))
}

pub(super) fn disallow(args: &Value, engine: &mut Engine) -> Result<Response, Refusal> {
    let prefix = prefix(&said(args)?.what)?;
    let known = engine.disallow(&prefix).map_err(|error| failed(&error))?;
    if !known {
        return Err(not_listed("allows", &prefix.to_string(), "allow list"));
    }
    Ok(answer(engine, prefix.to_string(), None, Vec::new()))
}

pub(super) fn by_hand(engine: &Engine) -> Response {
    Response::data(&engine.lists().living(Seen::now()))
}

fn answer(engine: &Engine, what: String, until: Option<Seen>, still: Vec<String>) -> Response {
    Response::data(&Done {
        what,
        until: until.map(|until| until.to_string()),
        in_force: engine.live.len(),
        still,
    })
}

fn said(args: &Value) -> Result<Said, Refusal> {
    Said::deserialize(args)
        .map_err(|error| bad(format!("the arguments are not understood ({error})")))
}

fn parsed(text: &str) -> Result<Indicator, Refusal> {
    text.parse()
        .map_err(|error| bad(format!("`{text}` is not an indicator ({error})")))
}

/// A prefix without a port, in canonical form.
fn prefix(text: &str) -> Result<IpNet, Refusal> {
    let indicator = parsed(text)?;
    match indicator.port.is_none() && indicator.protocol.is_none() {
        true => Ok(indicator.prefix),
        false => Err(bad(format!(
            "`{text}` has a port: what is allowed is an address or a prefix"
        ))),
    }
}

fn note(said: &Said, peer: Peer) -> Result<Note, Refusal> {
    let until = said.until.map(|until| {
        Seen::from_unix(until).ok_or_else(|| bad("the end is no time from 1970 to 2106".to_owned()))
    });
    let now = Seen::now();
    let until = until.transpose()?;
    if until.is_some_and(|until| until <= now) {
        return Err(bad("the end has passed already".to_owned()));
    }
    Ok(Note {
        until,
        reason: said.reason.chars().take(MAX_REASON).collect(),
        by: format!("uid {}", peer.uid),
        at: Some(now),
    })
}

fn bad(message: String) -> Refusal {
    Refusal::new(
        Code::BadRequest,
        message,
        "write IP[:PORT][/PROTO] or PREFIX, with IPv6 in brackets before a port",
    )
}

fn not_listed(verb: &str, what: &str, list: &str) -> Refusal {
    Refusal::new(
        Code::BadRequest,
        format!("the operator's list {verb} no {what}"),
        format!(
            "`trickblock {list}` shows what it holds; what a feed lists is not taken back here"
        ),
    )
}
