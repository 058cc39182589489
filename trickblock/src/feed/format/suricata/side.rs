//! One side of a rule: addresses and ports, with lists, negation and ranges.

use std::num::NonZeroU16;

use ipnet::IpNet;

use crate::indicator::{Malformed, port, written};

/// Ports that one rule may expand to: more are a range that hardly means a server.
const MOST_PORTS: usize = 16;
/// Depth of lists in lists.
const DEEPEST: usize = 8;

/// What an address is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// `$HOME_NET` or `any`: the network that is protected.
    Home,
    Literal,
    /// Another variable, or a negation of one.
    Other,
}

/// The servers that a rule names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) nets: Vec<IpNet>,
    /// Empty for all.
    pub(super) ports: Vec<NonZeroU16>,
}

/// Why no server is taken from a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadSide {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("both sides name addresses: blocking one of them would be more than the rule says")]
    Both,
    #[error(
        "it asks for a port of the client: blocking the server would be more than the rule says"
    )]
    ClientPort,
    #[error("the list has an exception: blocking it as a whole would be more than the rule says")]
    Exception,
    #[error("ports but some cannot be matched: name those that are meant")]
    NegatedPort,
    #[error("it names more than 16 ports: name those that are meant, or write `any`")]
    ManyPorts,
    #[error("lists in lists are nested too deep")]
    Depth,
    #[error("the list is not closed")]
    Open,
}

impl Side {
    pub(super) fn of(text: &str) -> Self {
        match text {
            "any" | "$HOME_NET" | "[$HOME_NET]" => Self::Home,
            text if text.contains('$') => Self::Other,
            _ => Self::Literal,
        }
    }
}

/// Reads the addresses and the ports of the server's side.
pub(super) fn wanted([addresses, ports]: [&str; 2]) -> Result<Wanted, BadSide> {
    let mut nets = Vec::new();
    each(addresses, 0, &mut |item| {
        let item = exempt(item, BadSide::Exception)?;
        let found = written(item)?.indicator;
        match found.port {
            None => nets.push(found.prefix),
            Some(_) => return Err(Malformed::Address.into()),
        }
        Ok(())
    })?;
    Ok(Wanted {
        nets,
        ports: self::ports(ports)?,
    })
}

fn ports(text: &str) -> Result<Vec<NonZeroU16>, BadSide> {
    let mut found = Vec::new();
    if text == "any" {
        return Ok(found);
    }
    each(text, 0, &mut |item| {
        let item = exempt(item, BadSide::NegatedPort)?;
        let (first, last) = match item.split_once(':') {
            None => (port(item)?, port(item)?),
            Some((first, last)) => (
                if first.is_empty() {
                    NonZeroU16::MIN
                } else {
                    port(first)?
                },
                if last.is_empty() {
                    NonZeroU16::MAX
                } else {
                    port(last)?
                },
            ),
        };
        for number in first.get()..=last.get() {
            if found.len() >= MOST_PORTS {
                return Err(BadSide::ManyPorts);
            }
            found.extend(NonZeroU16::new(number));
        }
        Ok(())
    })?;
    // A variable, or an empty list, is not all ports.
    if found.is_empty() {
        return Err(Malformed::Port.into());
    }
    Ok(found)
}

fn exempt(item: &str, error: BadSide) -> Result<&str, BadSide> {
    match item.starts_with('!') {
        true => Err(error),
        false => Ok(item),
    }
}

/// Calls `take` with each item of a list of lists.
fn each(
    text: &str,
    depth: usize,
    take: &mut dyn FnMut(&str) -> Result<(), BadSide>,
) -> Result<(), BadSide> {
    if depth > DEEPEST {
        return Err(BadSide::Depth);
    }
    let Some(inner) = text.strip_prefix('[') else {
        return take(text);
    };
    let inner = inner.strip_suffix(']').ok_or(BadSide::Open)?;
    let mut nested = 0_usize;
    let items = inner.split(move |c: char| {
        match c {
            '[' => nested = nested.saturating_add(1),
            ']' => nested = nested.saturating_sub(1),
            _ => {}
        }
        c == ',' && nested == 0
    });
    for item in items {
        each(item.trim(), depth.saturating_add(1), take)?;
    }
    Ok(())
}
