//! Addresses as numbers, in the one form that table keys, masks and hashes use.

/// An IPv4 address, first octet in the highest bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct V4(pub u32);

/// An IPv6 address, first octet in the highest bits of `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct V6 {
    pub high: u64,
    pub low: u64,
}

impl V4 {
    #[inline(always)]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(bytes))
    }

    /// The prefix of `length` bits, 0 to 32.
    #[inline(always)]
    pub const fn prefix(self, length: u64) -> Self {
        // A 64-bit shift, since shifting 32 bits by 32 is undefined on every machine.
        Self(self.0 & (u64::MAX << (32 - (length & 63))) as u32)
    }
}

impl V6 {
    #[inline(always)]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = bytes;
        Self {
            high: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            low: u64::from_be_bytes([i, j, k, l, m, n, o, p]),
        }
    }

    /// Network byte order.
    #[inline(always)]
    pub const fn to_bytes(self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h] = self.high.to_be_bytes();
        let [i, j, k, l, m, n, o, p] = self.low.to_be_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    /// The prefix of `length` bits, 0 to 128.
    #[inline(always)]
    pub const fn prefix(self, length: u64) -> Self {
        if length <= 64 {
            Self {
                high: self.high & high_bits(length),
                low: 0,
            }
        } else {
            Self {
                high: self.high,
                low: self.low & high_bits(length - 64),
            }
        }
    }
}

/// A mask of the `count` highest bits, 0 to 64.
#[inline(always)]
const fn high_bits(count: u64) -> u64 {
    if count == 0 {
        0
    } else {
        u64::MAX << (64_u64.wrapping_sub(count) & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_every_length() {
        for length in 0..=32 {
            let expected = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            assert_eq!(V4(u32::MAX).prefix(u64::from(length)).0, expected);
        }
        for length in 0..=128 {
            let expected = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            let all = V6 {
                high: u64::MAX,
                low: u64::MAX,
            }
            .prefix(u64::from(length));
            assert_eq!(
                (u128::from(all.high) << 64) | u128::from(all.low),
                expected,
                "{length}"
            );
        }
    }
}
