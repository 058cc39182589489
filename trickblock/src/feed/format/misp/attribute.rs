//! One attribute of an event.

use std::{borrow::Cow, num::NonZeroU16};

use serde::Deserialize;
use serde_json::Value;

use crate::indicator::{Indicator, Malformed, Seen, port, written};

#[derive(Deserialize)]
pub(super) struct Attribute<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    object_relation: Option<Cow<'a, str>>,
    /// Absent in some exports, which mean what they list.
    #[serde(default)]
    to_ids: Value,
    #[serde(default)]
    deleted: Value,
    /// Epoch seconds as a string, or a number.
    #[serde(default)]
    timestamp: Value,
    #[serde(borrow)]
    first_seen: Option<Cow<'a, str>>,
    #[serde(borrow)]
    last_seen: Option<Cow<'a, str>>,
}

/// What an attribute says of the network.
pub(super) enum Meaning {
    Address(Indicator),
    Port(NonZeroU16),
}

/// Why an attribute is malformed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Bad {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("it is written as two parts with `|`, and has not two")]
    Parts,
}

impl Attribute<'_> {
    /// Types that name an address or a port on the server's side.
    pub(super) fn names_network(&self) -> bool {
        self.is_port() || matches!(self.kind.as_ref(), "ip-dst" | "ip-dst|port" | "domain|ip")
    }

    /// Where connections came from: most often a victim, or a proxy of many.
    pub(super) fn is_source(&self) -> bool {
        matches!(self.kind.as_ref(), "ip-src" | "ip-src|port")
    }

    /// The port of a server; that of a client says nothing.
    pub(super) fn is_port(&self) -> bool {
        let relation = self.object_relation.as_deref().unwrap_or_default();
        self.kind == "port" && matches!(relation, "dst-port" | "port" | "")
    }

    pub(super) fn is_for_detection(&self) -> bool {
        self.to_ids.is_null() || is_true(&self.to_ids)
    }

    pub(super) fn is_deleted(&self) -> bool {
        is_true(&self.deleted)
    }

    pub(super) fn meaning(&self) -> Result<Meaning, Bad> {
        let value = self.value.trim();
        if self.is_port() {
            return Ok(Meaning::Port(port(value)?));
        }
        match self.kind.as_ref() {
            "ip-dst|port" => self.with_port(value),
            "domain|ip" => {
                let (_, address) = value.split_once('|').ok_or(Bad::Parts)?;
                whole(address)
            }
            _ => whole(value),
        }
    }

    /// `192.0.2.1|443`; some write a colon instead.
    fn with_port(&self, value: &str) -> Result<Meaning, Bad> {
        let Some((address, number)) = value.split_once('|') else {
            let found = written(value)?.indicator;
            return match found.port {
                Some(_) => Ok(Meaning::Address(found)),
                None => Err(Malformed::PortMissing.into()),
            };
        };
        let address = written(address.trim())?.indicator;
        let number = port(number.trim())?;
        match address.port {
            None => Ok(Meaning::Address(Indicator::new(
                address.prefix,
                None,
                Some(number),
            ))),
            Some(_) => Err(Malformed::PortTwice.into()),
        }
    }

    /// First and last seen. The time of the last change stands for both where nothing else is told.
    pub(super) fn seen(&self) -> (Option<Seen>, Option<Seen>) {
        let parsed = |text: &Option<Cow<'_, str>>| text.as_deref()?.parse().ok();
        let changed = match &self.timestamp {
            Value::String(text) => text.parse().ok().and_then(Seen::from_unix),
            Value::Number(number) => number.as_i64().and_then(Seen::from_unix),
            _ => None,
        };
        (
            parsed(&self.first_seen).or(changed),
            parsed(&self.last_seen),
        )
    }
}

fn whole(text: &str) -> Result<Meaning, Bad> {
    let found = written(text.trim())?.indicator;
    match found.port {
        None => Ok(Meaning::Address(found)),
        Some(_) => Err(Malformed::Address.into()),
    }
}

/// `true`, `1` and `"1"` are all in use.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::String(text) => text == "1" || text.eq_ignore_ascii_case("true"),
        Value::Number(number) => number.as_i64() == Some(1),
        _ => false,
    }
}
