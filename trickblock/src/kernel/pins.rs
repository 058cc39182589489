//! Where things live on the BPF file system.
//!
//! ```text
//! /sys/fs/bpf/trickblock/v3/maps/TABLE …             the maps
//!                           program                  the loaded XDP program
//!                           programs/tc_egress …     the loaded TC programs
//!                           links/eth0               the XDP link of an interface; removing it detaches
//!                           links/eth0%tcx-egress …  its other links
//!                           clsact/<netns>-<index>   directories: interfaces with clsact filters
//!                           off/eth0%tcx-egress …    directories: what `trickblock off` detached
//! ```

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use aya::maps::{MapError, MapInfo};
use trickblock_common::abi::ABI_VERSION;

use super::{
    FilterError, Hook,
    abi::{SHAPES, Shape},
    sys,
};

/// How long to wait for others who probe, and how often to look.
const TURN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The right to run a daemon on some pins; it ends with its process however that ends.
#[derive(Debug)]
pub struct Hold {
    _root: File,
}

/// The pin directories of one filter.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
    dir: PathBuf,
}

impl Pins {
    /// `root` is the configured directory; the ABI version is appended here.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let dir = root.join(format!("v{ABI_VERSION}"));
        Self { root, dir }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn map(&self, name: &str) -> PathBuf {
        self.dir.join("maps").join(name)
    }

    /// A program by its name; that of XDP has the place that it always had.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        match name {
            XDP => self.dir.join("program"),
            other => self.programs().join(other),
        }
    }

    fn programs(&self) -> PathBuf {
        self.dir.join("programs")
    }

    fn links(&self) -> PathBuf {
        self.dir.join("links")
    }

    fn off(&self) -> PathBuf {
        self.dir.join("off")
    }

    fn clsact(&self) -> PathBuf {
        self.dir.join("clsact")
    }

    /// A link of an interface.
    pub(super) fn link(&self, interface: &str, hook: Hook) -> PathBuf {
        self.links().join(encode(interface, hook))
    }

    /// The directory that remembers a hook of an interface as switched off.
    pub(super) fn switched_off_mark(&self, interface: &str, hook: Hook) -> PathBuf {
        self.off().join(encode(interface, hook))
    }

    /// The directory that remembers that an interface of this network namespace has clsact filters.
    pub(super) fn clsact_mark(&self, index: u32) -> io::Result<PathBuf> {
        Ok(self.clsact().join(format!("{}-{index}", namespace()?)))
    }

    /// Interfaces of this network namespace with such a mark, of this or any other ABI version.
    pub(super) fn clsact_marks(&self) -> io::Result<Vec<u32>> {
        let versions = self.versions();
        let marks = versions.flat_map(|version| names(&self.root.join(version).join("clsact")));
        let marks: BTreeSet<String> = marks.collect();
        if marks.is_empty() {
            return Ok(Vec::new());
        }
        let here = format!("{}-", namespace()?);
        let indices = marks.iter().filter_map(|mark| mark.strip_prefix(&here));
        Ok(indices.filter_map(|index| index.parse().ok()).collect())
    }

    /// Makes the directories after checking that they are on a bpffs.
    pub(super) fn create(&self) -> Result<(), FilterError> {
        let existing = self
            .root
            .ancestors()
            .find(|path| path.exists())
            .unwrap_or(Path::new("/"));
        match sys::is_bpffs(existing) {
            Ok(true) => {}
            Ok(false) => {
                return Err(FilterError::NotBpffs {
                    path: self.root.clone(),
                });
            }
            Err(error) => return Err(FilterError::io("stat", existing.display())(error)),
        }
        let dirs = [self.dir.join("maps"), self.programs()];
        for dir in dirs
            .into_iter()
            .chain([self.links(), self.clsact(), self.off()])
        {
            fs::create_dir_all(&dir).map_err(FilterError::io("create directory", dir.display()))?;
        }
        Ok(())
    }

    /// Makes this process the only daemon of these pins until the result is dropped: two of them
    /// would write into the same half of the table.
    pub fn hold(&self) -> Result<Hold, FilterError> {
        self.create()?;
        let root = File::open(&self.root).map_err(FilterError::io("open", self.root.display()))?;
        match root.try_lock() {
            Ok(()) => Ok(Hold { _root: root }),
            Err(TryLockError::WouldBlock) => Err(FilterError::Held {
                path: self.root.clone(),
            }),
            Err(TryLockError::Error(error)) => {
                Err(FilterError::io("lock", self.root.display())(error))
            }
        }
    }

    /// Whether a daemon runs on these pins. The lock is looked for and not tried: that could be in the way of a start.
    pub fn are_held(&self) -> bool {
        let (Ok(root), Ok(locks)) = (fs::metadata(&self.root), fs::read_to_string("/proc/locks"))
        else {
            return false;
        };
        let (major, minor) = (libc::major(root.dev()), libc::minor(root.dev()));
        let file = format!("{major:02x}:{minor:02x}:{}", root.ino());
        let is_this = |lock: &str| lock.split_whitespace().any(|field| field == file);
        locks.lines().any(is_this)
    }

    /// The right to probe the filter of these pins, until the result is dropped.
    pub(super) fn take_turn(&self) -> Result<File, FilterError> {
        let dir = self.dir.join("maps");
        let file = File::open(&dir).map_err(FilterError::io("open", dir.display()))?;
        for _ in 0..TURN.as_millis() / PAUSE.as_millis() {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => {
                    return Err(FilterError::io("lock", dir.display())(error));
                }
            }
        }
        Err(FilterError::Probing {
            path: self.root.clone(),
            seconds: TURN.as_secs(),
        })
    }

    /// Whether any filter is pinned here.
    pub fn has_filter(&self) -> bool {
        self.program(XDP).exists()
    }

    /// Whether something of this version is attached, or was when its interface was there.
    pub(super) fn has_hooks(&self) -> bool {
        !names(&self.links()).is_empty() || !names(&self.clsact()).is_empty()
    }

    /// Fails where a pinned map is not what this version would have made.
    pub(super) fn check_maps(&self) -> Result<(), FilterError> {
        SHAPES
            .iter()
            .try_for_each(|shape| self.check(shape).map(drop))
    }

    /// Whether the map is pinned; an error where it is of another shape.
    pub(super) fn check(&self, shape: &Shape) -> Result<Option<MapInfo>, FilterError> {
        let path = self.map(shape.name);
        match path.try_exists() {
            Ok(true) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(self.denied());
            }
            _ => return Ok(None),
        }
        let unreadable = |error: MapError| {
            if permission_denied(&error) {
                return self.denied();
            }
            let reason = super::error::chain(&error);
            self.foreign(format!("map {}: {reason}", shape.name))
        };
        let info = MapInfo::from_pin(&path).map_err(unreadable)?;
        shape
            .mismatch(&info)
            .map_or(Ok(Some(info)), |what| Err(self.foreign(what)))
    }

    fn denied(&self) -> FilterError {
        FilterError::Denied {
            path: self.root.clone(),
        }
    }

    /// What is pinned here cannot be used, and why.
    pub(super) fn foreign(&self, what: String) -> FilterError {
        FilterError::Foreign {
            path: self.dir.clone(),
            what,
        }
    }

    /// ABI versions that have pins here.
    fn versions(&self) -> impl Iterator<Item = String> {
        let all = names(&self.root).into_iter();
        all.filter(|name| is_version(name))
    }

    /// Links pinned by this or any other ABI version: (path, name that the interface had then).
    pub(super) fn pinned_links(&self) -> Vec<(PathBuf, String)> {
        let mut links: Vec<_> = self
            .versions()
            .flat_map(|version| {
                let dir = self.root.join(version).join("links");
                names(&dir)
                    .into_iter()
                    .map(move |name| (dir.join(&name), decode(&name).0))
            })
            .collect();
        links.sort();
        links
    }

    /// Nothing of this version is pinned here.
    pub fn no_filter(&self) -> FilterError {
        FilterError::NoFilter {
            path: self.root.clone(),
            other: self.other_version(),
        }
    }

    /// The name of another ABI version that has links or marks of clsact filters here: its filter may be on.
    pub fn other_version(&self) -> Option<String> {
        let mut others = self.versions();
        others.find(|version| {
            let dir = self.root.join(version);
            dir != self.dir
                && ["links", "clsact"]
                    .iter()
                    .any(|what| !names(&dir.join(what)).is_empty())
        })
    }

    /// What `off` detached.
    pub(super) fn switched_off(&self) -> Vec<(String, Hook)> {
        names(&self.off()).iter().map(|name| decode(name)).collect()
    }

    /// Removes the directories of older ABI versions: their links have been taken over.
    pub(super) fn remove_other_versions(&self) -> io::Result<()> {
        for version in self.versions() {
            let dir = self.root.join(version);
            if dir != self.dir {
                fs::remove_dir_all(dir)?;
            }
        }
        Ok(())
    }

    /// Removes the pins of this version; links that are still pinned by another one stay.
    pub fn remove_this_version(&self) -> io::Result<()> {
        gone(fs::remove_dir_all(&self.dir))
    }

    /// Removes every pin; a filter that is still attached then ends.
    pub fn remove(&self) -> io::Result<()> {
        gone(fs::remove_dir_all(&self.root))
    }
}

/// What is not there need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn permission_denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    let here = error.downcast_ref::<io::Error>().is_some_and(denied);
    here || error.source().is_some_and(permission_denied)
}

/// The XDP program in the object.
const XDP: &str = "trickblock";

/// bpffs refuses names with a dot, and `eth0.100` is the usual name of a VLAN interface.
fn encode(interface: &str, hook: Hook) -> String {
    let name = interface.replace('%', "%25").replace('.', "%2e");
    match hook {
        Hook::Xdp => name,
        other => format!("{name}%{}", other.name()),
    }
}

/// What follows a `%` begins with a digit in an interface's name, and with a letter in a hook's.
fn decode(name: &str) -> (String, Hook) {
    let suffixed = name
        .rsplit_once('%')
        .and_then(|(interface, hook)| Some((interface, Hook::by_name(hook)?)));
    let (interface, hook) = suffixed.unwrap_or((name, Hook::Xdp));
    (interface.replace("%2e", ".").replace("%25", "%"), hook)
}

/// The number of the calling thread's network namespace.
fn namespace() -> io::Result<u64> {
    Ok(fs::metadata("/proc/thread-self/ns/net")?.ino())
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v')
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_survive_bpffs() {
        let names = [
            "eth0",
            "eth0.100",
            "a%2eb",
            "%25.%",
            "wlan.%2e",
            "%xdp",
            "%tcx-egress",
        ];
        let mut seen = BTreeSet::new();
        for name in names {
            for hook in Hook::ALL {
                let encoded = encode(name, hook);
                assert!(!encoded.contains('.'));
                assert_eq!(decode(&encoded), (name.to_owned(), hook));
                assert!(seen.insert(encoded), "{name} {hook:?}");
            }
        }
    }
}
