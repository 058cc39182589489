//! Where a packet was going, and whether it is an answer.

use etherparse::{Icmpv4Slice, Icmpv6Slice, TcpHeaderSlice};

use super::ip::Transport;

/// Which way packets go that are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Travel {
    Unknown,
    Out,
    In,
}

impl Travel {
    /// What arrives from inside goes out, and so does what leaves to the uplink.
    pub(super) fn of(leaving: bool, role: &str) -> Self {
        match (leaving, role) {
            (false, "inside") | (true, "uplink") => Self::Out,
            (false, "uplink") | (true, "inside") => Self::In,
            _ => Self::Unknown,
        }
    }

    /// `behind` is what stands where the transport header should.
    pub(super) fn direction(
        self,
        side: Option<&str>,
        transport: &Transport,
        behind: &[u8],
    ) -> &'static str {
        match (self, side) {
            (Self::Unknown, _) | (_, None) => "unknown",
            (Self::Out, Some("destination")) => "out",
            (Self::In, Some("source")) => match is_answer(transport, behind) {
                Some(true) => "reply",
                Some(false) => "unsolicited",
                None => "unknown",
            },
            (Self::Out | Self::In, Some(_)) => "hosted",
        }
    }
}

fn is_answer(transport: &Transport, behind: &[u8]) -> Option<bool> {
    if !matches!(transport.failure, None | Some("no_ports")) {
        return None;
    }
    match (transport.protocol?, transport.ports) {
        (6, _) => {
            let (syn, ack) = flags(behind)?;
            Some(!syn || ack)
        }
        (1, _) => Some(kind_v4(behind)? != 8),
        (58, _) => Some(kind_v6(behind)? != 128),
        (_, Some((from, to))) => Some(from < to),
        _ => None,
    }
}

/// SYN and ACK.
fn flags(segment: &[u8]) -> Option<(bool, bool)> {
    if let Ok(header) = TcpHeaderSlice::from_slice(segment) {
        return Some((header.syn(), header.ack()));
    }
    // Cut behind the flags, or of an impossible length.
    let flags = segment.get(13)?;
    Some((flags & 0x02 != 0, flags & 0x10 != 0))
}

/// The type is the first byte, also of a message that is cut.
fn kind_v4(message: &[u8]) -> Option<u8> {
    Icmpv4Slice::from_slice(message)
        .ok()
        .map(|message| message.type_u8())
        .or_else(|| message.first().copied())
}

fn kind_v6(message: &[u8]) -> Option<u8> {
    Icmpv6Slice::from_slice(message)
        .ok()
        .map(|message| message.type_u8())
        .or_else(|| message.first().copied())
}
