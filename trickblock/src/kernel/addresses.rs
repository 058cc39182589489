//! The addresses of this host.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use netlink_packet_route::{
    RouteNetlinkMessage as Message,
    address::{AddressAttribute, AddressMessage},
};

use super::netlink;

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Own {
    /// Index of the interface.
    pub index: u32,
    pub address: IpAddr,
    /// What is reached through the interface directly.
    pub connected: IpNet,
}

/// All addresses of this network namespace, of interfaces that are down as well.
pub fn own() -> io::Result<Vec<Own>> {
    let dumped = netlink::dump(Message::GetAddress(AddressMessage::default()))?;
    let mut all: Vec<Own> = dumped.iter().filter_map(of_message).collect();
    all.sort_unstable();
    Ok(all)
}

fn of_message(message: &Message) -> Option<Own> {
    let Message::NewAddress(message) = message else {
        return None;
    };
    let (mut local, mut address) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(found) => local = Some(*found),
            AddressAttribute::Address(found) => address = Some(*found),
            _ => {}
        }
    }
    // Between two points the address is the other end's. An address alone is one's own.
    let connected = address.or(local)?;
    Some(Own {
        index: message.header.index,
        address: local
            .or(address)
            .filter(|own| *own != Ipv4Addr::UNSPECIFIED)?,
        connected: IpNet::new(connected, message.header.prefix_len)
            .ok()?
            .trunc(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_its_address() {
        let all = own().unwrap();
        let Some(loopback) = all.iter().find(|own| own.address == Ipv4Addr::LOCALHOST) else {
            // A namespace whose loopback interface was never set up.
            return;
        };
        assert_eq!(loopback.connected, "127.0.0.0/8".parse().unwrap());
        assert!(loopback.index > 0);
    }
}
