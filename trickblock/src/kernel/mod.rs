//! The only user of aya: programs, maps, pins and links.

mod abi;
pub mod addresses;
mod ask;
mod attach;
mod clsact;
#[cfg(feature = "debug-log")]
mod debug_log;
mod error;
mod events;
mod filter;
mod hook;
mod interfaces;
mod link;
mod maps;
pub mod memory;
pub mod netlink;
mod never;
mod outgrown;
mod pages;
mod pins;
mod place;
mod privilege;
mod probe;
mod prober;
mod program;
mod programs;
mod refusal;
pub mod routes;
mod seats;
mod switch;
mod sys;
mod table;

pub use ask::Judged;
pub use attach::{Hooks, find_interface};
pub use error::FilterError;
pub use events::{Events, event_clock};
pub use filter::{Capacity, Filter, Load, random_seed};
pub use hook::{Attached, Hook, HookChoice, ModeChoice, Way};
pub use interfaces::{Described, Interfaces, Role};
pub use maps::{Lost, Maps, Tally};
pub use netlink::Mode;
pub use pins::{Hold, Pins};
pub use privilege::check_privilege;
pub use prober::{Prober, Said};
pub use program::Program;
pub use seats::Seat;
