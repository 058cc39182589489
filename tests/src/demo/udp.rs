//! Datagrams between a client and a server, both ways, between the same two ports.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;

use super::message::{Kind, Ledger, Message};
use crate::netns::Netns;

/// Two bound sockets and the threads that read them.
#[derive(Debug)]
pub struct Udp {
    client: UdpSocket,
    server: UdpSocket,
    client_address: SocketAddr,
    endpoint: SocketAddr,
    stop: Arc<AtomicBool>,
    readers: Vec<JoinHandle<()>>,
}

impl Udp {
    /// Binds `endpoint` at the server and a free port of `client_address` at the client.
    pub fn open(
        (client_host, client_address): (&Netns, IpAddr),
        (server_host, endpoint): (&Netns, SocketAddr),
        ledger: &Arc<Ledger>,
    ) -> anyhow::Result<Self> {
        let client = bind(client_host, SocketAddr::new(client_address, 0))?;
        let server = bind(server_host, endpoint)?;
        let client_address = client
            .local_addr()
            .context("a bound socket has an address")?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut readers = Vec::new();
        for (socket, kind) in [(&client, Kind::UdpIn), (&server, Kind::UdpOut)] {
            let socket = socket.try_clone().context("udp")?;
            let (ledger, stop) = (Arc::clone(ledger), Arc::clone(&stop));
            readers.push(thread::spawn(move || read(&socket, kind, &ledger, &stop)));
        }
        Ok(Self {
            client,
            server,
            client_address,
            endpoint,
            stop,
            readers,
        })
    }

    /// Sends a message the way its kind says.
    pub fn send(&self, message: &Message) -> io::Result<()> {
        let (socket, to) = match message.flow.kind {
            Kind::UdpOut => (&self.client, self.endpoint),
            _ => (&self.server, self.client_address),
        };
        socket.send_to(&message.encode(), to).map(drop)
    }
}

impl Drop for Udp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for reader in self.readers.drain(..) {
            let _a_panic_was_printed = reader.join();
        }
    }
}

fn bind(host: &Netns, address: SocketAddr) -> anyhow::Result<UdpSocket> {
    let socket = host.run(|| UdpSocket::bind(address))?;
    let socket = socket.with_context(|| format!("udp {address} in {}", host.name()))?;
    socket
        .set_read_timeout(Some(Duration::from_millis(50)))
        .context("udp read timeout")?;
    Ok(socket)
}

fn read(socket: &UdpSocket, kind: Kind, ledger: &Ledger, stop: &AtomicBool) {
    // One byte more than a message, so that a longer datagram is not taken for one.
    let mut buffer = [0; Message::SIZE + 1];
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else {
            continue;
        };
        let message = buffer.get(..length).and_then(Message::decode);
        if let Some(message) = message.filter(|message| message.flow.kind == kind) {
            ledger.record(&message);
        }
    }
}
