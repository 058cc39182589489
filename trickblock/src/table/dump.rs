//! Reading entries back from a half: a restarted daemon learns from it which ids are in use.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    num::NonZeroU16,
};

use ipnet::IpNet;
use trickblock_common::table::{Geometry, Record, Scope};

use super::{
    Entry,
    cuckoo::{Slot, SlotV4, SlotV6},
};
use crate::indicator::{Indicator, Protocol};

/// All entries of `half`, sorted. Slots that no compiler wrote (impossible prefix lengths) are left
/// out.
pub fn dump(half: &[u64], geometry: &Geometry) -> Vec<Entry> {
    let Geometry {
        at_v4,
        at_v6,
        half: end,
        ..
    } = *geometry;
    let v4 = slots::<SlotV4>(half, at_v4, at_v6).filter_map(|slot| {
        let address = IpAddr::V4(Ipv4Addr::from_bits(slot.key.prefix().0));
        entry(address, slot.key.scope(), slot.record)
    });
    let v6 = slots::<SlotV6>(half, at_v6, end).filter_map(|slot| {
        let bits = (u128::from(slot.key.high) << 64) | u128::from(slot.key.low);
        entry(
            IpAddr::V6(Ipv6Addr::from_bits(bits)),
            slot.key.scope(),
            slot.record,
        )
    });
    let mut entries: Vec<Entry> = v4.chain(v6).collect();
    entries.sort_unstable_by_key(|entry| entry.indicator);
    entries
}

fn slots<S: Slot + 'static>(half: &[u64], from: u64, to: u64) -> impl Iterator<Item = S> + '_ {
    let words = half.get(from as usize..to as usize).unwrap_or_default();
    words.chunks_exact(S::WORDS).filter_map(S::read)
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
