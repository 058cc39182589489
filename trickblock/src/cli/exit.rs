//! What the exit code of every verb means.

use std::process::ExitCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Refused or held by a guard.
    Refused = 3,
    /// It works, but not as well as it should.
    Degraded = 4,
    /// Contact with a C2 was seen.
    Contact = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
