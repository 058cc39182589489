//! trickblock: drops traffic to and from botnet C2 servers in XDP, fed by threat feeds.
//!
//! Data flows one way, and a module uses only what stands to its left:
//!
//! ```text
//! feed bytes → indicator → policy → table → kernel → observe → verify → daemon → cli
//! ```

pub mod cli;
pub mod config;
pub mod daemon;
pub mod feed;
pub mod indicator;
pub mod kernel;
pub mod observe;
pub mod policy;
pub mod table;
pub mod verify;
