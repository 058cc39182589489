//! IP rules of Suricata and Snort: the literal addresses on the side opposite `$HOME_NET`.
//!
//! A rule that asks for more than an address, a protocol and a port says less than that all traffic with the address is bad, so
//! it is left out.

mod options;
mod rule;
mod side;

use std::collections::BTreeMap;

use ipnet::IpNet;

use self::{options::Options, rule::Rule, side::Wanted};
use super::lines::lines;
use crate::{
    feed::{
        NotAFeed,
        collect::{Collector, Note},
    },
    indicator::{Indicator, Protocol, Sighting},
};

/// Longest rule with its continued lines.
const MAX_RULE: usize = 64 << 10;
/// Longest part of a rule that a rejection may need again.
const SHOWN: usize = 120;

/// What in a line shows that the body is one of these; `None` if nothing does.
pub(in crate::feed) fn shown_by(line: &str) -> Option<&'static str> {
    let line = line.trim_start_matches(['#', ' ']);
    let is_rule = Rule::read(line).is_ok_and(|rule| rule.options.contains("sid"));
    is_rule.then_some("a line is a rule with a direction and a sid")
}

/// Reads the whole body.
pub(super) fn read(text: &str, out: &mut Collector) -> Result<(), NotAFeed> {
    out.expect("rules with addresses");
    let mut reader = Reader {
        out,
        halves: BTreeMap::new(),
    };
    let (mut continued, mut last) = (String::new(), 0);
    for (number, line) in lines(text).filter(|(_, line)| !line.is_empty()) {
        if continued.is_empty() && line.starts_with('#') {
            continue;
        }
        last = number;
        let part = line.strip_suffix('\\');
        continued.push_str(part.unwrap_or(line));
        if continued.len() > MAX_RULE {
            reader
                .out
                .reject(number, line, "the rule is longer than 64 KiB");
            continued.clear();
        } else if part.is_none() {
            reader.rule(number, &continued);
            continued.clear();
        }
    }
    if !continued.is_empty() {
        let reason = "the rule goes on behind the end of the file, which is cut short";
        reader.out.reject(last, &continued, reason);
    }
    reader.join_halves();
    Ok(())
}

/// Where one of TCP and UDP is told on all ports, and the rule.
#[derive(Default)]
struct Half {
    tcp: Option<(u32, String)>,
    udp: Option<(u32, String)>,
    family: Option<std::sync::Arc<str>>,
}

struct Reader<'o> {
    out: &'o mut Collector,
    /// One protocol on all ports cannot be told from the other: only both together are the address.
    halves: BTreeMap<IpNet, Half>,
}

impl Reader<'_> {
    fn rule(&mut self, number: u32, line: &str) {
        let rule = match Rule::read(line) {
            Ok(rule) => rule,
            Err(reason) => return self.out.reject(number, line, reason),
        };
        if rule.action == "pass" {
            return self.leave(number, Note::Exception);
        }
        let options = Options::read(rule.options);
        let Some(protocol) = rule.protocol().filter(|_| options.are_harmless()) else {
            return self.leave(number, Note::Narrower);
        };
        match rule.wanted() {
            Ok(Some(wanted)) => self.take(number, line, protocol, &wanted, &options),
            Ok(None) => self.out.ignore(),
            Err(reason) => self.out.reject(number, line, reason),
        }
    }

    fn leave(&mut self, number: u32, note: Note) {
        self.out.note(number, note);
        self.out.ignore();
    }

    fn take(
        &mut self,
        number: u32,
        line: &str,
        protocol: Option<Protocol>,
        wanted: &Wanted,
        options: &Options<'_>,
    ) {
        let family = self.out.family(options.family.unwrap_or_default());
        for net in &wanted.nets {
            match (protocol, wanted.ports.as_slice()) {
                (Some(protocol), []) => {
                    self.keep_half(*net, protocol, (number, line), family.clone());
                }
                (protocol, ports) => {
                    let all = [None];
                    let some: Vec<_> = ports.iter().copied().map(Some).collect();
                    for port in if ports.is_empty() { &all[..] } else { &some } {
                        let sighting = Sighting {
                            family: family.clone(),
                            ..Sighting::default()
                        };
                        self.out
                            .accept(number, Indicator::new(*net, protocol, *port), sighting);
                    }
                }
            }
        }
    }

    fn keep_half(
        &mut self,
        net: IpNet,
        protocol: Protocol,
        (number, line): (u32, &str),
        family: Option<std::sync::Arc<str>>,
    ) {
        let half = self.halves.entry(net).or_default();
        let shown = line.chars().take(SHOWN).collect();
        let place = match protocol {
            Protocol::TCP => &mut half.tcp,
            _ => &mut half.udp,
        };
        half.family = half.family.take().or(family);
        // The same rule again: it is a row, and the first one decides.
        if place.is_some() {
            return self.out.ignore();
        }
        *place = Some((number, shown));
    }

    fn join_halves(&mut self) {
        for (net, half) in std::mem::take(&mut self.halves) {
            let sighting = Sighting {
                family: half.family,
                ..Sighting::default()
            };
            match (half.tcp, half.udp) {
                (Some((tcp, _)), Some((udp, _))) => {
                    let indicator = Indicator::new(net, None, None);
                    self.out.accept(tcp, indicator, sighting.clone());
                    self.out.accept(udp, indicator, sighting);
                }
                (one, other) => {
                    for (number, line) in one.into_iter().chain(other) {
                        let reason = "one protocol on all ports is less than the address: name a port, or write it for ip";
                        self.out.reject(number, &line, reason);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
