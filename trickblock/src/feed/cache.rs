//! The last good copy of each feed, which is what the filter starts with and falls back to.
//!
//! One directory per feed holds one file: the SHA-256 of all that follows, a line of JSON
//! of metadata, the bodies. One file means one rename, so a body and what is said about
//! it never disagree.

mod asked;
mod history;
mod layout;
mod waiting;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use self::layout::{decode, write_synced};
pub use self::{history::Version, layout::hex};
use super::{
    limits::Caps,
    source::{Body, Validators},
};

/// SHA-256 of a body.
pub type Digest = [u8; 32];

/// Digits of a checksum that tell one body of a feed from another.
const ID_DIGITS: usize = 12;

/// Held while a copy is replaced.
static WRITING: Mutex<()> = Mutex::new(());

/// Hexadecimal digits of a SHA-256.
const DIGEST_LEN: u64 = 64;
/// Room for the metadata of a directory of many files, above the cap of the bodies.
const META_ROOM: usize = 8 << 20;

/// The last good copies of all feeds, below one directory.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// A copy as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub body: Body,
    pub validators: Validators,
    /// When the source last confirmed this body.
    pub fetched_at: Timestamp,
    /// The format it was accepted as.
    pub format: Option<String>,
    /// The URL or path it came from: a feed may keep its name and change its source.
    pub origin: String,
}

/// The copy on disk cannot be used or written.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error(
        "last good copy {path}: cannot {op} ({source}): check the permissions and the free space of the state directory"
    )]
    Io {
        op: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error(
        "last good copy {path}: damaged ({reason}): it is ignored and will be replaced by the next good fetch"
    )]
    Corrupt { path: PathBuf, reason: &'static str },
    #[error(
        "{path}: damaged: lines of it are lost, and what they said with them: look at the disk, and decide or block again what is missing"
    )]
    Lines { path: PathBuf },
    #[error(
        "last good copy {path}: written by another version of trickblock: it is ignored and will be replaced by the next good fetch"
    )]
    Version { path: PathBuf },
}

impl Cache {
    /// Copies live in `state/feeds`. Nothing is created before the first [`Self::store`].
    pub fn new(state: &Path) -> Self {
        Self {
            root: state.join("feeds"),
        }
    }

    /// The last good copy of the feed `name`, `None` if there is none. Every byte is checked
    /// against the SHA-256 that was taken when it was stored.
    pub fn load(&self, name: &str) -> Result<Option<Stored>, CacheError> {
        let read = read_copy(&self.file(name))?;
        Ok(read.map(|(stored, digest)| Stored {
            fetched_at: self.confirmed(name, &digest).unwrap_or(stored.fetched_at),
            ..stored
        }))
    }

    /// `stored`, with what the copy of the feed `name` has of the parts called `unread`; those that it does not have are
    /// left out.
    pub fn with_last_good(&self, name: &str, mut stored: Stored, unread: &[String]) -> Stored {
        let known = self.load(name).ok().flatten();
        let known = known.filter(|known| known.origin == stored.origin);
        let good = known.map_or_else(Vec::new, |known| known.body.parts);
        let parts = &mut stored.body.parts;
        parts.retain(|part| !unread.contains(&part.name));
        parts.extend(good.into_iter().filter(|part| unread.contains(&part.name)));
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        stored.body.unread.clear();
        stored
    }

    /// Replaces the copy of the feed `name`. After a crash at any moment either the old copy
    /// is there or the new one, whole.
    pub fn store(&self, name: &str, stored: &Stored) -> Result<(), CacheError> {
        let path = self.file(name);
        let directory = self.root.join(directory_name(name));
        let io = |op: &'static str| {
            move |path: &Path, source| CacheError::Io {
                op,
                path: path.to_owned(),
                source,
            }
        };
        create_directory(&directory)?;
        // A task and the operator may come at the same time.
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let temporary = directory.join("last-good.new");
        write_synced(&temporary, stored).map_err(|error| io("write")(&temporary, error))?;
        self.keep_present(name, &stored.body.digest());
        fs::rename(&temporary, &path).map_err(|error| io("replace")(&path, error))?;
        sync(&directory)
    }

    /// Notes that the source confirmed the stored copy at `at`, without writing it again.
    /// Losing the note in a crash makes the copy look older than it is, nothing worse.
    pub fn confirm(&self, name: &str, at: Timestamp) -> Result<(), CacheError> {
        let path = self.confirmation(name);
        let write = || {
            let mut digest = String::new();
            File::open(self.file(name))?
                .take(DIGEST_LEN)
                .read_to_string(&mut digest)?;
            let temporary = path.with_extension("new");
            fs::write(&temporary, format!("{digest} {at}\n"))?;
            fs::rename(&temporary, &path)
        };
        write().map_err(|source| CacheError::Io {
            op: "note its confirmation",
            path: path.clone(),
            source,
        })
    }

    /// When the copy with this digest was confirmed; a note about another copy says nothing.
    fn confirmed(&self, name: &str, digest: &str) -> Option<Timestamp> {
        let mut note = String::new();
        File::open(self.confirmation(name))
            .ok()?
            .take(2 * DIGEST_LEN)
            .read_to_string(&mut note)
            .ok()?;
        let (noted, at) = note.split_once(' ')?;
        at.trim().parse().ok().filter(|_| noted == digest)
    }

    fn confirmation(&self, name: &str) -> PathBuf {
        self.root.join(directory_name(name)).join("confirmed")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.join(directory_name(name)).join("last-good")
    }
}

impl Cache {
    /// Moves all that is kept of feeds to their new names, given as `(old, new)`; names may be swapped. What was kept
    /// under a new name before is of another feed, and goes.
    ///
    /// # Errors
    /// If a directory cannot be moved.
    pub fn rename(&self, feeds: &[(String, String)]) -> Result<(), CacheError> {
        if feeds.is_empty() {
            return Ok(());
        }
        let moving = |index: usize| self.root.join(format!("%moving-{index}"));
        let moved = |from: PathBuf, to: PathBuf| match fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(CacheError::Io {
                op: "move",
                path: from,
                source: error,
            }),
            _ => Ok(()),
        };
        for (index, (old, _)) in feeds.iter().enumerate() {
            moved(self.root.join(directory_name(old)), moving(index))?;
        }
        for (index, (_, new)) in feeds.iter().enumerate() {
            let to = self.root.join(directory_name(new));
            if moving(index).exists() {
                fs::remove_dir_all(&to).ok();
            }
            moved(moving(index), to)?;
        }
        sync(&self.root)
    }
}

/// Files beside the last good copy, for what else is to survive a restart.
impl Cache {
    /// Where the file `file` of the feed `name` is.
    pub fn beside(&self, name: &str, file: &str) -> PathBuf {
        self.root.join(directory_name(name)).join(file)
    }

    /// The text of such a file; `None` where there is none.
    pub fn read_beside(&self, name: &str, file: &str) -> Result<Option<String>, CacheError> {
        let path = self.beside(name, file);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(CacheError::Io {
                op: "read",
                path,
                source,
            }),
        }
    }

    /// Replaces such a file. After a crash at any moment either the old one is there or the new one, whole.
    pub fn write_beside(
        &self,
        name: &str,
        file: &str,
        write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
    ) -> Result<(), CacheError> {
        let path = self.beside(name, file);
        let directory = self.root.join(directory_name(name));
        create_directory(&directory)?;
        let temporary = path.with_extension("new");
        let written = || -> io::Result<()> {
            let mut to = io::BufWriter::new(File::create(&temporary)?);
            write(&mut to)?;
            to.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()?;
            fs::rename(&temporary, &path)
        };
        written().map_err(|source| CacheError::Io {
            op: "write",
            path: path.clone(),
            source,
        })?;
        sync(&directory)
    }
}

fn create_directory(directory: &Path) -> Result<(), CacheError> {
    let created = DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(directory);
    created.map_err(|source| CacheError::Io {
        op: "create its directory",
        path: directory.to_owned(),
        source,
    })
}

/// What a body is called: the first digits of its checksum.
pub fn id(digest: &Digest) -> String {
    let mut id = hex(digest);
    id.truncate(ID_DIGITS);
    id
}

/// Reads what [`hex`] writes of a [`Digest`].
pub fn digest(digits: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() || !digits.is_ascii() {
        return None;
    }
    for (index, byte) in digest.iter_mut().enumerate() {
        let pair = digits.get(2 * index..2 * index + 2)?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(digest)
}

/// A rename is on disk only once its directory is.
fn sync(directory: &Path) -> Result<(), CacheError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| CacheError::Io {
        op: "sync",
        path: directory.to_owned(),
        source,
    })
}

/// Feed names are checked when the configuration is read; this holds for any other caller.
/// What is not harmless in a file name becomes `%XX`, so two names never share a directory.
fn directory_name(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for (position, byte) in name.bytes().enumerate() {
        let harmless = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_')
            || (byte == b'.' && position > 0);
        if harmless {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    if safe.is_empty() || safe.len() > 200 {
        format!("%{}", hex(&Sha256::digest(name)))
    } else {
        safe
    }
}

/// A copy and the checksum of its file; `None` where there is none.
fn read_copy(path: &Path) -> Result<Option<(Stored, String)>, CacheError> {
    match read_bounded(path) {
        Ok(None) => Err(CacheError::Corrupt {
            path: path.to_owned(),
            reason: "larger than any feed may be",
        }),
        Ok(Some(bytes)) => decode(&Bytes::from(bytes), path).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CacheError::Io {
            op: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let cap = Caps::default().decoded.saturating_add(META_ROOM);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let limit = u64::try_from(cap).unwrap_or(u64::MAX);
    if file.metadata()?.len() > limit {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests;
