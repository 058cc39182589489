//! What the XDP program and user space share: the map ABI, the packet parser and the table lookup.
//!
//! Everything here is pure and generic over where its bytes and words come from: the kernel reads
//! packets and maps, the host reads slices, and both get the same verdict.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod abi;
pub mod address;
pub mod confirm;
pub mod direction;
pub mod embedded;
pub mod examine;
pub mod frame;
pub mod glance;
pub mod judge;
pub mod lookup;
pub mod neighbour;
pub mod parse;
pub mod place;
pub mod reason;
pub mod table;
pub mod transport;
pub mod tunnel;

pub use address::{V4, V6};
pub use direction::Direction;
pub use examine::{Flow, ends, examine, examine_inner, examine_outer, tunnelled};
pub use frame::{Frame, Skb};
pub use glance::{glance, judge};
pub use judge::Outcome;
pub use lookup::Lookup;
pub use parse::Link;
pub use place::{Ends, Place};
pub use reason::{Reason, Side, Verdict};
pub use transport::Transport;
