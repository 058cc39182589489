//! Keys of the exact tables. A key of zero words is an empty slot; no real key is zero, because every
//! prefix has at least one bit.

use crate::{V4, V6};

/// Protocol and port, 0 meaning any, and the prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// 1 to 32 or 1 to 128.
    pub length: u64,
    pub protocol: u8,
    pub port: u16,
}

impl Scope {
    /// The record of a prefix itself: its address-wide indicator, and whether it has narrower ones.
    #[inline(always)]
    pub const fn wide(length: u64) -> Self {
        Self {
            length,
            protocol: 0,
            port: 0,
        }
    }

    #[inline(always)]
    pub const fn is_wide(&self) -> bool {
        self.protocol == 0 && self.port == 0
    }

    #[inline(always)]
    const fn bits(self) -> u64 {
        (self.length << 24) | ((self.protocol as u64) << 16) | self.port as u64
    }

    const fn from_bits(bits: u64) -> Self {
        Self {
            length: (bits >> 24) & 0xff,
            protocol: (bits >> 16) as u8,
            port: bits as u16,
        }
    }
}

/// `address << 32 | length << 24 | protocol << 16 | port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyV4(pub u64);

impl KeyV4 {
    /// `prefix` has no host bits.
    #[inline(always)]
    pub const fn new(prefix: V4, scope: Scope) -> Self {
        Self(((prefix.0 as u64) << 32) | scope.bits())
    }

    pub const fn prefix(self) -> V4 {
        V4((self.0 >> 32) as u32)
    }

    pub const fn scope(self) -> Scope {
        Scope::from_bits(self.0)
    }
}

/// The prefix, then `length << 24 | protocol << 16 | port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyV6 {
    pub high: u64,
    pub low: u64,
    pub bits: u64,
}

impl KeyV6 {
    /// `prefix` has no host bits.
    #[inline(always)]
    pub const fn new(prefix: V6, scope: Scope) -> Self {
        Self {
            high: prefix.high,
            low: prefix.low,
            bits: scope.bits(),
        }
    }

    pub const fn prefix(self) -> V6 {
        V6 {
            high: self.high,
            low: self.low,
        }
    }

    pub const fn scope(self) -> Scope {
        Scope::from_bits(self.bits)
    }
}
