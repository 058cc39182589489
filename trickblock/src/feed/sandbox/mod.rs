//! Reads bodies in a process of its own, which can do nothing but read: whoever finds a hole in a
//! reader of hostile bytes gets no privilege, no file, no network and no other feed with it.
//!
//! The daemon starts its own executable again for each body ([`parent`]). The child gives everything
//! up before it reads a byte ([`confine`]), gets the body through a socket pair and answers with what
//! it holds ([`wire`]). The answer is as hostile as the body: the parent checks all of it again.

mod child;
mod confine;
mod parent;
mod stopped;
mod syscalls;
mod wire;

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

pub use self::{
    child::{PARSE_CHILD, serve},
    confine::{Limits, Missing, Unconfined, confine},
    parent::Program,
    stopped::Stopped,
};
use super::{NotAFeed, Options, Parsed};

/// A body that tells whether readers work here.
const TRIAL: &[u8] = b"192.0.2.1\n";
/// No reader has said yet how it is confined.
const UNKNOWN: u8 = u8::MAX;

/// Who reads the bodies of feeds.
#[derive(Clone, Debug)]
pub enum Reader {
    /// This process: right for an unprivileged one that reads what its user named.
    InProcess,
    /// A confined process for each body.
    Confined(Arc<Confined>),
}

/// How confined readers are started, and what they lacked.
#[derive(Debug)]
pub struct Confined {
    program: Program,
    /// The bits of [`Missing`].
    missing: AtomicU8,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// It was read, and is none.
    #[error(transparent)]
    NotAFeed(#[from] NotAFeed),
    /// Its reader did not answer.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Reader {
    /// Confined processes that are started with `program`.
    pub fn confined(program: Program) -> Self {
        Self::Confined(Arc::new(Confined {
            program,
            missing: AtomicU8::new(UNKNOWN),
        }))
    }

    /// Reads a body, as [`super::parse`] does.
    pub fn parse(&self, body: &[u8], options: &Options) -> Result<Parsed, Unread> {
        match self {
            Self::InProcess => Ok(super::parse(body, options.clone())?),
            Self::Confined(confined) => confined.parse(body, options),
        }
    }

    /// Starts a reader to see whether it can be, and how far it is confined here.
    pub fn test(&self) -> Result<Option<Missing>, Unread> {
        self.parse(TRIAL, &Options::default())?;
        Ok(self.missing())
    }

    /// What the latest reader lacked; `None` before the first, and where nothing is confined.
    pub fn missing(&self) -> Option<Missing> {
        match self {
            Self::InProcess => None,
            Self::Confined(confined) => match confined.missing.load(Ordering::Relaxed) {
                UNKNOWN => None,
                bits => Missing::from_bits(bits),
            },
        }
    }
}

impl Confined {
    fn parse(&self, body: &[u8], options: &Options) -> Result<Parsed, Unread> {
        let answer = self.program.read(body, options)?;
        self.missing.store(answer.missing.bits(), Ordering::Relaxed);
        Ok(answer.content?)
    }
}

#[cfg(test)]
mod tests;
