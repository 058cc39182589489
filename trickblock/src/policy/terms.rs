//! What the operator makes of the rows of a feed: what they do, when they count, in whose name, and until when.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Action, Kind};
use crate::indicator::Seen;

/// Of one feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub action: Action,
    /// Rows that their feed is less sure of (0 to 100) only monitor. A row without a statement counts.
    pub min_confidence: u8,
    /// As many feeds must name an indicator before a row of this one makes it drop; 0 and 1 ask for no other.
    pub min_feeds: u32,
    pub authority: Authority,
    /// What stands behind its addresses, as far as the operator knows.
    pub kind: Kind,
    /// It may list prefixes of any width.
    pub wide: bool,
}

impl Terms {
    /// A feed that the operator trusts as it is.
    pub fn of(action: Action) -> Self {
        Self {
            action,
            ..Self::default()
        }
    }

    /// What a row does if its feed alone is asked.
    pub(super) fn action_at(&self, confidence: Option<u8>) -> Action {
        match confidence {
            Some(sure) if sure < self.min_confidence => Action::Monitor,
            _ => self.action,
        }
    }
}

/// In whose name something is blocked. It lapses at its end, whatever else keeps an indicator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    pub kind: AuthorityKind,
    /// The number of the order, as the court gave it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<String>,
    /// The first second in which it no longer holds.
    #[serde(skip, default)]
    pub until: Option<Seen>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorityKind {
    /// The maker of the feed says so.
    #[default]
    Feed,
    /// The operator says so.
    Local,
    /// A court ordered it.
    Court,
}

impl Authority {
    /// When it ended, if it has by `now`.
    pub fn ended(&self, now: Seen) -> Option<Seen> {
        self.until.filter(|until| *until <= now)
    }
}

impl fmt::Display for Authority {
    /// `feed`, `local`, `court order 1:20-cv-01171 until 2026-12-31T00:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            AuthorityKind::Feed => "feed",
            AuthorityKind::Local => "local",
            AuthorityKind::Court => "court",
        })?;
        if let Some(order) = &self.order {
            write!(f, " order {order}")?;
        }
        self.until
            .map_or(Ok(()), |until| write!(f, " until {until}"))
    }
}
