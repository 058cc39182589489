//! What the lists say of the two addresses of a packet.

use std::{
    cmp::Reverse,
    net::{IpAddr, Ipv6Addr},
};

use super::{
    ip::{Ip, Transport},
    reasons::monitored,
    rules::{Prefix, Rule, Shield},
};

/// Everything that is searched from end to end for each address.
#[derive(Clone, Debug)]
pub(super) struct Lists {
    pub(super) rules: Vec<Rule>,
    pub(super) shields: Vec<Shield>,
    /// IPv6 prefixes whose addresses hold an IPv4 address right behind the prefix, in order.
    pub(super) embeddings: Vec<Prefix>,
}

/// What is said of a packet, before any switch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict<'a> {
    pub(super) reason: &'static str,
    pub(super) side: Option<&'static str>,
    pub(super) rule: Option<&'a Rule>,
}

impl Verdict<'_> {
    pub(super) const MISS: Self = Self::spared("miss", None);

    /// No indicator acts.
    pub(super) const fn spared(reason: &'static str, side: Option<&'static str>) -> Self {
        Self {
            reason,
            side,
            rule: None,
        }
    }

    pub(super) fn is_miss(&self) -> bool {
        self.reason == "miss"
    }
}

impl Lists {
    /// Whether any prefix holds the address, whatever may be done about it.
    pub(super) fn lists(&self, address: IpAddr) -> bool {
        let inside = self.embedded(address);
        let both = || [Some(address), inside].into_iter().flatten();
        self.rules
            .iter()
            .any(|rule| both().any(|address| rule.prefix.holds(address)))
    }

    pub(super) fn decide(&self, ip: &Ip) -> Verdict<'_> {
        let (from, to) =
            (ip.transport.ports).map_or((None, None), |(from, to)| (Some(from), Some(to)));
        let ends = [
            self.end("destination", ip.destination, to, &ip.transport),
            self.end("source", ip.source, from, &ip.transport),
        ];
        if ends.iter().all(|end| end.held.is_empty()) {
            return Verdict::MISS;
        }
        decide(&ends, ip.transport.failure)
    }

    fn end(
        &self,
        side: &'static str,
        address: IpAddr,
        port: Option<u16>,
        transport: &Transport,
    ) -> End<'_> {
        let inside = self.embedded(address);
        let (outer, inner) = (self.hard(Some(address)), self.hard(inside));
        let native = self.rules.iter().filter_map(|rule| {
            let held = Held {
                rule,
                length: rule.prefix.length,
                native: true,
                own: outer == Some(false),
            };
            rule.prefix.holds(address).then_some(held)
        });
        // An IPv4 address inside takes the last 32 of 128 bits.
        let foreign = self.rules.iter().filter_map(|rule| {
            let held = Held {
                rule,
                length: 96 + rule.prefix.length,
                native: false,
                own: inner == Some(false),
            };
            rule.prefix.holds(inside?).then_some(held)
        });
        End {
            side,
            held: native.chain(foreign).collect(),
            hard: outer == Some(true) || inner == Some(true),
            longest: if address.is_ipv6() { 128 } else { 32 },
            port,
            protocol: transport.protocol,
        }
    }

    /// Of the longest never-block prefix; absolute protection is more than a little of it.
    fn hard(&self, address: Option<IpAddr>) -> Option<bool> {
        let address = address?;
        let shields = self.shields.iter();
        shields
            .filter(|shield| shield.prefix.holds(address))
            .max_by_key(|shield| shield.prefix.length)
            .map(|shield| shield.hard)
    }

    /// The IPv4 address inside of an IPv6 one.
    fn embedded(&self, address: IpAddr) -> Option<IpAddr> {
        let IpAddr::V6(v6) = address else {
            return None;
        };
        let mut prefixes = self.embeddings.iter();
        let prefix = prefixes.find(|prefix| prefix.holds(address))?;
        Some(extract(v6, prefix.length))
    }
}

/// RFC 6052: the four bytes behind the prefix, but for byte 8, which is always zero.
fn extract(address: Ipv6Addr, length: u32) -> IpAddr {
    let start = usize::try_from(length / 8).expect("at most 16");
    let mut octets = [0; 4];
    let places = (start..16).filter(|place| *place != 8);
    for (octet, place) in octets.iter_mut().zip(places) {
        *octet = address.octets()[place];
    }
    IpAddr::from(octets)
}

/// A rule that holds an address, or the address inside of it.
#[derive(Clone, Copy, Debug)]
struct Held<'a> {
    rule: &'a Rule,
    length: u32,
    native: bool,
    /// Its form of the address is of the operator's own network.
    own: bool,
}

impl Held<'_> {
    /// The greatest one decides; all that differ in nothing but the end are told apart by it.
    fn rank(&self) -> (bool, u32, bool, bool) {
        (
            self.rule.drop,
            self.length,
            self.rule.port.is_some(),
            self.rule.protocol.is_some(),
        )
    }
}

/// What the lists say of one address.
struct End<'a> {
    side: &'static str,
    held: Vec<Held<'a>>,
    /// Nothing may act on the address, in whichever form.
    hard: bool,
    /// The length of a prefix that is one address.
    longest: u32,
    port: Option<u16>,
    protocol: Option<u8>,
}

impl<'a> End<'a> {
    fn matching(&self) -> impl Iterator<Item = &Held<'a>> {
        let takes = |held: &&Held<'_>| {
            let rule = held.rule;
            rule.port.is_none_or(|wanted| self.port == Some(wanted))
                && rule
                    .protocol
                    .is_none_or(|wanted| self.protocol == Some(wanted))
        };
        self.held.iter().filter(takes)
    }

    fn acting(&self) -> impl Iterator<Item = &Held<'a>> {
        self.matching()
            .filter(|held| !(self.hard || held.own && held.rule.is_wide()))
    }

    /// Ports and protocols that are listed and may be acted on, whether they match or not.
    fn narrow(&self) -> impl Iterator<Item = &Held<'a>> {
        let hard = self.hard;
        self.held
            .iter()
            .filter(move |held| !hard && !held.rule.is_wide())
    }

    fn named(&self, held: &Held<'a>) -> Verdict<'a> {
        let host = held.length == self.longest;
        let reason = match (host, held.rule.is_wide()) {
            (true, true) => "address",
            (true, false) => "address_port",
            (false, true) => "prefix",
            (false, false) => "prefix_port",
        };
        Verdict {
            reason: if held.rule.drop {
                reason
            } else {
                monitored(reason)
            },
            side: Some(self.side),
            rule: Some(held.rule),
        }
    }
}

fn decide<'a>(ends: &[End<'a>; 2], failure: Option<&'static str>) -> Verdict<'a> {
    if failure == Some("bad_version") {
        return first(ends, |end| !end.held.is_empty(), "bad_version");
    }
    let acting = ends.iter().enumerate().flat_map(|(order, end)| {
        end.acting()
            .map(move |held| ((held.rank(), Reverse(order), held.native), end, held))
    });
    let best = acting.max_by_key(|(rank, ..)| *rank);
    let incomplete = failure == Some("incomplete_first_fragment");
    if incomplete && best.as_ref().is_none_or(|(.., held)| !held.rule.drop) {
        let drops = |end: &End<'_>| end.narrow().any(|held| held.rule.drop);
        let hidden = first(ends, drops, "incomplete_first_fragment");
        if !hidden.is_miss() {
            return hidden;
        }
    }
    match best {
        Some((_, end, held)) => end.named(held),
        None => spared(ends, failure),
    }
}

/// Why nothing acts on addresses that are listed.
fn spared<'a>(ends: &[End<'a>; 2], failure: Option<&'static str>) -> Verdict<'a> {
    let is_narrow = |end: &End<'_>| end.narrow().next().is_some();
    let hard = |end: &End<'_>| end.hard && end.matching().next().is_some();
    let kept = |held: &Held<'_>| held.own && held.rule.is_wide();
    let own = |end: &End<'_>| !end.hard && end.matching().any(kept);
    let incomplete = failure == Some("incomplete_first_fragment");
    let watched = |end: &End<'_>| incomplete && is_narrow(end);
    let failed = |end: &End<'_>| failure.is_some() && is_narrow(end);
    let answers = [
        first(ends, watched, "monitor_incomplete_first_fragment"),
        first(ends, hard, "never_block"),
        first(ends, own, "own_network"),
        first(ends, failed, failure.unwrap_or("miss")),
    ];
    let mut answers = answers.into_iter();
    answers
        .find(|answer| !answer.is_miss())
        .unwrap_or(Verdict::MISS)
}

/// `reason` on the first of the ends, destination first, of which `is` holds.
fn first<'a>(
    ends: &[End<'a>; 2],
    is: impl Fn(&End<'_>) -> bool,
    reason: &'static str,
) -> Verdict<'a> {
    let end = ends.iter().find(|end| is(end));
    end.map_or(Verdict::MISS, |end| Verdict::spared(reason, Some(end.side)))
}
