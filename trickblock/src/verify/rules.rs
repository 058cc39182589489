//! What the rules say, as plainly as it can be done: sorted lists, and no word of the code that the
//! kernel runs.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use super::content::Kind;
use crate::table::{Constants, Entry};

/// Everything that decides on packets.
pub struct Rules {
    entries: Vec<Entry>,
    lengths: Lengths,
    never: Vec<(IpNet, Protection)>,
    never_lengths: Lengths,
    /// IPv6 prefixes whose addresses hold an IPv4 address, in the order in which they are tried.
    embeddings: Vec<Ipv6Net>,
    tunnels: Vec<Kind>,
    /// Nothing drops.
    pub monitor: bool,
}

/// What a never-block prefix means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    None,
    /// Only indicators with a port or protocol act.
    Own,
    /// Nothing acts.
    Hard,
}

/// An entry that holds an address, or the IPv4 address inside of it.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    pub entry: &'a Entry,
    /// Of its prefix; an IPv4 one inside of an IPv6 address is 96 bits longer.
    pub length: u8,
    pub native: bool,
}

impl Rules {
    /// `entries` and `never` are sorted.
    pub fn new(
        entries: Vec<Entry>,
        never: &[(IpNet, u32)],
        constants: &Constants,
        monitor: bool,
    ) -> Self {
        let never: Vec<_> = never
            .iter()
            .map(|(net, value)| (*net, protection(*value)))
            .collect();
        Self {
            lengths: Lengths::of(entries.iter().map(|entry| entry.indicator.prefix)),
            never_lengths: Lengths::of(never.iter().map(|(net, _)| *net)),
            entries,
            never,
            embeddings: embeddings(constants),
            tunnels: tunnels(constants.tunnels),
            monitor,
        }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn never(&self) -> &[(IpNet, Protection)] {
        &self.never
    }

    pub fn embeddings(&self) -> &[Ipv6Net] {
        &self.embeddings
    }

    pub fn looks_into(&self, kind: Kind) -> bool {
        self.tunnels.contains(&kind)
    }

    /// Every entry that holds the address in one form or the other.
    pub fn holding(&self, address: IpAddr) -> Vec<Held<'_>> {
        let mut held = Vec::new();
        self.hold(address, 0, &mut held);
        if let Some(inside) = self.embedded(address) {
            self.hold(inside, 96, &mut held);
        }
        held
    }

    fn hold<'a>(&'a self, address: IpAddr, more: u8, held: &mut Vec<Held<'a>>) {
        for net in self.lengths.prefixes(address) {
            let from = self
                .entries
                .partition_point(|entry| entry.indicator.prefix < net);
            let same = self.entries[from..]
                .iter()
                .take_while(|entry| entry.indicator.prefix == net);
            held.extend(same.map(|entry| Held {
                entry,
                length: net.prefix_len() + more,
                native: more == 0,
            }));
        }
    }

    /// The stronger protection of both forms of an address.
    pub fn protection(&self, address: IpAddr) -> Protection {
        let [outer, inner] = self.protections(address);
        outer.max(inner)
    }

    /// The protection of an address as it is on the wire, and of the IPv4 one inside. What nothing may act on is
    /// protected in both forms.
    pub fn protections(&self, address: IpAddr) -> [Protection; 2] {
        let outer = self.longest_never(address);
        let inside = self.embedded(address);
        let inner = inside.map_or(Protection::None, |inside| self.longest_never(inside));
        if outer.max(inner) == Protection::Hard {
            [Protection::Hard; 2]
        } else {
            [outer, inner]
        }
    }

    fn longest_never(&self, address: IpAddr) -> Protection {
        let found = self.never_lengths.prefixes(address).filter_map(|net| {
            let at = self
                .never
                .binary_search_by_key(&net, |(net, _)| *net)
                .ok()?;
            Some(self.never[at].1)
        });
        // The shortest length comes first.
        found.last().unwrap_or(Protection::None)
    }

    /// The IPv4 address inside of an IPv6 one.
    pub fn embedded(&self, address: IpAddr) -> Option<IpAddr> {
        let IpAddr::V6(v6) = address else {
            return None;
        };
        let prefix = self.embeddings.iter().find(|prefix| prefix.contains(&v6))?;
        let octets = v6.octets();
        let mut inside = [0; 4];
        for (to, at) in inside.iter_mut().zip(places(prefix.prefix_len())) {
            *to = octets[at];
        }
        Some(IpAddr::from(inside))
    }
}

/// The address in this prefix that holds `inside`.
pub fn embed(prefix: &Ipv6Net, inside: [u8; 4]) -> IpAddr {
    let mut octets = prefix.network().octets();
    for (byte, at) in inside.into_iter().zip(places(prefix.prefix_len())) {
        octets[at] = byte;
    }
    IpAddr::V6(Ipv6Addr::from(octets))
}

/// Where the four bytes stand (RFC 6052, RFC 3056): right behind the prefix, but never in byte 8.
fn places(length: u8) -> impl Iterator<Item = usize> {
    (usize::from(length / 8)..16).filter(|place| *place != 8)
}

fn protection(value: u32) -> Protection {
    use trickblock_common::abi::protection::{HARD, OWN};
    match value {
        HARD => Protection::Hard,
        OWN => Protection::Own,
        _ => Protection::None,
    }
}

fn embeddings(constants: &Constants) -> Vec<Ipv6Net> {
    let well_known = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);
    let six_to_four = Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);
    let configured = constants.nat64.iter().filter_map(|nat64| {
        let length = u8::try_from(nat64.length)
            .ok()
            .filter(|length| *length > 0)?;
        let bits = u128::from(nat64.prefix.high) << 64 | u128::from(nat64.prefix.low);
        Ipv6Net::new(bits.into(), length).ok()
    });
    let mut all = vec![well_known];
    all.extend(configured);
    all.push(six_to_four);
    all
}

fn tunnels(bits: u64) -> Vec<Kind> {
    use trickblock_common::abi::tunnel::{GENEVE, GRE, GTPU, IP, VXLAN};
    let bit = |kind: &Kind| match kind {
        Kind::Ip => IP,
        Kind::Gre => GRE,
        Kind::Vxlan => VXLAN,
        Kind::Geneve => GENEVE,
        Kind::Gtpu => GTPU,
    };
    Kind::ALL
        .into_iter()
        .filter(|kind| bits & bit(kind) != 0)
        .collect()
}

/// The prefix lengths that occur, IPv4 and IPv6.
#[derive(Default)]
struct Lengths([Vec<u8>; 2]);

impl Lengths {
    fn of(nets: impl Iterator<Item = IpNet>) -> Self {
        let mut seen = [[false; 129]; 2];
        for net in nets {
            let family = usize::from(net.network().is_ipv6());
            seen[family][usize::from(net.prefix_len())] = true;
        }
        Self(seen.map(|seen| {
            (0..=128)
                .filter(|length| seen[usize::from(*length)])
                .collect()
        }))
    }

    /// The prefixes that would hold the address, the shortest first.
    fn prefixes(&self, address: IpAddr) -> impl Iterator<Item = IpNet> {
        let lengths = self.0[usize::from(address.is_ipv6())].iter();
        lengths.filter_map(move |length| Some(IpNet::new(address, *length).ok()?.trunc()))
    }
}
