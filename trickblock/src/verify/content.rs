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
    /// A header of a tunnel of one of these kinds is wrong or cut.
    Wrong(&'static [Kind], Reason),
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

    /// The kind alone.
    pub const fn alone(self) -> &'static [Self] {
        match self {
            Self::Ip => &[Self::Ip],
            Self::Gre => &[Self::Gre],
            Self::Vxlan => &[Self::Vxlan],
            Self::Geneve => &[Self::Geneve],
            Self::Gtpu => &[Self::Gtpu],
        }
    }

    const fn of_port(port: u16) -> &'static [Self] {
        match port {
            4789 | 8472 => Self::Vxlan.alone(),
            6081 => Self::Geneve.alone(),
            2152 => Self::Gtpu.alone(),
            _ => &[],
        }
    }

    /// What a packet may turn out to be of which no more is known than the protocol, if that.
    const fn of_protocol(protocol: Option<u8>) -> &'static [Self] {
        const AUTHENTICATION: u8 = 51;
        match protocol {
            Some(4 | 41) => Self::Ip.alone(),
            Some(47) => Self::Gre.alone(),
            Some(17) => &[Self::Vxlan, Self::Geneve, Self::Gtpu],
            None | Some(AUTHENTICATION) => &Self::ALL,
            Some(_) => &[],
        }
    }
}

impl Flow {
    /// What a packet holds whose payload is no packet: next to nothing, but its protocol or port may be
    /// that of a tunnel.
    pub fn inside(&self) -> Inside {
        const HIDDEN: Reason = Reason::IncompleteFirstFragment;
        match (self.failure, self.protocol, self.ports) {
            (Some(HIDDEN), protocol, _) => Inside::Wrong(Kind::of_protocol(protocol), HIDDEN),
            (Some(failure @ Reason::TooManyExtensions), ..) => Inside::Wrong(&Kind::ALL, failure),
            (None | Some(Reason::NoPorts), Some(4 | 41), _) => {
                Inside::Wrong(Kind::Ip.alone(), Reason::TruncatedTunnel)
            }
            (None, Some(17), Some((_, port))) => {
                Inside::Wrong(Kind::of_port(port), Reason::BadTunnel)
            }
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
