//! A rule set compiled into the flat image that the kernel reads, and read back from it.

mod apply;
mod cells;
pub mod compile;
mod constants;
pub mod dump;
mod filling;
pub mod ids;
mod image;
mod never;
mod record;
mod slot;
pub mod snapshot;
#[cfg(test)]
mod tests;

use std::fmt::Display;

use ipnet::IpNet;
use trickblock_common::{V4, V6, table::Geometry};

pub use apply::{Change, Cleared, apply, changes, takes};
pub use cells::{Cells, Read};
pub use compile::{CompileError, compile, needed_entries};
pub use constants::Constants;
pub use dump::dump;
pub use ids::{Ids, Plan};
pub use never::Never;
pub use snapshot::Snapshot;

use crate::indicator::Indicator;

/// One indicator as the table holds it. Slices of entries are sorted by indicator, each only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub indicator: Indicator,
    /// False: monitor.
    pub drop: bool,
    /// Index of its hit counter; stable while the indicator stays listed.
    pub id: u32,
}

/// SHA-256 over the indicators and their actions: equal for equal rule sets, whatever ids and seeds.
pub fn fingerprint(entries: &[Entry]) -> String {
    let action = |entry: &Entry| if entry.drop { "drop" } else { "monitor" };
    hashed(
        entries
            .iter()
            .map(|entry| (&entry.indicator, action(entry))),
    )
}

/// SHA-256 over the half that these entries compile to with seed 0, in words of little-endian bytes: equal for equal sets,
/// ids and sizes. Empty where they do not fit.
pub fn image_hash(entries: &[Entry], geometry: &Geometry) -> String {
    use sha2::{Digest as _, Sha256};
    let mut half = vec![0; geometry.half as usize];
    if compile(entries, 0, geometry, &mut half).is_err() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for block in half.chunks(512) {
        let bytes: Vec<u8> = block.iter().flat_map(|word| word.to_le_bytes()).collect();
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As [`fingerprint`], over a never-block list with its values.
pub fn never_block_fingerprint(list: &[(IpNet, u32)]) -> String {
    hashed(list.iter().map(|(prefix, value)| (prefix, value)))
}

/// Of a line of two words for each pair.
fn hashed<A: Display, B: Display>(pairs: impl Iterator<Item = (A, B)>) -> String {
    use sha2::{Digest as _, Sha256};
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    let mut line = String::new();
    for (one, other) in pairs {
        line.clear();
        // Writing to a string cannot fail.
        let _ = writeln!(line, "{one} {other}");
        hash.update(line.as_bytes());
    }
    hex(&hash.finalize())
}

/// A prefix in the form that keys and hashes use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Prefix {
    V4(V4, u8),
    V6(V6, u8),
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        match net {
            IpNet::V4(net) => Self::V4(V4::from_bytes(net.network().octets()), net.prefix_len()),
            IpNet::V6(net) => Self::V6(V6::from_bytes(net.network().octets()), net.prefix_len()),
        }
    }
}
