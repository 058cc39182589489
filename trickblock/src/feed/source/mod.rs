//! Where a feed's bytes come from: a file, a directory, standard input, or an HTTP server, with an API or
//! without.

mod api;
mod ask;
mod file;
mod guard;
mod http;
mod private;
mod redirect;
mod signature;
mod status;
mod stdin;
mod transport;

use std::{fmt, io, path::PathBuf, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::{
    api::{Api, ApiSource},
    file::FileSource,
    http::HttpSource,
    private::is_private,
    signature::SigningKey,
    stdin::{NAME as STDIN, StdinSource},
};
use super::limits::LimitError;

/// What the operator wrote: a URL with its settings, or a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Location {
    Http(HttpSpec),
    /// A file, or a directory whose files count as one feed.
    Path(PathBuf),
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
            }) => format!("{place}#{}", key.text()),
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
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str(STDIN),
        }
    }
}

/// An HTTP feed.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    /// Absolute, `http` or `https`, without credentials.
    pub url: ureq::http::Uri,
    /// Bound of one whole fetch, redirects included.
    pub timeout: Duration,
    /// Bound of name resolution and of connecting, each.
    pub connect_timeout: Duration,
    /// Sent to the configured host only, never to the target of a redirect elsewhere.
    pub headers: Vec<(ureq::http::HeaderName, ureq::http::HeaderValue)>,
    /// `None`: the URL itself is the feed.
    pub api: Option<Api>,
    /// The list must be signed with it.
    pub minisign: Option<Box<SigningKey>>,
}

/// Header values are secrets: only their names are shown.
impl fmt::Debug for HttpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpSpec")
            .field("url", &http::display_url(&self.url))
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("headers", &names)
            .field("api", &self.api)
            .field("minisign", &self.minisign)
            .finish()
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
}

impl Body {
    /// SHA-256 over the names, lengths and bytes of all parts.
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for part in &self.parts {
            hasher.update(format!("{:?} {}\n", part.name, part.bytes.len()));
            hasher.update(&part.bytes);
        }
        hasher.finalize().into()
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

/// A fetch that did not work: which feed source, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{location}: {reason}")]
pub struct SourceError {
    /// URL (without query) or path.
    pub location: String,
    pub reason: Reason,
    /// The server asked not to be called again before this has passed.
    pub retry_after: Option<Duration>,
}

impl SourceError {
    /// A failure about `location` after which nobody asked for patience.
    fn new(location: String, reason: Reason) -> Self {
        Self {
            location,
            reason,
            retry_after: None,
        }
    }
}

/// Why a fetch failed. Each text ends with the fix.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("not there: create it, or correct `path`")]
    Missing,
    #[error("not readable ({0}): allow the user that runs trickblock to read it")]
    Denied(io::Error),
    #[error("neither a file nor a directory: point `path` at one")]
    NotAFile,
    #[error("the directory has no files: put the feed's files there, or correct `path`")]
    NoFiles,
    #[error("the directory has more than {0} files: point `path` at the feed's own directory")]
    TooManyFiles(usize),
    #[error("it kept changing while it was read: replace it by rename instead of writing in place")]
    Unsteady,
    #[error("{0}: write the list to it, as in `generate | trickblock run … --feed -`")]
    NoInput(&'static str),
    #[error("it is no list of lines, so it counts at its end, which has not come: close it")]
    Unfinished,
    #[error("{0}")]
    Limit(#[from] LimitError),
    #[error("{0}")]
    Io(io::Error),
    #[error(
        "the body has no stated length and ends inside a line: it may have been cut short; end the list with a newline, or let the server state the length"
    )]
    CutShort,
    #[error(
        "answered 304 Not Modified although nothing was asked conditionally: check the proxy or cache before it"
    )]
    EmptyNotModified,
    #[error("answered {code} {text}: {fix}")]
    Status {
        code: u16,
        text: &'static str,
        fix: &'static str,
    },
    #[error("its host name cannot be resolved: check the spelling and this machine's DNS")]
    Unresolved,
    #[error("no answer within its {0}: check the route and the server, or raise `timeout`")]
    Timeout(&'static str),
    #[error("cannot connect ({0}): check that the server is up and that no firewall is between")]
    Connect(String),
    #[error(
        "TLS failed ({0}): check the certificate, this machine's clock and its root certificates"
    )]
    Tls(String),
    #[error("the connection broke ({0}): it will be tried again")]
    Broken(String),
    #[error("redirects more than {0} times: set `url` to the final address")]
    TooManyRedirects(usize),
    #[error("redirects without a usable target ({0}): set `url` to the final address")]
    BadRedirect(String),
    #[error(
        "redirects from https to `{0}`, which is not encrypted: refused, set `url` to an https address"
    )]
    Downgrade(String),
    #[error(
        "redirects to `{0}`, which is a private address: refused, because a feed must not steer requests into this network; set `url` to that address if it is meant"
    )]
    PrivateTarget(String),
    #[error("answered something else than {expected} ({found}): check `url` and `api`")]
    Answer {
        expected: &'static str,
        found: String,
    },
    #[error(
        "its signature is none of minisign: look at what the server has beside the list, by the name of the list and `.minisig`"
    )]
    NoSignature,
    #[error(
        "its signature does not hold ({0}): the list is not what its maker signed, or `minisign` is another key than the maker's"
    )]
    WrongSignature(String),
    #[error("the request was stopped because trickblock is stopping")]
    Stopped,
}

impl Reason {
    /// An answer that the API does not give. What was found may quote the answer, so it is cut.
    fn answer(expected: &'static str, found: &dyn fmt::Display) -> Self {
        let found = found.to_string().chars().take(200).collect();
        Self::Answer { expected, found }
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
            Location::Stdin => Self::Stdin(StdinSource::new()),
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
