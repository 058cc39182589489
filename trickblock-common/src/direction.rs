//! What a block stopped: a call, only the answer to one, or a knock on the door.

use network_types::ip::IpProto;

use crate::{Frame, Side, Transport, transport::carries_ports};

/// Which way a packet was going, and why. The numbers are stable: they are part of counter indices.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The interface has no role, the packet has no listed end, or it does not tell.
    Unknown = 0,
    /// To a listed address, going out: stopped on the way out.
    Out = 1,
    /// From a listed address, coming in as an answer: only the reply was stopped.
    Reply = 2,
    /// From a listed address, coming in of its own accord.
    Unsolicited = 3,
    /// The listed address is on the inside.
    Hosted = 4,
}

impl Direction {
    pub const ALL: [Self; 5] = [
        Self::Unknown,
        Self::Out,
        Self::Reply,
        Self::Unsolicited,
        Self::Hosted,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Out => "out",
            Self::Reply => "reply",
            Self::Unsolicited => "unsolicited",
            Self::Hosted => "hosted",
        }
    }
}

/// Which way packets travel past a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    Unknown,
    Outward,
    Inward,
}

impl Travel {
    /// `role` is one of [`crate::abi::role`]; `egress`: whether the packet leaves through the interface.
    #[inline(always)]
    pub const fn past(role: u32, egress: bool) -> Self {
        match (role, egress) {
            (crate::abi::role::INSIDE, false) | (crate::abi::role::UPLINK, true) => Self::Outward,
            (crate::abi::role::UPLINK, false) | (crate::abi::role::INSIDE, true) => Self::Inward,
            _ => Self::Unknown,
        }
    }
}

/// The direction of a packet whose listed end is on `side` (the number of a [`Side`]).
#[inline(always)]
pub fn direction<F: Frame + ?Sized>(
    frame: &F,
    travel: Travel,
    side: u8,
    transport: Transport,
) -> Direction {
    let to = side == Side::Destination as u8;
    let from = side == Side::Source as u8;
    match travel {
        Travel::Outward if to => Direction::Out,
        Travel::Inward if from => arrival(frame, transport),
        Travel::Outward if from => Direction::Hosted,
        Travel::Inward if to => Direction::Hosted,
        _ => Direction::Unknown,
    }
}

/// Whether a packet from a listed address answers one to it.
#[inline(always)]
fn arrival<F: Frame + ?Sized>(frame: &F, transport: Transport) -> Direction {
    let (protocol, at) = (transport.protocol(), transport.offset());
    let answer = if at == 0 {
        return Direction::Unknown;
    } else if protocol == IpProto::Tcp as u8 {
        const SYN: u8 = 2;
        const ACK: u8 = 16;
        frame
            .peek::<2>(at + 12)
            .map(|[_, flags]| flags & (SYN | ACK) != SYN)
    } else if carries_ports(protocol) {
        Some(transport.source_port() < transport.destination_port())
    } else if protocol == IpProto::Icmp as u8 {
        frame.load::<1>(at).map(|[kind]| kind != 8)
    } else if protocol == IpProto::Ipv6Icmp as u8 {
        frame.load::<1>(at).map(|[kind]| kind != 128)
    } else {
        None
    };
    match answer {
        Some(true) => Direction::Reply,
        Some(false) => Direction::Unsolicited,
        None => Direction::Unknown,
    }
}
