//! Why something is not put in force.

use crate::{
    daemon::operator::OperatorError, feed::cache::CacheError, indicator::Seen, kernel::FilterError,
    policy::Braked, table::ids::OutOfIds,
};

/// A body or configuration that was not put in force; the last good set stays.
#[derive(Debug, thiserror::Error)]
pub enum Held {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Ids(#[from] OutOfIds),
    #[error(
        "{name}: all {rows} rows of it are refused by a guard ({first}): this is no list of C2 servers, check the feed at its source"
    )]
    AllRefused {
        name: String,
        rows: usize,
        first: String,
    },
    #[error(
        "{name}: it covers {covered}, more than its `max_addresses` ({max}) lets it: check the feed at its source, or raise that"
    )]
    TooMuch {
        name: String,
        covered: String,
        max: u32,
    },
    #[error(
        "{name}: held: {why}: look at it with `trickblock feeds diff {name}`, then `trickblock feeds approve {name} {id}` or `reject`"
    )]
    Braked {
        name: String,
        why: Braked,
        /// Of the update.
        id: String,
    },
    #[error("{name}: on trial until {until}: what is new in it only monitors")]
    OnTrial { name: String, until: Seen },
    #[error("{name}: it is in force, but {reason}")]
    Unkept { name: String, reason: String },
    #[error("a copy on disk that is older than what is in force")]
    Outdated,
    #[error("{name}: this body was rejected by the operator: another one is waited for")]
    Rejected { name: String },
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error(transparent)]
    Cache(#[from] CacheError),
}
