//! How this host routes: what the roles of its interfaces are taken from.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage as Message,
    route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType},
};

use super::netlink::{self, request};

/// Addresses that nobody announces: only a default route leads there. Two of each family, since one
/// may be blackholed on purpose.
const NOWHERE: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(240, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x3fff, 0xffff, 0, 0, 0, 0, 0, 1)),
];

/// Whether the kernel forwards packets of either family.
pub fn forwards() -> bool {
    ["ipv4/ip_forward", "ipv6/conf/all/forwarding"]
        .iter()
        .any(|name| {
            let value = fs::read_to_string(format!("/proc/sys/net/{name}"));
            value.is_ok_and(|value| value.trim() != "0")
        })
}

/// Whether a default route leads out of the interface. Asked by looking routes up: the table of a
/// router may have a million of them.
pub fn has_default_route(name: &str) -> io::Result<bool> {
    let Some(interface) = netlink::interface(name)? else {
        return Ok(false);
    };
    Ok(NOWHERE
        .iter()
        .any(|address| leads_anywhere(*address, interface.index)))
}

fn leads_anywhere(address: IpAddr, index: u32) -> bool {
    let mut asked = RouteMessage::default();
    let (family, bits, widest) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32, 1),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128, 3),
    };
    asked.header.address_family = family;
    asked.header.destination_prefix_length = bits;
    asked.header.flags = RouteFlags::LookupTable | RouteFlags::FibMatch;
    asked.attributes = vec![
        RouteAttribute::Destination(RouteAddress::from(address)),
        RouteAttribute::Oif(index),
    ];
    match request(Message::GetRoute(asked), NLM_F_REQUEST) {
        // Some write the default route as two halves, or as 2000::/3.
        Ok(Some(Message::NewRoute(route))) => {
            route.header.kind == RouteType::Unicast
                && route.header.destination_prefix_length <= widest
        }
        // No route is an error.
        _ => false,
    }
}
