//! What is around this host, as far as no feed may ever cut it off: the never-block prefixes that nobody
//! writes down.
//!
//! Nothing here is told by a remote party without being logged in: whoever merely connects is not protected.

mod files;
mod hosts;
mod sessions;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;

pub use self::hosts::Hosts;
use super::roles::{Facts, Roles};
use crate::{
    config::Config,
    feed::source::Location,
    kernel::{Role, addresses, netlink, routes},
    policy::{Learned, Surroundings},
};

/// Prefixes that are learned at most. No host has as many of these as the never-block list has room for.
pub const MAX_LEARNED: usize = 1_024;
/// Interfaces whose default route is asked for; a host of containers may have thousands.
const MAX_INTERFACES: usize = 256;

/// Where the host's own files are.
#[derive(Clone, Debug)]
pub struct Places {
    root: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Places {
    /// `/etc` and `/run` below a directory.
    pub fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }
}

/// An address, and what it is, as in `a resolver of this host (/etc/resolv.conf)`.
type Found = (IpAddr, String);

/// Looks around. Blocks for a moment: files and netlink, and names up to the patience of `hosts`.
pub fn surroundings(config: &Config, places: &Places, hosts: &Hosts) -> Surroundings {
    let own = addresses::own().unwrap_or_else(|error| {
        tracing::warn!("the addresses of this host cannot be read: {error}");
        Vec::new()
    });
    let (time_servers, names) = files::time_servers(places);
    let mut found = gateways(&own);
    found.extend(files::resolvers(places));
    found.extend(time_servers);
    found.extend(hosts.resolve(&feed_hosts(config), &names));
    found.extend(sessions::peers(places));
    // Last, so that a host with very many of them still learns the rest.
    let of_own = own
        .iter()
        .map(|own| (own.address, "an address of this host".to_owned()));
    found.extend(of_own);
    Surroundings {
        learned: bounded(found),
        connected: connected(config, &own),
    }
}

fn gateways(own: &[addresses::Own]) -> Vec<Found> {
    let indices: BTreeSet<u32> = own.iter().map(|own| own.index).collect();
    let indices: Vec<u32> = indices.into_iter().take(MAX_INTERFACES).collect();
    let gateways = routes::default_gateways(&indices).into_iter();
    gateways
        .map(|address| (address, "this host's default gateway".to_owned()))
        .collect()
}

/// Names (or addresses) of the servers that feeds come from.
fn feed_hosts(config: &Config) -> Vec<String> {
    let urls = config.feeds.iter().filter_map(|feed| match &feed.location {
        Location::Http(spec) => spec.url.host(),
        Location::Path(_) | Location::Signed(_) | Location::Stdin => None,
    });
    let plain = urls.map(|host| host.trim_matches(['[', ']']).to_owned());
    plain.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Networks of the interfaces that face clients.
fn connected(config: &Config, own: &[addresses::Own]) -> Vec<IpNet> {
    let facts = Facts::gather(&config.interfaces);
    let roles = Roles::resolve(config.filter.mode, &config.interfaces, &facts);
    let inside = config
        .interfaces
        .iter()
        .filter(|interface| roles.of(&interface.name).0 == Role::Inside);
    let index = |name: &str| {
        netlink::interface(name)
            .ok()
            .flatten()
            .map(|interface| interface.index)
    };
    let inside: BTreeSet<u32> = inside
        .filter_map(|interface| index(&interface.name))
        .collect();
    let of_inside = own.iter().filter(|own| inside.contains(&own.index));
    let nets: BTreeSet<IpNet> = of_inside.map(|own| own.connected).collect();
    nets.into_iter().collect()
}

/// Each address once, by the first name that it has, sorted: equal for equal surroundings.
fn bounded(found: Vec<Found>) -> Vec<Learned> {
    let (mut seen, mut learned) = (BTreeSet::new(), Vec::new());
    let usable = |address: &IpAddr| !address.is_unspecified() && !address.is_multicast();
    for (address, what) in found {
        let address = address.to_canonical();
        if usable(&address) && seen.insert(address) {
            learned.push(Learned {
                prefix: IpNet::from(address),
                why: format!("{address} is {what}"),
            });
        }
    }
    if learned.len() > MAX_LEARNED {
        tracing::warn!(
            "{} addresses around this host were found, and only {MAX_LEARNED} of them are protected: put the others into `allow` of [guard]",
            learned.len()
        );
        learned.truncate(MAX_LEARNED);
    }
    learned.sort_unstable();
    learned
}

#[cfg(test)]
mod tests;
