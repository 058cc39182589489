//! Where a feed's bytes come from: a file, a directory, standard input, or an HTTP server, with an API or
//! without.

mod api;
mod ask;
mod file;
mod guard;
mod hosts;
mod http;
mod pinned;
mod private;
mod proxy;
mod reason;
mod redirect;
mod signature;
mod spec;
mod status;
mod stdin;
mod transport;

use std::{fmt, path::PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::{
    api::{Api, ApiSource},
    file::{FileSource, SignedPath},
    hosts::RedirectHost,
    http::HttpSource,
    pinned::KeyPin,
    private::is_private,
    proxy::{Credentials, Route},
    reason::{Reason, SourceError},
    signature::SigningKey,
    spec::HttpSpec,
    stdin::{NAME as STDIN, StdinSource},
};

/// What the operator wrote: a URL with its settings, or a path.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a feed, which is hardly ever moved"
)]
pub enum Location {
    Http(HttpSpec),
    /// A file, or a directory whose files count as one feed.
    Path(PathBuf),
    /// The same, taken only with signatures that hold.
    Signed(SignedPath),
    /// What another program writes to this process.
    Stdin,
}

impl Location {
    /// Tells one source from another, for what was stored of it. Unlike the displayed form
    /// it covers a URL's query, without revealing it, and what is asked there.
    pub fn identity(&self) -> String {
        let place = self.place();
        match self {
            // What was accepted under another key, or under none, proves nothing.
            Self::Http(HttpSpec {
                minisign: Some(key),
                ..
            })
            | Self::Signed(SignedPath { key, .. }) => format!("{place}#{}", key.text()),
            Self::Http(HttpSpec { api: Some(api), .. }) => format!("{place}#{}", api.name()),
            _ => place,
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Http(spec) if spec.url.query().is_some() => {
                let digest = Sha256::digest(spec.url.to_string());
                let short: String = digest
                    .iter()
                    .take(8)
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                format!("{self}#{short}")
            }
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(spec) => f.write_str(&http::display_url(&spec.url)),
            Self::Path(path) | Self::Signed(SignedPath { path, .. }) => {
                write!(f, "{}", path.display())
            }
            Self::Stdin => f.write_str(STDIN),
        }
    }
}

/// One file of a feed, or the body of one response.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// For messages: the URL without its query, or the path.
    pub name: String,
    /// Decoded (never gzip), within [`super::limits::Caps`].
    pub bytes: Bytes,
}

/// All of a feed at one moment: one part, or one per file of a directory, in the order of
/// their paths.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    pub parts: Vec<Part>,
    /// Files of a directory that could not be read: one of them must not stop the others.
    pub unread: Vec<Unread>,
}

/// A file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Its path.
    pub name: String,
    /// With its path.
    pub reason: String,
}

impl From<Vec<Part>> for Body {
    fn from(parts: Vec<Part>) -> Self {
        Self {
            parts,
            unread: Vec::new(),
        }
    }
}

impl Body {
    /// SHA-256 over the names, lengths and bytes of all parts, and what could not be read.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for part in &self.parts {
            hasher.update(format!("{:?} {}\n", part.name, part.bytes.len()));
            hasher.update(&part.bytes);
        }
        for file in &self.unread {
            hasher.update(format!("{:?} {:?}\n", file.name, file.reason));
        }
        hasher.finalize().into()
    }

    /// SHA-256 over the bytes alone: the same for a list that is served at two places.
    pub fn digest_of_bytes(&self) -> [u8; 32] {
        let parts = self.parts.iter();
        let all = parts.fold(Sha256::new(), |all, part| all.chain_update(&part.bytes));
        all.finalize().into()
    }

    /// Bytes of all parts together.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }

    /// No part has a byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What makes the next request conditional. Valid only together with the body they came
/// with, and only while that body is the accepted one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    pub etag: Option<String>,
    /// As the server spelt it: it is sent back byte by byte.
    pub last_modified: Option<String>,
}

/// The outcome of a fetch that worked.
#[derive(Clone, Debug, PartialEq)]
pub enum Fetched {
    Body { body: Body, validators: Validators },
    NotModified,
}

impl Fetched {
    fn unconditionally(body: Body) -> Self {
        let validators = Validators::default();
        Self::Body { body, validators }
    }
}

/// Any kind of source. Blocking: call it from a blocking task.
#[derive(Debug)]
pub enum Source {
    Http(HttpSource),
    Api(ApiSource),
    File(FileSource),
    Stdin(StdinSource),
}

/// Tells one state of a source that is watched from another without reading it. Equal stamps mean unchanged
/// content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stamp {
    Files(file::Stamp),
    Stream(stdin::Stamp),
}

impl Source {
    pub fn new(location: &Location) -> Self {
        match location {
            Location::Http(spec) => match spec.api {
                Some(api) => Self::Api(ApiSource::new(spec.clone(), api)),
                None => Self::Http(HttpSource::new(spec.clone())),
            },
            Location::Path(path) => Self::File(FileSource::new(path.clone())),
            Location::Signed(signed) => Self::File(FileSource::signed(signed.clone())),
            Location::Stdin => Self::Stdin(StdinSource::of_process()),
        }
    }

    /// The state of what is watched; `None` while it cannot be looked at, and for what is fetched.
    pub fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::File(source) => source.stamp().ok().map(Stamp::Files),
            Self::Stdin(source) => source.stamp().map(Stamp::Stream),
            Self::Http(_) | Self::Api(_) => None,
        }
    }

    /// Its changes are seen through [`Self::stamp`], so that it is not fetched again and again.
    pub fn is_watched(&self) -> bool {
        matches!(self, Self::File(_) | Self::Stdin(_))
    }

    /// Gets the feed. What is watched is always read: `validators` matter to HTTP alone.
    pub fn fetch(&self, validators: &Validators) -> Result<Fetched, SourceError> {
        match self {
            Self::Http(source) => source.fetch(validators),
            Self::Api(source) => source.fetch(validators),
            Self::File(source) => source.read().map(Fetched::unconditionally),
            Self::Stdin(source) => source.read().map(Fetched::unconditionally),
        }
    }

    /// Ends a fetch that another thread is in.
    pub fn stop(&self) {
        match self {
            Self::Http(source) => source.stop(),
            Self::Api(source) => source.stop(),
            Self::Stdin(source) => source.stop(),
            Self::File(_) => {}
        }
    }
}
