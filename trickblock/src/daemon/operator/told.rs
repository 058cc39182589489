//! The operator's lists for people and programs.

use serde::{Deserialize, Serialize};

use super::{Allow, Block, Note};

/// An entry of either list, for people and programs; times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The indicator that is blocked, or the prefix that is allowed.
    pub what: String,
    /// Null for no end.
    pub until: Option<String>,
    /// When it was written.
    pub since: Option<String>,
    pub by: String,
    pub reason: String,
    /// In whose name, of a block.
    pub authority: Option<String>,
    /// Why a block drops nothing now: what is protected may change after it was written.
    pub idle: Option<String>,
}

/// The answer to `block list` and `allow list`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overview {
    pub schema: u32,
    pub blocks: Vec<Told>,
    pub allows: Vec<Told>,
}

impl Block {
    /// `idle`: why it drops nothing.
    pub fn told(&self, idle: Option<String>) -> Told {
        Told {
            authority: Some(self.authority.to_string()),
            idle,
            ..self.note.told(self.indicator.to_string())
        }
    }
}

impl Allow {
    pub fn told(&self) -> Told {
        self.note.told(self.prefix.to_string())
    }
}

impl Note {
    fn told(&self, what: String) -> Told {
        Told {
            what,
            until: self.until.map(|until| until.to_string()),
            since: self.at.map(|at| at.to_string()),
            by: self.by.clone(),
            reason: self.reason.clone(),
            authority: None,
            idle: None,
        }
    }
}
