//! The never-block list in its two maps, and the summary of the IPv4 one.

use std::{collections::BTreeMap, os::fd::AsFd as _};

use aya::maps::lpm_trie::Key;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use trickblock_common::abi::{NEVER_WORDS, never_16, protection};

use super::{FilterError, Maps, abi, sys::Mapping};

impl Maps {
    /// The never-block list in force.
    pub fn never_block(&self) -> Result<Vec<(IpNet, u32)>, FilterError> {
        let mut list = Vec::new();
        for entry in self.never_v4.iter() {
            let (key, value) = entry.map_err(FilterError::map("NEVER_V4"))?;
            list.extend(net(
                Ipv4Net::new(key.data().into(), length(key.prefix_len())).map(IpNet::V4),
                value,
            ));
        }
        for entry in self.never_v6.iter() {
            let (key, value) = entry.map_err(FilterError::map("NEVER_V6"))?;
            list.extend(net(
                Ipv6Net::new(key.data().into(), length(key.prefix_len())).map(IpNet::V6),
                value,
            ));
        }
        list.sort_unstable();
        Ok(list)
    }

    /// Makes `wanted` the never-block list; additions come first, so that nothing is unprotected
    /// meanwhile. Host bits are cleared, and of a prefix told twice the stronger class counts.
    ///
    /// Where the summary changes, packets are sent to the list itself meanwhile, which has an answer at any time.
    pub fn set_never_block(&mut self, wanted: &[(IpNet, u32)]) -> Result<(), FilterError> {
        let mut keep = BTreeMap::new();
        for (prefix, value) in wanted {
            let class = keep.entry(prefix.trunc()).or_insert(*value);
            *class = (*class).max(*value);
        }
        let summary = summary(&keep);
        self.change_summary(
            |now, then| if now == then { now } else { CLOSER_WORD },
            &summary,
        )?;
        for (prefix, value) in &keep {
            self.protect(prefix, *value)?;
        }
        for (prefix, _) in self
            .never_block()?
            .iter()
            .filter(|(prefix, _)| !keep.contains_key(prefix))
        {
            match prefix {
                IpNet::V4(net) => self
                    .never_v4
                    .remove(&key_v4(net))
                    .map_err(FilterError::map("NEVER_V4"))?,
                IpNet::V6(net) => self
                    .never_v6
                    .remove(&key_v6(net))
                    .map_err(FilterError::map("NEVER_V6"))?,
            }
        }
        self.change_summary(|_, then| then, &summary)
    }

    /// Whether the summary says what the list does.
    pub fn is_summed_up(&self) -> Result<bool, FilterError> {
        let list: BTreeMap<IpNet, u32> = self.never_block()?.into_iter().collect();
        let words = self.summary_mapping()?;
        let wanted = summary(&list);
        Ok((0..)
            .zip(wanted.iter())
            .all(|(index, word)| words.load(index) == *word))
    }

    fn summary_mapping(&self) -> Result<Mapping, FilterError> {
        Mapping::new(self.never_16.fd().as_fd(), 0, NEVER_WORDS as u64)
            .map_err(FilterError::io("map", "NEVER_16"))
    }

    /// Replaces each word by what `choose` makes of what is there and of what shall be.
    fn change_summary(
        &self,
        choose: impl Fn(u64, u64) -> u64,
        wanted: &[u64; NEVER_WORDS],
    ) -> Result<(), FilterError> {
        let words = self.summary_mapping()?;
        for (index, word) in (0..).zip(wanted) {
            words.store(index, choose(words.load(index), *word));
        }
        Ok(())
    }

    fn protect(&mut self, prefix: &IpNet, value: u32) -> Result<(), FilterError> {
        let added = match prefix {
            IpNet::V4(net) => self.never_v4.insert(&key_v4(net), value, 0),
            IpNet::V6(net) => self.never_v6.insert(&key_v6(net), value, 0),
        };
        added.map_err(|error| FilterError::NeverBlock {
            prefix: *prefix,
            reason: super::error::chain(&error),
            capacity: abi::NEVER_ENTRIES,
        })
    }
}

/// Thirty-two /16s to be looked at closer.
const CLOSER_WORD: u64 = u64::MAX;

/// Two bits for each /16: what the whole of it is, or that prefixes inside of it have a say.
fn summary(list: &BTreeMap<IpNet, u32>) -> Box<[u64; NEVER_WORDS]> {
    let mut words = Box::new([0; NEVER_WORDS]);
    let mut nets: Vec<(Ipv4Net, u32)> = list
        .iter()
        .filter_map(|(net, value)| match net {
            IpNet::V4(net) => Some((*net, *value)),
            IpNet::V6(_) => None,
        })
        .collect();
    // The longest one decides, and is written last.
    nets.sort_by_key(|(net, _)| net.prefix_len());
    for (net, value) in nets {
        let (whole, class) = match net.prefix_len() {
            0..=16 => (1_u32 << (16 - net.prefix_len()), value),
            _ => (1, protection::CLOSER),
        };
        let first = u32::from(net.network()) >> 16;
        for block in first..first + whole {
            let (word, shift) = never_16(block << 16);
            words[word] = words[word] & !(3 << shift) | u64::from(class & 3) << shift;
        }
    }
    words
}

fn length(prefix_len: u32) -> u8 {
    u8::try_from(prefix_len).unwrap_or(u8::MAX)
}

fn net(net: Result<IpNet, ipnet::PrefixLenError>, value: u32) -> Option<(IpNet, u32)> {
    net.ok().map(|net| (net, value))
}

fn key_v4(net: &Ipv4Net) -> Key<[u8; 4]> {
    Key::new(u32::from(net.prefix_len()), net.network().octets())
}

fn key_v6(net: &Ipv6Net) -> Key<[u8; 16]> {
    Key::new(u32::from(net.prefix_len()), net.network().octets())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every /16, against the longest prefix that holds its first and its last address.
    #[test]
    fn the_summary_says_what_the_list_does() {
        let list: BTreeMap<IpNet, u32> = [
            ("0.0.0.0/8", protection::HARD),
            ("10.0.0.0/8", protection::HARD),
            ("10.1.0.0/16", protection::OWN),
            ("10.2.3.0/24", protection::NONE),
            ("10.4.0.0/15", protection::NONE),
            ("192.0.2.1/32", protection::HARD),
            ("224.0.0.0/3", protection::HARD),
            ("2001:db8::/32", protection::HARD),
        ]
        .map(|(net, value)| (net.parse().expect("a prefix"), value))
        .into();
        let words = summary(&list);
        for block in 0..1_u32 << 16 {
            let (word, shift) = never_16(block << 16);
            let class = (words[word] >> shift) as u32 & 3;
            let address = std::net::IpAddr::V4((block << 16).into());
            let inside = |net: &IpNet| match net {
                IpNet::V4(net) => net.prefix_len() > 16 && u32::from(net.network()) >> 16 == block,
                IpNet::V6(_) => false,
            };
            let holding = list.iter().filter(|(net, _)| net.contains(&address));
            let longest = holding.max_by_key(|(net, _)| net.prefix_len());
            let expected = if list.keys().any(inside) {
                protection::CLOSER
            } else {
                longest.map_or(protection::NONE, |(_, value)| *value)
            };
            assert_eq!(class, expected, "{address}");
        }
    }
}
