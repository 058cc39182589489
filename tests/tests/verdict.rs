//! The verdict on every kind of packet: a table of fixtures, each judged by the loaded program and by
//! the same code on the host, with counters and hits read afterwards.

#[path = "verdict/addresses.rs"]
mod addresses;
#[path = "verdict/fixture.rs"]
mod fixture;
#[path = "verdict/fragments_v4.rs"]
mod fragments_v4;
#[path = "verdict/fragments_v6.rs"]
mod fragments_v6;
#[path = "verdict/ipv4.rs"]
mod ipv4;
#[path = "verdict/ipv6.rs"]
mod ipv6;
#[path = "verdict/link.rs"]
mod link;
#[path = "verdict/never_block.rs"]
mod never_block;
#[path = "verdict/own_network.rs"]
mod own_network;
#[path = "verdict/peers.rs"]
mod peers;
#[path = "verdict/precedence.rs"]
mod precedence;
#[path = "verdict/sides.rs"]
mod sides;
#[path = "verdict/transports.rs"]
mod transports;

use std::{collections::BTreeSet, process::ExitCode};

use fixture::{Group, prove};
use trickblock_common::Reason;
use trickblock_tests::harness::{self, Need, Test};

/// Every topic, its test and its groups of fixtures.
macro_rules! topics {
    ($($name:ident: $groups:expr;)+) => {
        const TESTS: &[Test] = &[
            $(Test { name: stringify!($name), needs: BPF, run: || prove(&$groups()) },)+
            Test { name: "every_reason_is_reached", needs: &[], run: every_reason_is_reached },
            Test { name: "no_fixture_is_told_twice", needs: &[], run: no_fixture_is_told_twice },
        ];

        fn all() -> Vec<Group> {
            [$($groups(),)+].concat()
        }
    };
}

topics! {
    exact_addresses_and_prefixes_v4: addresses::v4;
    exact_addresses_and_prefixes_v6: addresses::v6;
    unlisted_neighbours: addresses::neighbours;
    tags_and_foreign_types: link::groups;
    truncation_at_every_byte: link::truncation;
    ipv4_headers: ipv4::groups;
    ipv6_chains: ipv6::groups;
    fragments_v4: fragments_v4::groups;
    fragments_v6: fragments_v6::groups;
    transports_and_ports: transports::groups;
    never_block: never_block::groups;
    own_network: own_network::groups;
    precedence: precedence::groups;
    both_sides: sides::groups;
    mistakes_of_peers: peers::groups;
}

const BPF: &[Need] = &[Need::Root, Need::Bpf, Need::BpfFs];

fn main() -> ExitCode {
    harness::main(TESTS)
}

fn every_reason_is_reached() {
    let reached: BTreeSet<&str> = all()
        .iter()
        .flat_map(|group| group.cases.iter().map(|case| case.expected.reason))
        .collect();
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(reached, all);
}

/// Two equal descriptions would make a failure ambiguous.
fn no_fixture_is_told_twice() {
    let groups = all();
    assert!(groups.iter().map(|group| group.cases.len()).sum::<usize>() > 1_000);
    for group in &groups {
        let names: BTreeSet<&str> = group.cases.iter().map(|case| case.what.as_str()).collect();
        assert_eq!(names.len(), group.cases.len(), "{}", group.what);
    }
    let names: BTreeSet<&str> = groups.iter().map(|group| group.what.as_str()).collect();
    assert_eq!(names.len(), groups.len());
}
