//! The control socket: the only way to change a running filter, and it checks who asks.

mod bind;
mod line;

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    net::{UnixListener, UnixStream, unix::UCred},
    task::JoinSet,
    time::timeout,
};

pub use self::bind::{BindError, ControlSocket};
pub(super) use self::line::{Line, Lines};
use super::protocol::{Code, Refusal, Request, Response};

/// Bounds of what callers may take up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one request.
    pub line: usize,
    /// A caller that neither asks nor takes its answer for this long is dropped.
    pub idle: Duration,
    /// Connections at a time.
    pub connections: usize,
    /// Of those, how many only root may take, so that readers cannot lock it out.
    pub reserved: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line: 64 << 10,
            idle: Duration::from_secs(30),
            connections: 256,
            reserved: 16,
        }
    }
}

/// Who asks, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub uid: u32,
    pub gid: u32,
    pub pid: Option<i32>,
}

impl From<UCred> for Peer {
    fn from(credentials: UCred) -> Self {
        Self {
            uid: credentials.uid(),
            gid: credentials.gid(),
            pid: credentials.pid(),
        }
    }
}

/// What carries out a request that is well-formed and permitted.
pub trait Handler: Send + Sync + 'static {
    fn handle(&self, request: Request, peer: Peer) -> impl Future<Output = Response> + Send;
}

impl<F, T> Handler for F
where
    F: Fn(Request, Peer) -> T + Send + Sync + 'static,
    T: Future<Output = Response> + Send,
{
    fn handle(&self, request: Request, peer: Peer) -> impl Future<Output = Response> + Send {
        self(request, peer)
    }
}

/// Serves `socket` until the future is dropped, which also ends all connections. Fails only
/// if the listener itself does.
pub async fn serve(
    socket: &ControlSocket,
    limits: Limits,
    handler: impl Handler,
) -> io::Result<()> {
    let handler = Arc::new(handler);
    let mut connections = JoinSet::new();
    loop {
        // Finished connections are forgotten first, so that the count is of living ones.
        while connections.try_join_next().is_some() {}
        let (stream, peer) = accept(socket.listener()).await?;
        while connections.try_join_next().is_some() {}
        let room = if peer.uid == 0 {
            limits.connections
        } else {
            limits.connections.saturating_sub(limits.reserved)
        };
        if connections.len() >= room {
            connections.spawn(turn_away(stream, limits));
            continue;
        }
        connections.spawn(converse(stream, peer, limits, Arc::clone(&handler)));
    }
}

/// Changing verbs are for root alone.
pub fn authorise(request: &Request, peer: Peer) -> Result<(), Refusal> {
    if !request.verb.changes() || peer.uid == 0 {
        return Ok(());
    }
    let message = format!(
        "`{}` changes the filter, and user id {} may only read",
        request.verb, peer.uid
    );
    Err(Refusal::new(
        Code::Denied,
        message,
        "run the command as root",
    ))
}

/// A caller that is gone before it was accepted, or a moment without file descriptors, ends
/// nothing.
async fn accept(listener: &UnixListener) -> io::Result<(UnixStream, Peer)> {
    const FAILURES: usize = 100;
    let mut failure = io::Error::other("not tried");
    for _ in 0..FAILURES {
        match listener
            .accept()
            .await
            .and_then(|(stream, _)| Ok((stream.peer_cred()?, stream)))
        {
            Ok((credentials, stream)) => return Ok((stream, Peer::from(credentials))),
            Err(error) => failure = error,
        }
        tracing::warn!(error = %failure, "control socket: a connection could not be accepted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(failure)
}

async fn turn_away(mut stream: UnixStream, limits: Limits) {
    let refusal = Refusal::new(
        Code::Failed,
        "too many connections to the control socket",
        "close some, or try again in a moment",
    );
    answer(&mut stream, refusal.into(), limits.idle).await.ok();
}

async fn converse(stream: UnixStream, peer: Peer, limits: Limits, handler: Arc<impl Handler>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = Lines::new(reader, limits.line);
    loop {
        let response = match timeout(limits.idle, lines.next()).await {
            Err(_) | Ok(Err(_) | Ok(Line::End)) => return,
            Ok(Ok(Line::TooLong)) => too_long(limits.line).into(),
            Ok(Ok(Line::Request(line))) => respond(&line, peer, handler.as_ref()).await,
        };
        if answer(&mut writer, response, limits.idle).await.is_err() {
            return;
        }
    }
}

async fn respond(line: &[u8], peer: Peer, handler: &impl Handler) -> Response {
    let request = match Request::from_line(line) {
        Ok(request) => request,
        Err(refusal) => return refusal.into(),
    };
    match authorise(&request, peer) {
        Ok(()) => handler.handle(request, peer).await,
        Err(refusal) => refusal.into(),
    }
}

fn too_long(cap: usize) -> Refusal {
    Refusal::new(
        Code::BadRequest,
        format!("the request is longer than {cap} bytes"),
        "send a shorter one",
    )
}

/// Each piece must be taken within the idle time, however long the whole answer is.
async fn answer(
    writer: &mut (impl AsyncWrite + Unpin),
    response: Response,
    idle: Duration,
) -> io::Result<()> {
    for piece in response.into_line().chunks(64 << 10) {
        timeout(idle, writer.write_all(piece)).await??;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
