//! How what is new in a feed is tried.

use std::time::Duration;

use super::{feed::duration, section::Section};
use crate::policy::Canary;

/// What is never enforced is no blocklist.
const MAX_CANARY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(super) fn canary(section: &mut Section<'_, '_, '_>) -> Canary {
    let default = Canary::default();
    let span = duration(section, "canary", Duration::ZERO, MAX_CANARY, default.span);
    let packets = section
        .number("canary_packets", 0..=u32::MAX)
        .map(u64::from);
    if let (true, Some(span)) = (span.is_zero(), section.key_span("canary_packets")) {
        let text = "`canary_packets` in [[feed]] means nothing without a trial: add `canary = \"10m\"`, or remove it";
        section.problems().at(&span, text);
    }
    Canary {
        span,
        packets: packets.unwrap_or(default.packets),
    }
}
