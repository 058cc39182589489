//! Feeds: where their bytes come from, what bounds them, and the last good copy on disk.

pub mod cache;
pub mod limits;
pub mod source;
