//! How the other verbs find the daemon and its pins.

use std::{
    io::{self, Write},
    path::PathBuf,
};

use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use super::{Exit, failed};
use crate::daemon::{
    client::{self, ClientError},
    protocol::{Code, Request, Verb},
};

/// Where the daemon is. The defaults are those of the configuration.
#[derive(Clone, Debug, clap::Args)]
pub struct Place {
    /// The daemon's control socket.
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        default_value = "/run/trickblock/control.sock"
    )]
    pub socket: PathBuf,
    /// The directory of the filter's pins, asked where no daemon runs.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = "/sys/fs/bpf/trickblock"
    )]
    pub pins: PathBuf,
    /// Write JSON.
    #[arg(long, global = true)]
    pub json: bool,
}

/// The daemon's answer; `None` where no daemon runs.
pub(super) fn ask(
    place: &Place,
    verb: Verb,
    args: Value,
) -> Result<Option<Box<RawValue>>, ClientError> {
    match client::call(&place.socket, &Request::new(verb, args)) {
        Ok(value) => Ok(Some(value)),
        Err(ClientError::NoDaemon { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The exit code where a verb needs a daemon and none runs.
pub(super) fn no_daemon(place: &Place, err: &mut dyn Write) -> Exit {
    let reason = format!(
        "{}: no daemon listens there: start it with `trickblock run`, or name its socket with `--socket`",
        place.socket.display()
    );
    failed(err, &reason)
}

/// What an answer holds, as the type that the verb knows.
pub(super) fn typed<T: DeserializeOwned>(value: &RawValue) -> io::Result<T> {
    serde_json::from_str(value.get()).map_err(|error| io::Error::other(format!("the daemon's answer is not understood ({error}): use the trickblock command of its version")))
}

/// The exit code of a reading call that brought no data.
pub(super) fn refused(err: &mut dyn Write, error: &ClientError) -> Exit {
    let exit = failed(err, error);
    match error {
        ClientError::Refused(refusal) if refusal.code == Code::Denied => Exit::Refused,
        _ => exit,
    }
}

/// The exit code of a change that was not made: who may not even ask is refused as well.
pub(super) fn unchanged(err: &mut dyn Write, error: &ClientError) -> Exit {
    let exit = refused(err, error);
    match error {
        ClientError::Permission { .. } => Exit::Refused,
        _ => exit,
    }
}

/// One JSON document and a newline.
pub(super) fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}
