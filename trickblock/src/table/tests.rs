//! The compiled table against a model that keeps a plain list.

mod hashing;
mod wide;

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU16};

use ipnet::IpNet;
use proptest::prelude::*;
use trickblock_common::{
    Reason, Transport,
    abi::{NO_INDICATOR, protection},
    table::{Geometry, Room},
};

use super::*;
use crate::indicator::Protocol;

/// Addresses in a space so small that prefixes nest and neighbours collide.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0u32..4, 0u32..512)
            .prop_map(|(high, low)| IpAddr::V4((0xc633_6400 + (high << 20) + low).into())),
        (0u128..3, 0u128..3, 0u128..6).prop_map(|(a, b, c)| {
            IpAddr::V6(((0x2001_0db8 << 96) + (a << 90) + (b << 64) + c).into())
        }),
    ]
}

fn indicator() -> impl Strategy<Value = Indicator> {
    let protocol = prop_oneof![3 => Just(None), 1 => Just(Some(Protocol::TCP)), 1 => Just(Some(Protocol::UDP))];
    let port = prop_oneof![2 => Just(None), 3 => (1u16..4).prop_map(NonZeroU16::new)];
    (
        address(),
        any::<prop::sample::Index>(),
        any::<bool>(),
        protocol,
        port,
    )
        .prop_map(|(address, index, host, protocol, port)| {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let length = if host {
                longest
            } else {
                1 + u8::try_from(index.index(usize::from(longest))).expect("small")
            };
            Indicator::new(
                IpNet::new(address, length).expect("in range"),
                protocol,
                port,
            )
        })
}

fn rules() -> impl Strategy<Value = BTreeMap<Indicator, bool>> {
    prop::collection::btree_map(indicator(), any::<bool>(), 0..40)
}

fn never() -> impl Strategy<Value = Vec<(IpNet, u32)>> {
    let one = (
        address(),
        8u8..=32,
        prop_oneof![Just(protection::OWN), Just(protection::HARD)],
    );
    prop::collection::vec(one, 0..3).prop_map(|list| {
        let list = list.into_iter().map(|(address, length, value)| {
            (
                IpNet::new(address, length).expect("in range").trunc(),
                value,
            )
        });
        list.collect::<BTreeMap<_, _>>().into_iter().collect()
    })
}

fn transport() -> impl Strategy<Value = Transport> {
    prop_oneof![
        (prop_oneof![Just(6u8), Just(17)], 0u16..5)
            .prop_map(|(protocol, port)| Transport::known(protocol, 9, port)),
        prop_oneof![Just(0u8), Just(1), Just(6)]
            .prop_map(|protocol| Transport::unknown(protocol, Reason::NoPorts)),
        Just(Transport::unknown(17, Reason::LaterFragment)),
        Just(Transport::unknown(0, Reason::IncompleteFirstFragment)),
        Just(Transport::unknown(0, Reason::BadVersion)),
    ]
}

fn snapshot(
    rules: &BTreeMap<Indicator, bool>,
    never: &[(IpNet, u32)],
    seed: u64,
) -> (Snapshot, Vec<Entry>) {
    let geometry = Geometry::for_entries(Room::any(500, 500)).expect("in range");
    let plan = Ids::new(1000, &[])
        .plan(
            &[],
            rules.iter().map(|(indicator, drop)| (*indicator, *drop)),
        )
        .expect("room");
    let mut half = vec![u64::MAX; usize::try_from(geometry.half).expect("fits")];
    compile(&plan.entries, seed, &geometry, &mut half).expect("fits");
    (
        Snapshot {
            constants: Constants::default(),
            geometry,
            half,
            never: Never::new(never.to_vec()),
        },
        plan.entries,
    )
}

/// (reason, id) as the documentation defines them, by walking a list.
fn model(
    entries: &[Entry],
    never: &[(IpNet, u32)],
    address: IpAddr,
    transport: Transport,
) -> (Reason, u32) {
    let holding: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.indicator.prefix.contains(&address))
        .collect();
    let missed = (Reason::Miss, NO_INDICATOR);
    if holding.is_empty() {
        return missed;
    }
    if transport.failure() == Reason::BadVersion as u8 {
        return (Reason::BadVersion, NO_INDICATOR);
    }
    let protocol = |entry: &Entry| entry.indicator.protocol.map_or(0, |protocol| protocol.0);
    let port = |entry: &Entry| entry.indicator.port.map_or(0, NonZeroU16::get);
    let applies = |entry: &&&Entry| {
        let port_fits = port(entry) == 0
            || transport.has_ports() && port(entry) == transport.destination_port();
        port_fits && (protocol(entry) == 0 || protocol(entry) == transport.protocol())
    };
    let wide = |entry: &Entry| port(entry) == 0 && protocol(entry) == 0;
    let mut matching: Vec<&&Entry> = holding.iter().filter(applies).collect();
    let matched_wide = matching.iter().any(|entry| wide(entry));
    let shield = never
        .iter()
        .filter(|(prefix, _)| prefix.contains(&address))
        .max_by_key(|(prefix, _)| prefix.prefix_len());
    let shield = shield.map_or(protection::NONE, |(_, value)| *value);
    let matched = !matching.is_empty();
    matching
        .retain(|entry| shield == protection::NONE || shield == protection::OWN && !wide(entry));
    let rank = |entry: &&&Entry| {
        (
            entry.drop,
            entry.indicator.prefix.prefix_len(),
            port(entry) != 0,
            protocol(entry) != 0,
        )
    };
    let hidden_drop = transport.failure() == Reason::IncompleteFirstFragment as u8
        && shield != protection::HARD
        && holding.iter().any(|entry| entry.drop && !wide(entry));
    let best = matching.iter().copied().max_by_key(rank);
    if let Some(best) = best.filter(|best| best.drop || !hidden_drop) {
        let host = best.indicator.prefix.prefix_len() == best.indicator.prefix.max_prefix_len();
        let reason = match (host, wide(best)) {
            (true, true) => Reason::Address,
            (true, false) => Reason::AddressPort,
            (false, true) => Reason::Prefix,
            (false, false) => Reason::PrefixPort,
        };
        let number = if best.drop {
            reason as u8
        } else {
            Reason::monitored(reason as u8)
        };
        return (Reason::from_number(number).expect("a reason"), best.id);
    }
    let narrow: Vec<&&Entry> = holding.iter().filter(|entry| !wide(entry)).collect();
    let unshielded = shield != protection::HARD;
    let reason = if transport.failure() == Reason::IncompleteFirstFragment as u8
        && unshielded
        && !narrow.is_empty()
    {
        if narrow.iter().any(|entry| entry.drop) {
            Reason::IncompleteFirstFragment
        } else {
            Reason::MonitorIncompleteFirstFragment
        }
    } else if shield == protection::HARD && matched {
        Reason::NeverBlock
    } else if shield == protection::OWN && matched_wide {
        Reason::OwnNetwork
    } else if unshielded && !narrow.is_empty() {
        Reason::from_number(transport.failure()).expect("a reason")
    } else {
        Reason::Miss
    };
    (reason, NO_INDICATOR)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_table_answers_like_a_list(rules in rules(), never in never(), seed: u64, asked in prop::collection::vec((address(), transport()), 20)) {
        let (snapshot, entries) = snapshot(&rules, &never, seed);
        for (address, transport) in asked {
            let outcome = snapshot.judge_destination(address, transport);
            let reason = Reason::from_number(outcome.reason()).expect("a reason");
            prop_assert_eq!((reason, outcome.indicator()), model(&entries, &never, address, transport), "{} {:?} {:#?}", address, transport, entries);
        }
    }

    #[test]
    fn a_dump_gives_back_what_was_compiled(rules in rules(), seed: u64) {
        let (snapshot, entries) = snapshot(&rules, &[], seed);
        prop_assert_eq!(dump(&snapshot.half, &snapshot.geometry), entries);
    }

    /// There and back: what was taken out leaves no trace but marks.
    #[test]
    fn changes_in_place_give_what_a_compilation_gives(one in rules(), other in rules(), never in never(), seed: u64, asked in prop::collection::vec((address(), transport()), 20)) {
        let (mut snapshot, first) = snapshot(&one, &never, seed);
        let mut ids = Ids::new(1000, &first);
        let mut live = first;
        for rules in [&other, &one, &other] {
            let plan = ids.plan(&live, rules.iter().map(|(indicator, drop)| (*indicator, *drop))).expect("room");
            let geometry = snapshot.geometry;
            let half = snapshot.half.as_mut_slice();
            let changes: Vec<_> = changes(&live, &plan.entries).collect();
            let cleared = apply(&changes, &mut &mut *half, &geometry).expect("room");
            prop_assert_eq!(dump(half, &geometry), plan.entries.clone());
            // An address keeps its slot where a port of it takes its place, but not its counter.
            prop_assert_eq!(changes.iter().any(Change::retires), !plan.retired.is_empty());
            prop_assert!(cleared.is_empty() || !plan.retired.is_empty());
            cleared.wipe(&mut &mut *half);
            ids.commit(&plan);
            live = plan.entries;
            let needed = needed_entries(live.iter().map(|entry| &entry.indicator));
            prop_assert_eq!(&half[5..8], &[needed.hosts, needed.v4, needed.v6]);
            prop_assert_eq!(dump(half, &geometry), live.clone());
            for (address, transport) in &asked {
                let outcome = snapshot.judge_destination(*address, *transport);
                let reason = Reason::from_number(outcome.reason()).expect("a reason");
                prop_assert_eq!((reason, outcome.indicator()), model(&live, &never, *address, *transport), "{} {:?} {:#?}", address, transport, live);
            }
        }
    }

    #[test]
    fn images_are_reproducible(rules in rules(), seed: u64) {
        prop_assert_eq!(snapshot(&rules, &[], seed).0.half, snapshot(&rules, &[], seed).0.half);
    }
}

fn hosts(count: u32) -> Vec<Entry> {
    // An odd multiplier scatters the addresses without repeating one.
    let mut entries: Vec<Entry> = (0..count)
        .map(|id| Entry {
            indicator: Indicator::host(IpAddr::V4(id.wrapping_mul(2_654_435_761).into())),
            drop: true,
            id,
        })
        .collect();
    entries.sort_by_key(|entry| entry.indicator);
    entries
}

#[test]
fn a_full_table_is_an_error_and_one_below_is_not() {
    let geometry = Geometry::for_entries(Room::any(100_000, 0)).expect("in range");
    let capacity = geometry.capacity().hosts;
    let mut half = vec![0; usize::try_from(geometry.half).expect("fits")];
    let fits = hosts(u32::try_from(capacity).expect("small"));
    compile(&fits, 7, &geometry, &mut half).expect("filled to the promised capacity");
    assert_eq!(dump(&half, &geometry), fits);
    let error = compile(
        &hosts(u32::try_from(capacity + 1).expect("small")),
        7,
        &geometry,
        &mut half,
    );
    let message = error.expect_err("one too many").to_string();
    assert!(
        message.contains("IPv4 address") && message.contains("100000"),
        "{message}"
    );
}

#[test]
fn ports_take_one_more_entry_per_prefix() {
    let ports = |port| {
        Indicator::new(
            "192.0.2.1/32".parse().expect("a prefix"),
            None,
            NonZeroU16::new(port),
        )
    };
    let host = Indicator::host("192.0.2.1".parse().expect("an address"));
    let taken = |hosts, v4| Room {
        hosts,
        v4,
        marks: 1,
        ..Room::default()
    };
    assert_eq!(needed_entries(&[ports(1)]), taken(1, 1));
    assert_eq!(needed_entries(&[host, ports(1), ports(2)]), taken(1, 2));
    let prefix = |text: &str| Indicator::new(text.parse().expect("a prefix"), None, None);
    let wide = [
        prefix("198.18.0.0/15"),
        prefix("203.0.113.0/25"),
        prefix("2001:db8::/32"),
    ];
    let needed = needed_entries(&wide);
    assert_eq!((needed.covered, needed.marks), (512 + 1, 128 + 2));
}

/// What finds no slot of its own goes to the other table, is found there, and leaves it again.
#[test]
fn addresses_spill_over_and_come_back() {
    let geometry = Geometry::for_entries(Room::any(100_000, 0)).expect("in range");
    let all = hosts(100_000);
    let (mut before, mut half) = (Vec::new(), vec![0; geometry.half as usize]);
    compile(&before, 7, &geometry, &mut half).expect("nothing");
    for count in [45_000, 60_000, 100_000, 30_000, 100_000, 0] {
        let mut after = all.clone();
        after.retain(|entry| entry.id < count);
        let cleared = apply(
            &changes(&before, &after).collect::<Vec<_>>(),
            &mut half.as_mut_slice(),
            &geometry,
        );
        cleared.expect("room").wipe(&mut half.as_mut_slice());
        assert_eq!(dump(&half, &geometry), after);
        let spilled = half[usize::try_from(geometry.at_v4).expect("fits")..].iter();
        let spilled = spilled.filter(|word| **word != 0).count();
        assert_eq!(spilled > 0, count == 100_000, "{count}: {spilled}");
        let snapshot = Snapshot {
            constants: Constants::default(),
            geometry,
            half: half.clone(),
            never: Never::new(Vec::new()),
        };
        for entry in &all {
            let address = entry.indicator.prefix.network();
            let outcome =
                snapshot.judge_destination(address, Transport::unknown(1, Reason::NoPorts));
            let expected = if entry.id < count {
                entry.id
            } else {
                NO_INDICATOR
            };
            assert_eq!(outcome.indicator(), expected, "{address}");
        }
        before = after;
    }
}
