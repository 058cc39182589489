//! The configuration in the kernel's terms.

use trickblock_common::{
    Reason, V6, Verdict,
    abi::{Settings, tunnel},
    embedded::Nat64,
    table::Geometry,
};

use super::feeds::{Content, PartRows};
use crate::{
    config::{Config, Hook, Interface, Tunnel, XdpMode},
    kernel::{Capacity, HookChoice, ModeChoice, Role, Way},
    policy::Action,
    table::{Constants, needed_entries},
};

/// Entries that every table has room for when the configuration says nothing.
const LEAST: Capacity = Capacity::any(65_536, 16_384);

/// Marks of the widest prefixes that room is made for before anybody has looked at them: the /24s of a /12.
const WIDE: u64 = 4_096;

pub(super) fn settings(config: &Config) -> Settings {
    let hits = Reason::ALL
        .iter()
        .filter(|reason| reason.verdict() != Verdict::Pass);
    Settings {
        monitor: u32::from(config.filter.action == Action::Monitor),
        events_per_second: config.filter.events_per_second,
        event_reasons: hits.fold(0, |set, reason| set | 1 << *reason as u8),
    }
}

/// What the programs are loaded with.
pub(super) fn constants(config: &Config) -> Constants {
    let bit = |tunnel: &Tunnel| match tunnel {
        Tunnel::Ip => tunnel::IP,
        Tunnel::Gre => tunnel::GRE,
        Tunnel::Vxlan => tunnel::VXLAN,
        Tunnel::Geneve => tunnel::GENEVE,
        Tunnel::Gtpu => tunnel::GTPU,
    };
    let mut constants = Constants {
        tunnels: config.filter.tunnels.iter().map(bit).fold(0, |a, b| a | b),
        ..Constants::default()
    };
    // The first prefix that holds an address decides: the longest must come first.
    let mut prefixes = config.nat64.clone();
    prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.prefix_len()));
    for (to, from) in constants.nat64.iter_mut().zip(&prefixes) {
        *to = Nat64 {
            length: u64::from(from.prefix_len()),
            prefix: V6::from_bytes(from.network().octets()),
        };
    }
    constants
}

/// How an interface is to be filtered.
pub(super) fn way(config: &Config, interface: &Interface, role: Role) -> Way {
    Way {
        hook: match interface.hook {
            Hook::Auto => HookChoice::Auto,
            Hook::Xdp => HookChoice::Xdp,
            Hook::Tcx => HookChoice::Tcx,
            Hook::Clsact => HookChoice::Clsact,
        },
        xdp: match config.filter.xdp {
            XdpMode::Auto => ModeChoice::Auto,
            XdpMode::Native => ModeChoice::Native,
            XdpMode::Generic => ModeChoice::Generic,
        },
        role,
        fail_closed: interface.fail_closed,
    }
}

/// What the configuration says, else what the feeds hold now, counted row by row. The table grows when that is used up.
pub(super) fn capacity<'a>(config: &Config, first: impl Iterator<Item = &'a Content>) -> Capacity {
    if let Some(capacity) = config.table.capacity {
        let v4 = u64::from(capacity.get());
        return Capacity::any(v4, v4 / 4);
    }
    let parts = first.flat_map(|content| &content.parts);
    let rows = parts.flat_map(PartRows::rows);
    let rows = rows.map(|row| needed_entries([&row.indicator]));
    // Wide prefixes are mostly refused, or of networks that are never blocked: where they are not, the table grows.
    let rows = rows.map(|row| Capacity {
        covered: if row.covered > WIDE { 0 } else { row.covered },
        marks: if row.marks > WIDE { 0 } else { row.marks },
        ..row
    });
    rows.fold(Capacity::default(), |sum, row| {
        sum.map(row, |sum, row| sum + row)
    })
    .map(LEAST, u64::max)
}

/// Room for `needed` in the place of what there is, with a quarter to spare where that can be: a table that grew does not
/// grow again soon.
pub(super) fn grown(present: Capacity, needed: Capacity) -> Capacity {
    let roomy = needed.map(LEAST, |entries, least| (entries + entries / 4).max(least));
    let choices = [roomy.map(present, u64::max), needed.map(present, u64::max)];
    let possible = |room: &Capacity| Geometry::for_entries(*room).is_some();
    choices.into_iter().find(possible).unwrap_or(needed)
}
