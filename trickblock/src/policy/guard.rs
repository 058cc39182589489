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

use self::lists::Named;
pub use self::lists::{Learned, Lists, Surroundings};
use super::prefixes::Prefixes;
use crate::indicator::Indicator;

mod lists;
mod shipped;

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
    /// `compiled_in`, `allow`, `learned`, `shipped`, `width` or `own_network`.
    pub guard: &'static str,
    /// Names the protected prefix and what to do if the indicator is right.
    pub reason: String,
}

/// Everything that is protected.
#[derive(Clone, Debug)]
pub struct Guard {
    /// What it was made of.
    lists: Lists,
    compiled_in: Prefixes,
    allow: Prefixes,
    learned: Named,
    shipped: Named,
    /// Configured and connected.
    own: Prefixes,
    /// A bit for each IPv4 /16: whether a prefix of any of them touches it. All others need no search.
    touched: Vec<u64>,
}

/// How many prefixes each guard has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub compiled_in: usize,
    pub allowed: usize,
    pub learned: usize,
    pub shipped: usize,
    pub own: usize,
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
pub(super) const EMBEDDING: [(Ipv6Net, u8); 3] = [
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
        Self::new(Lists::default())
    }

    /// What is compiled in and what is shipped.
    pub fn standard() -> Self {
        Self::new(Lists {
            shipped: true,
            ..Lists::default()
        })
    }

    pub fn new(lists: Lists) -> Self {
        let compiled_in = Prefixes::new(COMPILED_IN);
        let except: Vec<IpNet> = lists.except.iter().copied().map(canonical).collect();
        let connected = lists.surroundings.connected.iter();
        let connected = connected.flat_map(|net| lists::without(canonical(*net), &except));
        let own = lists.own.iter().copied().map(canonical).chain(connected);
        let mut guard = Self {
            allow: Prefixes::new(lists.allow.iter().copied().map(canonical)),
            learned: Named::learned(&lists, &except, &compiled_in),
            shipped: Named::shipped(&lists, &except, &compiled_in),
            own: Prefixes::new(own),
            compiled_in,
            touched: Vec::new(),
            lists,
        };
        guard.touch();
        guard
    }

    /// With more that is allowed.
    pub fn allowing(&self, more: &[IpNet]) -> Self {
        let mut lists = self.lists.clone();
        lists.allow.extend(more);
        Self::new(lists)
    }

    /// The same guard in other surroundings; `None` where they are what they were.
    pub fn moved(&self, surroundings: &Surroundings) -> Option<Self> {
        let same = self.lists.surroundings == *surroundings;
        (!same).then(|| {
            Self::new(Lists {
                surroundings: surroundings.clone(),
                ..self.lists.clone()
            })
        })
    }

    /// What it was made of.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    pub fn counts(&self) -> Counts {
        Counts {
            compiled_in: self.compiled_in.iter().count(),
            allowed: self.allow.iter().count(),
            learned: self.learned.prefixes.iter().count(),
            shipped: self.shipped.prefixes.iter().count(),
            own: self.own.iter().count(),
        }
    }

    fn touch(&mut self) {
        let all = self.hard().chain(self.own.iter()).filter_map(v4_of);
        let mut touched = vec![0_u64; (1 << 16) / 64];
        for net in all {
            let last = sixteen(net.broadcast());
            (sixteen(net.network())..=last).for_each(|at| touched[at / 64] |= 1 << (at % 64));
        }
        self.touched = touched;
    }

    fn hard(&self) -> impl Iterator<Item = &IpNet> {
        let named = [&self.learned.prefixes, &self.shipped.prefixes];
        let all = [&self.compiled_in, &self.allow].into_iter().chain(named);
        all.flat_map(Prefixes::iter)
    }

    /// Whether an indicator must not be enforced. One that merely contains an allowed, learned,
    /// shipped or own address is kept: the kernel leaves the hole.
    pub fn refuse(&self, indicator: &Indicator) -> Option<Refusal> {
        let asked = &indicator.prefix;
        if v4_of(asked).is_some_and(|net| self.is_far_from(net)) {
            return None;
        }
        self.refused_as(asked, asked)
            .or_else(|| self.refused_as(&standing_for(asked)?, asked))
    }

    /// Whether an indicator may count, but not drop, and why: one in a network of one's own that is more than a service of
    /// one address. Around such a network the kernel leaves a hole, but not where there is a port.
    pub fn soften(&self, indicator: &Indicator) -> Option<Refusal> {
        let asked = &indicator.prefix;
        let far = || v4_of(asked).is_some_and(|net| self.is_far_from(net));
        let with_port = indicator.port.is_some();
        let is_service = with_port && asked.prefix_len() == asked.max_prefix_len();
        if is_service || far() {
            return None;
        }
        let mut forms = [Some(*asked), standing_for(asked)].into_iter().flatten();
        forms.find_map(|form| {
            let around = || self.around_own(&form, asked).filter(|_| with_port);
            self.own_network(&form, asked).or_else(around)
        })
    }

    /// Whether an indicator that is kept would act on all but what is allowed, learned or shipped.
    pub fn lies_around_allowed(&self, indicator: &Indicator) -> bool {
        let named = [&self.learned.prefixes, &self.shipped.prefixes];
        let mut lists = [&self.allow].into_iter().chain(named);
        lists.any(|list| list.inside(&indicator.prefix).is_some())
    }

    /// What the protected prefix `net` of [`Self::protected`] is.
    pub fn name_of(&self, net: &IpNet) -> Option<String> {
        if let Some(range) = self.compiled_in.covering(net) {
            return Some(format!("{range} is compiled in"));
        }
        if let Some(range) = self.allow.covering(net) {
            return Some(format!("{range} is allowed"));
        }
        let named = self.learned.covering(net);
        if let Some((_, why)) = named.or_else(|| self.shipped.covering(net)) {
            return Some(why.to_owned());
        }
        let range = self.own.covering(net)?;
        Some(format!("{range} is your own network"))
    }

    fn is_far_from(&self, net: &Ipv4Net) -> bool {
        let at = sixteen(net.network());
        let touched = self
            .touched
            .get(at / 64)
            .is_none_or(|bits| bits >> (at % 64) & 1 == 1);
        net.prefix_len() >= 16 && !touched
    }

    /// The prefixes for the kernel's table, where the longest one decides: sorted, none redundant,
    /// and no `Own` prefix inside a `Hard` one, which it would weaken.
    pub fn protected(&self) -> Vec<(IpNet, Protection)> {
        let hard = Prefixes::new(self.hard().copied());
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
        if let Some(range) = self.allow.covering(prefix) {
            let reason = format!(
                "{} inside {range}, which is allowed (`[guard] allow`, `allow_files` or `trickblock allow list`): remove that entry to block it",
                Meant(asked, prefix)
            );
            return Some(Refusal {
                guard: "allow",
                reason,
            });
        }
        let named = [("learned", &self.learned), ("shipped", &self.shipped)];
        named.into_iter().find_map(|(guard, list)| {
            let (range, why) = list.covering(prefix)?;
            let reason = format!(
                "{} protected: {why}; to block it all the same, write `except = [\"{range}\"]` in [guard]",
                Meant(asked, prefix)
            );
            Some(Refusal { guard, reason })
        })
    }

    fn around_own(&self, prefix: &IpNet, asked: &IpNet) -> Option<Refusal> {
        let range = self.own.inside(prefix)?;
        let reason = format!(
            "{} around your own network {range}, so with a port it only counts: list the parts beside it instead",
            Meant(asked, prefix)
        );
        Some(Refusal {
            guard: "own_network",
            reason,
        })
    }

    fn own_network(&self, prefix: &IpNet, asked: &IpNet) -> Option<Refusal> {
        let range = self.own.covering(prefix)?;
        let reason = format!(
            "{} inside your own network {range}, so it only counts: a single service of it can be \
             blocked, as address:port",
            Meant(asked, prefix)
        );
        Some(Refusal {
            guard: "own_network",
            reason,
        })
    }
}

/// The number of the /16 that an address is in.
fn sixteen(address: Ipv4Addr) -> usize {
    let [high, low, ..] = address.octets();
    usize::from(u16::from_be_bytes([high, low]))
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
pub fn standing_for(prefix: &IpNet) -> Option<IpNet> {
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
