//! Earlier good copies of a feed, newest first, so that there is something to go back to.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::{
    Cache, CacheError, Digest, ID_DIGITS, Stored, create_directory, directory_name,
    layout::{self, hex},
    read_copy,
};

/// Copies kept of each feed, and bytes of all of them together.
const MOST: usize = 10;
const MOST_BYTES: u64 = 256 << 20;

/// One earlier copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Names it in `feeds rollback`: the first digits of its body's checksum.
    pub id: String,
    /// When its source last confirmed it.
    pub fetched_at: String,
    pub format: Option<String>,
    /// Of the body.
    pub bytes: usize,
    /// Where it came from: one of another source is no version of this feed.
    #[serde(skip)]
    pub origin: String,
    /// The operator rejected it, or went back from it.
    #[serde(default)]
    pub rejected: bool,
}

impl Cache {
    /// Earlier copies of the feed `name`, newest first. What cannot be read is left out.
    pub fn history(&self, name: &str) -> Vec<Version> {
        let files = self.versions(name);
        files.iter().filter_map(|(path, _)| version(path)).collect()
    }

    /// The copy with this id.
    ///
    /// # Errors
    /// If it cannot be read, or is damaged.
    pub fn earlier(&self, name: &str, id: &str) -> Result<Option<Stored>, CacheError> {
        let named = |(path, _): &&(PathBuf, u64)| file_id(path).is_some_and(|found| found == id);
        let Some((path, _)) = self.versions(name).iter().find(named).cloned() else {
            return Ok(None);
        };
        Ok(read_copy(&path)?.map(|(stored, _)| stored))
    }

    /// Keeps the present copy beside the one that takes its place, unless that has the same body. Losing it harms no filter, so a failure is only told.
    pub(super) fn keep_present(&self, name: &str, next: &Digest) {
        let present = self.file(name);
        let kept = || -> io::Result<()> {
            let mut id = layout::described(&present)?.body;
            if id == hex(next) {
                return Ok(());
            }
            id.truncate(ID_DIGITS);
            let directory = self.history_of(name);
            create_directory(&directory).map_err(io::Error::other)?;
            let copy = directory.join(id);
            // The same body may come again: it is one version, and its newest place counts.
            fs::remove_file(&copy).ok();
            fs::hard_link(&present, &copy)?;
            fs::File::open(&copy)?.set_modified(SystemTime::now())
        };
        match kept() {
            Ok(()) => self.prune(name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!("{}: no history of it is kept: {error}", present.display());
            }
        }
    }

    fn prune(&self, name: &str) {
        let mut bytes = 0_u64;
        for (index, (path, len)) in self.versions(name).into_iter().enumerate() {
            bytes = bytes.saturating_add(len);
            if index >= MOST || bytes > MOST_BYTES {
                fs::remove_file(path).ok();
            }
        }
    }

    /// Files of the history with their lengths, newest first.
    fn versions(&self, name: &str) -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(self.history_of(name)).into_iter().flatten();
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| file_id(&entry.path()).is_some())
            .filter_map(|entry| {
                let metadata = entry.metadata().ok()?;
                Some((metadata.modified().ok()?, entry.path(), metadata.len()))
            })
            .collect();
        files.sort_by(|a, b| b.cmp(a));
        files
            .into_iter()
            .map(|(_, path, len)| (path, len))
            .collect()
    }

    fn history_of(&self, name: &str) -> PathBuf {
        self.root.join(directory_name(name)).join("history")
    }
}

fn file_id(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let is_id = name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| name.to_owned())
}

fn version(path: &Path) -> Option<Version> {
    let described = layout::described(path).ok()?;
    Some(Version {
        id: file_id(path)?,
        fetched_at: described.fetched_at.to_string(),
        format: described.format,
        bytes: described.bytes,
        origin: described.origin,
        rejected: false,
    })
}
