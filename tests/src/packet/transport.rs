//! Transport headers, with right checksums.

use std::net::Ipv6Addr;

use super::{checksum, network::Pseudo};

/// What IP carries. Ports and numbers are in host order.
#[derive(Clone, Copy, Debug)]
pub enum Transport {
    /// 20 bytes without options; flags as in the header (FIN 1, SYN 2, RST 4, PSH 8, ACK 16).
    Tcp {
        source: u16,
        destination: u16,
        flags: u8,
    },
    /// 8 bytes.
    Udp { source: u16, destination: u16 },
    /// 8 bytes, the checksum covers the whole datagram.
    UdpLite { source: u16, destination: u16 },
    /// 12 bytes of common header; the payload stands for the chunks.
    Sctp { source: u16, destination: u16 },
    /// A request: 20 bytes with long sequence numbers.
    Dccp { source: u16, destination: u16 },
    /// 8 bytes; ICMP in IPv4, ICMPv6 in IPv6.
    Icmp { kind: u8, code: u8 },
    /// 24 bytes: a solicitation (135) or an advertisement (136) of a neighbour; the payload stands for
    /// its options. IPv6 only.
    Neighbour { kind: u8, target: Ipv6Addr },
    /// 8 bytes; what follows is opaque.
    Esp { index: u32 },
    /// No header: the payload is all there is.
    Raw { protocol: u8 },
}

impl Transport {
    /// The protocol number that IP announces.
    pub fn protocol(&self, in_v6: bool) -> u8 {
        match self {
            Self::Tcp { .. } => 6,
            Self::Udp { .. } => 17,
            Self::UdpLite { .. } => 136,
            Self::Sctp { .. } => 132,
            Self::Dccp { .. } => 33,
            Self::Icmp { .. } if in_v6 => 58,
            Self::Icmp { .. } => 1,
            Self::Neighbour { .. } => 58,
            Self::Esp { .. } => 50,
            Self::Raw { protocol } => *protocol,
        }
    }

    /// The header and then `payload`.
    pub(super) fn build(&self, payload: &[u8], pseudo: Option<&Pseudo>) -> Vec<u8> {
        let mut segment = self.header(payload.len());
        segment.extend(payload);
        match self {
            Self::Tcp { .. } => self.sum(&mut segment, 16, pseudo),
            Self::Udp { .. } | Self::UdpLite { .. } | Self::Dccp { .. } => {
                self.sum(&mut segment, 6, pseudo);
            }
            Self::Icmp { .. } | Self::Neighbour { .. } => {
                let in_v6 = matches!(pseudo, Some(Pseudo::V6 { .. }));
                self.sum(&mut segment, 2, pseudo.filter(|_| in_v6));
            }
            Self::Sctp { .. } => {
                let sum = checksum::crc32c(&segment);
                segment[8..12].copy_from_slice(&sum.to_le_bytes());
            }
            Self::Esp { .. } | Self::Raw { .. } => {}
        }
        segment
    }

    /// The header with a checksum of zero, in front of `payload` bytes.
    fn header(&self, payload: usize) -> Vec<u8> {
        let ports = |source: u16, destination: u16, rest: &[u8]| {
            [&source.to_be_bytes(), &destination.to_be_bytes(), rest].concat()
        };
        match *self {
            Self::Tcp {
                source,
                destination,
                flags,
            } => {
                let rest = [
                    0,
                    0,
                    0,
                    1,
                    0,
                    0,
                    0,
                    0,
                    5 << 4,
                    flags,
                    0xfa,
                    0xf0,
                    0,
                    0,
                    0,
                    0,
                ];
                ports(source, destination, &rest)
            }
            Self::Udp {
                source,
                destination,
            } => {
                let length = u16::try_from(8 + payload)
                    .expect("shorter than 64 KiB")
                    .to_be_bytes();
                ports(source, destination, &[length[0], length[1], 0, 0])
            }
            // A coverage of zero means all of it.
            Self::UdpLite {
                source,
                destination,
            } => ports(source, destination, &[0; 4]),
            Self::Sctp {
                source,
                destination,
            } => ports(source, destination, &[0, 0, 0, 1, 0, 0, 0, 0]),
            Self::Dccp {
                source,
                destination,
            } => {
                // Five words; coverage 0 is all of it; type 0 (request) with long numbers.
                let rest = [5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
                ports(source, destination, &rest)
            }
            Self::Icmp { kind, code } => vec![kind, code, 0, 0, 0, 0, 0, 1],
            Self::Neighbour { kind, target } => {
                [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &target.octets()].concat()
            }
            Self::Esp { index } => [index.to_be_bytes(), 1_u32.to_be_bytes()].concat(),
            Self::Raw { .. } => Vec::new(),
        }
    }

    /// Writes the internet checksum of `segment` and `pseudo` at offset `at`.
    fn sum(&self, segment: &mut [u8], at: usize, pseudo: Option<&Pseudo>) {
        let in_v6 = matches!(pseudo, Some(Pseudo::V6 { .. }));
        let covered = pseudo.map(|pseudo| pseudo.bytes(self.protocol(in_v6), segment.len()));
        let mut sum = checksum::internet(&[&covered.unwrap_or_default(), segment]);
        if sum == 0 && matches!(self, Self::Udp { .. } | Self::UdpLite { .. }) {
            sum = 0xffff; // zero means "no checksum" there
        }
        segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}
