//! ARP, and neighbour discovery of IPv6 (RFC 4861).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Packet, Transport};

impl Packet {
    /// An ARP request of `sender` for `target`. Panics if one is not IPv4.
    pub fn arp(sender: &str, target: &str) -> Self {
        let octets = |text: &str| {
            let address: Ipv4Addr = text.parse().unwrap_or_else(|_| panic!("{text}: not IPv4"));
            address.octets()
        };
        // Ethernet and IPv4, addresses of 6 and 4 bytes, a request.
        let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1];
        message.extend([0x02, 0, 0, 0, 0, 0x01]);
        message.extend(octets(sender));
        message.extend([0; 6]);
        message.extend(octets(target));
        Self::ethernet(0x0806).payload(&message)
    }

    /// Asks the target's solicited-node group who has `target`. Panics if one is not IPv6.
    pub fn neighbour_solicitation(source: &str, target: &str) -> Self {
        let target = parse(target);
        let [.., high, middle, low] = target.octets();
        let (high, low) = (
            0xff00 | u16::from(high),
            u16::from(middle) << 8 | u16::from(low),
        );
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, high, low);
        Self::neighbour(source, group, 135, target)
    }

    /// Tells all nodes of the link that `source` has `target`. Panics if one is not IPv6.
    pub fn neighbour_advertisement(source: &str, target: &str) -> Self {
        let everybody = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        Self::neighbour(source, everybody, 136, parse(target))
    }

    fn neighbour(source: &str, group: Ipv6Addr, kind: u8, target: Ipv6Addr) -> Self {
        // The option that tells the sender's link address.
        let link_address = [if kind == 135 { 1 } else { 2 }, 1, 0x02, 0, 0, 0, 0, 0x01];
        Self::v6(source, &group.to_string())
            .hop_limit(255)
            .transport(Transport::Neighbour { kind, target })
            .payload(&link_address)
    }
}

fn parse(text: &str) -> Ipv6Addr {
    text.parse().unwrap_or_else(|_| panic!("{text}: not IPv6"))
}
