//! Addresses that the whole internet leans on. A list that names one of them is wrong or poisoned, and to
//! believe it would cut off everybody.
//!
//! Root servers: the root hints of IANA (`named.root`, <https://www.iana.org/domains/root/servers>).
//! Resolvers: what their operators publish: <https://developers.cloudflare.com/1.1.1.1/ip-addresses/>,
//! <https://developers.google.com/speed/public-dns/docs/using>, <https://www.quad9.net/service/service-addresses-and-features>,
//! <https://www.opendns.com/setupguide/>. As of November 2026; the last change of a root server's address was
//! that of b.root-servers.net in November 2023.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// The first three groups and the last two.
const fn v6(first: u16, second: u16, third: u16, near: u16, last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(first, second, third, 0, 0, 0, near, last))
}

/// Each with its name.
pub(super) const SHIPPED: [(IpAddr, &str); 42] = [
    (v4(198, 41, 0, 4), "the root server a.root-servers.net"),
    (
        v6(0x2001, 0x503, 0xba3e, 2, 0x30),
        "the root server a.root-servers.net",
    ),
    (v4(170, 247, 170, 2), "the root server b.root-servers.net"),
    (
        v6(0x2801, 0x1b8, 0x10, 0, 0xb),
        "the root server b.root-servers.net",
    ),
    (v4(192, 33, 4, 12), "the root server c.root-servers.net"),
    (
        v6(0x2001, 0x500, 2, 0, 0xc),
        "the root server c.root-servers.net",
    ),
    (v4(199, 7, 91, 13), "the root server d.root-servers.net"),
    (
        v6(0x2001, 0x500, 0x2d, 0, 0xd),
        "the root server d.root-servers.net",
    ),
    (v4(192, 203, 230, 10), "the root server e.root-servers.net"),
    (
        v6(0x2001, 0x500, 0xa8, 0, 0xe),
        "the root server e.root-servers.net",
    ),
    (v4(192, 5, 5, 241), "the root server f.root-servers.net"),
    (
        v6(0x2001, 0x500, 0x2f, 0, 0xf),
        "the root server f.root-servers.net",
    ),
    (v4(192, 112, 36, 4), "the root server g.root-servers.net"),
    (
        v6(0x2001, 0x500, 0x12, 0, 0xd0d),
        "the root server g.root-servers.net",
    ),
    (v4(198, 97, 190, 53), "the root server h.root-servers.net"),
    (
        v6(0x2001, 0x500, 1, 0, 0x53),
        "the root server h.root-servers.net",
    ),
    (v4(192, 36, 148, 17), "the root server i.root-servers.net"),
    (
        v6(0x2001, 0x7fe, 0, 0, 0x53),
        "the root server i.root-servers.net",
    ),
    (v4(192, 58, 128, 30), "the root server j.root-servers.net"),
    (
        v6(0x2001, 0x503, 0xc27, 2, 0x30),
        "the root server j.root-servers.net",
    ),
    (v4(193, 0, 14, 129), "the root server k.root-servers.net"),
    (
        v6(0x2001, 0x7fd, 0, 0, 1),
        "the root server k.root-servers.net",
    ),
    (v4(199, 7, 83, 42), "the root server l.root-servers.net"),
    (
        v6(0x2001, 0x500, 0x9f, 0, 0x42),
        "the root server l.root-servers.net",
    ),
    (v4(202, 12, 27, 33), "the root server m.root-servers.net"),
    (
        v6(0x2001, 0xdc3, 0, 0, 0x35),
        "the root server m.root-servers.net",
    ),
    (v4(1, 1, 1, 1), "Cloudflare's public resolver"),
    (v4(1, 0, 0, 1), "Cloudflare's public resolver"),
    (
        v6(0x2606, 0x4700, 0x4700, 0, 0x1111),
        "Cloudflare's public resolver",
    ),
    (
        v6(0x2606, 0x4700, 0x4700, 0, 0x1001),
        "Cloudflare's public resolver",
    ),
    (v4(8, 8, 8, 8), "Google's public resolver"),
    (v4(8, 8, 4, 4), "Google's public resolver"),
    (
        v6(0x2001, 0x4860, 0x4860, 0, 0x8888),
        "Google's public resolver",
    ),
    (
        v6(0x2001, 0x4860, 0x4860, 0, 0x8844),
        "Google's public resolver",
    ),
    (v4(9, 9, 9, 9), "Quad9's public resolver"),
    (v4(149, 112, 112, 112), "Quad9's public resolver"),
    (v6(0x2620, 0xfe, 0, 0, 0xfe), "Quad9's public resolver"),
    (v6(0x2620, 0xfe, 0, 0, 9), "Quad9's public resolver"),
    (v4(208, 67, 222, 222), "Cisco's public resolver (OpenDNS)"),
    (v4(208, 67, 220, 220), "Cisco's public resolver (OpenDNS)"),
    (
        v6(0x2620, 0x119, 0x35, 0, 0x35),
        "Cisco's public resolver (OpenDNS)",
    ),
    (
        v6(0x2620, 0x119, 0x53, 0, 0x53),
        "Cisco's public resolver (OpenDNS)",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn thirteen_letters_in_both_families_and_every_address_once() {
        let addresses: BTreeSet<IpAddr> = SHIPPED.iter().map(|(address, _)| *address).collect();
        assert_eq!(addresses.len(), SHIPPED.len());
        for letter in 'a'..='m' {
            let name = format!("{letter}.root-servers.net");
            let of = SHIPPED.iter().filter(|(_, what)| what.ends_with(&name));
            let families: Vec<bool> = of.map(|(address, _)| address.is_ipv6()).collect();
            assert_eq!(families, [false, true], "{letter}");
        }
    }

    #[test]
    fn addresses_are_spelt_as_their_operators_spell_them() {
        for text in [
            "2001:503:ba3e::2:30",
            "2001:500:12::d0d",
            "2001:7fd::1",
            "2606:4700:4700::1111",
            "2620:fe::fe",
            "2620:119:35::35",
            "149.112.112.112",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(SHIPPED.iter().any(|(known, _)| *known == address), "{text}");
        }
    }
}
