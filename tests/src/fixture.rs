//! How a fixture is told and proved, and the one table of all of them, topic by topic.
//!
//! The table is proved on the host and in the kernel by the test `verdict`, and on other kernels by
//! the kernel matrix.

mod addresses;
mod directions;
mod embedded;
mod found;
mod fragments_v4;
mod fragments_v6;
mod hooks;
mod ipv4;
mod ipv6;
mod labels;
mod link;
mod malformed;
mod neighbours;
mod never_block;
mod own_network;
mod peers;
mod precedence;
mod sides;
mod transports;
mod tunnels;

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    kernel::{Answer, Directed, Setup, Twins, counted_since},
    packet::Packet,
};

/// An infected host, and the server it calls. Nothing is ever sent to either.
pub const CLIENT: &str = "192.0.2.10";
pub const C2: &str = "203.0.113.7";
pub const CLIENT_6: &str = "2001:db8:1::10";
pub const C2_6: &str = "2001:db8:c2::7";

pub const TO: Option<&str> = Some("destination");
pub const FROM: Option<&str> = Some("source");

/// Fixtures about one question.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    pub name: &'static str,
    pub groups: fn() -> Vec<Group>,
    /// Judges them all on this machine and panics with the list of all that went wrong.
    pub prove: fn(),
}

/// Every topic and its groups of fixtures.
macro_rules! topics {
    ($($name:ident: $groups:expr;)+) => {
        pub const TOPICS: &[Topic] = &[$(Topic {
            name: stringify!($name),
            groups: $groups,
            prove: || prove(&$groups()),
        }),+];
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
    labels_and_sessions: labels::groups;
    addresses_in_addresses: embedded::groups;
    neighbours: neighbours::groups;
    tunnels: tunnels::groups;
    malformed: malformed::groups;
    directions: directions::groups;
    every_hook: hooks::groups;
    found_by_fuzzing: found::groups;
}

/// Every group of every topic.
pub fn all() -> Vec<Group> {
    TOPICS.iter().flat_map(|topic| (topic.groups)()).collect()
}

/// Rules, and packets judged under them.
#[derive(Clone, Debug)]
pub struct Group {
    pub what: String,
    pub setup: Setup,
    pub cases: Vec<Case>,
}

/// One packet and what must be said of it.
#[derive(Clone, Debug)]
pub struct Case {
    pub what: String,
    pub frame: Vec<u8>,
    pub expected: Answer,
    /// How it is counted where the interface has a role.
    pub direction: &'static str,
}

impl Group {
    pub fn new(what: impl Into<String>, rules: &[&str]) -> Self {
        let rules = rules.iter().map(ToString::to_string).collect();
        Self {
            what: what.into(),
            setup: Setup {
                rules,
                ..Setup::default()
            },
            cases: Vec::new(),
        }
    }

    pub fn never(mut self, list: &[&str]) -> Self {
        self.setup.never = list.iter().map(ToString::to_string).collect();
        self
    }

    /// Tunnels that are looked into.
    pub fn tunnels(mut self, kinds: &[&str]) -> Self {
        self.setup.tunnels = kinds.iter().map(ToString::to_string).collect();
        self
    }

    /// NAT64 prefixes besides the well-known one.
    pub fn nat64(mut self, prefixes: &[&str]) -> Self {
        self.setup.nat64 = prefixes.iter().map(ToString::to_string).collect();
        self
    }

    /// `ip` where frames begin at the IP header.
    pub fn link(mut self, link: &str) -> Self {
        self.setup.link = link.to_owned();
        self
    }

    /// Malformed packets are dropped.
    pub fn closed(mut self) -> Self {
        self.setup.closed = true;
        self
    }

    /// At another hook, on an interface with a role.
    pub fn at(mut self, hook: &str, role: &str) -> Self {
        self.setup.hook = hook.to_owned();
        self.setup.role = role.to_owned();
        self
    }

    /// The direction of the last case.
    pub fn going(mut self, direction: &'static str) -> Self {
        if let Some(case) = self.cases.last_mut() {
            case.direction = direction;
        }
        self
    }

    /// The global switch: nothing is dropped.
    pub fn monitor_all(mut self) -> Self {
        self.setup.monitor = true;
        self
    }

    /// A packet and the expected (reason, side, indicator).
    pub fn case(self, what: impl Into<String>, packet: &Packet, expected: Answer) -> Self {
        self.frame(what, packet.build(), expected)
    }

    pub fn frame(mut self, what: impl Into<String>, frame: Vec<u8>, expected: Answer) -> Self {
        self.cases.push(Case {
            what: what.into(),
            frame,
            expected,
            direction: "unknown",
        });
        self
    }

    /// Many cases at once.
    pub fn cases(mut self, cases: impl IntoIterator<Item = (String, Vec<u8>, Answer)>) -> Self {
        let cases = cases.into_iter().map(|(what, frame, expected)| Case {
            what,
            frame,
            expected,
            direction: "unknown",
        });
        self.cases.extend(cases);
        self
    }
}

/// The packet matched `indicator`.
pub fn hit(reason: &'static str, side: Option<&'static str>, indicator: &str) -> Answer {
    Answer {
        reason,
        side,
        indicator: Some(indicator.to_owned()),
        inner: false,
    }
}

/// A listed address, but no indicator acts.
pub fn spared(reason: &'static str, side: Option<&'static str>) -> Answer {
    Answer {
        reason,
        side,
        indicator: None,
        inner: false,
    }
}

/// The same of the packet inside a tunnel.
pub fn inner(answer: Answer) -> Answer {
    Answer {
        inner: true,
        ..answer
    }
}

/// Nothing of the packet is listed.
pub const fn miss() -> Answer {
    Answer::MISS
}

/// From the client to the server.
pub fn out() -> Packet {
    Packet::v4(CLIENT, C2)
}

/// From the server to the client.
pub fn back() -> Packet {
    Packet::v4(C2, CLIENT)
}

pub fn out_6() -> Packet {
    Packet::v6(CLIENT_6, C2_6)
}

pub fn back_6() -> Packet {
    Packet::v6(C2_6, CLIENT_6)
}

/// Judges every case of every group twice and panics with the list of all that went wrong.
pub fn prove(groups: &[Group]) {
    let wrong = wrong(groups);
    assert!(wrong.is_empty(), "{wrong}");
}

/// Judges every case of every group twice; one line for each that went wrong.
pub fn wrong(groups: &[Group]) -> String {
    let mut twins = Twins::load();
    let mut wrong = String::new();
    for group in groups {
        if let Err(error) = twins.set(&group.setup) {
            let _ = writeln!(wrong, "{}: {error:#}", group.what);
            continue;
        }
        prove_group(&mut twins, group, &mut wrong);
    }
    wrong
}

/// Every case by itself; then everything that was counted for all of them.
fn prove_group(twins: &mut Twins, group: &Group, wrong: &mut String) {
    let (before, hits) = (twins.counts(), twins.hits());
    for case in &group.cases {
        if let Err(error) = prove_case(twins, case) {
            let _ = writeln!(wrong, "{}: {}: {error}", group.what, case.what);
        }
    }
    let counted = counted_since(&before, &twins.counts());
    let after = group.cases.iter().fold(hits, hit_by);
    let checks = [
        expect("the counters", &counts_of(&group.cases), &counted),
        expect("the hits", &after, &twins.hits()),
    ];
    for error in checks.into_iter().filter_map(Result::err) {
        let _ = writeln!(wrong, "{}: {error}", group.what);
    }
}

fn prove_case(twins: &mut Twins, case: &Case) -> Result<(), String> {
    let expected = (case.expected.clone(), case.direction);
    let said = twins.program_in_full(&case.frame);
    expect(
        "the program",
        &expected,
        &said.map_err(|error| told(&error))?,
    )?;
    let said = twins.host_in_full(&case.frame);
    expect("the host", &expected, &said.map_err(|error| told(&error))?)
}

fn hit_by(mut hits: BTreeMap<String, u64>, case: &Case) -> BTreeMap<String, u64> {
    let indicator = case.expected.indicator.as_ref();
    if let Some(hits) = indicator.and_then(|name| hits.get_mut(name)) {
        *hits += 1;
    }
    hits
}

fn told(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

fn expect<T: PartialEq + std::fmt::Debug>(who: &str, expected: &T, said: &T) -> Result<(), String> {
    if said == expected {
        return Ok(());
    }
    Err(format!("{who} said {said:?}, not {expected:?}"))
}

/// Every packet with all its bytes; a plain miss is not counted.
fn counts_of(cases: &[Case]) -> Directed {
    let mut counts = Directed::new();
    for case in cases.iter().filter(|case| case.expected.reason != "miss") {
        let key = (case.expected.reason, case.expected.side, case.direction);
        let (packets, bytes) = counts.entry(key).or_default();
        *packets += 1;
        *bytes += u64::try_from(case.frame.len()).unwrap_or(u64::MAX);
    }
    counts
}
