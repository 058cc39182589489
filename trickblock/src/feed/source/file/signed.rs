//! Signatures of lists on disk.

use std::{
    ffi::OsStr,
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    super::signature::MOST_BYTES, Failure, FileSource, SigningKey, io_reason, open_regular,
};
use crate::feed::source::Reason;

/// How the signature of a list is named: this behind the name of the list.
const EXTENSION: &str = "minisig";

/// A file or directory, each of whose lists must be signed.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedPath {
    pub path: PathBuf,
    pub key: Box<SigningKey>,
    /// Where the signature is, if not beside the list.
    pub signature: Option<PathBuf>,
}

impl FileSource {
    /// Is `path` a signature, and not a list?
    pub(super) fn is_signature(&self, path: &Path) -> bool {
        let Some(signed) = &self.signed else {
            return false;
        };
        path.extension() == Some(OsStr::new(EXTENSION)) || signed.signature.as_deref() == Some(path)
    }

    /// The file with the signature of the list at `path`, where lists must be signed.
    pub(super) fn signature_of(&self, path: &Path) -> Option<PathBuf> {
        let named = self.signed.as_ref()?.signature.clone();
        Some(named.unwrap_or_else(|| {
            let mut beside = path.as_os_str().to_owned();
            beside.push(".");
            beside.push(EXTENSION);
            beside.into()
        }))
    }

    pub(super) fn check_signature(&self, path: &Path, list: &[u8]) -> Result<(), Failure> {
        let (Some(signed), Some(signature)) = (&self.signed, self.signature_of(path)) else {
            return Ok(());
        };
        let bytes = read(&signature).map_err(|reason| Failure {
            path: signature,
            reason,
        })?;
        signed.key.check(list, &bytes).map_err(|reason| Failure {
            path: path.to_owned(),
            reason,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Reason> {
    let file = open_regular(path).map_err(|reason| match reason {
        Reason::Missing => Reason::MissingSignature,
        other => other,
    })?;
    let mut bytes = Vec::new();
    let most = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    file.take(most).read_to_end(&mut bytes).map_err(io_reason)?;
    Ok(bytes)
}
