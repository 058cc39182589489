//! What a program is told when it is loaded.

use trickblock_common::{
    V6,
    embedded::{MAX_NAT64, Nat64, Nat64Prefixes},
};

/// Load-time constants: what they leave out costs a packet nothing, and they change only with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constants {
    /// Kinds of tunnels to look into: bits of [`trickblock_common::abi::tunnel`].
    pub tunnels: u64,
    /// NAT64 prefixes besides the well-known one; the rest [`Nat64::NONE`].
    pub nat64: [Nat64; MAX_NAT64],
}

impl Default for Constants {
    /// No tunnels, no prefixes.
    fn default() -> Self {
        Self {
            tunnels: 0,
            nat64: [Nat64::NONE; MAX_NAT64],
        }
    }
}

impl Constants {
    /// Words of [`Self::to_words`].
    pub const WORDS: usize = 1 + 3 * MAX_NAT64;

    /// The kinds of tunnels, then length, high and low half of each prefix.
    pub fn to_words(&self) -> [u64; Self::WORDS] {
        let mut words = [0; Self::WORDS];
        words[0] = self.tunnels;
        for (to, from) in words[1..].chunks_exact_mut(3).zip(&self.nat64) {
            to.copy_from_slice(&[from.length, from.prefix.high, from.prefix.low]);
        }
        words
    }

    pub fn from_words(words: &[u64; Self::WORDS]) -> Self {
        let mut nat64 = [Nat64::NONE; MAX_NAT64];
        for (to, from) in nat64.iter_mut().zip(words[1..].chunks_exact(3)) {
            if let [length, high, low] = *from {
                let prefix = V6 { high, low };
                *to = Nat64 { length, prefix };
            }
        }
        Self {
            tunnels: words[0],
            nat64,
        }
    }
}

impl Nat64Prefixes for Constants {
    fn nat64(&self, index: usize) -> Nat64 {
        self.nat64.get(index).copied().unwrap_or(Nat64::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_back() {
        let mut constants = Constants {
            tunnels: 21,
            ..Constants::default()
        };
        let prefix = V6 { high: 7, low: 0 };
        constants.nat64[0] = Nat64 { length: 64, prefix };
        assert_eq!(Constants::from_words(&constants.to_words()), constants);
        assert_eq!(
            Constants::from_words(&[0; Constants::WORDS]),
            Constants::default()
        );
    }
}
