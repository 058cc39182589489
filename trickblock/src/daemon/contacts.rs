//! Hits as the kernel reports them, for the log.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use trickblock_common::{
    Direction, Reason, Side,
    abi::{Event, event},
};

use crate::indicator::Protocol;

/// Pairs of a host and an indicator that are told apart; then the memory starts anew.
const MAX_PAIRS: usize = 65_536;

/// Says each contact of a host with an indicator once at INFO, repetitions at DEBUG.
#[derive(Debug, Default)]
pub struct Contacts {
    seen: BTreeSet<(IpAddr, u32)>,
}

impl Contacts {
    pub fn log(&mut self, event: &Event) {
        let (source, destination) = (
            address(event, event.source),
            address(event, event.destination),
        );
        let from_source = event.side == Side::Source as u8;
        let host = if from_source { destination } else { source };
        let reason = Reason::from_number(event.reason).unwrap_or(Reason::Miss);
        let flow = format!(
            "{} {} -> {} {}",
            reason.verdict().name(),
            end(source, event.source_port),
            end(destination, event.destination_port),
            Protocol(event.protocol),
        );
        let (reason, direction, hook) = (reason.name(), direction(event), hook(event));
        let ifindex = event.interface;
        if self.is_new(host, event.indicator) {
            tracing::info!(reason, direction, hook, ifindex, "C2 contact: {flow}");
        } else {
            tracing::debug!(reason, direction, hook, ifindex, "C2 contact: {flow}");
        }
    }

    fn is_new(&mut self, host: IpAddr, indicator: u32) -> bool {
        if self.seen.len() >= MAX_PAIRS {
            self.seen.clear();
        }
        self.seen.insert((host, indicator))
    }
}

fn direction(event: &Event) -> &'static str {
    let direction = Direction::ALL.get(usize::from(event.direction));
    direction.copied().unwrap_or(Direction::Unknown).name()
}

fn hook(event: &Event) -> &'static str {
    match event.flags & event::EGRESS {
        0 => "ingress",
        _ => "egress",
    }
}

fn address(event: &Event, bytes: [u8; 16]) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    match event.version {
        4 => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}

fn end(address: IpAddr, port: u16) -> String {
    match (address, port) {
        (address, 0) => address.to_string(),
        (address, port) => std::net::SocketAddr::new(address, port).to_string(),
    }
}
