//! What a pattern means for packets.

use std::{num::NonZeroU16, rc::Rc};

use ipnet::IpNet;

use crate::indicator::{Indicator, Malformed, Protocol};

/// Alternatives of one pattern, and indicators of them: more are no pattern that somebody wrote.
const MOST: usize = 4_096;

/// Why nothing is taken from a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("the pattern is not one of STIX")]
    Syntax,
    #[error("the pattern is nested too deep")]
    Depth,
    #[error("the pattern has too many alternatives")]
    Many,
    #[error("a port alone would cut a service of everybody: an address has to be beside it")]
    PortOnly,
    #[error("what a pattern excludes cannot be matched: name what is meant")]
    Negation,
    #[error(
        "the pattern asks for more than the network shows: blocking the address would be more than it says"
    )]
    Narrower,
    #[error(
        "the pattern asks for several observations: blocking one of them would be more than it says"
    )]
    Several,
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// What must hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Together {
    /// Any of them. Shared, since every alternative of one part meets every one of another.
    pub(super) nets: Option<Rc<[IpNet]>>,
    pub(super) ports: Option<Rc<[NonZeroU16]>>,
    pub(super) protocol: Option<Protocol>,
    /// An address that a connection comes from.
    pub(super) source: bool,
    /// Something that no packet header shows.
    pub(super) elsewhere: bool,
    pub(super) negated: bool,
}

impl Together {
    fn and(&self, other: &Self) -> Self {
        let twice = (self.nets.is_some() && other.nets.is_some())
            || (self.ports.is_some() && other.ports.is_some())
            || (self.protocol.is_some()
                && other.protocol.is_some()
                && self.protocol != other.protocol);
        Self {
            nets: self.nets.clone().or_else(|| other.nets.clone()),
            ports: self.ports.clone().or_else(|| other.ports.clone()),
            protocol: self.protocol.or(other.protocol),
            source: self.source || other.source,
            // Two addresses at once are more than one packet's end.
            elsewhere: self.elsewhere || other.elsewhere || twice,
            negated: self.negated || other.negated,
        }
    }

    /// Nothing that a packet's end shows.
    fn is_elsewhere(&self) -> bool {
        self.nets.is_none() && self.ports.is_none() && !self.negated
    }

    fn indicators(&self, found: &mut Vec<Indicator>) -> Result<(), Bad> {
        if self.negated {
            return Err(Bad::Negation);
        }
        let Some(nets) = &self.nets else {
            let alone = (self.ports.is_some() || self.protocol.is_some())
                && !self.elsewhere
                && !self.source;
            return if alone { Err(Bad::PortOnly) } else { Ok(()) };
        };
        if self.elsewhere || self.source {
            return Err(Bad::Narrower);
        }
        if self.protocol.is_some() && self.ports.is_none() {
            return Err(Malformed::ProtocolAlone.into());
        }
        let ports = self.ports.as_deref().unwrap_or_default();
        let more = nets.len().saturating_mul(ports.len().max(1));
        if found.len().saturating_add(more) > MOST {
            return Err(Bad::Many);
        }
        for net in nets.iter() {
            let each = ports.iter().copied().map(Some);
            let all = ports.is_empty().then_some(None);
            for port in each.chain(all) {
                found.push(Indicator::new(*net, self.protocol, port));
            }
        }
        Ok(())
    }
}

/// Any of these; none for what never holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meaning(pub(super) Vec<Together>);

/// What is to be blocked because of a pattern.
#[derive(Debug, Default)]
pub(super) struct Blockable {
    pub(super) indicators: Vec<Indicator>,
    /// It names addresses that connections come from.
    pub(super) source: bool,
}

impl Meaning {
    pub(super) fn of(together: Together) -> Self {
        Self(vec![together])
    }

    /// Inside of one observation.
    pub(super) fn and(mut self, other: &Self) -> Result<Self, Bad> {
        if let [other] = other.0.as_slice() {
            // In place: a long chain of tests must not copy its alternatives for each of them.
            self.0.iter_mut().for_each(|one| *one = one.and(other));
            return Ok(self);
        }
        if self.0.len().saturating_mul(other.0.len()) > MOST {
            return Err(Bad::Many);
        }
        let pairs = self
            .0
            .iter()
            .flat_map(|one| other.0.iter().map(|other| one.and(other)));
        Ok(Self(pairs.collect()))
    }

    pub(super) fn or(mut self, other: Self) -> Result<Self, Bad> {
        self.0.extend(other.0);
        match self.0.len() > MOST {
            true => Err(Bad::Many),
            false => Ok(self),
        }
    }

    /// Several observations at once: only where none of them is about addresses.
    pub(super) fn together_with(self, other: Self) -> Result<Self, Bad> {
        let all = self.or(other)?;
        match all.0.iter().all(Together::is_elsewhere) {
            true => Ok(all),
            false => Err(Bad::Several),
        }
    }

    pub(super) fn indicators(self) -> Result<Blockable, Bad> {
        let mut found = Blockable {
            source: self.0.iter().any(|together| together.source),
            ..Blockable::default()
        };
        for together in &self.0 {
            together.indicators(&mut found.indicators)?;
        }
        found.indicators.sort_unstable();
        found.indicators.dedup();
        Ok(found)
    }
}
