//! Other ways to look addresses up in XDP: the kernel's maps, and xdp-filter.

use std::{
    fs,
    net::IpAddr,
    os::fd::{AsFd as _, BorrowedFd},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned, maps::Map, maps::MapData, programs::Xdp};

use super::{
    pool::{Family, List, Pool},
    target::{Target, XDP_FILTER_MOST},
};
use crate::{bpf, kernel::BPFFS};

static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/rivals"));
/// Where the package xdp-tools puts programs, below the directory of an architecture's libraries.
const LIBRARIES: &str = "/usr/lib";
/// The build of xdp-filter with all that it can filter by, passing what it does not list.
const XDP_FILTER: &str = "xdpfilt_alw_all";
/// Its flags of an address: as source and as destination.
const BOTH_SIDES: u64 = 0b11;

/// A program with its maps filled.
pub struct Rival {
    pub target: Target,
    pub list: List,
    pub size: usize,
    ebpf: Ebpf,
}

impl Rival {
    /// The kernel's hash maps or its trie with the first `size` indicators.
    pub fn kernel(target: Target, pool: &Pool, size: usize) -> anyhow::Result<Self> {
        let room = u32::try_from(size)?;
        let mut loader = EbpfLoader::new();
        loader.btf(None);
        let used: &[&'static str] = match target {
            Target::KernelLpm => &["PREFIXES"],
            _ => &["ADDRESSES", "SERVICES"],
        };
        for name in used {
            loader.map_max_entries(name, room);
        }
        let mut ebpf = loader.load(OBJECT).context("the rivals' programs")?;
        load(&mut ebpf, target.name())?;
        match target {
            Target::KernelLpm => fill_trie(&ebpf, pool, size)?,
            _ => fill_hashes(&ebpf, pool, size)?,
        }
        Ok(Self {
            target,
            list: pool.list,
            size,
            ebpf,
        })
    }

    /// xdp-filter as its package has it, but without libxdp's dispatcher in front: that one cannot be
    /// reached by a tail call. This spares it a call.
    pub fn xdp_filter(pool: &Pool, size: usize) -> anyhow::Result<Self> {
        ensure!(
            size <= XDP_FILTER_MOST,
            "xdp-filter holds {XDP_FILTER_MOST} addresses"
        );
        let path = object_of_xdp_filter()?;
        let pins = Pins::new()?;
        let mut loader = EbpfLoader::new();
        loader.btf(None).default_map_pin_directory(&pins.0);
        let mut ebpf = loader
            .load_file(&path)
            .with_context(|| path.display().to_string())?;
        load(&mut ebpf, XDP_FILTER)?;
        fill_xdp_filter(&ebpf, pool, size)?;
        Ok(Self {
            target: Target::XdpFilter,
            list: pool.list,
            size,
            ebpf,
        })
    }

    /// What the drivers are aimed at.
    pub fn program(&self) -> anyhow::Result<BorrowedFd<'_>> {
        let name = match self.target {
            Target::XdpFilter => XDP_FILTER,
            other => other.name(),
        };
        let program = self.ebpf.program(name).context(name)?;
        let program: &Xdp = program.try_into()?;
        Ok(program.fd()?.as_fd())
    }

    /// Whether it takes frames in one piece only.
    pub fn is_linear(&self) -> bool {
        self.target == Target::XdpFilter
    }
}

fn load(ebpf: &mut Ebpf, name: &str) -> anyhow::Result<()> {
    let program = ebpf.program_mut(name).with_context(|| name.to_owned())?;
    let program: &mut Xdp = program.try_into()?;
    program.load().with_context(|| name.to_owned())
}

/// xdp-filter asks for pins of its maps; they are gone when this is dropped.
struct Pins(PathBuf);

impl Pins {
    fn new() -> anyhow::Result<Self> {
        let path = Path::new(BPFFS).join(format!("trickblock-test-{}-rival", std::process::id()));
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let _never_made = fs::remove_dir_all(&self.0);
    }
}

fn object_of_xdp_filter() -> anyhow::Result<PathBuf> {
    let libraries = fs::read_dir(LIBRARIES).context(LIBRARIES)?.flatten();
    let file = format!("bpf/{XDP_FILTER}.o");
    libraries
        .map(|library| library.path().join(&file))
        .find(|path| path.exists())
        .with_context(|| format!("no {LIBRARIES}/*/{file}: the package xdp-tools is not installed"))
}

fn map<'a>(ebpf: &'a Ebpf, name: &str) -> anyhow::Result<&'a MapData> {
    match ebpf.map(name).with_context(|| format!("map {name}"))? {
        Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuHashMap(data)
        | Map::LpmTrie(data) => Ok(data),
        _ => anyhow::bail!("map {name} has another type"),
    }
}

fn fill_hashes(ebpf: &Ebpf, pool: &Pool, size: usize) -> anyhow::Result<()> {
    let (mut addresses, mut services) = (Vec::new(), Vec::new());
    for indicator in pool.indicators(size) {
        let address = u32::from_be_bytes(v4(indicator.prefix.addr())?);
        match (indicator.port, indicator.protocol) {
            (Some(port), Some(protocol)) => {
                let below = u64::from(port.get()) << 8 | u64::from(protocol.0);
                services.extend((u64::from(address) << 32 | below).to_ne_bytes());
            }
            _ => addresses.extend(address.to_ne_bytes()),
        }
    }
    bpf::update_batch(map(ebpf, "ADDRESSES")?.fd(), &addresses, 4, &[0; 4])?;
    bpf::update_batch(map(ebpf, "SERVICES")?.fd(), &services, 8, &[0; 4])
}

fn fill_trie(ebpf: &Ebpf, pool: &Pool, size: usize) -> anyhow::Result<()> {
    let mut keys = Vec::with_capacity(8 * size);
    for host in pool.hosts(size) {
        keys.extend(32_u32.to_ne_bytes());
        keys.extend(v4(host)?);
    }
    bpf::update_batch(map(ebpf, "PREFIXES")?.fd(), &keys, 8, &[0; 4])
}

/// Its values are one number for each possible CPU, flags in the low bits.
fn fill_xdp_filter(ebpf: &Ebpf, pool: &Pool, size: usize) -> anyhow::Result<()> {
    let cpus = aya::util::nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
    let value: Vec<u8> = BOTH_SIDES.to_ne_bytes().repeat(cpus);
    let name = match pool.family {
        Family::V4 => "filter_ipv4",
        Family::V6 => "filter_ipv6",
    };
    let map = map(ebpf, name)?;
    for host in pool.hosts(size) {
        match host {
            IpAddr::V4(host) => bpf::update(map.fd(), &host.octets(), &value)?,
            IpAddr::V6(host) => bpf::update(map.fd(), &host.octets(), &value)?,
        }
    }
    Ok(())
}

fn v4(address: IpAddr) -> anyhow::Result<[u8; 4]> {
    match address {
        IpAddr::V4(address) => Ok(address.octets()),
        IpAddr::V6(address) => anyhow::bail!("{address}: the rivals know IPv4 only"),
    }
}
