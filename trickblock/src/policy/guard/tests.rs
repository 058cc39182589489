//! The guard against whatever a feed may contain.

use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn indicator(text: &str) -> Indicator {
    text.parse().unwrap()
}

fn with(allow: Vec<IpNet>, own: Vec<IpNet>) -> Guard {
    Guard::new(Lists {
        allow,
        own,
        ..Lists::default()
    })
}

fn guard_of(guard: &Guard, text: &str) -> Option<&'static str> {
    guard.refuse(&indicator(text)).map(|refusal| refusal.guard)
}

#[test]
fn special_space_is_refused_inside_and_around() {
    let guard = Guard::compiled_in();
    for text in [
        "0.0.0.0",
        "10.0.0.1",
        "10.0.0.1:443",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1:447/tcp",
        "169.254.169.254",
        "172.16.0.0/12",
        "172.31.0.0/16",
        "192.0.0.8",
        "192.168.1.0/24",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "0.0.0.0/0",
        "8.0.0.0/5",
        "192.0.0.0/16",
        "224.0.0.0/3",
        "172.0.0.0/8",
        "::",
        "::1",
        "[::1]:443",
        "fd00::1",
        "fe80::1",
        "febf::1",
        "ff02::1",
        "::/0",
        "fe00::/7",
        "::/64",
        "::ffff:10.0.0.1",
        "::ffff:0:0/96",
        "::ffff:10.0.0.0/104",
    ] {
        assert_eq!(guard_of(&guard, text), Some("compiled_in"), "{text}");
    }
}

#[test]
fn public_and_documentation_space_is_not() {
    let guard = Guard::compiled_in();
    for text in [
        "192.0.2.1",
        "198.51.100.0/24",
        "203.0.113.7:443",
        "198.18.0.0/15",
        "2001:db8::/32",
        "192.0.1.0/24",
        "100.63.255.255",
        "100.128.0.0",
        "172.15.255.255",
        "172.32.0.0/16",
        "223.255.255.255",
        "1.0.0.0/8",
        "::2",
        "fec0::1",
        "::ffff:192.0.2.1",
    ] {
        assert_eq!(guard_of(&guard, text), None, "{text}");
    }
}

#[test]
fn ipv4_inside_ipv6_counts_as_ipv4() {
    let guard = with(vec![net("198.51.100.0/24")], Vec::new());
    for (text, expected) in [
        ("64:ff9b::10.0.0.1", Some("compiled_in")),
        ("64:ff9b::/96", Some("compiled_in")),
        ("64:ff9b::/64", Some("compiled_in")),
        ("2002:a00:1::/48", Some("compiled_in")),
        ("2002:a00:1::1", Some("compiled_in")),
        ("2002::/16", Some("compiled_in")),
        ("2000::/3", Some("compiled_in")),
        ("::ffc0:0:0/90", Some("compiled_in")),
        ("64:ff9b::198.51.100.7", Some("allow")),
        ("64:ff9b::192.0.2.1", None),
        ("2002:c000:201::/48", None),
    ] {
        assert_eq!(guard_of(&guard, text), expected, "{text}");
    }
    let refusal = guard.refuse(&indicator("64:ff9b::a00:1")).unwrap();
    assert!(
        refusal.reason.contains("stands for 10.0.0.1/32"),
        "{}",
        refusal.reason
    );
}

#[test]
fn allowed_space_is_refused_inside_and_a_hole_around() {
    let guard = with(
        vec![net("198.51.100.64/26"), net("::ffff:203.0.113.9/128")],
        Vec::new(),
    );
    assert_eq!(guard_of(&guard, "198.51.100.70:443"), Some("allow"));
    assert_eq!(guard_of(&guard, "203.0.113.9"), Some("allow"));
    assert_eq!(guard_of(&guard, "198.51.100.0/24"), None);
    assert_eq!(guard_of(&guard, "198.51.100.1"), None);
}

#[test]
fn own_space_loses_single_services_only() {
    let guard = with(Vec::new(), vec![net("198.51.100.0/24"), net("10.0.0.0/8")]);
    let softened = |text: &str| {
        assert_eq!(guard_of(&guard, text), None, "{text}");
        guard.soften(&indicator(text)).map(|refusal| refusal.guard)
    };
    assert_eq!(softened("198.51.100.7"), Some("own_network"));
    assert_eq!(softened("198.51.100.0/25"), Some("own_network"));
    assert_eq!(softened("64:ff9b::198.51.100.7"), Some("own_network"));
    assert_eq!(softened("198.51.100.7:443"), None);
    assert_eq!(softened("198.51.0.0/16"), None);
    // A port on all of it is no single service, and around it the kernel leaves no hole for one.
    for text in ["198.51.100.0/25:443", "198.51.0.0/16:443/tcp"] {
        assert_eq!(softened(text), Some("own_network"), "{text}");
    }
    assert_eq!(softened("203.0.113.7"), None);
    assert_eq!(guard_of(&guard, "10.0.0.1:443"), Some("compiled_in"));
}

fn surrounded(except: &[&str]) -> Guard {
    let learned = |prefix: &str, why: &str| Learned {
        prefix: net(prefix),
        why: why.to_owned(),
    };
    Guard::new(Lists {
        except: except.iter().map(|text| net(text)).collect(),
        shipped: true,
        surroundings: Surroundings {
            learned: vec![
                learned(
                    "203.0.113.1/32",
                    "203.0.113.1 is this host's default gateway",
                ),
                learned("10.0.0.1/32", "10.0.0.1 is a resolver"),
                learned("2001:db8::53/128", "2001:db8::53 is a resolver"),
            ],
            connected: vec![net("198.51.100.0/24")],
        },
        ..Lists::default()
    })
}

#[test]
fn what_is_learned_and_shipped_is_named() {
    let guard = surrounded(&[]);
    let refusal = guard.refuse(&indicator("203.0.113.1:443")).unwrap();
    assert_eq!(refusal.guard, "learned");
    assert_eq!(
        refusal.reason,
        "203.0.113.1/32 is protected: 203.0.113.1 is this host's default gateway; to block it all the same, \
         write `except = [\"203.0.113.1/32\"]` in [guard]"
    );
    assert_eq!(guard_of(&guard, "64:ff9b::203.0.113.1"), Some("learned"));
    assert_eq!(guard_of(&guard, "2002:cb00:7101::/48"), Some("learned"));
    assert_eq!(guard_of(&guard, "2001:db8::53"), Some("learned"));
    assert_eq!(guard_of(&guard, "9.9.9.9"), Some("shipped"));
    assert_eq!(guard_of(&guard, "2620:fe::fe"), Some("shipped"));
    // What contains one is kept, with a hole.
    assert_eq!(guard_of(&guard, "203.0.113.0/24"), None);
    assert_eq!(guard_of(&guard, "9.9.9.0/24"), None);
    let hole = (net("203.0.113.1/32"), Protection::Hard);
    assert!(guard.protected().contains(&hole));
    assert_eq!(
        guard.name_of(&net("9.9.9.9/32")).unwrap(),
        "9.9.9.9 is Quad9's public resolver"
    );
    assert_eq!(guard.name_of(&net("203.0.113.9/32")), None);
    // 10.0.0.1 is compiled in anyway.
    let counts = guard.counts();
    assert_eq!((counts.learned, counts.shipped, counts.own), (2, 42, 1));
    assert!(guard.soften(&indicator("198.51.100.9")).is_some());
}

#[test]
fn exceptions_lift_what_is_learned_shipped_or_connected_and_nothing_else() {
    let guard = surrounded(&[
        "203.0.113.0/24",
        "9.9.9.9/32",
        "198.51.100.9/32",
        "10.0.0.0/8",
    ]);
    for text in ["203.0.113.1", "9.9.9.9", "198.51.100.9"] {
        assert_eq!(guard_of(&guard, text), None, "{text}");
        assert_eq!(guard.soften(&indicator(text)), None, "{text}");
    }
    assert_eq!(guard_of(&guard, "10.0.0.1"), Some("compiled_in"));
    assert_eq!(guard_of(&guard, "149.112.112.112"), Some("shipped"));
    assert!(guard.soften(&indicator("198.51.100.8")).is_some());
}

#[test]
fn a_guard_moves_only_to_other_surroundings() {
    let guard = surrounded(&[]);
    assert!(guard.moved(&guard.lists().surroundings.clone()).is_none());
    let moved = guard.moved(&Surroundings::default()).unwrap();
    assert_eq!(guard_of(&moved, "203.0.113.1"), None);
    assert_eq!(guard_of(&moved, "9.9.9.9"), Some("shipped"));
}

#[test]
fn own_prefixes_never_weaken_hard_ones_in_the_kernel() {
    let guard = with(
        vec![
            net("198.51.100.0/24"),
            net("198.51.100.7/32"),
            net("203.0.113.5/32"),
        ],
        vec![
            net("10.1.0.0/16"),
            net("198.51.100.128/25"),
            net("203.0.113.0/24"),
            net("198.51.100.0/24"),
        ],
    );
    let protected = guard.protected();
    let of = |text: &str| {
        let found = protected.iter().find(|(prefix, _)| *prefix == net(text));
        found.map(|(_, protection)| *protection)
    };
    assert_eq!(of("10.0.0.0/8"), Some(Protection::Hard));
    assert_eq!(of("10.1.0.0/16"), None);
    assert_eq!(of("198.51.100.0/24"), Some(Protection::Hard));
    assert_eq!(of("198.51.100.7/32"), None);
    assert_eq!(of("198.51.100.128/25"), None);
    assert_eq!(of("203.0.113.0/24"), Some(Protection::Own));
    assert_eq!(of("203.0.113.5/32"), Some(Protection::Hard));
    assert_eq!(protected.len(), COMPILED_IN.len() + 3);
    assert!(protected.is_sorted());
}

fn any_prefix() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 0_u8..=32)
        .prop_map(|(bits, length)| IpNet::new(Ipv4Addr::from(bits).into(), length).unwrap());
    let special = prop::sample::select(vec![
        0_u128,
        1,
        0xffff_0000_0000,
        0x64_ff9b << 96,
        0x2002 << 112,
        0xfe80 << 112,
        0x2001_0db8 << 96,
    ]);
    let v6 =
        (special, any::<u64>(), any::<u8>(), 0_u8..=128).prop_map(|(high, low, shift, length)| {
            let bits = high ^ u128::from(low) << (shift % 64);
            IpNet::new(Ipv6Addr::from(bits).into(), length).unwrap()
        });
    prop_oneof![v4, v6]
}

/// Longest prefix first, as the kernel looks it up.
fn looked_up(protected: &[(IpNet, Protection)], address: IpAddr) -> Option<Protection> {
    let around = protected
        .iter()
        .filter(|(prefix, _)| prefix.contains(&address));
    around
        .max_by_key(|(prefix, _)| prefix.prefix_len())
        .map(|(_, protection)| *protection)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Promise 3: whatever a feed says, nothing that it may enforce touches special space.
    #[test]
    fn nothing_kept_overlaps_special_space(prefix in any_prefix()) {
        let kept = Indicator::new(prefix, None, None);
        if Guard::compiled_in().refuse(&kept).is_none() {
            for range in COMPILED_IN {
                prop_assert!(!range.contains(&kept.prefix) && !kept.prefix.contains(&range));
            }
        }
    }

    #[test]
    fn the_kernel_table_says_what_the_lists_say(
        allow in prop::collection::vec(any_prefix(), 0..6),
        own in prop::collection::vec(any_prefix(), 0..6),
        asked in any_prefix(),
    ) {
        let guard = with(allow.clone(), own.clone());
        let address = canonical(asked).network();
        let holds = |prefixes: &[IpNet]| {
            prefixes.iter().any(|prefix| canonical(*prefix).contains(&address))
        };
        let expected = if holds(&COMPILED_IN) || holds(&allow) {
            Some(Protection::Hard)
        } else {
            holds(&own).then_some(Protection::Own)
        };
        prop_assert_eq!(looked_up(&guard.protected(), address), expected);
    }
}
