//! A container engine of the tests' own, and a small internet around it.
//!
//! `dockerd` runs in a network namespace of a [`Lab`](crate::netns::Lab), and in a mount and a
//! process-id namespace: whatever engine the machine has is neither used nor disturbed (its bridges,
//! its packet filter rules, its images), and killing the first process ends every container and
//! unmounts everything. Nothing is ever pulled: images are made from files of this machine.

mod echo;
mod engine;
mod image;
pub mod throughput;
mod world;

pub use echo::Echo;
pub use engine::{Engine, NET_CAPS, output};
pub use image::{Root, busybox, packaging, trickblock};
pub use world::{BENIGN, BRIDGE, C2, C2_PORT, GATEWAY, HOST, World, talk};
