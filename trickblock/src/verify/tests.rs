//! What is expected of packets, against what the documentation says.

use std::net::IpAddr;

use ipnet::IpNet;
use trickblock_common::{Direction, Reason, Side, abi::tunnel};

use super::{
    content::{Content, Inside, Kind},
    packet::{Packet, TCP, UDP},
    rules::Rules,
};
use crate::{
    kernel::{Described, Judged, Role},
    table::{Constants, Entry},
};

fn rules(never: &[(&str, u32)]) -> Rules {
    let texts = [
        "203.0.113.0/24",
        "203.0.113.7:443/tcp",
        "203.0.113.9",
        "2001:db8:c2::7",
    ];
    let mut entries: Vec<Entry> = (0..)
        .zip(texts)
        .map(|(id, text)| Entry {
            indicator: text.parse().unwrap(),
            drop: text != "203.0.113.0/24",
            id,
        })
        .collect();
    entries.sort_by_key(|entry| entry.indicator);
    let never = never
        .iter()
        .map(|(net, value)| (net.parse::<IpNet>().unwrap(), *value));
    let constants = Constants {
        tunnels: tunnel::GRE,
        ..Constants::default()
    };
    Rules::new(entries, &never.collect::<Vec<_>>(), &constants, false)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn to(address: &str, port: u16) -> Packet {
    let from = if address.contains(':') {
        "2001:db8:1::1"
    } else {
        "198.51.100.1"
    };
    Packet::new(ip(from), ip(address), TCP, (49_152, port))
}

fn said(rules: &Rules, content: impl Into<Content>, on: &Described) -> Judged {
    rules.expect(&content.into(), on, false)
}

fn reason(rules: &Rules, packet: Packet) -> (Reason, Option<u32>) {
    let judged = said(rules, packet.flow, &Described::default());
    (judged.reason, judged.indicator)
}

#[test]
fn a_drop_beats_a_longer_watch_and_a_port_an_address() {
    let rules = rules(&[]);
    assert_eq!(
        reason(&rules, to("203.0.113.7", 443)),
        (Reason::AddressPort, Some(1))
    );
    assert_eq!(
        reason(&rules, to("203.0.113.7", 80)),
        (Reason::MonitorPrefix, Some(0))
    );
    assert_eq!(
        reason(&rules, to("203.0.113.9", 80)),
        (Reason::Address, Some(2))
    );
    assert_eq!(
        reason(&rules, to("203.0.112.255", 443)),
        (Reason::Miss, None)
    );
    // The same address in NAT64 and 6to4.
    assert_eq!(
        reason(&rules, to("64:ff9b::203.0.113.9", 80)),
        (Reason::Address, Some(2))
    );
    assert_eq!(
        reason(&rules, to("2002:cb00:7109::1", 80)),
        (Reason::Address, Some(2))
    );
}

#[test]
fn protection_is_that_of_the_longest_prefix() {
    let rules = rules(&[
        ("203.0.113.0/28", 1),
        ("203.0.113.9/32", 2),
        ("2001:db8:c2::/48", 2),
    ]);
    assert_eq!(reason(&rules, to("203.0.113.9", 80)).0, Reason::NeverBlock);
    assert_eq!(
        reason(&rules, to("203.0.113.7", 443)).0,
        Reason::AddressPort
    );
    assert_eq!(reason(&rules, to("203.0.113.7", 80)).0, Reason::OwnNetwork);
    assert_eq!(
        reason(&rules, to("2001:db8:c2::7", 80)).0,
        Reason::NeverBlock
    );
    assert_eq!(
        reason(&rules, to("203.0.113.20", 80)).0,
        Reason::MonitorPrefix
    );
}

#[test]
fn only_tunnels_that_are_switched_on_are_looked_into() {
    let rules = rules(&[]);
    let outer = |kind| Content::Ip {
        flow: Packet::carrying(ip("198.51.100.1"), ip("198.51.100.2"), 47, &[]).flow,
        guess: false,
        inside: Inside::Packet {
            kind,
            flow: to("203.0.113.9", 1).flow,
        },
    };
    let on = Described::default();
    let inside = said(&rules, outer(Kind::Gre), &on);
    assert_eq!((inside.reason, inside.inner), (Reason::Address, true));
    assert_eq!(
        said(&rules, outer(Kind::Vxlan), &on),
        said(&rules, to("198.51.100.2", 1).flow, &on)
    );
}

#[test]
fn interfaces_have_their_say() {
    let rules = rules(&[]);
    let on = |role, fail_closed| Described {
        role,
        fail_closed,
        ingress: true,
    };
    let knock = Packet::new(ip("203.0.113.9"), ip("198.51.100.1"), UDP, (443, 53)).flow;
    let judged = said(&rules, knock, &on(Role::Uplink, false));
    assert_eq!(
        (judged.side, judged.direction),
        (Side::Source, Direction::Unsolicited)
    );
    let out = said(&rules, to("203.0.113.9", 1).flow, &on(Role::Inside, true));
    assert_eq!(
        (out.reason, out.direction),
        (Reason::Address, Direction::Out)
    );
    let cut = Content::Nothing(Reason::TruncatedIp);
    assert_eq!(
        said(&rules, cut.clone(), &on(Role::Inside, true)).reason,
        Reason::ClosedTruncatedIp
    );
    assert_eq!(
        said(&rules, cut, &on(Role::Inside, false)).reason,
        Reason::TruncatedIp
    );
}
