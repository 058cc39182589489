//! What the filter did, for people and programs.

mod count;
mod interface;
pub mod status;
pub mod why;

pub use status::Status;
pub use why::Why;
