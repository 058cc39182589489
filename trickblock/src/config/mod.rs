//! The configuration: what the operator wrote, checked as a whole before anything starts.
//!
//! Every key with its default is in `docs/config.md`, whose examples are tests.

mod api;
mod canary;
mod csv;
mod feed;
mod flags;
pub mod presets;
mod problem;
mod read;
mod section;
mod value;

use std::{
    fs::File,
    io::{self, Read as _},
    net::SocketAddr,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::{IpNet, Ipv6Net};
use serde::Serialize;

pub use self::problem::{ConfigError, Problem};
use crate::{
    feed::{Format, Options, csv_layout::CsvLayout, source::Location},
    indicator::Seen,
    policy::{Action, Canary, Kinds, Terms},
};

/// All settings, with defaults filled in and relative paths made absolute or relative to the
/// working directory.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub paths: Paths,
    /// Prefixes of the operator's own network.
    pub own: Vec<IpNet>,
    /// Prefixes in which NAT64 embeds IPv4 addresses, besides the well-known one; at most
    /// [`MAX_NAT64`].
    pub nat64: Vec<Ipv6Net>,
    pub guard: Guard,
    pub policy: Policy,
    pub filter: Filter,
    pub table: Table,
    pub docker: Docker,
    pub metrics: Metrics,
    /// At least one, names unique.
    pub interfaces: Vec<Interface>,
    /// At least one, names unique.
    pub feeds: Vec<FeedConfig>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Last good feeds.
    pub state: PathBuf,
    pub socket: PathBuf,
    /// Below a mounted bpffs.
    pub pins: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            state: "/var/lib/trickblock".into(),
            socket: "/run/trickblock/control.sock".into(),
            pins: "/sys/fs/bpf/trickblock".into(),
        }
    }
}

/// What no feed may block, besides what is compiled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    pub allow: Vec<IpNet>,
    /// They existed when the configuration was read.
    pub allow_files: Vec<PathBuf>,
    /// What is learned, shipped or connected in them is not protected.
    pub except: Vec<IpNet>,
}

/// What is known of address ranges, whatever feeds say. The files existed when the configuration was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub residential_files: Vec<PathBuf>,
    pub shared_files: Vec<PathBuf>,
    pub sinkhole_files: Vec<PathBuf>,
    /// How long a device in a home is believed to be a C2 after it was last seen as one.
    pub residential_life: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            residential_files: Vec::new(),
            shared_files: Vec::new(),
            sinkhole_files: Vec::new(),
            residential_life: Kinds::LIFE,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// `Monitor` overrides every feed.
    pub action: Action,
    pub mode: Mode,
    pub xdp: XdpMode,
    /// What to look into.
    pub tunnels: Vec<Tunnel>,
    /// Bound of the events that the kernel hands out.
    pub events_per_second: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            action: Action::Drop,
            mode: Mode::Auto,
            xdp: XdpMode::Auto,
            tunnels: Vec::new(),
            events_per_second: 1_000,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Table entries to make room for; `None` chooses at start, from what the feeds hold then.
    pub capacity: Option<NonZeroU32>,
}

/// The container engine that knows containers by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Docker {
    /// Its API; `None` asks none.
    pub socket: Option<PathBuf>,
}

impl Default for Docker {
    fn default() -> Self {
        Self {
            socket: Some("/var/run/docker.sock".into()),
        }
    }
}

/// Where a monitoring system asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// `None` answers nobody.
    pub listen: Option<SocketAddr>,
}

/// Whom the filter protects: from this the roles of interfaces are taken that have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A network behind this host.
    Gateway,
    /// This host.
    Host,
    /// Decided by how the host is set up, and then said.
    #[default]
    Auto,
}

/// A tunnel that can be looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tunnel {
    Ip,
    Gre,
    Vxlan,
    Geneve,
    Gtpu,
}

/// How XDP is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    Native,
    Generic,
    /// Native; generic where the driver refuses, and then said.
    #[default]
    Auto,
}

/// What is behind an interface: clients are taken from the inside only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Inside,
    Uplink,
    #[default]
    Auto,
}

/// Where arriving packets are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    /// XDP; TCX on interfaces without Ethernet header.
    #[default]
    Auto,
    Xdp,
    /// Clsact where the kernel does not know TCX.
    Tcx,
    Clsact,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        value::mode(text)
    }
}

impl std::str::FromStr for Hook {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        value::hook(text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    pub name: String,
    pub role: Role,
    pub hook: Hook,
    /// Packets that cannot be understood are dropped.
    pub fail_closed: bool,
}

impl Interface {
    /// With defaults for all the rest.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            role: Role::Auto,
            hook: Hook::Auto,
            fail_closed: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct FeedConfig {
    /// Letters, digits, `.`, `_` and `-`; it names the feed everywhere, also on disk.
    pub name: String,
    pub location: Location,
    /// `None` detects it.
    pub format: Option<Format>,
    /// Where a table has its columns; only with [`Format::Csv`].
    pub csv: Option<Arc<CsvLayout>>,
    pub policy: FeedPolicy,
    /// IPv4 addresses that it may cover, and as many IPv6 /48s.
    pub max_addresses: u32,
    /// Between two fetches; files are watched instead.
    pub interval: Duration,
    /// Its server is not asked sooner than this after it was asked, whoever wants to know.
    pub min_interval: Duration,
}

/// What is made of a feed's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedPolicy {
    pub terms: Arc<Terms>,
    /// How long an indicator stays in force after the feed stopped naming it.
    pub hold_down: Duration,
    pub canary: Canary,
}

impl FeedConfig {
    /// How its bodies are read, had at `received`.
    pub fn options(&self, received: Option<Seen>) -> Options {
        Options {
            format: self.format,
            csv: self.csv.as_deref().cloned(),
            unpublished: !matches!(self.location, Location::Http(_)),
            received,
        }
    }
}

impl Default for FeedPolicy {
    fn default() -> Self {
        Self {
            terms: Arc::new(Terms::of(Action::Drop)),
            hold_down: DEFAULT_HOLD_DOWN,
            canary: Canary::default(),
        }
    }
}

/// Configured NAT64 prefixes that the programs have room for.
pub const MAX_NAT64: usize = trickblock_common::embedded::MAX_NAT64;
/// Between two fetches of an HTTP feed that says nothing else.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);
/// Of all that Feodo Tracker's list lost in 2020, 93 % came back within this time.
pub const DEFAULT_HOLD_DOWN: Duration = Duration::from_secs(24 * 60 * 60);
/// No configuration is larger; a device or a log given by mistake is.
const MAX_BYTES: u64 = 1 << 20;

impl Config {
    /// The sections that only a start reads and that are others than in `running`.
    pub fn needing_a_restart(&self, running: &Self) -> Vec<&'static str> {
        let paths = (self.paths != running.paths).then_some("[paths]");
        let metrics = (self.metrics != running.metrics).then_some("[metrics]");
        paths.into_iter().chain(metrics).collect()
    }

    /// Reads and checks the file `path`; all mistakes are reported together.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = read_text(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Checks `text` as the contents of `path`, against which relative paths are resolved.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        read::parse(text, path)
    }

    /// The configuration of `trickblock run -i IFACE… --feed URL|FILE…`: defaults for all
    /// the rest, feeds named after their file or host.
    pub fn from_flags(interfaces: &[String], feeds: &[String]) -> Result<Self, ConfigError> {
        flags::from_flags(interfaces, feeds)
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let count = File::open(path)?
        .take(MAX_BYTES.saturating_add(1))
        .read_to_string(&mut text)?;
    if u64::try_from(count).is_ok_and(|count| count > MAX_BYTES) {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            "larger than 1 MiB",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
