//! What the hosts send each other, and the record of what arrived.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A datagram from client to server.
    UdpOut = 1,
    /// A datagram from server to client.
    UdpIn = 2,
    /// A connection of its own: counts as delivered once the client has read the echo, so that
    /// packets passed in both directions.
    TcpConnect = 3,
    /// From client to server on a connection that was open before.
    TcpOut = 4,
    /// From server to client on a connection that was open before.
    TcpIn = 5,
    /// Opens such a connection; not counted.
    TcpHello = 6,
}

/// Messages that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// The pair's number.
    pub pair: u8,
    /// Which part of the run sent it: late arrivals are counted where they belong.
    pub round: u8,
    pub kind: Kind,
}

/// One message: the unit of every count. Each is sent in a packet of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    pub flow: Flow,
    /// From 0 in each flow.
    pub sequence: u32,
}

impl Message {
    /// Bytes on the wire.
    pub const SIZE: usize = 12;

    /// The bytes.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..5].copy_from_slice(MAGIC);
        bytes[5..8].copy_from_slice(&[self.flow.pair, self.flow.round, self.flow.kind as u8]);
        bytes[8..].copy_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    /// Reads what [`Message::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::SIZE] = bytes.try_into().ok()?;
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let [_, _, _, _, _, pair, round, kind, sequence @ ..] = *bytes;
        let flow = Flow {
            pair,
            round,
            kind: Kind::from_number(kind)?,
        };
        Some(Self {
            flow,
            sequence: u32::from_be_bytes(sequence),
        })
    }
}

impl Kind {
    fn from_number(number: u8) -> Option<Self> {
        use Kind::{TcpConnect, TcpHello, TcpIn, TcpOut, UdpIn, UdpOut};
        let all = [UdpOut, UdpIn, TcpConnect, TcpOut, TcpIn, TcpHello];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Which messages arrived, as the receiving sockets saw it. Duplicates count once.
#[derive(Debug, Default)]
pub struct Ledger {
    arrived: Mutex<BTreeMap<Flow, BTreeSet<u32>>>,
}

impl Ledger {
    /// Enters an arrival.
    pub fn record(&self, message: &Message) {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived
            .entry(message.flow)
            .or_default()
            .insert(message.sequence);
    }

    /// How many messages of a flow arrived.
    pub fn count(&self, flow: Flow) -> usize {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.get(&flow).map_or(0, BTreeSet::len)
    }

    /// Which messages of a flow arrived.
    pub fn sequences(&self, flow: Flow) -> BTreeSet<u32> {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.get(&flow).cloned().unwrap_or_default()
    }
}

const MAGIC: &[u8; 5] = b"tblab";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_survives_the_wire_and_nothing_else_is_one() {
        let flow = Flow {
            pair: 3,
            round: 200,
            kind: Kind::TcpIn,
        };
        let message = Message {
            flow,
            sequence: 0x0102_0304,
        };
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes), Some(message));
        assert_eq!(Message::decode(&bytes[1..]), None);
        let wrong_kind = |at: usize, value: u8| {
            let mut bytes = bytes;
            bytes[at] = value;
            Message::decode(&bytes)
        };
        assert_eq!(
            (wrong_kind(7, 0), wrong_kind(7, 7), wrong_kind(0, 0)),
            (None, None, None)
        );
    }

    #[test]
    fn ledger_counts_each_message_once_and_by_flow() {
        let ledger = Ledger::default();
        let flow = Flow {
            pair: 0,
            round: 1,
            kind: Kind::UdpOut,
        };
        for sequence in [4, 4, 9] {
            ledger.record(&Message { flow, sequence });
        }
        assert_eq!(ledger.count(flow), 2);
        assert_eq!(ledger.sequences(flow), BTreeSet::from([4, 9]));
        assert_eq!(ledger.count(Flow { round: 2, ..flow }), 0);
    }
}
