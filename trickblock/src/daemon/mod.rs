//! The running filter: feeds kept fresh, the control socket.

pub mod client;
pub mod control;
pub mod engine;
pub mod feeds;
pub mod protocol;
