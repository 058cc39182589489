//! What the filter did, for people and programs.

pub mod contacts;
pub mod containers;
mod count;
pub mod feeds;
mod interface;
pub mod metrics;
pub mod status;
pub mod why;

pub use contacts::Contacts;
pub use interface::overtaken_at;
pub use metrics::Metrics;
pub use status::Status;
pub use why::Why;
