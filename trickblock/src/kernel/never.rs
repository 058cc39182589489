//! The never-block list in its two maps.

use std::collections::BTreeMap;

use aya::maps::lpm_trie::Key;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{FilterError, Maps, abi};

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
    pub fn set_never_block(&mut self, wanted: &[(IpNet, u32)]) -> Result<(), FilterError> {
        let mut keep = BTreeMap::new();
        for (prefix, value) in wanted {
            let class = keep.entry(prefix.trunc()).or_insert(*value);
            *class = (*class).max(*value);
        }
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
