//! Why a feed could not be had, in words.

use std::{fmt, io, net::IpAddr, time::Duration};

use super::KeyPin;
use crate::feed::limits::LimitError;

/// A fetch that did not work: which feed source, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{location}: {reason}")]
pub struct SourceError {
    /// URL (without query) or path.
    pub location: String,
    pub reason: Reason,
    /// The server asked not to be called again before this has passed.
    pub retry_after: Option<Duration>,
    /// The server heard of the attempt.
    pub reached: bool,
}

impl SourceError {
    /// A failure about `location` after which nobody asked for patience.
    pub(super) fn new(location: String, reason: Reason) -> Self {
        Self {
            location,
            reason,
            retry_after: None,
            reached: true,
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
    #[error(
        "not connected within its `connect_timeout`: check the spelling of its host name, this machine's DNS, the route and the server, or raise `connect_timeout`"
    )]
    Unconnected,
    #[error("cannot connect ({0}): check that the server is up and that no firewall is between")]
    Connect(String),
    #[error(
        "TLS failed ({0}): check the certificate, this machine's clock and its root certificates"
    )]
    Tls(String),
    #[error(
        "its server has a certificate for its name, but another key ({0}) than the feed's `pins`: nothing was asked; ask its maker whether the key is new before you add it"
    )]
    OtherKey(KeyPin),
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
        "redirects to `{url}`, which is on another host: refused; if that host belongs to the feed, add `redirect_hosts = [\"{host}\"]` to it, or set `url` to that address"
    )]
    OtherHost { url: String, host: String },
    #[error(
        "redirects to `{0}`, which is a private address: refused, because a feed must not steer requests into this network; add `private = true` to the feed if it is meant"
    )]
    PrivateTarget(String),
    #[error(
        "its host name stands for {0}, which is a private address: refused, because whoever answers for the name could steer requests into this network; add `private = true` to the feed if it is meant"
    )]
    PrivateHome(IpAddr),
    #[error("answered something else than {expected} ({found}): check `url` and `api`")]
    Answer {
        expected: &'static str,
        found: String,
    },
    #[error(
        "its signature is none of minisign: look at what is beside the list, by the name of the list and `.minisig`, or where `signature` says"
    )]
    NoSignature,
    #[error(
        "not there: a list with `minisign` needs a signature, have its maker put it there, or correct `signature`"
    )]
    MissingSignature,
    #[error(
        "its signature is of minisign's old kind, made without hashing the list first: refused, have its maker sign with minisign 0.10 or newer (or `minisign -S -H`)"
    )]
    LegacySignature,
    #[error(
        "its signature does not hold ({0}): the list is not what its maker signed, or `minisign` is another key than the maker's"
    )]
    WrongSignature(String),
    #[error("the request was stopped because trickblock is stopping")]
    Stopped,
}

impl Reason {
    /// Nothing was sent to any server yet.
    pub(super) fn is_before_contact(&self) -> bool {
        matches!(
            self,
            Self::Unresolved | Self::Unconnected | Self::Connect(_) | Self::PrivateHome(_)
        )
    }

    /// An answer that the API does not give. What was found may quote the answer, so it is cut.
    pub(super) fn answer(expected: &'static str, found: &dyn fmt::Display) -> Self {
        let found = found.to_string().chars().take(200).collect();
        Self::Answer { expected, found }
    }
}
