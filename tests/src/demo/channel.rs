//! Everything one pair sends in one round.

use std::{sync::Arc, thread, time::Duration};

use anyhow::Context as _;

use super::{
    message::{Flow, Kind, Ledger, Message},
    plan::Pair,
    tcp::Tcp,
    topology::Topology,
    udp::Udp,
};

/// Whether a round's packets should arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    Delivered,
    Blocked,
}

/// A pair with its sockets.
#[derive(Debug)]
pub struct Channel {
    pub pair: Pair,
    udp: Udp,
    tcp: Tcp,
    ledger: Arc<Ledger>,
}

impl Channel {
    /// Opens the sockets of `pair` at both hosts.
    pub fn open(pair: Pair, topology: &Topology, ledger: &Arc<Ledger>) -> anyhow::Result<Self> {
        let client = topology
            .clients
            .get(pair.client)
            .context("client of a pair")?;
        let server = topology
            .servers
            .get(pair.server)
            .context("server of a pair")?;
        let serving = (server, pair.endpoint);
        let udp = Udp::open((client, pair.client_address), serving, ledger)?;
        let tcp = Tcp::open(client, serving, ledger)?;
        Ok(Self {
            pair,
            udp,
            tcp,
            ledger: Arc::clone(ledger),
        })
    }

    /// Opens the TCP connection that later rounds may use.
    pub fn establish(&self) -> anyhow::Result<()> {
        self.tcp.establish(self.flow(0, Kind::TcpHello))
    }

    /// Resets that connection.
    pub fn forget(&self) {
        self.tcp.forget();
    }

    /// Sends a round and returns how many messages that were. With `open_connection` the
    /// connection that stays is used as well.
    pub fn send(&self, round: u8, expect: Expect, open_connection: bool) -> anyhow::Result<usize> {
        for sequence in 0..DATAGRAMS {
            for kind in [Kind::UdpOut, Kind::UdpIn] {
                self.datagram(round, kind, sequence)?;
            }
            thread::sleep(PACE);
        }
        let segments = if open_connection { SEGMENTS } else { 0 };
        for sequence in 0..segments {
            for kind in [Kind::TcpOut, Kind::TcpIn] {
                self.tcp.send(&Message {
                    flow: self.flow(round, kind),
                    sequence,
                })?;
            }
            thread::sleep(PACE);
        }
        self.tcp.connect(
            self.flow(round, Kind::TcpConnect),
            CONNECTIONS,
            patience(expect),
        )?;
        Ok(usize::try_from(2 * DATAGRAMS + 2 * segments + CONNECTIONS)?)
    }

    /// Sends one datagram.
    pub fn datagram(&self, round: u8, kind: Kind, sequence: u32) -> anyhow::Result<()> {
        let message = Message {
            flow: self.flow(round, kind),
            sequence,
        };
        self.udp
            .send(&message)
            .with_context(|| format!("{}: {message:?}", self.pair.endpoint))
    }

    /// How many messages of a round arrived.
    pub fn delivered(&self, round: u8) -> usize {
        let kinds = [
            Kind::UdpOut,
            Kind::UdpIn,
            Kind::TcpOut,
            Kind::TcpIn,
            Kind::TcpConnect,
        ];
        kinds
            .into_iter()
            .map(|kind| self.ledger.count(self.flow(round, kind)))
            .sum()
    }

    /// The messages of one kind in a round.
    pub fn flow(&self, round: u8, kind: Kind) -> Flow {
        Flow {
            pair: self.pair.number,
            round,
            kind,
        }
    }

    /// The record of arrivals.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }
}

/// Each way.
const DATAGRAMS: u32 = 20;
const CONNECTIONS: u32 = 12;
/// Each way, on the open connection: within the initial congestion window of 10, so that each
/// is sent at once and in a packet of its own even if nothing is ever acknowledged.
const SEGMENTS: u32 = 8;
/// Keeps socket buffers from filling on a busy machine.
const PACE: Duration = Duration::from_millis(1);

/// Below a second a blocked attempt is a single SYN; what should pass gets the time it needs.
fn patience(expect: Expect) -> Duration {
    match expect {
        Expect::Delivered => Duration::from_secs(3),
        Expect::Blocked => Duration::from_millis(800),
    }
}
