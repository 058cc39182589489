//! The never-block set: what no feed can make trickblock drop, whatever the feed contains.
//!
//! The same set is enforced a second time in the kernel, by other code and from its own map
//! ([`Guard::protected`]); what is refused here never gets that far, and is reported.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use trickblock_common::abi::protection;

use super::prefixes::Prefixes;
use crate::indicator::Indicator;

/// How strongly a prefix is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Nothing drops.
    Hard,
    /// Entries without a port do not drop: a customer's router can be a C2, but only a service of
    /// it is cut, never the customer.
    Own,
}

/// Which guard refused an indicator, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `compiled_in`, `allow` or `own_network`.
    pub guard: &'static str,
    /// Names the protected prefix and what to do if the indicator is right.
    pub reason: String,
}

/// Everything that is protected.
#[derive(Clone, Debug)]
pub struct Guard {
    compiled_in: Prefixes,
    allow: Prefixes,
    own: Prefixes,
    /// IPv4 /8s that a prefix of any of them touches: all others need no search.
    touched: [bool; 256],
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> IpNet {
    IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length))
}

const fn v6(first: u16, last: u16, length: u8) -> IpNet {
    IpNet::V6(Ipv6Net::new_assert(
        Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last),
        length,
    ))
}

/// Special-purpose space where no C2 can be reached from outside. The documentation and benchmark
/// ranges are left out on purpose: the tests live there.
const COMPILED_IN: [IpNet; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 168, 0, 16),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
    v6(0, 0, 128),
    v6(0, 1, 128),
    v6(0xfc00, 0, 7),
    v6(0xfe80, 0, 10),
    v6(0xff00, 0, 8),
];

/// IPv6 space that stands for IPv4 addresses: the prefix, and where in it the address begins.
const EMBEDDING: [(Ipv6Net, u8); 3] = [
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96),
        96,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
        96,
    ),
    (
        Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
        16,
    ),
];

impl Guard {
    /// Only what is compiled in.
    pub fn compiled_in() -> Self {
        Self::with(Vec::new(), Vec::new())
    }

    /// Adds the user's allow list, which is absolute, and the networks that are the operator's own.
    pub fn with(allow: Vec<IpNet>, own: Vec<IpNet>) -> Self {
        let mut guard = Self {
            compiled_in: Prefixes::new(COMPILED_IN),
            allow: Prefixes::new(allow.into_iter().map(canonical)),
            own: Prefixes::new(own.into_iter().map(canonical)),
            touched: [false; 256],
        };
        let all = [&guard.compiled_in, &guard.allow, &guard.own];
        for net in all.into_iter().flat_map(Prefixes::iter).filter_map(v4_of) {
            let [first, ..] = net.network().octets();
            let [last, ..] = net.broadcast().octets();
            guard.touched[usize::from(first)..=usize::from(last)].fill(true);
        }
        guard
    }

    /// With more that is allowed.
    pub fn allowing(&self, more: &[IpNet]) -> Self {
        let allow = self.allow.iter().chain(more).copied().collect();
        Self::with(allow, self.own.iter().copied().collect())
    }

    /// Whether an indicator must not be enforced. One that merely contains an allowed or own
    /// address is kept: the kernel leaves the hole.
    pub fn refuse(&self, indicator: &Indicator) -> Option<Refusal> {
        let asked = &indicator.prefix;
        if v4_of(asked).is_some_and(|net| self.is_far_from(net)) {
            return None;
        }
        self.refused_as(asked, asked)
            .or_else(|| self.refused_as(&standing_for(asked)?, asked))
            .or_else(|| self.own_network(indicator))
    }

    fn is_far_from(&self, net: &Ipv4Net) -> bool {
        let [first, ..] = net.network().octets();
        net.prefix_len() >= 8 && !self.touched[usize::from(first)]
    }

    /// The prefixes for the kernel's table, where the longest one decides: sorted, none redundant,
    /// and no `Own` prefix inside a `Hard` one, which it would weaken.
    pub fn protected(&self) -> Vec<(IpNet, Protection)> {
        let hard = Prefixes::new(self.compiled_in.iter().chain(self.allow.iter()).copied());
        let own = self.own.iter().filter(|own| hard.covering(own).is_none());
        let own = own.map(|prefix| (*prefix, Protection::Own));
        let mut all: Vec<_> = hard
            .iter()
            .map(|prefix| (*prefix, Protection::Hard))
            .collect();
        all.extend(own);
        all.sort_unstable();
        all
    }

    /// [`Self::protected`] with the values that the kernel's map holds.
    pub fn protected_values(&self) -> Vec<(IpNet, u32)> {
        let value = |protection| match protection {
            Protection::Hard => protection::HARD,
            Protection::Own => protection::OWN,
        };
        let protected = self.protected().into_iter();
        protected
            .map(|(prefix, protection)| (prefix, value(protection)))
            .collect()
    }

    /// `asked` is what the feed wrote, `prefix` what it means.
    fn refused_as(&self, prefix: &IpNet, asked: &IpNet) -> Option<Refusal> {
        if let Some(range) = self.compiled_in.covering(prefix) {
            let reason = format!(
                "{} inside {range}, which is never blocked",
                Meant(asked, prefix)
            );
            return Some(Refusal {
                guard: "compiled_in",
                reason,
            });
        }
        if let Some(range) = self.compiled_in.inside(prefix) {
            let reason = format!(
                "{} around {range}, which is never blocked: list the parts beside it instead",
                Meant(asked, prefix)
            );
            return Some(Refusal {
                guard: "compiled_in",
                reason,
            });
        }
        let range = self.allow.covering(prefix)?;
        let reason = format!(
            "{} inside {range} of the allow list: remove that entry to block it",
            Meant(asked, prefix)
        );
        Some(Refusal {
            guard: "allow",
            reason,
        })
    }

    fn own_network(&self, indicator: &Indicator) -> Option<Refusal> {
        if indicator.port.is_some() {
            return None;
        }
        let (prefix, range) = (&indicator.prefix, self.own.covering(&indicator.prefix)?);
        let reason = format!(
            "{prefix} is inside your own network {range}: only a single service of it can be \
             blocked, as address:port"
        );
        Some(Refusal {
            guard: "own_network",
            reason,
        })
    }
}

/// Begins a reason: what the feed wrote and, where it differs, the IPv4 prefix that it stands for.
struct Meant<'a>(&'a IpNet, &'a IpNet);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(asked, prefix) = self;
        match asked == prefix {
            true => write!(f, "{asked} is"),
            false => write!(f, "{asked} stands for {prefix}, which is"),
        }
    }
}

fn v4_of(net: &IpNet) -> Option<&Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    }
}

fn canonical(prefix: IpNet) -> IpNet {
    Indicator::new(prefix, None, None).prefix
}

/// The IPv4 prefix that an IPv6 one stands for; all of IPv4 when it contains a whole embedding.
fn standing_for(prefix: &IpNet) -> Option<IpNet> {
    let IpNet::V6(prefix) = prefix else {
        return None;
    };
    let (net, offset) = EMBEDDING
        .iter()
        .find(|(net, _)| net.contains(prefix) || prefix.contains(net))?;
    if !net.contains(prefix) {
        return Some(IpNet::V4(Ipv4Net::default()));
    }
    let length = prefix.prefix_len().saturating_sub(*offset).min(32);
    let after = prefix.network().to_bits() << offset >> 96;
    let address = Ipv4Addr::from(u32::try_from(after).ok()?);
    IpNet::new(IpAddr::V4(address), length).ok()
}

#[cfg(test)]
mod tests;
