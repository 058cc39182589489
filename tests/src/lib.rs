//! Shared pieces of the integration tests, and the programs that `cargo xtask demo` and
//! `cargo xtask bench` run.
//!
//! Nothing here is shared with the code under test: packets, addresses and counts are made and
//! judged by other code than the filter's own, so that an error there cannot hide itself.

#[cfg(feature = "bench")]
pub mod bench;
pub mod bpf;
pub mod child;
pub mod cli;
pub mod demo;
pub mod docker;
pub mod feeds;
pub mod fixture;
pub mod gateway;
pub mod harness;
pub mod http;
pub mod kernel;
pub mod matrix;
pub mod model;
pub mod needs;
pub mod netns;
pub mod oracle;
pub mod packet;
pub mod python;
pub mod random;
pub mod road;
pub mod sys;
pub mod tun;
pub mod wire;
