//! The filter's rules once more, as plainly as they can be written: lists that are searched from end
//! to end, slices, and text. Shares no type and no code with what it is compared to: headers are read
//! by etherparse where it can give the answer, and by hand where a header lies, is cut, or is of a
//! kind that it does not know.

use std::net::IpAddr;

use crate::kernel::{Answer, Setup};

mod decide;
mod direction;
mod ip;
mod link;
mod neighbour;
mod proof;
mod reasons;
mod rules;
#[cfg(test)]
mod tests;
mod tunnel;

use decide::{Lists, Verdict};
use direction::Travel;
use ip::{Ip, Manner, Transport};
use link::{Content, Packet};
use rules::{prefix, rule, shield};
use tunnel::{Inside, inside};

/// Everything that decides on packets.
#[derive(Clone, Debug)]
pub struct Model {
    lists: Lists,
    tunnels: Vec<String>,
    monitor: bool,
    closed: bool,
    /// Frames begin at the IP header.
    bare: bool,
    travel: Travel,
    manner: Manner,
}

/// The addresses of a packet, if a parser that gives up early would find any.
pub fn addresses(frame: &[u8]) -> Option<(IpAddr, IpAddr)> {
    outer(frame).map(|ip| (ip.source, ip.destination))
}

/// Protocol, source and destination port, where the packet has ports.
pub fn ports(frame: &[u8]) -> Option<(u8, u16, u16)> {
    let transport = outer(frame)?.transport;
    let (source, destination) = transport.ports?;
    Some((transport.protocol?, source, destination))
}

fn outer(frame: &[u8]) -> Option<Ip> {
    match link::ethernet(frame) {
        Content::Ip(packet) => ip::read(packet, Manner::default()),
        _ => None,
    }
}

/// What is said of one packet, and where it was going.
#[derive(Clone, Copy, Debug)]
struct Said<'a> {
    verdict: Verdict<'a>,
    inner: bool,
    transport: Transport,
    packet: &'a [u8],
}

impl Said<'_> {
    /// Of a frame, or a tunnel, in which no addresses were found.
    fn without_addresses(verdict: Verdict<'_>, inner: bool) -> Said<'_> {
        Said {
            verdict,
            inner,
            transport: Transport {
                failure: Some("none was looked for"),
                ..Transport::default()
            },
            packet: &[],
        }
    }
}

impl Model {
    pub fn new(setup: &Setup) -> anyhow::Result<Self> {
        let rules = setup.rules.iter().map(|text| rule(text));
        let shields = setup.never.iter().map(|text| shield(text));
        let configured = setup.nat64.iter().map(String::as_str);
        let embeddings = ["64:ff9b::/96"].into_iter().chain(configured);
        let embeddings = embeddings.chain(["2002::/16"]).map(prefix);
        let hook = setup.hook.as_str();
        Ok(Self {
            lists: Lists {
                rules: rules.collect::<anyhow::Result<_>>()?,
                shields: shields.collect::<anyhow::Result<_>>()?,
                embeddings: embeddings
                    .map(|parsed| Ok(parsed?.0))
                    .collect::<anyhow::Result<_>>()?,
            },
            tunnels: setup.tunnels.clone(),
            monitor: setup.monitor,
            closed: setup.closed,
            bare: setup.link == "ip",
            travel: Travel::of(hook == "tc_egress", &setup.role),
            manner: Manner {
                zero_is_endless: hook.starts_with("tc"),
                most: None,
                blind_to_options: false,
            },
        })
    }

    /// Plants a bug, for those who want to see it found: IPv4 options are taken for the transport
    /// header.
    #[must_use]
    pub fn blind_to_options(mut self) -> Self {
        self.manner.blind_to_options = true;
        self
    }

    pub fn judge(&self, frame: &[u8]) -> Answer {
        self.explain(frame).0
    }

    /// The answer, and the direction that the packet is counted under.
    pub fn explain(&self, frame: &[u8]) -> (Answer, &'static str) {
        let said = self.say(frame);
        let verdict = said.verdict;
        let reason = match (self.monitor, self.closed) {
            (true, _) => reasons::monitored(verdict.reason),
            (false, true) => reasons::closed(verdict.reason),
            (false, false) => verdict.reason,
        };
        let behind = said.packet.get(said.transport.at..).unwrap_or_default();
        let direction = (self.travel).direction(verdict.side, &said.transport, behind);
        let answer = Answer {
            reason,
            side: verdict.side,
            indicator: verdict.rule.map(|rule| rule.name.clone()),
            inner: said.inner,
        };
        (answer, direction)
    }

    fn say<'a>(&'a self, frame: &'a [u8]) -> Said<'a> {
        let content = if self.bare {
            link::bare(frame)
        } else {
            link::ethernet(frame)
        };
        match content {
            Content::Other(reason) => Said::without_addresses(Verdict::spared(reason, None), false),
            Content::Arp { sender, target } => {
                Said::without_addresses(neighbour::arp(&self.lists, sender, target), false)
            }
            Content::Ip(packet) => self.ip(packet),
        }
    }

    fn ip<'a>(&'a self, packet: Packet<'a>) -> Said<'a> {
        let outer = self.packet(packet, "truncated_ip", false, None);
        if reasons::drops(outer.verdict.reason) {
            return outer;
        }
        let fragment = outer.transport.more;
        let end = if fragment {
            ip::end(packet, self.manner)
        } else {
            usize::MAX
        };
        let held = end.min(packet.bytes.len());
        let whole = Packet {
            bytes: &packet.bytes[..held],
            ..packet
        };
        let inner = match inside(whole, &outer.transport, &self.tunnels) {
            Inside::Nothing => return outer,
            Inside::Wrong(reason) | Inside::Cut(reason) => {
                // The outer packet may be none at all.
                let doubted = packet.guess && reasons::needs_proof(reason);
                let believed = !doubted || proof::is_sound(packet, false);
                let reason = if believed { reason } else { "unconfirmed" };
                Said::without_addresses(Verdict::spared(reason, None), true)
            }
            Inside::Packet { packet: inner, cut } => {
                let start = held - inner.bytes.len();
                let bytes = &packet.bytes[start..];
                let most = fragment.then_some(end - start);
                self.packet(Packet { bytes, ..inner }, cut, true, most)
            }
        };
        let both_pass = !reasons::drops(inner.verdict.reason) && !outer.verdict.is_miss();
        if inner.verdict.is_miss() || both_pass {
            return outer;
        }
        inner
    }

    /// One packet by itself. `cut` is why nothing is said of one without addresses, `most` how much
    /// of it there is where others bring the rest.
    fn packet<'a>(
        &'a self,
        packet: Packet<'a>,
        cut: &'static str,
        inner: bool,
        most: Option<usize>,
    ) -> Said<'a> {
        let manner = Manner {
            most,
            ..self.manner
        };
        let mut said = match ip::read(packet, manner) {
            None => Said::without_addresses(Verdict::spared(cut, None), inner),
            Some(ip) => Said {
                verdict: self.lists.decide(&ip),
                inner,
                transport: ip.transport,
                packet: packet.bytes,
            },
        };
        if said.verdict.is_miss() {
            said.verdict = neighbour::discovery(&self.lists, packet);
        }
        let doubted = packet.guess && reasons::needs_proof(said.verdict.reason);
        if doubted && !proof::is_sound(packet, most.is_some()) {
            said.verdict = Verdict::spared("unconfirmed", said.verdict.side);
        }
        said
    }
}
