//! The head of a rule: `action proto SRC SPORT -> DST DPORT (options)`.

use super::side::{self, BadSide, Side, Wanted};
use crate::indicator::Protocol;

const ACTIONS: [&str; 10] = [
    "alert",
    "drop",
    "reject",
    "rejectsrc",
    "rejectdst",
    "rejectboth",
    "block",
    "sdrop",
    "log",
    "pass",
];

/// The parts of one rule.
#[derive(Debug)]
pub(super) struct Rule<'a> {
    pub(super) action: &'a str,
    protocol: &'a str,
    source: [&'a str; 2],
    both_ways: bool,
    destination: [&'a str; 2],
    /// Between the parentheses.
    pub(super) options: &'a str,
}

impl<'a> Rule<'a> {
    pub(super) fn read(line: &'a str) -> Result<Self, &'static str> {
        const SHAPE: &str = "not a rule: `action proto SRC SPORT -> DST DPORT (options)`";
        let (head, options) = line.split_once('(').ok_or(SHAPE)?;
        let options = options.trim_end().strip_suffix(')');
        let options = options.ok_or("the rule does not end with `)`: it is cut short")?;
        let parts = words(head);
        let [action, protocol, source, sport, arrow, destination, dport] = parts[..] else {
            return Err(SHAPE);
        };
        if !ACTIONS.contains(&action) || !matches!(arrow, "->" | "<>") {
            return Err(SHAPE);
        }
        Ok(Self {
            action,
            protocol,
            source: [source, sport],
            both_ways: arrow == "<>",
            destination: [destination, dport],
            options,
        })
    }

    /// What carries the ports; `Some(None)` for all, `None` for what is looked for inside of them.
    pub(super) fn protocol(&self) -> Option<Option<Protocol>> {
        match self.protocol {
            "ip" | "any" => Some(None),
            "tcp" => Some(Some(Protocol::TCP)),
            "udp" => Some(Some(Protocol::UDP)),
            _ => None,
        }
    }

    /// The servers, if one side names some and the other is the network that is protected.
    pub(super) fn wanted(&self) -> Result<Option<Wanted>, BadSide> {
        let [source, destination] =
            [self.source, self.destination].map(|[address, _]| Side::of(address));
        let (server, client) = match (source, destination) {
            (Side::Literal, Side::Home) => (self.source, self.destination),
            (Side::Home, Side::Literal) => (self.destination, self.source),
            (Side::Literal, Side::Literal) => return Err(BadSide::Both),
            _ => return Ok(None),
        };
        // Answers go both ways in any case.
        let _ = self.both_ways;
        if client[1] != "any" {
            return Err(BadSide::ClientPort);
        }
        side::wanted(server).map(Some)
    }
}

/// Words of the head; blanks inside of brackets part none.
fn words(head: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = head.split(move |c: char| {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c.is_whitespace() && depth == 0
    });
    parts.filter(|word| !word.is_empty()).take(8).collect()
}
