//! The entry points of the object.

use trickblock_common::Link;

/// A program of the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    Xdp,
    TcIngress,
    TcEgress,
    /// For interfaces whose frames begin with the IP header.
    TcIngressIp,
    TcEgressIp,
}

impl Program {
    pub const ALL: [Self; 5] = [
        Self::Xdp,
        Self::TcIngress,
        Self::TcEgress,
        Self::TcIngressIp,
        Self::TcEgressIp,
    ];

    /// Its name in the object.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Xdp => "trickblock",
            Self::TcIngress => "tc_ingress",
            Self::TcEgress => "tc_egress",
            Self::TcIngressIp => "tc_ingress_ip",
            Self::TcEgressIp => "tc_egress_ip",
        }
    }

    /// What its frames begin with.
    pub const fn link(self) -> Link {
        match self {
            Self::Xdp | Self::TcIngress | Self::TcEgress => Link::Ethernet,
            Self::TcIngressIp | Self::TcEgressIp => Link::Ip,
        }
    }

    pub const fn is_egress(self) -> bool {
        matches!(self, Self::TcEgress | Self::TcEgressIp)
    }

    /// What it returns for a packet that it drops.
    pub(super) const fn drop_code(self) -> u32 {
        const XDP_DROP: u32 = 1;
        const TC_ACT_SHOT: u32 = 2;
        match self {
            Self::Xdp => XDP_DROP,
            _ => TC_ACT_SHOT,
        }
    }
}
