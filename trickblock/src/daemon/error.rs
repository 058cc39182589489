//! Why the daemon does not start, or ends.

use std::{io, net::SocketAddr, path::PathBuf};

use super::{control::BindError, engine::Held};
use crate::kernel::FilterError;

#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Held(#[from] Held),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(
        "another trickblock daemon keeps its state in {path}: what either remembers would be lost to the other; stop it, or name another directory with `[paths] state`"
    )]
    StateHeld { path: PathBuf },
    #[error(
        "the filter of another version of trickblock (pins {version}) is on, and there is nothing to put in its place: no feed answers, and no last good copy is there; it stays on as it is. Mend the feeds and start again, or end it by `trickblock off`"
    )]
    NothingInstead { version: String },
    #[error("none of the interfaces can be filtered: {}", .0.join("; "))]
    NoInterface(Vec<String>),
    #[error("allow file {path}: {reason}; nothing is blocked or changed before it is mended")]
    Allow { path: PathBuf, reason: String },
    #[error("list of ranges {path}: {reason}; nothing is blocked or changed before it is mended")]
    Ranges { path: PathBuf, reason: String },
    #[error(
        "[metrics] listen = \"{address}\" cannot be listened on ({source}): free the port, or name another one"
    )]
    Metrics {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("the runtime failed: {0}")]
    Runtime(#[source] io::Error),
    #[error(
        "the control socket failed: {0}; start trickblock again, the filter stays on meanwhile"
    )]
    Control(#[source] io::Error),
}
