//! The file that a last good copy is: checksum, metadata, bodies.

use std::{
    fs::{self, OpenOptions},
    io::{self, BufRead as _, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{CacheError, Stored};
use crate::feed::source::{Body, Part, Validators};

/// Raised when the layout changes; a copy of another version counts as absent.
const VERSION: u32 = 2;
/// Bytes in which the metadata of a copy are looked for.
const MAX_HEAD: u64 = 8 << 20;

/// The line of JSON before the bodies.
#[derive(Serialize, Deserialize)]
struct Meta {
    version: u32,
    origin: String,
    fetched_at: Timestamp,
    format: Option<String>,
    validators: Validators,
    /// SHA-256 of the body.
    body: String,
    parts: Vec<MetaPart>,
}

/// What a copy says of itself in its first lines.
pub(super) struct Described {
    pub fetched_at: Timestamp,
    pub format: Option<String>,
    pub origin: String,
    /// Hexadecimal SHA-256 of the body.
    pub body: String,
    /// Of the body.
    pub bytes: usize,
}

#[derive(Serialize, Deserialize)]
struct MetaPart {
    name: String,
    len: usize,
}

/// Writes the whole file and waits until it is on disk.
pub(super) fn write_synced(path: &Path, stored: &Stored) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o640)
        .open(path)?;
    let mut head = serde_json::to_vec(&meta(stored))?;
    head.push(b'\n');
    let pieces = || {
        std::iter::once(head.as_slice())
            .chain(stored.body.parts.iter().map(|part| part.bytes.as_ref()))
    };
    let digest = pieces()
        .fold(Sha256::new(), Sha256::chain_update)
        .finalize();
    file.write_all(format!("{}\n", hex(&digest)).as_bytes())?;
    for piece in pieces() {
        file.write_all(piece)?;
    }
    file.sync_all()
}

fn meta(stored: &Stored) -> Meta {
    let part = |part: &Part| MetaPart {
        name: part.name.clone(),
        len: part.bytes.len(),
    };
    Meta {
        version: VERSION,
        origin: stored.origin.clone(),
        fetched_at: stored.fetched_at,
        format: stored.format.clone(),
        validators: stored.validators.clone(),
        body: hex(&stored.body.digest()),
        parts: stored.body.parts.iter().map(part).collect(),
    }
}

/// The copy, and the digest that its first line holds.
pub(super) fn decode(bytes: &Bytes, path: &Path) -> Result<(Stored, String), CacheError> {
    let corrupt = |reason| CacheError::Corrupt {
        path: path.to_owned(),
        reason,
    };
    let (digest, rest) = cut_line(bytes).ok_or_else(|| corrupt("no checksum"))?;
    let actual = hex(&Sha256::digest(&rest));
    if actual.as_bytes() != digest {
        return Err(corrupt("its checksum does not match"));
    }
    let (head, bodies) = cut_line(&rest).ok_or_else(|| corrupt("no metadata"))?;
    check_version(&head, path)?;
    let meta: Meta = serde_json::from_slice(&head).map_err(|_| corrupt("unreadable metadata"))?;
    let body = split(&bodies, &meta.parts).ok_or_else(|| corrupt("its lengths do not add up"))?;
    let stored = Stored {
        body,
        validators: meta.validators,
        fetched_at: meta.fetched_at,
        format: meta.format,
        origin: meta.origin,
    };
    Ok((stored, actual))
}

/// Reads no more than the first lines of the copy in `path`.
pub(super) fn described(path: &Path) -> io::Result<Described> {
    let mut lines = io::BufReader::new(fs::File::open(path)?)
        .take(MAX_HEAD)
        .lines();
    let head = lines.nth(1).ok_or(io::ErrorKind::UnexpectedEof)??;
    let meta: Meta = serde_json::from_str(&head)?;
    Ok(Described {
        fetched_at: meta.fetched_at,
        format: meta.format,
        origin: meta.origin,
        body: meta.body,
        bytes: meta.parts.iter().map(|part| part.len).sum(),
    })
}

fn cut_line(bytes: &Bytes) -> Option<(Bytes, Bytes)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.slice(..end), bytes.slice(end.saturating_add(1)..)))
}

/// The version is read by itself first: the rest may have changed with it.
fn check_version(head: &[u8], path: &Path) -> Result<(), CacheError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    match serde_json::from_slice::<Versioned>(head) {
        Ok(Versioned { version: VERSION }) => Ok(()),
        Ok(_) => Err(CacheError::Version {
            path: path.to_owned(),
        }),
        Err(_) => Err(CacheError::Corrupt {
            path: path.to_owned(),
            reason: "unreadable metadata",
        }),
    }
}

fn split(bodies: &Bytes, parts: &[MetaPart]) -> Option<Body> {
    let mut rest = bodies.clone();
    let mut body = Body::default();
    for part in parts {
        if part.len > rest.len() {
            return None;
        }
        body.parts.push(Part {
            name: part.name.clone(),
            bytes: rest.split_to(part.len),
        });
    }
    rest.is_empty().then_some(body)
}

/// Lower-case hexadecimal digits.
pub fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
