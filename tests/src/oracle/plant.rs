//! Bugs planted on purpose: a search that finds none of them would find nothing.

use std::{fmt, str::FromStr};

use anyhow::bail;

/// In whom a bug is planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Takes IPv4 options for the transport header.
    Model,
    /// Does not see the last byte of a frame.
    Host,
    /// Sees no header that begins beyond the first 100 bytes. It is built in, by the feature `planted`,
    /// because a program cannot be told to be wrong.
    Program,
}

impl Plant {
    pub const ALL: [Self; 3] = [Self::Model, Self::Host, Self::Program];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Host => "host",
            Self::Program => "program",
        }
    }

    /// What a host with the bug takes for `frame`.
    pub(super) fn seen_by_host(frame: &[u8]) -> &[u8] {
        frame.split_last().map_or(frame, |(_, rest)| rest)
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Plant {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match Self::ALL.into_iter().find(|plant| plant.name() == text) {
            Some(plant) => Ok(plant),
            None => bail!("`{text}`: a bug is planted in model, host or program"),
        }
    }
}
