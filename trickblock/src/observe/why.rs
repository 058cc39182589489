//! `trickblock why`: what happens to traffic with an address, and because of whom.

use std::{net::IpAddr, num::NonZeroU16, str::FromStr};

use serde::{Deserialize, Serialize};
use trickblock_common::{
    Outcome, Reason, Transport, Verdict,
    abi::{NO_INDICATOR, protection},
};

use crate::{
    indicator::{Indicator, Protocol},
    table::{Entry, Snapshot},
};

/// One end of a packet: `203.0.113.7`, `203.0.113.7:443`, `[2001:db8::1]:443/udp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub address: IpAddr,
    pub port: Option<NonZeroU16>,
    pub protocol: Option<Protocol>,
}

/// The text is not an address with an optional port and protocol.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is not an address: {reason}; write IP, IP:PORT or IP:PORT/PROTO, with IPv6 in brackets before a port"
)]
pub struct NoTarget {
    text: String,
    reason: String,
}

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |reason: String| NoTarget {
            text: text.to_owned(),
            reason,
        };
        let indicator: Indicator = text.parse().map_err(|error| wrong(format!("{error}")))?;
        let Indicator {
            prefix,
            protocol,
            port,
        } = indicator;
        if prefix.prefix_len() != prefix.max_prefix_len() {
            return Err(wrong(format!(
                "{prefix} is a whole prefix, ask for one address of it"
            )));
        }
        Ok(Self {
            address: prefix.addr(),
            port,
            protocol,
        })
    }
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Why {
    pub schema: u32,
    pub target: String,
    /// Of a packet to (or from) the target: `drop`, `monitor` or `pass`.
    pub verdict: String,
    pub reason: String,
    pub explanation: String,
    /// The filter is switched off: the reason is what it would be, and everything passes.
    #[serde(default)]
    pub off: bool,
    /// The indicator that decides.
    pub indicator: Option<Listed>,
    /// All other indicators that hold the address, with whatever port.
    pub also: Vec<Listed>,
    /// The never-block prefix that holds the address.
    pub protected_by: Option<Protected>,
    /// Rows of feeds that hold the address and that a guard refused, or lets only count.
    pub refused: Vec<RefusedRow>,
}

impl Why {
    /// The same while the filter is on no interface since somebody switched it off.
    #[must_use]
    pub fn switched_off(mut self) -> Self {
        self.off = true;
        Verdict::Pass.name().clone_into(&mut self.verdict);
        self.explanation
            .push_str(" But the filter is switched off: everything passes until `trickblock on`.");
        self
    }
}

/// An indicator in force.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    pub indicator: String,
    pub action: String,
    /// Packets that it matched.
    pub hits: u64,
    pub family: Option<String>,
    pub first_seen: Option<String>,
    pub last_seen: Option<String>,
    /// When it ends by itself; null for no end.
    #[serde(default)]
    pub until: Option<String>,
    /// How sure its surest source is, 0 to 100.
    #[serde(default)]
    pub confidence: Option<u8>,
    /// Empty where no daemon runs: only it knows the feeds.
    pub sources: Vec<Origin>,
    /// No feed has named it yet since the daemon started: it was in force before, and stays until all feeds have answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inherited: bool,
}

impl Listed {
    /// Without what only the daemon knows.
    pub fn of_entry(entry: &Entry, hits: u64) -> Self {
        Self {
            indicator: entry.indicator.to_string(),
            action: if entry.drop { "drop" } else { "monitor" }.to_owned(),
            hits,
            family: None,
            first_seen: None,
            last_seen: None,
            until: None,
            confidence: None,
            sources: Vec::new(),
            inherited: false,
        }
    }
}

/// A row of a feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub feed: String,
    pub line: u32,
    /// The feed does not name it any more.
    #[serde(default)]
    pub departed: bool,
    /// In whose name, where that is not the feed's maker.
    #[serde(default)]
    pub authority: Option<String>,
    /// When the daemon saw the feed name it first; only `why` looks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_first: Option<String>,
    /// When the feed named it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_last: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Protected {
    pub prefix: String,
    /// `hard`: nothing drops; `own`: only indicators with a port do.
    pub protection: String,
    /// What it is; null where no daemon runs.
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RefusedRow {
    pub feed: String,
    pub line: u32,
    pub indicator: String,
    pub guard: String,
    pub reason: String,
}

/// What the table and the never-block list say, with nothing dropped where `monitor` holds; `describe` adds hits, and what only the
/// daemon knows, to all indicators that hold the address: one may have a hundred thousand ports.
///
/// # Errors
/// Those of `describe`.
pub fn explain<E>(
    target: &Target,
    snapshot: &Snapshot,
    monitor: bool,
    entries: &[Entry],
    describe: impl FnOnce(&[&Entry]) -> Result<Vec<Listed>, E>,
) -> Result<Why, E> {
    let outcome = match judge(target, snapshot) {
        outcome if monitor => outcome.monitored(),
        outcome => outcome,
    };
    let reason = Reason::from_number(outcome.reason()).unwrap_or(Reason::Miss);
    // Either form of an address that holds another one.
    let forms = [Some(target.address), snapshot.embedded(target.address)];
    let holds = |prefix: &ipnet::IpNet| forms.iter().flatten().any(|form| prefix.contains(form));
    let decides =
        |entry: &Entry| outcome.indicator() != NO_INDICATOR && entry.id == outcome.indicator();
    let holding = entries
        .iter()
        .filter(|entry| holds(&entry.indicator.prefix));
    let (deciding, also): (Vec<&Entry>, Vec<&Entry>) = holding.partition(|entry| decides(entry));
    let mut explanation = reason.explanation().trim().to_owned();
    if target.port.is_none() && also.iter().any(|entry| entry.indicator.port.is_some()) {
        explanation += " Services of it are listed, see below: ask with a port.";
    }
    let holding = [&deciding[..], &also].concat();
    let mut listed = describe(&holding)?.into_iter();
    Ok(Why {
        schema: super::status::SCHEMA,
        target: target_text(target),
        verdict: reason.verdict().name().to_owned(),
        reason: reason.name().to_owned(),
        explanation,
        off: false,
        indicator: listed.by_ref().take(deciding.len()).next(),
        also: listed.collect(),
        protected_by: (forms.iter().flatten())
            .filter_map(|form| snapshot.protection(*form))
            .max_by_key(|(_, class)| *class)
            .map(protected),
        refused: Vec::new(),
    })
}

/// Without a protocol, the one of TCP and UDP that fares worse.
fn judge(target: &Target, snapshot: &Snapshot) -> Outcome {
    let ask = |protocol: u8| {
        let transport = match target.port {
            Some(port) => Transport::known(protocol, 0, port.get()),
            None => Transport::unknown(protocol, Reason::NoPorts),
        };
        snapshot.judge_destination(target.address, transport)
    };
    match target.protocol {
        Some(protocol) => ask(protocol.0),
        None if target.port.is_none() => ask(0),
        None => {
            let (tcp, udp) = (ask(Protocol::TCP.0), ask(Protocol::UDP.0));
            if Reason::drops(udp.reason()) && !Reason::drops(tcp.reason()) || tcp == Outcome::MISS {
                udp
            } else {
                tcp
            }
        }
    }
}

fn protected((prefix, value): (ipnet::IpNet, u32)) -> Protected {
    let protection = if value == protection::OWN {
        "own"
    } else {
        "hard"
    };
    Protected {
        prefix: prefix.to_string(),
        protection: protection.to_owned(),
        reason: None,
    }
}

fn target_text(target: &Target) -> String {
    let address = match (target.address, target.port) {
        (IpAddr::V6(address), Some(port)) => format!("[{address}]:{port}"),
        (address, Some(port)) => format!("{address}:{port}"),
        (address, None) => address.to_string(),
    };
    target
        .protocol
        .map_or(address.clone(), |protocol| format!("{address}/{protocol}"))
}
