//! Reasons by their names, and what the switches make of them.

/// All that drop by themselves, each with the name it has where nothing drops.
const DROPS: [(&str, &str); 5] = [
    ("address", "monitor_address"),
    ("address_port", "monitor_address_port"),
    ("prefix", "monitor_prefix"),
    ("prefix_port", "monitor_prefix_port"),
    (
        "incomplete_first_fragment",
        "monitor_incomplete_first_fragment",
    ),
];

/// All that pass, each with the name it has where an interface is closed to them.
const MALFORMED: [(&str, &str); 14] = [
    ("truncated_link", "closed_truncated_link"),
    ("too_many_tags", "closed_too_many_tags"),
    ("truncated_mpls", "closed_truncated_mpls"),
    ("too_many_labels", "closed_too_many_labels"),
    ("truncated_pppoe", "closed_truncated_pppoe"),
    ("bad_pppoe", "closed_bad_pppoe"),
    ("truncated_ip", "closed_truncated_ip"),
    ("bad_version", "closed_bad_version"),
    ("bad_header_length", "closed_bad_header_length"),
    ("bad_total_length", "closed_bad_total_length"),
    ("truncated_extension", "closed_truncated_extension"),
    ("too_many_extensions", "closed_too_many_extensions"),
    ("truncated_transport", "closed_truncated_transport"),
    ("truncated_tunnel", "closed_truncated_tunnel"),
];

/// Whether the packet is dropped for it, all switches apart.
pub(super) fn drops(reason: &str) -> bool {
    twin(&DROPS, reason).is_some()
}

pub(super) fn monitored(reason: &'static str) -> &'static str {
    twin(&DROPS, reason).unwrap_or(reason)
}

pub(super) fn closed(reason: &'static str) -> &'static str {
    twin(&MALFORMED, reason).unwrap_or(reason)
}

/// Whether it may not be said of what is only guessed to be a packet.
pub(super) fn needs_proof(reason: &str) -> bool {
    drops(reason) || reason.starts_with("monitor_") || twin(&MALFORMED, reason).is_some()
}

fn twin(list: &[(&str, &'static str)], reason: &str) -> Option<&'static str> {
    let mut pairs = list.iter();
    pairs
        .find(|(plain, _)| *plain == reason)
        .map(|(_, twin)| *twin)
}
