//! A feed on disk: one file, or a directory whose files count as one feed.

mod signed;

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

pub use self::signed::SignedPath;
use super::{Body, Part, Reason, SigningKey, SourceError, Unread};
use crate::feed::limits::{Caps, LimitError, read_capped, remaining};

/// Files of one directory feed, subdirectories included.
const MAX_FILES: usize = 10_000;
/// Levels of subdirectories below a directory feed.
const MAX_DEPTH: usize = 4;
/// A file that changes while it is read is read again this often.
const ATTEMPTS: usize = 5;
const SETTLE: Duration = Duration::from_millis(50);

/// Tells one state of a feed's files from another without reading them. Equal stamps mean
/// unchanged files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, FileStamp)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileStamp {
    mtime: (i64, i64),
    size: u64,
    inode: u64,
}

/// A file or a directory. Nothing is opened until it is read.
#[derive(Clone, Debug)]
pub struct FileSource {
    path: PathBuf,
    caps: Caps,
    /// How its lists are signed, if they must be.
    signed: Option<SignedPath>,
}

impl FileSource {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            caps: Caps::default(),
            signed: None,
        }
    }

    /// Each of its lists counts only with a signature that holds.
    pub fn signed(signed: SignedPath) -> Self {
        Self {
            path: signed.path.clone(),
            caps: Caps::default(),
            signed: Some(signed),
        }
    }

    /// The state of the files now, by `stat` alone. Hidden files are not part of a feed,
    /// and neither are symbolic links to directories (they may loop).
    pub fn stamp(&self) -> Result<Stamp, SourceError> {
        self.located(self.list())
    }

    /// Reads all files, decoding gzip. A writer may be at work: a body is returned only if
    /// no file changed while it was read.
    pub fn read(&self) -> Result<Body, SourceError> {
        self.located(self.read_steady())
    }

    fn located<T>(&self, result: Result<T, Failure>) -> Result<T, SourceError> {
        result.map_err(|Failure { path, reason }| {
            SourceError::new(path.display().to_string(), reason)
        })
    }

    fn read_steady(&self) -> Result<Body, Failure> {
        for _ in 0..ATTEMPTS {
            let before = self.list()?;
            let body = self.read_once(&before);
            if self.list().is_ok_and(|after| after == before) {
                return body;
            }
            thread::sleep(SETTLE);
        }
        Err(Failure {
            path: self.path.clone(),
            reason: Reason::Unsteady,
        })
    }

    fn read_once(&self, stamp: &Stamp) -> Result<Body, Failure> {
        let mut body = Body::default();
        let mut used = 0_usize;
        let lists = stamp.0.iter().filter(|(path, _)| !self.is_signature(path));
        let mut first = None;
        for (path, _) in lists {
            match self.read_list(path, used) {
                Ok(part) => {
                    used = used.saturating_add(part.bytes.len());
                    body.parts.push(part);
                }
                Err(failure) => {
                    body.unread.push(failure.unread(path));
                    first.get_or_insert(failure);
                }
            }
        }
        match first {
            Some(failure) if body.parts.is_empty() => Err(failure),
            _ => Ok(body),
        }
    }

    /// `used`: bytes of the files before it.
    fn read_list(&self, path: &Path, used: usize) -> Result<Part, Failure> {
        let read = read_one(path, &remaining(&self.caps, used));
        let bytes = read.map_err(|reason| Failure {
            path: path.to_owned(),
            reason: self.whole_set(reason),
        })?;
        self.check_signature(path, &bytes)?;
        Ok(Part {
            name: path.display().to_string(),
            bytes,
        })
    }

    /// The cap is that of all files together, not what the others left of it.
    fn whole_set(&self, reason: Reason) -> Reason {
        match reason {
            Reason::Limit(LimitError::Decoded(_)) => {
                Reason::Limit(LimitError::Decoded(self.caps.decoded))
            }
            reason => reason,
        }
    }

    fn list(&self) -> Result<Stamp, Failure> {
        let metadata = fs::metadata(&self.path).map_err(|error| Failure::io(&self.path, error))?;
        let mut files = Vec::new();
        if metadata.is_dir() {
            walk(&self.path, 0, &mut files)?;
        } else if metadata.is_file() {
            files.push((self.path.clone(), file_stamp(&metadata)));
            // It is watched like the list.
            if let Some(signature) = self.signature_of(&self.path) {
                add(signature, &mut files)?;
            }
        } else {
            return Err(Failure {
                path: self.path.clone(),
                reason: Reason::NotAFile,
            });
        }
        if files.is_empty() {
            return Err(Failure {
                path: self.path.clone(),
                reason: Reason::NoFiles,
            });
        }
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Stamp(files))
    }
}

/// Which path failed, and why.
struct Failure {
    path: PathBuf,
    reason: Reason,
}

impl Failure {
    /// Of the list at `path`: what failed may be its signature.
    fn unread(&self, path: &Path) -> Unread {
        Unread {
            name: path.display().to_string(),
            reason: format!("{}: {}", self.path.display(), self.reason),
        }
    }

    fn io(path: &Path, error: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            reason: io_reason(error),
        }
    }
}

fn io_reason(error: io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::NotFound => Reason::Missing,
        io::ErrorKind::PermissionDenied => Reason::Denied(error),
        _ => Reason::Io(error),
    }
}

fn walk(
    directory: &Path,
    depth: usize,
    files: &mut Vec<(PathBuf, FileStamp)>,
) -> Result<(), Failure> {
    let failed = |error| Failure::io(directory, error);
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        if entry.file_type().map_err(failed)?.is_dir() {
            if depth < MAX_DEPTH {
                walk(&path, depth.saturating_add(1), files)?;
            }
            continue;
        }
        add(path, files)?;
    }
    Ok(())
}

/// A file that vanished since it was listed is simply not there any more. A link to nothing, a pipe and the like are listed:
/// they may be in the place of a list, whose rows must not end because of that.
fn add(path: PathBuf, files: &mut Vec<(PathBuf, FileStamp)>) -> Result<(), Failure> {
    let Ok(metadata) = fs::metadata(&path).or_else(|_| fs::symlink_metadata(&path)) else {
        return Ok(());
    };
    if metadata.is_dir() {
        return Ok(());
    }
    if files.len() >= MAX_FILES {
        return Err(Failure {
            path,
            reason: Reason::TooManyFiles(MAX_FILES),
        });
    }
    files.push((path, file_stamp(&metadata)));
    Ok(())
}

fn file_stamp(metadata: &fs::Metadata) -> FileStamp {
    FileStamp {
        mtime: (metadata.mtime(), metadata.mtime_nsec()),
        size: metadata.size(),
        inode: metadata.ino(),
    }
}

fn read_one(path: &Path, caps: &Caps) -> Result<bytes::Bytes, Reason> {
    let file = open_regular(path)?;
    read_capped(file, caps, false).map_err(|error| match error {
        LimitError::Read(error) => io_reason(error),
        other => Reason::Limit(other),
    })
}

/// Without `O_NONBLOCK`, opening a named pipe that took the file's place would hang for ever.
fn open_regular(path: &Path) -> Result<File, Reason> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(io_reason)?;
    match file.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(file),
        Ok(_) => Err(Reason::NotAFile),
        Err(error) => Err(Reason::Io(error)),
    }
}

#[cfg(test)]
mod tests;
