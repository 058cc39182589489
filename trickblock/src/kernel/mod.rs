//! The only user of aya: programs, maps, pins and links.

mod abi;
mod ask;
mod attach;
#[cfg(feature = "debug-log")]
mod debug_log;
mod error;
mod events;
mod filter;
mod maps;
pub mod memory;
pub mod netlink;
mod outgrown;
mod pins;
mod privilege;
mod program;
mod refusal;
mod sys;

pub use ask::Judged;
pub use attach::{Attached, Hooks, ModeChoice};
pub use error::FilterError;
pub use events::Events;
pub use filter::{Capacity, Filter, Load, random_seed};
pub use maps::{Maps, Tally};
pub use netlink::Mode;
pub use pins::{Hold, Pins};
pub use privilege::check_privilege;
pub use program::Program;
