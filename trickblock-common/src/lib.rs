//! What the XDP program and user space share: the map ABI, the packet parser and the table lookup.
//!
//! Everything here is pure and generic over where its bytes and words come from: the kernel reads
//! packets and maps, the host reads slices, and both get the same verdict.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod address;
pub mod frame;
pub mod judge;
pub mod parse;
pub mod reason;
pub mod table;
pub mod transport;

pub use address::{V4, V6};
pub use frame::Frame;
pub use judge::{Lookup, Outcome, judge};
pub use reason::{Reason, Side, Verdict};
pub use transport::Transport;
