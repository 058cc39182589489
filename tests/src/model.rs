//! The filter's rules once more, as plainly as they can be written: lists that are searched from end
//! to end, slices, and text. Shares no type and no code with what it is compared to.

use std::{cmp::Reverse, net::IpAddr};

use anyhow::{Context as _, bail};

use crate::kernel::{Answer, Setup};

mod headers;

use headers::{Headers, Ports, read};

/// Everything that decides on packets.
#[derive(Clone, Debug)]
pub struct Model {
    rules: Vec<Rule>,
    shields: Vec<Shield>,
    monitor: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    drop: bool,
    prefix: Prefix,
    port: Option<u16>,
    protocol: Option<u8>,
    name: String,
}

#[derive(Clone, Debug)]
struct Shield {
    hard: bool,
    prefix: Prefix,
}

#[derive(Clone, Copy, Debug)]
struct Prefix {
    v6: bool,
    /// Aligned to the highest bits.
    bits: u128,
    length: u32,
}

/// The addresses of a packet, if a parser that gives up early would find any.
pub fn addresses(frame: &[u8]) -> Option<(IpAddr, IpAddr)> {
    match read(frame) {
        Headers::Ip {
            source,
            destination,
            ..
        } => Some((source, destination)),
        Headers::None { .. } => None,
    }
}

/// Protocol, source and destination port, where the packet has ports.
pub fn ports(frame: &[u8]) -> Option<(u8, u16, u16)> {
    match read(frame) {
        Headers::Ip {
            ports:
                Ports::Known {
                    protocol,
                    source,
                    destination,
                },
            ..
        } => Some((protocol, source, destination)),
        _ => None,
    }
}

impl Model {
    pub fn new(setup: &Setup) -> anyhow::Result<Self> {
        let rules = setup.rules.iter().map(|text| rule(text));
        let shields = setup.never.iter().map(|text| shield(text));
        Ok(Self {
            rules: rules.collect::<anyhow::Result<_>>()?,
            shields: shields.collect::<anyhow::Result<_>>()?,
            monitor: setup.monitor,
        })
    }

    pub fn judge(&self, frame: &[u8]) -> Answer {
        match read(frame) {
            Headers::None { reason } => spared(reason, None),
            Headers::Ip {
                source,
                destination,
                ports,
            } => {
                let to = self.end("destination", destination, ports, ports.destination());
                let from = self.end("source", source, ports, ports.source());
                self.decide(&[to, from], ports)
            }
        }
    }

    fn end(&self, side: &'static str, address: IpAddr, ports: Ports, port: Option<u16>) -> End<'_> {
        let holding: Vec<&Rule> = self
            .rules
            .iter()
            .filter(|rule| rule.prefix.holds(address))
            .collect();
        let takes = |rule: &&&Rule| {
            rule.port.is_none_or(|wanted| port == Some(wanted))
                && rule
                    .protocol
                    .is_none_or(|wanted| ports.protocol() == Some(wanted))
        };
        let matching = holding.iter().filter(takes).copied().collect();
        let shields = self
            .shields
            .iter()
            .filter(|shield| shield.prefix.holds(address));
        let hard = shields
            .max_by_key(|shield| shield.prefix.length)
            .map(|shield| shield.hard);
        End {
            side,
            holding,
            matching,
            hard,
        }
    }

    fn decide(&self, ends: &[End<'_>; 2], ports: Ports) -> Answer {
        let reason = ports.reason();
        if reason == Some("bad_version") {
            return first(ends, |end| !end.holding.is_empty(), "bad_version");
        }
        let acting = ends.iter().enumerate().flat_map(|(order, end)| {
            end.acting()
                .map(move |rule| (rule.rank(), Reverse(order), rule, end.side))
        });
        let best = acting.max_by_key(|(rank, order, ..)| (*rank, *order));
        let incomplete = reason == Some("incomplete_first_fragment");
        if incomplete && best.as_ref().is_none_or(|(.., rule, _)| !rule.drop) {
            let hidden = first(
                ends,
                |end| end.narrow().any(|rule| rule.drop),
                self.act("incomplete_first_fragment"),
            );
            if hidden != Answer::MISS {
                return hidden;
            }
        }
        if let Some((.., rule, side)) = best {
            return Answer {
                reason: self.named(rule),
                side: Some(side),
                indicator: Some(rule.name.clone()),
            };
        }
        let mut answers = vec![
            first(
                ends,
                |end| end.hard == Some(true) && !end.matching.is_empty(),
                "never_block",
            ),
            first(
                ends,
                |end| end.hard == Some(false) && end.matching.iter().any(|rule| rule.is_wide()),
                "own_network",
            ),
            reason.map_or(Answer::MISS, |reason| {
                first(ends, |end| end.narrow().next().is_some(), reason)
            }),
        ];
        if incomplete {
            answers.insert(
                0,
                first(
                    ends,
                    |end| end.narrow().next().is_some(),
                    "monitor_incomplete_first_fragment",
                ),
            );
        }
        answers
            .into_iter()
            .find(|answer| *answer != Answer::MISS)
            .unwrap_or(Answer::MISS)
    }

    fn act(&self, drop: &'static str) -> &'static str {
        match (self.monitor, drop) {
            (false, drop) => drop,
            (true, "address") => "monitor_address",
            (true, "address_port") => "monitor_address_port",
            (true, "prefix") => "monitor_prefix",
            (true, "prefix_port") => "monitor_prefix_port",
            (true, "incomplete_first_fragment") => "monitor_incomplete_first_fragment",
            (true, other) => other,
        }
    }

    fn named(&self, rule: &Rule) -> &'static str {
        let host = rule.prefix.length == if rule.prefix.v6 { 128 } else { 32 };
        let reason = match (host, rule.is_wide()) {
            (true, true) => "address",
            (true, false) => "address_port",
            (false, true) => "prefix",
            (false, false) => "prefix_port",
        };
        let monitored = Self {
            monitor: true,
            rules: Vec::new(),
            shields: Vec::new(),
        };
        if rule.drop {
            self.act(reason)
        } else {
            monitored.act(reason)
        }
    }
}

/// What the lists say of one address.
struct End<'a> {
    side: &'static str,
    holding: Vec<&'a Rule>,
    matching: Vec<&'a Rule>,
    /// Of the longest never-block prefix.
    hard: Option<bool>,
}

impl<'a> End<'a> {
    fn acting(&self) -> impl Iterator<Item = &'a Rule> {
        let hard = self.hard;
        let allowed = move |rule: &&Rule| match hard {
            None => true,
            Some(false) => !rule.is_wide(),
            Some(true) => false,
        };
        self.matching.clone().into_iter().filter(allowed)
    }

    /// Ports and protocols that are listed and may be acted on, whether they match or not.
    fn narrow(&self) -> impl Iterator<Item = &&'a Rule> {
        let hard = self.hard == Some(true);
        self.holding
            .iter()
            .filter(move |rule| !hard && !rule.is_wide())
    }
}

impl Rule {
    fn is_wide(&self) -> bool {
        self.port.is_none() && self.protocol.is_none()
    }

    fn rank(&self) -> (bool, u32, bool, bool) {
        (
            self.drop,
            self.prefix.length,
            self.port.is_some(),
            self.protocol.is_some(),
        )
    }
}

impl Prefix {
    fn holds(self, address: IpAddr) -> bool {
        let differing = aligned(address) ^ self.bits;
        self.v6 == address.is_ipv6() && differing.checked_shr(128 - self.length).unwrap_or(0) == 0
    }
}

fn aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// `reason` on the first of the ends, destination first, of which `is` holds.
fn first(ends: &[End<'_>; 2], is: impl Fn(&End<'_>) -> bool, reason: &'static str) -> Answer {
    let end = ends.iter().find(|end| is(end));
    end.map_or(Answer::MISS, |end| spared(reason, Some(end.side)))
}

fn spared(reason: &'static str, side: Option<&'static str>) -> Answer {
    Answer {
        reason,
        side,
        indicator: None,
    }
}

/// `drop PREFIX[:PORT[/PROTOCOL]]`, with brackets around an IPv6 prefix before a port, and a third
/// word for a protocol alone.
fn rule(text: &str) -> anyhow::Result<Rule> {
    let words: Vec<&str> = text.split(' ').collect();
    let (head, service) = match words[1].strip_prefix('[') {
        Some(rest) => rest.split_once(']').context("no closing bracket")?,
        None if words[1].matches(':').count() > 1 => (words[1], ""),
        None => words[1].split_at(words[1].find(':').unwrap_or(words[1].len())),
    };
    let (port, protocol) = match service
        .strip_prefix(':')
        .map(|service| service.split_once('/').unwrap_or((service, "")))
    {
        Some((port, protocol)) => (Some(port.parse()?), protocol),
        None => (None, words.get(2).copied().unwrap_or_default()),
    };
    let (prefix, shown) = prefix(head)?;
    let name = match (port, prefix.v6) {
        (Some(port), true) => format!("[{shown}]:{port}"),
        (Some(port), false) => format!("{shown}:{port}"),
        (None, _) => shown,
    };
    let slash = if protocol.is_empty() { "" } else { "/" };
    Ok(Rule {
        drop: words[0] == "drop",
        prefix,
        port,
        protocol: number(protocol)?,
        name: format!("{name}{slash}{protocol}"),
    })
}

fn shield(text: &str) -> anyhow::Result<Shield> {
    let (class, head) = text.split_once(' ').context("a class and a prefix")?;
    Ok(Shield {
        hard: class == "hard",
        prefix: prefix(head)?.0,
    })
}

/// The prefix, and how it is shown: always with its length.
fn prefix(text: &str) -> anyhow::Result<(Prefix, String)> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse()?;
    let longest = if address.is_ipv6() { 128 } else { 32 };
    let length = if length.is_empty() {
        longest
    } else {
        length.parse()?
    };
    let bits = aligned(address);
    if bits.checked_shl(length).unwrap_or(0) != 0 {
        bail!("{text} has host bits");
    }
    Ok((
        Prefix {
            v6: address.is_ipv6(),
            bits,
            length,
        },
        format!("{address}/{length}"),
    ))
}

fn number(protocol: &str) -> anyhow::Result<Option<u8>> {
    Ok(Some(match protocol {
        "" => return Ok(None),
        "tcp" => 6,
        "udp" => 17,
        "sctp" => 132,
        "dccp" => 33,
        "udplite" => 136,
        other => other.parse()?,
    }))
}
