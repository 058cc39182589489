//! Files that say whom this host asks for names and for the time.

use std::{
    fs::{self, File},
    io::Read as _,
    net::{IpAddr, Ipv6Addr},
    path::{Path, PathBuf},
};

use super::{Found, Places};

/// No such file is longer; a log given that name is.
const MAX_BYTES: u64 = 64 << 10;
/// Files of one directory that are looked at.
const MAX_FILES: usize = 4_096;
/// Names of time servers that are resolved.
const MAX_NAMES: usize = 16;

const RESOLVERS: [&str; 2] = ["etc/resolv.conf", "run/systemd/resolve/resolv.conf"];
/// chrony and ntpd: `server`, `peer` or `pool`, and a host.
const NTP: [&str; 4] = [
    "etc/chrony/chrony.conf",
    "etc/chrony.conf",
    "etc/ntp.conf",
    "etc/ntpsec/ntp.conf",
];
const NTP_DIRECTORIES: [&str; 4] = [
    "etc/chrony/conf.d",
    "etc/chrony/sources.d",
    "etc/chrony.d",
    "run/chrony-dhcp",
];
/// systemd-timesyncd: `NTP=` and hosts, also those that an interface was told by DHCP.
const TIMESYNCD: [&str; 2] = ["etc/systemd/timesyncd.conf", "run/systemd/netif/state"];
const TIMESYNCD_DIRECTORIES: [&str; 3] = [
    "etc/systemd/timesyncd.conf.d",
    "run/systemd/timesyncd.conf.d",
    "run/systemd/netif/links",
];

/// `nameserver ADDRESS` lines.
pub(super) fn resolvers(places: &Places) -> Vec<Found> {
    let of_file = |below: &&str| {
        let text = text(&places.path(below)).unwrap_or_default();
        let servers = text.lines().filter_map(nameserver).collect::<Vec<_>>();
        let what = format!("a resolver of this host (/{below})");
        servers
            .into_iter()
            .map(move |address| (address, what.clone()))
    };
    RESOLVERS.iter().flat_map(of_file).collect()
}

/// Addresses of time servers as they are written, and names that can be resolved.
pub(super) fn time_servers(places: &Places) -> (Vec<Found>, Vec<String>) {
    let mut hosts = Vec::new();
    for path in all(places, &NTP, &NTP_DIRECTORIES) {
        let text = text(&path).unwrap_or_default();
        hosts.extend(text.lines().filter_map(ntp_host));
    }
    for path in all(places, &TIMESYNCD, &TIMESYNCD_DIRECTORIES) {
        let text = text(&path).unwrap_or_default();
        hosts.extend(
            text.lines()
                .flat_map(timesyncd_hosts)
                .map(|host| (host, true)),
        );
    }
    let (mut addresses, mut names) = (Vec::new(), Vec::new());
    for (host, resolvable) in hosts {
        match address(&host) {
            Some(address) => addresses.push((address, "a time server of this host".to_owned())),
            None if resolvable && names.len() < MAX_NAMES => names.push(host),
            None => {}
        }
    }
    (addresses, names)
}

fn nameserver(line: &str) -> Option<IpAddr> {
    let mut words = line.split_whitespace();
    (words.next()? == "nameserver").then(|| address(words.next()?))?
}

/// The host, and whether its name is worth resolving: a pool's name means others every time.
fn ntp_host(line: &str) -> Option<(String, bool)> {
    let mut words = line.split_whitespace();
    let kind = words.next()?;
    if !matches!(kind, "server" | "peer" | "pool") {
        return None;
    }
    // ntpd's `-4` and `-6` may stand before the host.
    let host = words.find(|word| !word.starts_with('-'))?;
    Some((host.to_owned(), kind != "pool"))
}

/// Of `NTP=` only: the fallback servers are asked where nothing else is there.
fn timesyncd_hosts(line: &str) -> Vec<String> {
    let hosts = line.trim().strip_prefix("NTP=").unwrap_or_default();
    hosts.split_whitespace().map(str::to_owned).collect()
}

/// An address, perhaps with a zone, which says nothing here.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let plain = text.split('%').next()?;
    let zone_free = plain.parse::<IpAddr>();
    zone_free.ok().or_else(|| {
        let bracketed = plain.strip_prefix('[')?.strip_suffix(']')?;
        bracketed.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    })
}

/// Files by name and those of directories, sorted.
fn all(places: &Places, files: &[&str], directories: &[&str]) -> Vec<PathBuf> {
    let named = files.iter().map(|below| places.path(below));
    let listed = directories
        .iter()
        .flat_map(|below| listing(&places.path(below)));
    named.chain(listed).collect()
}

/// The files of a directory that are read, sorted.
pub(super) fn listing(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.take(MAX_FILES).map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

/// A small file; `None` for what is no file: a pipe would block for ever.
pub(super) fn bytes(path: &Path, max: u64) -> Option<Vec<u8>> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(max)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

pub(super) fn text(path: &Path) -> Option<String> {
    bytes(path, MAX_BYTES).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
