//! What a probe says, told by who built it: nothing is parsed to know it.

use std::net::IpAddr;

use trickblock_common::Reason;

/// What is in a frame.
#[derive(Clone, Debug)]
pub enum Content {
    /// No addresses, for this reason.
    Nothing(Reason),
    Arp {
        sender: IpAddr,
        target: IpAddr,
    },
    Ip {
        flow: Flow,
        /// Nothing in the frame says that it is an IP packet.
        guess: bool,
        inside: Inside,
    },
}

/// One IP packet.
#[derive(Clone, Debug)]
pub struct Flow {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Where it can be found out.
    pub protocol: Option<u8>,
    /// Of the source and of the destination.
    pub ports: Option<(u16, u16)>,
    /// Why the ports are unknown.
    pub failure: Option<Reason>,
    /// Whether it begins a conversation; `None` where it does not tell.
    pub begins: Option<bool>,
    /// Whom a neighbour solicitation to a group of the link asks for.
    pub asks_for: Option<IpAddr>,
    /// Lengths and checksum hold.
    pub sound: bool,
}

/// What a packet carries in a tunnel.
#[derive(Clone, Debug)]
pub enum Inside {
    Nothing,
    /// A header of a tunnel of this kind is wrong or cut.
    Wrong(Kind, Reason),
    Packet {
        kind: Kind,
        flow: Flow,
    },
}

/// Tunnels that can be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ip,
    Gre,
    Vxlan,
    Geneve,
    Gtpu,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Ip, Self::Gre, Self::Vxlan, Self::Geneve, Self::Gtpu];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Gre => "gre",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtpu => "gtpu",
        }
    }

    /// Only its UDP port says that it is one.
    pub const fn is_guess(self) -> bool {
        matches!(self, Self::Vxlan | Self::Geneve | Self::Gtpu)
    }

    const fn of_port(port: u16) -> Option<Self> {
        match port {
            4789 | 8472 => Some(Self::Vxlan),
            6081 => Some(Self::Geneve),
            2152 => Some(Self::Gtpu),
            _ => None,
        }
    }
}

impl Flow {
    /// What a packet holds whose payload is no packet: next to nothing, but its protocol or port may be
    /// that of a tunnel.
    pub fn inside(&self) -> Inside {
        if !matches!(self.failure, None | Some(Reason::NoPorts)) {
            return Inside::Nothing;
        }
        match (self.protocol, self.ports) {
            (Some(4 | 41), _) => Inside::Wrong(Kind::Ip, Reason::TruncatedTunnel),
            (Some(17), Some((_, port))) => Kind::of_port(port).map_or(Inside::Nothing, |kind| {
                Inside::Wrong(kind, Reason::BadTunnel)
            }),
            _ => Inside::Nothing,
        }
    }
}

impl From<Flow> for Content {
    fn from(flow: Flow) -> Self {
        let inside = flow.inside();
        Self::Ip {
            flow,
            guess: false,
            inside,
        }
    }
}
