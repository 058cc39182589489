//! As much HTTP as it takes to read from an engine's socket.
//!
//! The crates that speak the engine's API bring a whole HTTP stack along. Asked in version 1.0, the
//! engine answers without chunks and ends the body with the connection, so that a head and the rest
//! of the bytes are all there is to read.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    time::timeout,
};

use super::super::control::{Line, Lines};

/// Bound of connecting, asking, and reading a whole answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Some hundred bytes are usual.
const MAX_HEAD: u64 = 16 << 10;
/// Ten thousand containers fit.
const MAX_BODY: u64 = 16 << 20;
/// An event carries all labels of its container.
const MAX_EVENT: usize = 1 << 20;

/// Why the engine cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(super) enum EngineError {
    #[error("{socket}: no container engine there")]
    Absent { socket: PathBuf },
    #[error(
        "{socket}: {source}: run trickblock as root, or name the engine's socket in [docker] `socket`"
    )]
    Denied { socket: PathBuf, source: io::Error },
    #[error("the engine's socket: {0}")]
    Io(#[from] io::Error),
    #[error("the engine did not answer within {PATIENCE:?}")]
    Timeout,
    #[error("the engine ended the conversation")]
    End,
    #[error("the engine answers {code} to {path}")]
    Status { code: u16, path: String },
    #[error("the engine's answer is larger than {MAX_BODY} bytes")]
    TooLong,
    #[error("the engine's answer is not understood: {what}")]
    Garbled { what: &'static str },
    #[error("the engine's answer is not understood: {source}")]
    Json { source: serde_json::Error },
}

/// Asks for `path`, and returns the body.
pub(super) async fn get(socket: &Path, path: &str) -> Result<Vec<u8>, EngineError> {
    let whole = async {
        let mut body = Vec::new();
        let reader = ask(socket, path).await?;
        reader
            .take(MAX_BODY.saturating_add(1))
            .read_to_end(&mut body)
            .await?;
        let fits = u64::try_from(body.len()).is_ok_and(|length| length <= MAX_BODY);
        fits.then_some(body).ok_or(EngineError::TooLong)
    };
    timeout(PATIENCE, whole)
        .await
        .map_err(|_| EngineError::Timeout)?
}

/// Asks for `path`, whose body does not end.
pub(super) async fn stream(socket: &Path, path: &str) -> Result<Stream, EngineError> {
    let reader = timeout(PATIENCE, ask(socket, path));
    let reader = reader.await.map_err(|_| EngineError::Timeout)??;
    Ok(Stream(Lines::new(reader, MAX_EVENT)))
}

/// The lines of a body.
pub(super) struct Stream(Lines<BufReader<UnixStream>>);

impl Stream {
    /// Safe to drop at its `await`.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, EngineError> {
        match self.0.next().await? {
            Line::Request(line) => Ok(line),
            Line::TooLong => Err(EngineError::TooLong),
            Line::End => Err(EngineError::End),
        }
    }
}

async fn ask(socket: &Path, path: &str) -> Result<BufReader<UnixStream>, EngineError> {
    let mut stream = UnixStream::connect(socket)
        .await
        .map_err(|source| unreachable(socket, source))?;
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: engine\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reader = BufReader::new(stream);
    match head(&mut reader).await? {
        200 => Ok(reader),
        code => Err(EngineError::Status {
            code,
            path: path.to_owned(),
        }),
    }
}

fn unreachable(socket: &Path, source: io::Error) -> EngineError {
    let socket = socket.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            EngineError::Absent { socket }
        }
        io::ErrorKind::PermissionDenied => EngineError::Denied { socket, source },
        _ => EngineError::Io(source),
    }
}

/// Reads up to the body; returns the status.
async fn head(reader: &mut BufReader<UnixStream>) -> Result<u16, EngineError> {
    let garbled = EngineError::Garbled {
        what: "this is not HTTP",
    };
    let mut head = reader.take(MAX_HEAD);
    let mut line = Vec::new();
    head.read_until(b'\n', &mut line).await?;
    let Some(status) = status(&line) else {
        return Err(garbled);
    };
    // Every line takes at least its end from the bound.
    while !matches!(line.as_slice(), b"\r\n" | b"\n") {
        line.clear();
        if head.read_until(b'\n', &mut line).await? == 0 {
            return Err(garbled);
        }
    }
    Ok(status)
}

fn status(line: &[u8]) -> Option<u16> {
    let line = str::from_utf8(line).ok()?;
    let mut words = line.split_ascii_whitespace();
    words.next()?.strip_prefix("HTTP/1.")?;
    words.next()?.parse().ok()
}
