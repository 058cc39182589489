//! Protected addresses: what holds them back, and what does not.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{CLIENT, Round};
use crate::verify::{
    packet::{Packet, UDP},
    rules::{Protection, embed},
};

/// Protected prefixes that one subject is shown with.
const MOST: usize = 8;

impl Round<'_> {
    /// Protected addresses that the subject's indicator holds, and some that it does not.
    pub(super) fn shielded(&mut self, class: Protection) {
        let of_class = self
            .rules
            .never()
            .iter()
            .filter(|(_, value)| *value == class);
        let prefixes: Vec<IpNet> = of_class.map(|(prefix, _)| *prefix).collect();
        let listed = self.subject.entry.map(|entry| entry.indicator.prefix);
        let held = prefixes.iter().filter(|prefix| {
            listed.is_some_and(|listed| listed.contains(*prefix) || prefix.contains(&listed))
        });
        let mut chosen: Vec<IpNet> = held.take(MOST).copied().collect();
        chosen.extend(spread(&prefixes, self.subject.address, MOST));
        for prefix in chosen {
            self.protected(prefix.network());
            self.protected(prefix.broadcast());
        }
    }

    fn protected(&mut self, address: IpAddr) {
        let quiet = self.quiet[usize::from(address.is_ipv6())];
        let port = self.subject.port;
        for protocol in [self.subject.protocol, UDP] {
            let to = Packet::new(quiet, address, protocol, (CLIENT, port));
            self.packet(
                format!("to the protected {address}, protocol {protocol}"),
                &to,
            );
            let from = Packet::new(address, quiet, protocol, (port, CLIENT));
            self.packet(
                format!("from the protected {address}, protocol {protocol}"),
                &from,
            );
        }
        if address.is_ipv6() == self.subject.address.is_ipv6() {
            let (it, end) = (self.subject, self.subject.address);
            let out = Packet::new(address, end, it.protocol, (CLIENT, port));
            self.packet(format!("from the protected {address} to it"), &out);
            let back = Packet::new(end, address, it.protocol, (port, CLIENT));
            self.packet(format!("from it to the protected {address}"), &back);
        }
        if let IpAddr::V4(v4) = address {
            let inside = embed(&self.rules.embeddings()[0], v4.octets());
            let to = Packet::new(self.quiet[1], inside, self.subject.protocol, (CLIENT, port));
            self.packet(format!("to the protected {inside}"), &to);
        }
    }
}

/// So many of all, others for other subjects.
fn spread(all: &[IpNet], subject: IpAddr, most: usize) -> Vec<IpNet> {
    let start = match subject {
        IpAddr::V4(address) => address.to_bits() as usize,
        IpAddr::V6(address) => address.to_bits() as usize,
    };
    let indices = (0..most.min(all.len())).map(|index| start.wrapping_add(index) % all.len());
    indices.map(|index| all[index]).collect()
}
