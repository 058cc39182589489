//! A TCP server that sends back what it gets.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;

use crate::netns::Netns;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Echo {
    accepted: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    pub fn start(host: &Netns, endpoint: SocketAddr) -> anyhow::Result<Self> {
        let listener = host
            .run(|| TcpListener::bind(endpoint))?
            .with_context(|| endpoint.to_string())?;
        listener.set_nonblocking(true).context("non-blocking")?;
        let (accepted, stop) = <(Arc<AtomicUsize>, Arc<AtomicBool>)>::default();
        let (count, end) = (Arc::clone(&accepted), Arc::clone(&stop));
        let serve = move || {
            while !end.load(Ordering::Relaxed) {
                let Ok((stream, _)) = listener.accept() else {
                    thread::sleep(Duration::from_millis(5));
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || echo(stream));
            }
        };
        Ok(Self {
            accepted,
            stop,
            thread: Some(thread::spawn(serve)),
        })
    }

    /// Connections so far.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Whether a server at `endpoint` sends back what it gets from `host`.
    pub fn answers(host: &Netns, endpoint: SocketAddr) -> anyhow::Result<bool> {
        host.run(|| ask(endpoint).is_ok())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(2);

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 1_024];
    // Bounded in time by the client, which closes, and by the timeout.
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count])?,
        }
    }
}

fn ask(endpoint: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&endpoint, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"hello\n")?;
    let mut answer = [0; 6];
    stream.read_exact(&mut answer)?;
    if &answer != b"hello\n" {
        return Err(io::Error::other("another answer"));
    }
    Ok(())
}
