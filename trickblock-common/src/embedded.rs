//! IPv4 addresses inside IPv6 ones: NAT64 (RFC 6052) and 6to4 (RFC 3056).

use crate::{V4, V6};

/// NAT64 prefixes that can be configured besides the well-known one.
pub const MAX_NAT64: usize = 4;

/// A NAT64 prefix: its length (32, 40, 48, 56, 64 or 96 bits; 0: no more prefixes), and the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat64 {
    pub length: u64,
    pub prefix: V6,
}

impl Nat64 {
    pub const NONE: Self = Self {
        length: 0,
        prefix: V6 { high: 0, low: 0 },
    };

    #[inline(always)]
    const fn holds(self, address: V6) -> bool {
        let inside = address.prefix(self.length);
        (inside.high ^ self.prefix.high) | (inside.low ^ self.prefix.low) == 0
    }

    /// Behind the prefix, but bits 64 to 71 are always skipped (RFC 6052, section 2.2).
    #[inline(always)]
    const fn address(self, inside: V6) -> V4 {
        V4(match self.length {
            32 => inside.high as u32,
            40 => ((inside.high << 8) as u32) | (inside.low >> 48) as u32 & 0xff,
            48 => ((inside.high << 16) as u32) | (inside.low >> 40) as u32 & 0xffff,
            56 => ((inside.high << 24) as u32) | (inside.low >> 32) as u32 & 0xff_ffff,
            64 => (inside.low >> 24) as u32,
            _ => inside.low as u32,
        })
    }
}

/// The NAT64 prefixes that are configured.
pub trait Nat64Prefixes {
    /// Prefix number `index` below [`MAX_NAT64`]; behind the last one [`Nat64::NONE`].
    fn nat64(&self, index: usize) -> Nat64;
}

/// The well-known prefix 64:ff9b::/96.
const WELL_KNOWN: V6 = V6 {
    high: 0x0064_ff9b_0000_0000,
    low: 0,
};

/// Whether there is an IPv4 address inside of an IPv6 one.
#[inline(always)]
pub fn may_embed<P: Nat64Prefixes + ?Sized>(prefixes: &P, address: V6) -> bool {
    if address.high == WELL_KNOWN.high || address.high >> 48 == 0x2002 {
        return true;
    }
    for index in 0..MAX_NAT64 {
        let nat64 = prefixes.nat64(index);
        if nat64.length == 0 {
            break;
        }
        if nat64.holds(address) {
            return true;
        }
    }
    false
}

/// The IPv4 address inside of an IPv6 one.
#[inline(always)]
pub fn embedded<P: Nat64Prefixes + ?Sized>(prefixes: &P, address: V6) -> Option<V4> {
    if address.high == WELL_KNOWN.high && address.low >> 32 == 0 {
        return Some(V4(address.low as u32));
    }
    for index in 0..MAX_NAT64 {
        let nat64 = prefixes.nat64(index);
        if nat64.length == 0 {
            break;
        }
        if nat64.holds(address) {
            return Some(nat64.address(address));
        }
    }
    if address.high >> 48 == 0x2002 {
        return Some(V4((address.high >> 16) as u32));
    }
    None
}

#[cfg(test)]
mod tests {
    use core::net::Ipv6Addr;

    use super::*;

    struct One(Nat64);

    impl Nat64Prefixes for One {
        fn nat64(&self, index: usize) -> Nat64 {
            if index == 0 { self.0 } else { Nat64::NONE }
        }
    }

    fn v6(text: &str) -> V6 {
        V6::from_bytes(text.parse::<Ipv6Addr>().expect("an address").octets())
    }

    /// The examples of RFC 6052, section 2.4.
    #[test]
    fn the_examples_of_the_standard() {
        let examples = [
            (32, "2001:db8::", "2001:db8:c000:221::"),
            (40, "2001:db8:100::", "2001:db8:1c0:2:21::"),
            (48, "2001:db8:122::", "2001:db8:122:c000:2:2100::"),
            (56, "2001:db8:122:300::", "2001:db8:122:3c0:0:221::"),
            (64, "2001:db8:122:344::", "2001:db8:122:344:c0:2:2100::"),
            (96, "2001:db8:122:344::", "2001:db8:122:344::192.0.2.33"),
        ];
        for (length, prefix, address) in examples {
            let prefixes = One(Nat64 {
                length,
                prefix: v6(prefix),
            });
            assert_eq!(
                embedded(&prefixes, v6(address)),
                Some(V4(0xc000_0221)),
                "{length}"
            );
            assert_eq!(embedded(&prefixes, v6("2001:db9::1")), None);
        }
    }

    #[test]
    fn the_well_known_prefixes() {
        let none = One(Nat64::NONE);
        assert_eq!(
            embedded(&none, v6("64:ff9b::192.0.2.33")),
            Some(V4(0xc000_0221))
        );
        assert_eq!(embedded(&none, v6("64:ff9b::1:c000:221")), None);
        assert_eq!(
            embedded(&none, v6("2002:c000:221:7::9")),
            Some(V4(0xc000_0221))
        );
    }
}
