//! TCP between a client and a server: short connections, and one that stays open.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, bail};

use super::{
    message::{Flow, Kind, Ledger, Message},
    tcp_server::TcpServer,
};
use crate::{netns::Netns, sys};

/// One pair's TCP.
#[derive(Debug)]
pub struct Tcp {
    host: Netns,
    endpoint: SocketAddr,
    ledger: Arc<Ledger>,
    server: TcpServer,
    /// The connection that stays open, and the thread that reads it at the client.
    known: Mutex<Option<(TcpStream, JoinHandle<()>)>>,
}

impl Tcp {
    /// Listens on `endpoint` at the server.
    pub fn open(
        client_host: &Netns,
        (server_host, endpoint): (&Netns, SocketAddr),
        ledger: &Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let server = TcpServer::start(server_host, endpoint, ledger)?;
        let (host, ledger) = (client_host.clone(), Arc::clone(ledger));
        Ok(Self {
            host,
            endpoint,
            ledger,
            server,
            known: Mutex::default(),
        })
    }

    /// Tries `count` connections at once, one message each. An attempt that takes longer than
    /// `patience` is given up; below a second, that is one SYN.
    pub fn connect(&self, flow: Flow, count: u32, patience: Duration) -> anyhow::Result<()> {
        let attempt = |sequence| {
            let message = Message { flow, sequence };
            if echoed(self.endpoint, &message, patience).unwrap_or(false) {
                self.ledger.record(&message);
            }
        };
        self.host.run(|| {
            thread::scope(|scope| {
                for sequence in 0..count {
                    scope.spawn(move || attempt(sequence));
                }
            });
        })
    }

    /// Opens the connection that stays.
    pub fn establish(&self, flow: Flow) -> anyhow::Result<()> {
        let connect = || TcpStream::connect_timeout(&self.endpoint, PATIENCE);
        let mut stream = self
            .host
            .run(connect)?
            .with_context(|| format!("connect to {}", self.endpoint))?;
        stream.set_nodelay(true).context("TCP_NODELAY")?;
        let hello = Message {
            flow: Flow {
                kind: Kind::TcpHello,
                ..flow
            },
            sequence: 0,
        };
        stream.write_all(&hello.encode()).context("hello")?;
        if !self.server.wait_for_hello(PATIENCE) {
            bail!(
                "{}: the server did not see the connection within {PATIENCE:?}",
                self.endpoint
            );
        }
        let (reading, ledger) = (stream.try_clone().context("tcp")?, Arc::clone(&self.ledger));
        let reader = thread::spawn(move || {
            each_message(&reading, |message| {
                ledger.record(message);
                Ok(())
            });
        });
        *self.known() = Some((stream, reader));
        Ok(())
    }

    /// Sends a message on the connection that stays, the way its kind says.
    pub fn send(&self, message: &Message) -> anyhow::Result<()> {
        let sent = match (message.flow.kind, &*self.known()) {
            (Kind::TcpOut, Some((stream, _))) => (&*stream).write_all(&message.encode()),
            (Kind::TcpIn, Some(_)) => self.server.push(message),
            _ => bail!("{}: no open connection for {message:?}", self.endpoint),
        };
        sent.with_context(|| format!("{}: {message:?}", self.endpoint))
    }

    /// Resets the connection that stays: what it still holds is never sent again.
    pub fn forget(&self) {
        let Some((stream, reader)) = self.known().take() else {
            return;
        };
        close(&stream);
        drop(stream);
        let _a_panic_was_printed = reader.join();
        self.server.forget();
    }

    fn known(&self) -> MutexGuard<'_, Option<(TcpStream, JoinHandle<()>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Calls `handle` for each message until the stream or `handle` ends it.
pub(super) fn each_message(
    mut stream: &TcpStream,
    mut handle: impl FnMut(&Message) -> io::Result<()>,
) {
    let mut bytes = [0; Message::SIZE];
    while stream.read_exact(&mut bytes).is_ok() {
        let Some(message) = Message::decode(&bytes) else {
            return;
        };
        if handle(&message).is_err() {
            return;
        }
    }
}

/// Ends a connection at once, and any read that waits for it.
pub(super) fn close(stream: &TcpStream) {
    let _closed_by_the_peer = sys::reset_on_close(stream);
    let _closed_by_the_peer = stream.shutdown(Shutdown::Both);
}

const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the server echoes `message`.
fn echoed(endpoint: SocketAddr, message: &Message, patience: Duration) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&endpoint, patience)?;
    sys::reset_on_close(&stream)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(&message.encode())?;
    let mut echo = [0; Message::SIZE];
    stream.read_exact(&mut echo)?;
    Ok(Message::decode(&echo) == Some(*message))
}
