//! Reading entries back from a half: a restarted daemon learns from it which ids are in use.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU16,
};

use ipnet::IpNet;
use trickblock_common::{
    V4,
    table::{Geometry, Record, Scope, layout::WINDOW},
};

use super::{
    Entry,
    slot::{Host, Slot, SlotV4, SlotV6},
};
use crate::indicator::{Indicator, Protocol};

/// All entries of `half`, sorted. Slots that no compiler wrote (impossible prefix lengths) are left
/// out.
pub fn dump(half: &[u64], geometry: &Geometry) -> Vec<Entry> {
    let hosts = slots::<Host>(half, geometry);
    let hosts = hosts.filter_map(|slot| entry(v4(slot.address), Scope::wide(32), slot.record));
    let mut entries: Vec<Entry> = hosts.collect();
    let scoped = slots::<SlotV4>(half, geometry);
    entries.extend(
        scoped.filter_map(|slot| entry(v4(slot.key.prefix()), slot.key.scope(), slot.record)),
    );
    let v6 = slots::<SlotV6>(half, geometry);
    entries.extend(v6.filter_map(|slot| {
        let bits = (u128::from(slot.key.high) << 64) | u128::from(slot.key.low);
        let address = IpAddr::V6(Ipv6Addr::from_bits(bits));
        entry(address, slot.key.scope(), slot.record)
    }));
    entries.sort_unstable_by_key(|entry| entry.indicator);
    entries
}

fn v4(address: V4) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(address.0))
}

fn slots<'a, S: Slot + 'a>(half: &'a [u64], geometry: &Geometry) -> impl Iterator<Item = S> + 'a {
    let table = S::table(geometry);
    let count = (table.count + WINDOW) as usize * S::SLOTS;
    (0..count).filter_map(move |slot| S::read(half, table.at as usize + slot * S::WORDS))
}

fn entry(address: IpAddr, scope: Scope, record: Record) -> Option<Entry> {
    if !record.has(Record::DROP | Record::MONITOR) {
        return None;
    }
    let prefix = IpNet::new(address, u8::try_from(scope.length).ok()?).ok()?;
    let protocol = (scope.protocol != 0).then_some(Protocol(scope.protocol));
    Some(Entry {
        indicator: Indicator {
            prefix,
            protocol,
            port: NonZeroU16::new(scope.port),
        },
        drop: record.has(Record::DROP),
        id: record.indicator(),
    })
}
