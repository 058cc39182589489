//! The running filter: feeds kept fresh, the set in force kept current, questions answered.

mod attaching;
pub mod client;
mod contacts;
pub mod control;
mod decisions;
mod departures;
mod docker;
pub mod engine;
mod error;
pub mod feeds;
mod handler;
mod known;
pub mod learned;
mod main_loop;
mod metrics;
pub mod operator;
pub mod protocol;
mod ranges;
pub mod refresh;
pub mod report;
mod roles;
mod settle;
mod signals;
mod start;
mod terms;
mod worth;

use std::path::PathBuf;

pub use error::DaemonError;
pub use handler::{Decided, Done, History, Reloaded, Said, Switched, names};
pub use start::guard;

use crate::{
    config::Config,
    kernel::{check_privilege, memory},
};

/// Runs the daemon until SIGTERM or SIGINT; the filter stays on afterwards. `file` is read again on a
/// reload.
pub fn run(config: Config, file: Option<PathBuf>) -> Result<(), DaemonError> {
    check_privilege()?;
    memory::return_large_blocks();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(DaemonError::Runtime)?;
    let done = runtime.block_on(async {
        let signals = signals::Signals::new().map_err(DaemonError::Runtime)?;
        match start::start(config, file, signals).await? {
            Some(daemon) => daemon.serve().await,
            // Interrupted while starting.
            None => Ok(()),
        }
    });
    // A fetch that hangs must not hold up the end.
    runtime.shutdown_background();
    done
}
