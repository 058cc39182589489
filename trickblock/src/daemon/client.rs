//! The other end of the control socket, for the command line: blocking, one call at a time.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::protocol::{Refusal, Request, VERSION};

/// A reload fetches every feed before it answers.
pub const TIMEOUT: Duration = Duration::from_secs(120);
/// A list of several million indicators is below this.
const MAX_ANSWER: u64 = 2 << 30;

/// A call that brought no data.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "{socket}: no daemon listens there: start it with `trickblock run`, or name its socket"
    )]
    NoDaemon { socket: PathBuf },
    #[error("{socket}: permission denied: run this as root, or join the group `trickblock`")]
    Permission { socket: PathBuf },
    #[error("{socket}: no answer within {after:?}: the daemon is busy or stuck, look at its log")]
    Timeout { socket: PathBuf, after: Duration },
    #[error(
        "{socket}: the connection broke ({source}): the daemon may have been stopped, look at its log"
    )]
    Broken { socket: PathBuf, source: io::Error },
    #[error(
        "{socket}: the answer is not trickblock's ({reason}): check that the socket belongs to a trickblock daemon of this version"
    )]
    Garbled { socket: PathBuf, reason: String },
    /// The daemon understood and said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Asks the daemon behind `socket` and returns the answer's data, as JSON text: a list of a million indicators is never a tree
/// of a million nodes.
pub fn call(socket: &Path, request: &Request) -> Result<Box<RawValue>, ClientError> {
    call_within(socket, request, TIMEOUT)
}

/// As [`call`], giving up when nothing was heard for `patience`.
pub fn call_within(
    socket: &Path,
    request: &Request,
    patience: Duration,
) -> Result<Box<RawValue>, ClientError> {
    let line =
        exchange(socket, request, patience).map_err(|source| classify(socket, source, patience))?;
    parse(&line)
        .map_err(|reason| ClientError::Garbled {
            socket: socket.to_owned(),
            reason,
        })?
        .map_err(ClientError::Refused)
}

fn exchange(socket: &Path, request: &Request, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    // A daemon that refuses the connection as such answers and closes without reading: its
    // answer is worth more than the failed write.
    let written = stream.write_all(request.to_line().as_bytes());
    let mut line = Vec::new();
    let read = BufReader::new(stream)
        .take(MAX_ANSWER)
        .read_until(b'\n', &mut line);
    if line.ends_with(b"\n") {
        return Ok(line);
    }
    written?;
    read?;
    Err(io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "closed before the end of the answer",
    ))
}

fn classify(socket: &Path, source: io::Error, after: Duration) -> ClientError {
    let socket = socket.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ClientError::NoDaemon { socket }
        }
        io::ErrorKind::PermissionDenied => ClientError::Permission { socket },
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            ClientError::Timeout { socket, after }
        }
        _ => ClientError::Broken { socket, source },
    }
}

fn parse(line: &[u8]) -> Result<Result<Box<RawValue>, Refusal>, String> {
    #[derive(Deserialize)]
    struct Answer {
        v: u32,
        ok: bool,
        data: Option<Box<RawValue>>,
        error: Option<Refusal>,
    }
    let answer: Answer = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    match answer {
        // A refusal is readable whatever its version: it may be about the version.
        Answer {
            ok: false,
            error: Some(refusal),
            ..
        } => Ok(Err(refusal)),
        Answer { v, .. } if v != VERSION => Err(format!(
            "it speaks version {v}, this command speaks {VERSION}"
        )),
        Answer { ok: true, data, .. } => Ok(Ok(data.unwrap_or_else(|| RawValue::NULL.to_owned()))),
        Answer { .. } => Err("it says neither what nor why".to_owned()),
    }
}
