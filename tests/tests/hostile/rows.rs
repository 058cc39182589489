//! Rows that stand in a list which is good otherwise.

use super::{
    Caught::{Guard, Parser},
    Family,
};

pub fn families() -> Vec<Family> {
    reserved()
        .into_iter()
        .chain(embedded())
        .chain(needed())
        .chain(malformed())
        .collect()
}

const COMPILED_IN: super::Caught = Guard("compiled_in");

fn reserved() -> Vec<Family> {
    vec![
        Family::of(
            "private networks",
            COMPILED_IN,
            &[
                "10.0.0.1",
                "10.1.2.0/24",
                "10.0.0.0/8",
                "172.16.5.5",
                "172.31.0.0/16",
                "192.168.1.1",
                "192.168.0.0/16",
                "10.0.0.1:443",
                "http://192.168.0.1/x",
                "192.168.1.1/24",
            ],
        ),
        Family::of(
            "this host",
            COMPILED_IN,
            &[
                "127.0.0.1",
                "127.0.0.0/8",
                "127.255.255.254",
                "::1",
                "127.0.0.1:80",
                "[::1]:443",
                "0.0.0.0",
                "0.0.0.0/8",
            ],
        ),
        Family::of(
            "carrier NAT",
            COMPILED_IN,
            &[
                "100.64.0.1",
                "100.127.255.254",
                "100.64.0.0/10",
                "100.64.0.1:53/udp",
            ],
        ),
        Family::of(
            "link-local",
            COMPILED_IN,
            &[
                "169.254.169.254",
                "169.254.0.0/16",
                "169.254.169.254:80",
                "fe80::1",
                "fe80::/10",
            ],
        ),
        Family::of(
            "multicast and broadcast",
            COMPILED_IN,
            &[
                "224.0.0.1",
                "239.255.255.250",
                "224.0.0.0/4",
                "255.255.255.255",
                "ff02::1",
                "ff00::/8",
            ],
        ),
        Family::of(
            "reserved space",
            COMPILED_IN,
            &[
                "240.0.0.1",
                "240.0.0.0/4",
                "192.0.0.8",
                "192.0.0.0/24",
                "::",
            ],
        ),
        Family::of(
            "unique local IPv6",
            COMPILED_IN,
            &["fc00::1", "fd12:3456::/32", "fdff::1", "fd00::/8"],
        ),
        Family::of(
            "the whole Internet",
            COMPILED_IN,
            &["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8000::/1"],
        ),
    ]
}

fn embedded() -> Vec<Family> {
    vec![
        Family::of(
            "mapped IPv4",
            COMPILED_IN,
            &[
                "::ffff:10.0.0.1",
                "::ffff:127.0.0.1",
                "::ffff:192.168.1.1",
                "::ffff:7f00:1",
            ],
        ),
        Family::of(
            "NAT64 of private space",
            COMPILED_IN,
            &[
                "64:ff9b::10.0.0.1",
                "64:ff9b::7f00:1",
                "64:ff9b::c0a8:101",
                "64:ff9b::a9fe:a9fe",
            ],
        ),
        Family::of(
            "6to4 of private space",
            COMPILED_IN,
            &["2002:a00:1::1", "2002:7f00:1::/48", "2002:c0a8:101::1"],
        ),
    ]
}

fn needed() -> Vec<Family> {
    vec![
        Family::of(
            "public resolvers",
            Guard("shipped"),
            &[
                "1.1.1.1",
                "1.0.0.1",
                "8.8.8.8",
                "8.8.4.4",
                "9.9.9.9",
                "8.8.8.8:53",
                "2606:4700:4700::1111",
                "2001:4860:4860::8888",
            ],
        ),
        Family::of(
            "root servers",
            Guard("shipped"),
            &["198.41.0.4", "193.0.14.129", "199.7.83.42", "2001:7fd::1"],
        ),
        Family::of(
            "what the operator allows",
            Guard("allow"),
            &[
                "198.51.100.200",
                "198.51.100.200:443",
                "2001:db8:a::1",
                "2001:db8:a::/64",
                "2001:db8:a:1::/64",
            ],
        ),
        Family::of(
            "this host's addresses",
            Guard("learned"),
            &["192.0.2.10", "192.0.2.10:22", "192.0.2.10/32"],
        ),
        Family::of(
            "too wide",
            Guard("width"),
            &[
                "198.18.0.0/16",
                "198.18.0.0/15",
                "203.0.112.0/23",
                "2001:db8::/32",
                "2001:db8::/47",
                "64:ff9b::c612:0/112",
                "198.18.0.0/255.254.0.0",
            ],
        ),
    ]
}

fn malformed() -> Vec<Family> {
    vec![
        Family::of(
            "numbers read in two ways",
            Parser,
            &[
                "010.1.1.1",
                "203.0.113.07",
                "0x7f.1.1.1",
                "3405803783",
                "203.0.113",
                "203.0.113.300",
                "203.0.113.1.1",
            ],
        ),
        Family::of(
            "ports out of range",
            Parser,
            &[
                "203.0.113.1:0",
                "203.0.113.1:65536",
                "203.0.113.1:443:443",
                "203.0.113.1:http",
                "203.0.113.1/tcp",
                "[2001:db8::1]:",
                "203.0.113.1:-1",
                "203.0.113.1:",
            ],
        ),
        Family::of(
            "ports that are none",
            Parser,
            &["203.0.113.1,443", "203.0.113.1;443", "203.0.113.1 443"],
        ),
        Family::of(
            "prefixes out of range",
            Parser,
            &[
                "203.0.113.0/33",
                "203.0.113.0/-1",
                "2001:db8::/129",
                "203.0.113.0/24/8",
                "203.0.113.0/255.0.255.0",
            ],
        ),
        Family::of("zones", Parser, &["fe80::1%eth0", "2001:db8::1%1"]),
        Family::of(
            "two things in a row",
            Parser,
            &[
                "203.0.113.1 203.0.113.2",
                "203.0.113.1 evil.example",
                "203.0.113.9-203.0.113.1",
            ],
        ),
        Family::of(
            "names and hashes",
            Parser,
            &[
                "resolver.example",
                "http://router.example/admin",
                "abcdefghij234567.onion",
                "d41d8cd98f00b204e9800998ecf8427e",
                "*.example.net",
            ],
        ),
    ]
}
