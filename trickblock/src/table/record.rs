//! What the table says of the entries of one prefix.

use trickblock_common::table::{Record, Scope};

use super::Entry;

/// The record of the prefix itself: its address-wide indicator, and whether it has narrower ones.
pub(super) fn wide(group: &[Entry]) -> Record {
    let part = |entry: &Entry| match (is_narrow(entry), entry.drop) {
        (false, _) => own(entry).0,
        (true, true) => Record::NARROW_DROP,
        (true, false) => Record::NARROW_MONITOR,
    };
    Record(group.iter().fold(0, |record, entry| record | part(entry)))
}

/// Those with a port or protocol, which have records of their own.
pub(super) fn narrow(group: &[Entry]) -> impl Iterator<Item = (Scope, Record)> {
    let entries = group.iter().filter(|entry| is_narrow(entry));
    entries.map(|entry| (scope(entry), own(entry)))
}

pub(super) fn is_narrow(entry: &Entry) -> bool {
    entry.indicator.port.is_some() || entry.indicator.protocol.is_some()
}

fn own(entry: &Entry) -> Record {
    let action = if entry.drop {
        Record::DROP
    } else {
        Record::MONITOR
    };
    Record(action | u64::from(entry.id))
}

pub(super) fn scope(entry: &Entry) -> Scope {
    Scope {
        length: u64::from(entry.indicator.prefix.prefix_len()),
        protocol: entry.indicator.protocol.map_or(0, |protocol| protocol.0),
        port: entry.indicator.port.map_or(0, std::num::NonZeroU16::get),
    }
}

/// The entries of each prefix, of sorted ones.
pub(super) fn groups(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    entries.chunk_by(|one, other| one.indicator.prefix == other.indicator.prefix)
}
