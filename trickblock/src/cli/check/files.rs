//! Which files a command line names, and their bytes.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::feed::{
    limits::{Caps, LimitError, read_capped},
    source::STDIN,
};

const MAX_DEPTH: u32 = 16;

/// A file to read.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// Given by name, not found in a directory: then it must be a feed.
    pub(super) named: bool,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("cannot be read: {0}; check the path and its permissions")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Limit(LimitError),
    #[error(
        "a check asks no server: get the list and check it, as in `curl … | trickblock check --feed -`"
    )]
    Url,
    #[error("the directory holds no files: give the directory with the feeds in it")]
    NoFiles,
    #[error("directories are nested deeper than 16 levels: give the innermost one")]
    TooDeep,
}

/// The files that a path stands for: itself, or everything below it in sorted order without
/// hidden files. Links to directories are not followed.
pub(super) fn list(path: &Path) -> Result<Vec<Found>, Unreadable> {
    if is_url(path) {
        return Err(Unreadable::Url);
    }
    if is_stdin(path) || !fs::metadata(path)?.is_dir() {
        let path = path.to_owned();
        return Ok(vec![Found { path, named: true }]);
    }
    let mut found = Vec::new();
    walk(path, 0, &mut found)?;
    match found.is_empty() {
        true => Err(Unreadable::NoFiles),
        false => Ok(found),
    }
}

fn is_url(path: &Path) -> bool {
    let schemes = ["http:", "https:"].map(Path::new);
    schemes.iter().any(|scheme| path.starts_with(scheme))
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// The bytes of a file or of standard input to its end, gzip decoded, within the bounds of a fetched body.
pub(super) fn load(path: &Path) -> Result<Bytes, Unreadable> {
    let input: Box<dyn Read> = match is_stdin(path) {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(path)?),
    };
    read_capped(input, &Caps::default(), false).map_err(|error| match error {
        LimitError::Read(error) => Unreadable::Io(error),
        limit => Unreadable::Limit(limit),
    })
}

fn walk(directory: &Path, depth: u32, found: &mut Vec<Found>) -> Result<(), Unreadable> {
    if depth > MAX_DEPTH {
        return Err(Unreadable::TooDeep);
    }
    let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    let mut entries: Vec<_> = entries.iter().filter(|entry| !is_hidden(entry)).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, depth + 1, found)?;
        } else if fs::metadata(&path).is_ok_and(|target| target.is_file()) {
            found.push(Found { path, named: false });
        }
    }
    Ok(())
}

fn is_hidden(entry: &fs::DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}
