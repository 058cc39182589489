//! What to do about the indicators of all feeds together: guard them, merge them, and give every
//! one its action.

mod brake;
mod canary;
mod guard;
mod kind;
mod life;
mod merge;
mod part;
mod prefixes;
mod reach;
mod second;
mod terms;
mod width;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::{
    brake::{Braked, Sizes},
    canary::{Canary, Harm, Trial},
    guard::{Counts, Guard, Learned, Lists, Protection, Refusal, Surroundings},
    kind::{Kind, Kinds},
    life::Departed,
    merge::{Context, FeedRows, Label, Refused, Rule, RuleSet, Source, Sources, merge, merge_some},
    reach::Reach,
    second::{Second, voices},
    terms::{Authority, AuthorityKind, Terms},
    width::{Covered, MAX_ADDRESSES, WIDEST_V4, WIDEST_V6, is_vast, is_wide},
};

/// What happens to a packet that matches. `Drop` is the greater one: it beats `Monitor`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Count and report, but let pass.
    Monitor,
    #[default]
    Drop,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Monitor => "monitor",
            Self::Drop => "drop",
        })
    }
}

/// The text names no action.
#[derive(Debug, thiserror::Error)]
#[error("unknown action `{0}`: use drop or monitor")]
pub struct UnknownAction(String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "monitor" => Ok(Self::Monitor),
            "drop" => Ok(Self::Drop),
            _ => Err(UnknownAction(text.to_owned())),
        }
    }
}
