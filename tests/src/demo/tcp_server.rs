//! The server's side of a pair's TCP.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{
    message::{Kind, Ledger, Message},
    tcp::{close, each_message},
};
use crate::netns::Netns;

/// Accepts connections, echoes [`Kind::TcpConnect`], records [`Kind::TcpOut`], and keeps the
/// connection that said hello for [`TcpServer::push`].
#[derive(Debug)]
pub(super) struct TcpServer {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl TcpServer {
    pub(super) fn start(
        host: &Netns,
        endpoint: SocketAddr,
        ledger: &Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let listener = host.run(|| TcpListener::bind(endpoint))?;
        let listener = listener.with_context(|| format!("tcp {endpoint} in {}", host.name()))?;
        listener
            .set_nonblocking(true)
            .context("a listener that can be stopped")?;
        let ledger = Arc::clone(ledger);
        let shared = Arc::new(Shared {
            ledger,
            ..Shared::default()
        });
        let for_thread = Arc::clone(&shared);
        let acceptor = thread::spawn(move || for_thread.accept(&listener));
        Ok(Self {
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Whether a connection said hello before `patience` ended.
    pub(super) fn wait_for_hello(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if self.shared.known().is_some() {
                return true;
            }
            thread::sleep(Duration::from_millis(1));
        }
        false
    }

    /// Sends to the client on the connection that said hello.
    pub(super) fn push(&self, message: &Message) -> io::Result<()> {
        match self.shared.known().as_mut() {
            Some(stream) => stream.write_all(&message.encode()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Resets that connection.
    pub(super) fn forget(&self) {
        if let Some(stream) = self.shared.known().take() {
            close(&stream);
        }
    }
}

impl Drop for TcpServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.forget();
        for stream in self.shared.open().values() {
            close(stream);
        }
        if let Some(acceptor) = self.acceptor.take() {
            let _a_panic_was_printed = acceptor.join();
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    ledger: Arc<Ledger>,
    stop: AtomicBool,
    known: Mutex<Option<TcpStream>>,
    /// Connections in use, so that they can be closed under their threads.
    open: Mutex<BTreeMap<u64, TcpStream>>,
}

impl Shared {
    fn known(&self) -> std::sync::MutexGuard<'_, Option<TcpStream>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, TcpStream>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when told to stop and the last connection has ended.
    fn accept(&self, listener: &TcpListener) {
        thread::scope(|scope| {
            for number in 0.. {
                let Some(stream) = self.next(listener) else {
                    return;
                };
                let Ok(clone) = stream.try_clone() else {
                    continue;
                };
                self.open().insert(number, clone);
                scope.spawn(move || {
                    self.serve(&stream);
                    close(&stream);
                    self.open().remove(&number);
                });
            }
        });
    }

    /// The next connection; `None` when told to stop.
    fn next(&self, listener: &TcpListener) -> Option<TcpStream> {
        while !self.stop.load(Ordering::Relaxed) {
            if let Ok((stream, _)) = listener.accept()
                && stream.set_nonblocking(false).is_ok()
            {
                return Some(stream);
            }
            thread::sleep(Duration::from_millis(2));
        }
        None
    }

    fn serve(&self, stream: &TcpStream) {
        each_message(stream, |message| match message.flow.kind {
            Kind::TcpConnect => (&*stream).write_all(&message.encode()),
            Kind::TcpOut => {
                self.ledger.record(message);
                Ok(())
            }
            Kind::TcpHello => {
                stream.set_nodelay(true)?;
                *self.known() = Some(stream.try_clone()?);
                Ok(())
            }
            Kind::UdpOut | Kind::UdpIn | Kind::TcpIn => Err(io::ErrorKind::InvalidData.into()),
        });
    }
}
