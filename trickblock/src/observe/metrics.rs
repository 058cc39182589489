//! What the daemon counts, as OpenMetrics families. Nothing is counted by indicator or client: their number
//! is not ours to bound.

mod families;
mod text;

pub use self::text::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use super::{Status, feeds::Feeds};

/// Version of the JSON.
pub const SCHEMA: u32 = 1;

/// All families, each once, in an order that does not change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    pub schema: u32,
    pub families: Vec<Family>,
}

/// Samples of one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Family {
    /// Without the `_total` that the samples of a counter have in the text form.
    pub name: String,
    pub help: String,
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Counter,
    Gauge,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Names and values, always in the same order.
    pub labels: Vec<(String, String)>,
    /// A number, or seconds since 1970.
    pub value: u64,
}

/// What the operator did by hand, as far as it has not ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByHand {
    pub blocks: usize,
    pub allowances: usize,
}

impl Metrics {
    /// What the daemon says of itself and its feeds.
    pub fn of(status: &Status, feeds: &Feeds, by_hand: ByHand) -> Self {
        Self {
            schema: SCHEMA,
            families: families::all(status, feeds, by_hand),
        }
    }
}

#[cfg(test)]
mod tests;
