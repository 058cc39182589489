//! The verdict that docs/verdicts.md gives on what a probe says.

use std::{cmp::Reverse, net::IpAddr};

use trickblock_common::{Direction, Reason, Side};

use super::{
    content::{Content, Flow, Inside},
    rules::{Held, Protection, Rules},
    switches,
};
use crate::{
    kernel::{Described, Judged, Role},
    table::Entry,
};

/// What is said of one packet, and where it leads.
#[derive(Clone, Copy)]
struct Verdict<'a> {
    reason: Reason,
    side: Side,
    entry: Option<&'a Entry>,
}

impl<'a> Verdict<'a> {
    const MISS: Self = Self::without_side(Reason::Miss);

    const fn without_side(reason: Reason) -> Self {
        Self::on(reason, Side::None)
    }

    const fn on(reason: Reason, side: Side) -> Self {
        Self {
            reason,
            side,
            entry: None,
        }
    }

    fn is_miss(&self) -> bool {
        self.reason == Reason::Miss
    }
}

impl Rules {
    /// What must be said of `content` at a hook of an interface that is described so.
    pub fn expect(&self, content: &Content, on: &Described, egress: bool) -> Judged {
        let (verdict, inner, flow) = self.say(content);
        let direction = flow.map_or_else(
            || direction(verdict.side, on.role, egress, None),
            |flow| direction(verdict.side, on.role, egress, flow.begins),
        );
        Judged {
            reason: self.enforced(verdict.reason, on.fail_closed),
            side: verdict.side,
            indicator: verdict.entry.map(|entry| entry.id),
            inner,
            direction,
        }
    }

    fn enforced(&self, reason: Reason, closed: bool) -> Reason {
        if self.monitor {
            switches::monitored(reason)
        } else if closed {
            switches::closed(reason)
        } else {
            reason
        }
    }

    /// The verdict, whether it is about the packet inside, and that packet.
    fn say<'a>(&'a self, content: &'a Content) -> (Verdict<'a>, bool, Option<&'a Flow>) {
        match content {
            Content::Nothing(reason) => (Verdict::without_side(*reason), false, None),
            Content::Arp { sender, target } => (self.arp(*sender, *target), false, None),
            Content::Ip {
                flow,
                guess,
                inside,
            } => self.packets(flow, *guess, inside),
        }
    }

    fn packets<'a>(
        &'a self,
        flow: &'a Flow,
        guess: bool,
        inside: &'a Inside,
    ) -> (Verdict<'a>, bool, Option<&'a Flow>) {
        let outer = self.packet(flow, guess);
        let stands = (outer, false, Some(flow));
        if switches::drops(outer.reason) {
            return stands;
        }
        let (inner, about) = match inside {
            Inside::Wrong(kinds, reason) if kinds.iter().any(|kind| self.looks_into(*kind)) => {
                (doubted(Verdict::without_side(*reason), guess, flow), None)
            }
            Inside::Packet { kind, flow } if self.looks_into(*kind) => {
                (self.packet(flow, guess || kind.is_guess()), Some(flow))
            }
            _ => return stands,
        };
        let weighs_less = !switches::drops(inner.reason) && !outer.is_miss();
        if inner.is_miss() || weighs_less {
            return stands;
        }
        (inner, true, about)
    }

    /// One packet by itself.
    fn packet<'a>(&'a self, flow: &Flow, guess: bool) -> Verdict<'a> {
        let mut verdict = self.decide(flow);
        let asked_for = flow.asks_for.filter(|_| verdict.is_miss());
        if asked_for.is_some_and(|target| self.lists(target)) {
            verdict = Verdict::on(Reason::Neighbour, Side::Destination);
        }
        doubted(verdict, guess, flow)
    }

    fn arp(&self, sender: IpAddr, target: IpAddr) -> Verdict<'_> {
        match (self.lists(target), self.lists(sender)) {
            (true, _) => Verdict::on(Reason::Neighbour, Side::Destination),
            (_, true) => Verdict::on(Reason::Neighbour, Side::Source),
            _ => Verdict::without_side(Reason::NonIp),
        }
    }

    pub fn lists(&self, address: IpAddr) -> bool {
        !self.holding(address).is_empty()
    }

    fn decide(&self, flow: &Flow) -> Verdict<'_> {
        let (from, to) = flow
            .ports
            .map_or((None, None), |(from, to)| (Some(from), Some(to)));
        let ends = [
            self.end(Side::Destination, flow.destination, to, flow.protocol),
            self.end(Side::Source, flow.source, from, flow.protocol),
        ];
        decide(&ends, flow.failure)
    }

    fn end(&self, side: Side, address: IpAddr, port: Option<u16>, protocol: Option<u8>) -> End<'_> {
        End {
            side,
            held: self.holding(address),
            protections: self.protections(address),
            host: if address.is_ipv6() { 128 } else { 32 },
            port,
            protocol,
        }
    }
}

/// A guess that does not hold says nothing.
fn doubted<'a>(verdict: Verdict<'a>, guess: bool, flow: &Flow) -> Verdict<'a> {
    if guess && !flow.sound && switches::needs_proof(verdict.reason) {
        return Verdict::on(Reason::Unconfirmed, verdict.side);
    }
    verdict
}

/// What the rules say of one address of a packet.
struct End<'a> {
    side: Side,
    held: Vec<Held<'a>>,
    /// Of the address on the wire, and of the IPv4 one inside.
    protections: [Protection; 2],
    /// Length of a prefix that is one address.
    host: u8,
    port: Option<u16>,
    protocol: Option<u8>,
}

fn is_wide(entry: &Entry) -> bool {
    entry.indicator.port.is_none() && entry.indicator.protocol.is_none()
}

impl<'a> End<'a> {
    /// Entries that mean this packet.
    fn matching(&self) -> impl Iterator<Item = &Held<'a>> {
        self.held.iter().filter(|held| {
            let wanted = held.entry.indicator;
            let port = wanted.port.is_none_or(|port| self.port == Some(port.get()));
            let protocol = wanted
                .protocol
                .is_none_or(|number| self.protocol == Some(number.0));
            port && protocol
        })
    }

    fn protection_from(&self, held: &Held<'_>) -> Protection {
        let [outer, inner] = self.protections;
        if held.native { outer } else { inner }
    }

    fn is_hard(&self) -> bool {
        self.protections.contains(&Protection::Hard)
    }

    /// Those that may act on the address.
    fn acting(&self) -> impl Iterator<Item = &Held<'a>> {
        self.matching()
            .filter(|held| match self.protection_from(held) {
                Protection::None => true,
                Protection::Own => !is_wide(held.entry),
                Protection::Hard => false,
            })
    }

    /// Those with a port or protocol that may act, whether they mean this packet or not.
    fn narrow(&self) -> impl Iterator<Item = &Held<'a>> {
        let free = !self.is_hard();
        self.held
            .iter()
            .filter(move |held| free && !is_wide(held.entry))
    }

    fn verdict(&self, held: &Held<'a>) -> Verdict<'a> {
        let reason = match (held.length == self.host, is_wide(held.entry)) {
            (true, true) => Reason::Address,
            (true, false) => Reason::AddressPort,
            (false, true) => Reason::Prefix,
            (false, false) => Reason::PrefixPort,
        };
        Verdict {
            reason: if held.entry.drop {
                reason
            } else {
                switches::monitored(reason)
            },
            side: self.side,
            entry: Some(held.entry),
        }
    }
}

fn decide<'a>(ends: &[End<'a>; 2], failure: Option<Reason>) -> Verdict<'a> {
    if failure == Some(Reason::BadVersion) {
        return first(ends, |end| !end.held.is_empty(), Reason::BadVersion);
    }
    let candidates = ends.iter().enumerate().flat_map(|(order, end)| {
        let ranked = move |held| ((rank(held), Reverse(order), held.native), end, held);
        end.acting().map(ranked)
    });
    let best = candidates
        .max_by_key(|(rank, ..)| *rank)
        .map(|(_, end, held)| end.verdict(held));
    let hidden = failure == Some(Reason::IncompleteFirstFragment);
    if hidden && !best.is_some_and(|best| switches::drops(best.reason)) {
        let drops = |end: &End<'_>| end.narrow().any(|held| held.entry.drop);
        let verdict = first(ends, drops, Reason::IncompleteFirstFragment);
        if !verdict.is_miss() {
            return verdict;
        }
    }
    best.unwrap_or_else(|| spared(ends, failure))
}

/// The greatest decides.
fn rank(held: &Held<'_>) -> (bool, u8, bool, bool) {
    let Entry {
        indicator, drop, ..
    } = held.entry;
    (
        *drop,
        held.length,
        indicator.port.is_some(),
        indicator.protocol.is_some(),
    )
}

/// Nothing acts: why not?
fn spared<'a>(ends: &[End<'a>; 2], failure: Option<Reason>) -> Verdict<'a> {
    let narrow = |end: &End<'_>| end.narrow().next().is_some();
    let matched = |end: &End<'_>| end.matching().next().is_some();
    let kept = |end: &End<'_>| {
        let own = |held: &Held<'_>| end.protection_from(held) == Protection::Own;
        end.matching().any(|held| own(held) && is_wide(held.entry))
    };
    let hidden = failure == Some(Reason::IncompleteFirstFragment);
    let mut answers = [
        first(
            ends,
            |end| hidden && narrow(end),
            Reason::MonitorIncompleteFirstFragment,
        ),
        first(
            ends,
            |end| end.is_hard() && matched(end),
            Reason::NeverBlock,
        ),
        first(ends, |end| !end.is_hard() && kept(end), Reason::OwnNetwork),
        first(
            ends,
            |end| failure.is_some() && narrow(end),
            failure.unwrap_or(Reason::Miss),
        ),
    ]
    .into_iter();
    answers
        .find(|verdict| !verdict.is_miss())
        .unwrap_or(Verdict::MISS)
}

/// `reason` on the first end of which `is` holds, the destination before the source.
fn first<'a>(ends: &[End<'a>; 2], is: impl Fn(&End<'_>) -> bool, reason: Reason) -> Verdict<'a> {
    let end = ends.iter().find(|end| is(end));
    end.map_or(Verdict::MISS, |end| Verdict::on(reason, end.side))
}

/// What a block stops.
fn direction(side: Side, role: Role, egress: bool, begins: Option<bool>) -> Direction {
    let outward = match role {
        Role::Unknown => return Direction::Unknown,
        Role::Inside => !egress,
        Role::Uplink => egress,
    };
    match (side, outward) {
        (Side::None, _) => Direction::Unknown,
        (Side::Destination, true) => Direction::Out,
        (Side::Destination, false) | (Side::Source, true) => Direction::Hosted,
        (Side::Source, false) => match begins {
            Some(true) => Direction::Unsolicited,
            Some(false) => Direction::Reply,
            None => Direction::Unknown,
        },
    }
}
