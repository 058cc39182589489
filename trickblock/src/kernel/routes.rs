//! How this host routes: what the roles of its interfaces are taken from.

use std::{
    fs, io, iter,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage as Message,
    route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType, RouteVia},
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

/// Next hops of the default routes: of the one in use, and of those that lead out of these interfaces.
pub fn default_gateways(interfaces: &[u32]) -> Vec<IpAddr> {
    let ways = iter::once(None).chain(interfaces.iter().copied().map(Some));
    let routes = ways.flat_map(|way| NOWHERE.iter().filter_map(move |to| default_route(*to, way)));
    let mut gateways: Vec<IpAddr> = routes
        .flat_map(|route| next_hops(&route.attributes))
        .collect();
    gateways.sort_unstable();
    gateways.dedup();
    gateways
}

/// Of a route, and of each of its ways where it has several.
fn next_hops(attributes: &[RouteAttribute]) -> Vec<IpAddr> {
    let of = |attribute: &RouteAttribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address))
        | RouteAttribute::Via(RouteVia::Inet(address)) => vec![IpAddr::V4(*address)],
        RouteAttribute::Gateway(RouteAddress::Inet6(address))
        | RouteAttribute::Via(RouteVia::Inet6(address)) => vec![IpAddr::V6(*address)],
        RouteAttribute::MultiPath(ways) => ways
            .iter()
            .flat_map(|way| next_hops(&way.attributes))
            .collect(),
        _ => Vec::new(),
    };
    attributes.iter().flat_map(of).collect()
}

fn leads_anywhere(address: IpAddr, index: u32) -> bool {
    default_route(address, Some(index)).is_some()
}

/// The route to an address that only a default route leads to.
fn default_route(address: IpAddr, index: Option<u32>) -> Option<RouteMessage> {
    let mut asked = RouteMessage::default();
    let (family, bits, widest) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32, 1),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128, 3),
    };
    asked.header.address_family = family;
    asked.header.destination_prefix_length = bits;
    asked.header.flags = RouteFlags::LookupTable | RouteFlags::FibMatch;
    asked.attributes = vec![RouteAttribute::Destination(RouteAddress::from(address))];
    asked.attributes.extend(index.map(RouteAttribute::Oif));
    match request(Message::GetRoute(asked), NLM_F_REQUEST) {
        // Some write the default route as two halves, or as 2000::/3.
        Ok(Some(Message::NewRoute(route))) => {
            let is_default = route.header.kind == RouteType::Unicast
                && route.header.destination_prefix_length <= widest;
            is_default.then_some(route)
        }
        // No route is an error.
        _ => None,
    }
}
