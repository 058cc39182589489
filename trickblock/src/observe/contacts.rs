//! Who had contact with a C2 server: one record per client, far end and indicator.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use trickblock_common::{
    Direction, Reason, Side,
    abi::{Event, NO_INDICATOR, event},
};

use super::{
    containers::{Container, Containers, Following},
    status::EventStatus,
};
use crate::indicator::Protocol;

/// Records that are kept; what exceeds them is counted only.
const MAX_RECORDS: usize = 16_384;

/// A packet between a client and a listed far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighted {
    pub client: IpAddr,
    pub client_port: u16,
    pub far: IpAddr,
    pub far_port: u16,
    pub protocol: u8,
    pub reason: Reason,
    pub direction: Direction,
    /// The client is the sender.
    pub sends: bool,
    /// Seen on its way out of the interface.
    pub egress: bool,
    pub indicator: u32,
    pub interface: u32,
    pub at: Timestamp,
}

impl Sighted {
    /// `None` where no indicator acted: nothing matched, or a guard protects what did.
    pub fn of(event: &Event, at: Timestamp) -> Option<Self> {
        if !Reason::acts(event.reason) {
            return None;
        }
        let direction = Direction::ALL.get(usize::from(event.direction));
        let source = (address(event, event.source), event.source_port);
        let destination = (address(event, event.destination), event.destination_port);
        let sends = event.side != Side::Source as u8;
        let (client, far) = if sends {
            (source, destination)
        } else {
            (destination, source)
        };
        Some(Self {
            client: client.0,
            client_port: client.1,
            far: far.0,
            far_port: far.1,
            protocol: event.protocol,
            reason: Reason::from_number(event.reason)?,
            direction: direction.copied().unwrap_or(Direction::Unknown),
            sends,
            egress: event.flags & event::EGRESS != 0,
            indicator: event.indicator,
            interface: event.interface,
            at,
        })
    }

    /// The container at either end, the client first.
    pub fn holder(&self, containers: &Containers, at: Timestamp) -> Option<Arc<Container>> {
        let client = containers.at(self.client, at);
        client.or_else(|| containers.at(self.far, at))
    }

    /// `drop 10.0.0.5:40000 -> 203.0.113.7:447 tcp`, as the packet went.
    pub fn flow(&self) -> String {
        let client = end(self.client, self.client_port);
        let far = end(self.far, self.far_port);
        let (from, to) = if self.sends {
            (client, far)
        } else {
            (far, client)
        };
        let verdict = self.reason.verdict().name();
        format!("{verdict} {from} -> {to} {}", Protocol(self.protocol))
    }
}

fn address(event: &Event, bytes: [u8; 16]) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    match event.version {
        4 => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(bytes)),
    }
}

fn end(address: IpAddr, port: u16) -> String {
    match (address, port) {
        (address, 0) => address.to_string(),
        (address, port) => SocketAddr::new(address, port).to_string(),
    }
}

/// What the filter knows of an indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub indicator: String,
    pub family: Option<String>,
    pub feeds: Vec<String>,
}

#[derive(Clone, Debug)]
struct Record {
    last: Sighted,
    first: Timestamp,
    packets: u64,
    /// Filled in by [`Recorder::name_indicators`]: to look it up takes the filter's lock.
    named: Option<Arc<Named>>,
    interface: Option<String>,
    container: Option<Arc<Container>>,
}

/// Client, far end, indicator; the container's id, since an address may pass from one to the next; and the numbers
/// of direction and reason: whoever can send from the far end's address must not be able to hide that it was called.
type Key = (IpAddr, IpAddr, u32, Option<String>, [u8; 2]);

/// Every contact since it was made.
#[derive(Clone, Debug)]
pub struct Recorder {
    since: Timestamp,
    records: BTreeMap<Key, Record>,
    unrecorded: u64,
}

impl Recorder {
    pub fn new(since: Timestamp) -> Self {
        Self {
            since,
            records: BTreeMap::new(),
            unrecorded: 0,
        }
    }

    /// Takes note of a packet; true where it begins a record.
    pub fn record(&mut self, sighted: Sighted, container: Option<Arc<Container>>) -> bool {
        self.merge(Record {
            last: sighted,
            first: sighted.at,
            packets: 1,
            named: None,
            interface: None,
            container,
        })
    }

    fn merge(&mut self, record: Record) -> bool {
        let full = self.records.len() >= MAX_RECORDS;
        match self.records.entry(record.key()) {
            Entry::Occupied(mut known) => known.get_mut().absorb(record),
            Entry::Vacant(_) if full => {
                self.unrecorded = self.unrecorded.saturating_add(record.packets);
            }
            Entry::Vacant(place) => {
                place.insert(record);
                return true;
            }
        }
        false
    }

    /// Indicators that are to be named.
    pub fn unnamed(&self) -> BTreeSet<u32> {
        let records = self.records.values();
        records
            .filter(|record| record.named.is_none() && record.last.indicator != NO_INDICATOR)
            .map(|record| record.last.indicator)
            .collect()
    }

    /// Names indicators and interfaces. To be done soon: numbers of both are given away again.
    pub fn name(
        &mut self,
        indicators: &BTreeMap<u32, Arc<Named>>,
        interfaces: &BTreeMap<u32, String>,
    ) {
        for record in self.records.values_mut() {
            if record.named.is_none() {
                record.named = indicators.get(&record.last.indicator).cloned();
            }
            if let Some(name) = interfaces.get(&record.last.interface) {
                record.interface = Some(name.clone());
            }
        }
    }

    /// Names clients whose container was not known yet when their packets came.
    pub fn name_containers(&mut self, containers: &Containers) {
        let nameless = |record: &Record| {
            let Sighted { at, .. } = record.last;
            let holder = |at| record.last.holder(containers, at);
            let holder = holder(record.first).or_else(|| holder(at));
            holder.filter(|_| record.container.is_none())
        };
        let found = self.records.iter();
        let found: Vec<_> = found
            .filter_map(|(key, record)| Some((key.clone(), nameless(record)?)))
            .collect();
        for (key, container) in found {
            if let Some(mut record) = self.records.remove(&key) {
                record.container = Some(container);
                self.merge(record);
            }
        }
    }

    /// What was seen at `since` or later, latest first.
    pub fn report(
        &self,
        since: Option<Timestamp>,
        events: EventStatus,
        containers: &Containers,
    ) -> Contacts {
        let recent = |record: &&Record| since.is_none_or(|since| record.last.at >= since);
        let mut records: Vec<&Record> = self.records.values().filter(recent).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.last.at));
        Contacts {
            schema: super::status::SCHEMA,
            since: since
                .map_or(self.since, |since| since.max(self.since))
                .to_string(),
            contacts: records.into_iter().map(Contact::from).collect(),
            unrecorded: self.unrecorded,
            events,
            containers: containers.following.clone(),
        }
    }
}

impl Record {
    fn key(&self) -> Key {
        let container = self
            .container
            .as_ref()
            .map(|container| container.id.clone());
        let Sighted {
            client,
            far,
            indicator,
            direction,
            reason,
            ..
        } = self.last;
        let what = [direction as u8, reason as u8];
        (client, far, indicator, container, what)
    }

    fn absorb(&mut self, other: Self) {
        self.packets = self.packets.saturating_add(other.packets);
        self.first = self.first.min(other.first);
        if other.last.at >= self.last.at {
            self.last = other.last;
            self.interface = other.interface.or(self.interface.take());
            // It may have another name by now.
            self.container = other.container.or(self.container.take());
        }
        self.named = self.named.take().or(other.named);
    }
}

/// The answer to `contacts`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contacts {
    pub schema: u32,
    /// What was before is not known.
    pub since: String,
    /// Latest first.
    pub contacts: Vec<Contact>,
    /// Packets of further clients and servers, for which there was no room.
    pub unrecorded: u64,
    /// Since the daemon started. Packets behind lost events are missing above.
    pub events: EventStatus,
    /// Whether containers can be named.
    pub containers: Following,
}

/// A client and a listed far end, with one direction and reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Contact {
    pub client: String,
    /// The client, or else the listed end, where the engine knew it as a container at that time.
    pub container: Option<Container>,
    /// The listed end.
    pub address: String,
    /// Of the latest packet, like all that follows; 0 where there is none.
    pub port: u16,
    pub protocol: String,
    pub indicator: Option<String>,
    pub family: Option<String>,
    pub feeds: Vec<String>,
    /// `out`, `reply`, `unsolicited`, `hosted` (the listed end is on the inside) or `unknown`.
    pub direction: String,
    pub verdict: String,
    pub reason: String,
    pub interface: String,
    pub first: String,
    pub last: String,
    /// Packets that were reported.
    pub packets: u64,
}

impl From<&Record> for Contact {
    fn from(record: &Record) -> Self {
        let Record { last, named, .. } = record;
        let number = || format!("interface {}", last.interface);
        Self {
            client: last.client.to_string(),
            container: record.container.as_deref().cloned(),
            address: last.far.to_string(),
            port: last.far_port,
            protocol: Protocol(last.protocol).to_string(),
            indicator: named.as_ref().map(|named| named.indicator.clone()),
            family: named.as_ref().and_then(|named| named.family.clone()),
            feeds: named
                .as_ref()
                .map(|named| named.feeds.clone())
                .unwrap_or_default(),
            direction: last.direction.name().to_owned(),
            verdict: last.reason.verdict().name().to_owned(),
            reason: last.reason.name().to_owned(),
            interface: record.interface.clone().unwrap_or_else(number),
            first: record.first.to_string(),
            last: last.at.to_string(),
            packets: record.packets,
        }
    }
}

#[cfg(test)]
mod tests;
