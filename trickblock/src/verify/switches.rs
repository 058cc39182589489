//! Reasons, and what the switches make of them; by their names, as the documentation has it.

use trickblock_common::Reason;

/// All that drop by themselves.
const DROPS: [Reason; 5] = [
    Reason::Address,
    Reason::AddressPort,
    Reason::Prefix,
    Reason::PrefixPort,
    Reason::IncompleteFirstFragment,
];

/// Whether the packet is dropped for it, all switches apart.
pub fn drops(reason: Reason) -> bool {
    DROPS.contains(&reason)
}

/// In monitor mode.
pub fn monitored(reason: Reason) -> Reason {
    twin("monitor_", reason)
}

/// On an interface that is fail-closed.
pub fn closed(reason: Reason) -> Reason {
    twin("closed_", reason)
}

/// Whether it must not be said of what is no sound packet.
pub fn needs_proof(reason: Reason) -> bool {
    drops(reason) || reason.name().starts_with("monitor_") || closed(reason) != reason
}

/// The reason whose name is this one's with `prefix` in front, else the reason itself.
fn twin(prefix: &str, reason: Reason) -> Reason {
    let named = |other: &&Reason| other.name().strip_prefix(prefix) == Some(reason.name());
    Reason::ALL.iter().find(named).copied().unwrap_or(reason)
}
