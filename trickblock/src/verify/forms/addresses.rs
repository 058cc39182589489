//! Who is listed: addresses, their neighbours, the addresses inside of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use trickblock_common::{Link, Reason};

use super::{CLIENT, Round, Subject, link};
use crate::verify::{
    content::Content,
    packet::{ICMP, ICMP_V6, Packet, UDP},
    rules::embed,
};

impl Round<'_> {
    pub(super) fn exact(&mut self) {
        self.plain();
        let Some(prefix) = self.prefix() else {
            return;
        };
        for (what, address) in [("first", prefix.network()), ("last", prefix.broadcast())] {
            let end = self.subject.at(address);
            self.packet(format!("to the {what} address, {address}"), &end.to());
            self.packet(format!("from the {what} address, {address}"), &end.from());
        }
    }

    pub(super) fn neighbouring(&mut self) {
        let Some(prefix) = self.prefix() else {
            return self.plain();
        };
        let beside = [
            step(prefix.network(), false),
            step(prefix.broadcast(), true),
        ];
        for address in beside.into_iter().flatten() {
            let end = self.subject.at(address);
            self.packet(format!("to its neighbour {address}"), &end.to());
            self.packet(format!("from its neighbour {address}"), &end.from());
        }
    }

    fn prefix(&self) -> Option<IpNet> {
        Some(self.subject.entry?.indicator.prefix)
    }

    /// The listed end, and its port on the wrong side.
    pub(super) fn sides(&mut self) {
        let Subject {
            address,
            peer,
            protocol,
            port,
            ..
        } = self.subject;
        self.plain();
        let packet = |from, to, ports| Packet::new(from, to, protocol, ports);
        let swapped = [
            (
                "to it, from its port",
                packet(peer, address, (port, CLIENT)),
            ),
            (
                "from it, to its port",
                packet(address, peer, (CLIENT, port)),
            ),
            (
                "its port on both sides",
                packet(peer, address, (port, port)),
            ),
            ("to itself", packet(address, address, (CLIENT, port))),
            ("from itself", packet(address, address, (port, CLIENT))),
        ];
        for (what, packet) in swapped {
            self.packet(what, &packet);
        }
    }

    /// Two listed ends.
    pub(super) fn precedence(&mut self) {
        let (one, other) = (self.subject, self.other);
        if one.is_v6() != other.is_v6() {
            return self.plain();
        }
        let ports = (one.port, other.port);
        for protocol in [one.protocol, other.protocol] {
            let there = Packet::new(one.address, other.address, protocol, ports);
            let back = Packet::new(other.address, one.address, protocol, (ports.1, ports.0));
            self.packet(format!("to {}, protocol {protocol}", other.address), &there);
            self.packet(
                format!("from {}, protocol {protocol}", other.address),
                &back,
            );
        }
        let icmp = Packet::new(one.address, other.address, ICMP, (0, 0));
        self.packet(format!("to {}, without ports", other.address), &icmp);
    }

    /// The address inside of IPv6 ones.
    pub(super) fn embedded(&mut self) {
        let IpAddr::V4(address) = self.subject.address else {
            return self.plain();
        };
        let beside = Ipv4Addr::from_bits(address.to_bits() ^ 1);
        for prefix in self.rules.embeddings().to_vec() {
            for inside in [address, beside] {
                let end = Subject {
                    peer: self.quiet[1],
                    ..self.subject.at(embed(&prefix, inside.octets()))
                };
                self.packet(format!("to {inside} in {prefix}"), &end.to());
                self.packet(format!("from {inside} in {prefix}"), &end.from());
                self.packet(format!("to {inside} in {prefix}, UDP"), &end.over(UDP).to());
            }
        }
        let [a, b, c, d] = address.octets().map(u16::from);
        let other = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 1, a << 8 | b, c << 8 | d);
        let end = Subject {
            peer: self.quiet[1],
            ..self.subject.at(other.into())
        };
        self.packet(format!("to {other}, which stands for nothing"), &end.to());
    }

    pub(super) fn neighbours(&mut self) {
        match self.subject.address {
            IpAddr::V4(address) if self.stand.link == Link::Ethernet => self.arp(address),
            IpAddr::V4(address) => {
                let prefix = self.rules.embeddings()[0];
                self.discovery(embed(&prefix, address.octets()));
            }
            IpAddr::V6(_) => self.discovery(self.subject.address),
        }
    }

    fn arp(&mut self, address: Ipv4Addr) {
        let IpAddr::V4(quiet) = self.quiet[0] else {
            return;
        };
        let pairs = [
            ("asked for", quiet, address),
            ("asking", address, quiet),
            ("nobody", quiet, quiet),
        ];
        for (what, sender, target) in pairs {
            let message = arp(sender, target);
            let content = Content::Arp {
                sender: sender.into(),
                target: target.into(),
            };
            self.frame(
                format!("ARP: it is {what}"),
                link::ethernet(&[], 0x0806, &message),
                content.clone(),
            );
            let tagged = link::ethernet(&[0x8100], 0x0806, &message);
            self.frame(format!("ARP in a VLAN: it is {what}"), tagged, content);
            let cut = link::ethernet(&[], 0x0806, &message[..27]);
            self.frame(
                "a cut ARP packet",
                cut,
                Content::Nothing(Reason::TruncatedArp),
            );
        }
        let mut other = arp(quiet, address);
        other[3] = 7;
        let frame = link::ethernet(&[], 0x0806, &other);
        self.frame(
            "ARP of another protocol",
            frame,
            Content::Nothing(Reason::NonIp),
        );
    }

    fn discovery(&mut self, target: IpAddr) {
        let IpAddr::V6(asked) = target else {
            return;
        };
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1);
        for kind in [135, 136] {
            let mut message = vec![kind, 0, 0, 0, 0, 0, 0, 0];
            message.extend(asked.octets());
            let mut packet = Packet::carrying(self.quiet[1], group.into(), ICMP_V6, &message);
            packet.flow.asks_for = Some(target);
            packet.flow.begins = Some(false);
            self.packet(format!("discovery, type {kind}, of {target}"), &packet);
        }
        // Without a target it is an echo like any other.
        let echo = Packet::new(self.quiet[1], group.into(), ICMP_V6, (0, 0));
        self.packet("an echo to the group", &echo);
    }
}

fn arp(sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1];
    message.extend(sender.octets());
    message.extend([0; 6]);
    message.extend(target.octets());
    message
}

/// The next address, or the one before; `None` at the end of all.
fn step(address: IpAddr, up: bool) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let bits = v4.to_bits();
            let next = if up {
                bits.checked_add(1)
            } else {
                bits.checked_sub(1)
            };
            next.map(|bits| Ipv4Addr::from_bits(bits).into())
        }
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            let next = if up {
                bits.checked_add(1)
            } else {
                bits.checked_sub(1)
            };
            next.map(|bits| Ipv6Addr::from_bits(bits).into())
        }
    }
}
