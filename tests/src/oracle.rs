//! Three answers to every packet: the loaded program, the same code on the host, and a model that
//! shares nothing with them.
//!
//! Rounds of random rules, configurations and packets, each from a seed of its own. `cargo xtask fuzz`
//! runs millions of packets, the test `parity` a minute's worth. What differs is made as small as
//! possible and shown as a fixture.

pub mod captures;
pub mod draw;
pub mod found;
pub mod plant;
pub mod report;
pub mod round;
pub mod run;
pub mod shares;
pub mod shrink;
pub mod witnesses;

pub use found::Found;
pub use plant::Plant;
pub use report::Report;
pub use run::{Plan, run};
pub use shares::Shares;
pub use witnesses::Witnesses;
