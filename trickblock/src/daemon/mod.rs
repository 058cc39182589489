//! The running filter: feeds kept fresh, the control socket.

pub mod client;
pub mod control;
pub mod protocol;
pub mod refresh;
