//! What must hold, told by lists alone.

use std::net::IpAddr;

use ipnet::IpNet;
use trickblock::{
    indicator::Indicator,
    policy::{Action, Guard, Lists, Protection, RuleSet, is_wide},
    table::{Constants, Entry, Never, Snapshot, compile, needed_entries},
};
use trickblock_common::{Reason, Transport, table::Geometry};
use trickblock_tests::random::Random;

use super::draw::{PORT, forms, inside};

/// As every list is read: an IPv4-mapped prefix is the IPv4 one.
fn plain(prefix: IpNet) -> IpNet {
    Indicator::new(prefix, None, None).prefix
}

/// Prefixes in which nothing drops, and whether exceptions count for them.
fn hard(lists: &Lists) -> Vec<(IpNet, bool)> {
    let compiled = Guard::compiled_in()
        .protected()
        .into_iter()
        .map(|(net, _)| (net, false));
    let allowed = lists.allow.iter().map(|net| (plain(*net), false));
    let learned = lists.surroundings.learned.iter();
    let learned = learned.map(|learned| (plain(learned.prefix), true));
    let shipped = ["9.9.9.9/32", "192.5.5.241/32", "2620:fe::fe/128"];
    let shipped = shipped.iter().filter(|_| lists.shipped);
    let shipped = shipped.map(|text| (text.parse().expect("a prefix"), true));
    compiled
        .chain(allowed)
        .chain(learned)
        .chain(shipped)
        .collect()
}

fn own(lists: &Lists) -> Vec<(IpNet, bool)> {
    let configured = lists.own.iter().map(|net| (plain(*net), false));
    let connected = lists.surroundings.connected.iter();
    configured
        .chain(connected.map(|net| (plain(*net), true)))
        .collect()
}

/// Whether all of `prefix` is in one of these.
fn is_in(prefix: IpNet, list: &[(IpNet, bool)], lists: &Lists) -> bool {
    let touched = |except: &IpNet| {
        let except = plain(*except);
        except.contains(&prefix) || prefix.contains(&except)
    };
    list.iter().any(|(net, liftable)| {
        net.contains(&prefix) && !(*liftable && lists.except.iter().any(touched))
    })
}

/// The IPv4 prefix inside of an IPv6 one.
fn embedded(prefix: IpNet) -> Option<IpNet> {
    let IpNet::V6(v6) = prefix else {
        return None;
    };
    let (bits, length) = (v6.network().to_bits(), v6.prefix_len());
    let (inner, before) = match (bits >> 112, bits >> 32) {
        (0x2002, _) => (bits >> 80, 16),
        (_, 0x64_ff9b_0000_0000_0000_0000) => (bits, 96),
        _ => return None,
    };
    let address = std::net::Ipv4Addr::from_bits((inner & 0xffff_ffff) as u32);
    let length = length.checked_sub(before)?.min(32);
    Some(IpNet::new(address.into(), length).ok()?.trunc())
}

/// No rule that drops lies in something protected, in either form, nor is it wider than its feed may list.
pub fn rules(lists: &Lists, set: &RuleSet, wide: bool) {
    let (hard, own) = (hard(lists), own(lists));
    for rule in set.rules.iter().filter(|rule| rule.action == Action::Drop) {
        let prefix = rule.indicator.prefix;
        let every_form = [Some(prefix), embedded(prefix)];
        for form in every_form.into_iter().flatten() {
            let told = || format!("{} with {lists:#?}", rule.indicator);
            assert!(!is_in(form, &hard, lists), "{}", told());
            let all_ports = rule.indicator.port.is_none();
            assert!(!(all_ports && is_in(form, &own, lists)), "{}", told());
        }
        assert!(wide || !is_wide(&prefix), "{prefix}");
    }
}

/// Some addresses that are protected so.
fn addresses(list: &[(IpNet, bool)], lists: &Lists, random: &mut Random) -> Vec<IpAddr> {
    let drawn = list.iter().map(|(net, _)| inside(*net, random));
    let drawn: Vec<IpAddr> = drawn.collect();
    let really = |address: &IpAddr| is_in(IpNet::from(*address), list, lists);
    drawn.into_iter().filter(really).collect()
}

/// The never-block list, of which the longest prefix decides, says what the lists say.
pub fn list(lists: &Lists, protected: &[(IpNet, Protection)], random: &mut Random) {
    let (hard, own) = (hard(lists), own(lists));
    for address in addresses(&hard, lists, random) {
        assert_eq!(
            looked_up(protected, address),
            Some(Protection::Hard),
            "{address} {lists:#?}"
        );
    }
    for address in addresses(&own, lists, random) {
        assert!(
            looked_up(protected, address).is_some(),
            "{address} {lists:#?}"
        );
    }
}

fn looked_up(protected: &[(IpNet, Protection)], address: IpAddr) -> Option<Protection> {
    let around = protected.iter().filter(|(net, _)| net.contains(&address));
    let longest = around.max_by_key(|(net, _)| net.prefix_len());
    longest.map(|(_, protection)| *protection)
}

/// The compiled table with the never-block list, asked as the programs ask it.
pub fn table(lists: &Lists, set: &RuleSet, never: Vec<(IpNet, u32)>, random: &mut Random) {
    let snapshot = compiled(set, never);
    let (hard, own) = (hard(lists), own(lists));
    for address in addresses(&hard, lists, random) {
        for form in every_form(address) {
            for outcome in judged(&snapshot, form) {
                assert!(
                    !outcome.drops(),
                    "{form} ({address}): {outcome:?} {set:#?} {lists:#?}"
                );
            }
        }
    }
    // What is listed of an IPv4 address inside of one's own IPv6 network may drop: that server is not one's own.
    let alone = |address: &IpAddr| embedded(IpNet::from(*address)).is_none();
    for address in addresses(&own, lists, random).into_iter().filter(alone) {
        for outcome in judged(&snapshot, address) {
            let narrow = [Reason::AddressPort, Reason::PrefixPort].map(|reason| reason as u8);
            let fine = !outcome.drops() || narrow.contains(&outcome.reason());
            assert!(fine, "{address}: {outcome:?} {set:#?} {lists:#?}");
        }
    }
}

fn judged(snapshot: &Snapshot, address: IpAddr) -> [trickblock_common::Outcome; 3] {
    [
        Transport::known(6, 40_000, PORT),
        Transport::known(17, 40_000, 53),
        Transport::unknown(47, Reason::NoPorts),
    ]
    .map(|transport| snapshot.judge_destination(address, transport))
}

/// The address, and IPv6 ones that a packet may have in its place.
fn every_form(address: IpAddr) -> Vec<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let [_mapped, nat64, six_to_four] = forms(v4).map(|(form, _)| IpAddr::V6(form));
            vec![address, nat64, six_to_four]
        }
        IpAddr::V6(_) => vec![address],
    }
}

fn compiled(set: &RuleSet, never: Vec<(IpNet, u32)>) -> Snapshot {
    let entries = (0..).zip(&set.rules).map(|(id, rule)| Entry {
        indicator: rule.indicator,
        drop: rule.action == Action::Drop,
        id,
    });
    let entries: Vec<Entry> = entries.collect();
    let room = needed_entries(entries.iter().map(|entry| &entry.indicator));
    let geometry = Geometry::for_entries(room).expect("a small table");
    let mut half = vec![0; geometry.half as usize];
    compile(&entries, 7, &geometry, &mut half).expect("room enough");
    Snapshot {
        geometry,
        constants: Constants::default(),
        half,
        never: Never::new(never),
    }
}
