//! What the filter did, for people and programs.

pub mod status;
pub mod why;

pub use status::Status;
pub use why::Why;
