//! The configuration in the kernel's terms.

use trickblock_common::{
    Reason, V6, Verdict,
    abi::{Settings, tunnel},
    embedded::Nat64,
};

use super::feeds::Content;
use crate::{
    config::{Config, Hook, Interface, Tunnel, XdpMode},
    kernel::{Capacity, HookChoice, ModeChoice, Role, Way},
    policy::{Action, FeedRows, Guard, merge},
    table::{Constants, needed_entries},
};

/// Entries that a table has room for when the configuration says nothing.
const DEFAULT_CAPACITY: u64 = 262_144;

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

/// What the configuration says, else twice what the feeds hold now.
pub(super) fn capacity(config: &Config, guard: &Guard, first: &[&Content]) -> Capacity {
    if let Some(capacity) = config.table.capacity {
        let v4 = u64::from(capacity.get());
        return Capacity { v4, v6: v4 / 4 };
    }
    let rows: Vec<FeedRows<'_>> = first
        .iter()
        .flat_map(|content| content.rows(Action::Drop))
        .collect();
    let rules = merge(&rows, guard).rules;
    let (v4, v6) = needed_entries(rules.iter().map(|rule| &rule.indicator));
    Capacity {
        v4: (2 * v4).max(DEFAULT_CAPACITY),
        v6: (2 * v6).max(DEFAULT_CAPACITY / 4),
    }
}
