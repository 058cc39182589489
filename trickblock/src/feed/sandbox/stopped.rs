//! Why a reader did not answer.

use std::{io, os::unix::process::ExitStatusExt as _, process::ExitStatus, time::Duration};

use super::{
    child::{UNASKED, UNCONFINED},
    confine::Limits,
};

const PANICKED: i32 = 101;

/// The reader of a body did not say what it holds, or what it said must not be believed.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    #[error(
        "the reader of this feed could not be started ({0}): is /proc mounted, and is there memory left?"
    )]
    Start(#[source] io::Error),
    #[error(
        "the reader of this feed was stopped: it took more than {} s; no honest list takes that long, check what it serves",
        .0.as_secs()
    )]
    Time(Duration),
    #[error(
        "the reader of this feed was stopped: used more than {} s of CPU; no honest list takes that long, check what it serves",
        Limits::READER.cpu
    )]
    Cpu,
    #[error(
        "the reader of this feed gave up: it needed more than {} MiB of memory; split the list, or check what it serves",
        Limits::READER.memory >> 20
    )]
    Memory,
    #[error(
        "the reader of this feed died by signal 31 (forbidden system call): the feed may attack its reader; keep the body and report it"
    )]
    ForbiddenCall,
    #[error(
        "the reader of this feed died by signal {0}: the feed may attack its reader; keep the body and report it"
    )]
    Signal(i32),
    #[error(
        "the reader of this feed could not confine itself, and then reads nothing: the kernel refused a limit or to drop a capability, `strace -f` of the daemon shows which"
    )]
    Unconfined,
    #[error(
        "the reader of this feed failed by a mistake of its own: keep the body and report it as a bug"
    )]
    Panicked,
    #[error(
        "the reader of this feed ended early, with exit code {0}: report it as a bug, with the body"
    )]
    Exit(i32),
    #[error(
        "the reader of this feed answered what no reader says ({0}): the feed may attack its reader; keep the body and report it"
    )]
    Malformed(&'static str),
}

impl Stopped {
    /// Why a process that ended in this way did not answer.
    pub(super) fn of_end(status: ExitStatus) -> Self {
        match status.signal() {
            Some(libc::SIGSYS) => Self::ForbiddenCall,
            Some(libc::SIGXCPU) => Self::Cpu,
            // Rust ends so where an allocation fails.
            Some(libc::SIGABRT) => Self::Memory,
            Some(signal) => Self::Signal(signal),
            None => Self::of_code(status.code().unwrap_or_default()),
        }
    }

    fn of_code(code: i32) -> Self {
        match code {
            PANICKED => Self::Panicked,
            code if code == i32::from(UNCONFINED) => Self::Unconfined,
            code if code == i32::from(UNASKED) => Self::Malformed("it did not get the request"),
            code => Self::Exit(code),
        }
    }
}
