//! A filter on the gateway of a road.

use std::collections::BTreeMap;

use trickblock::{
    kernel::{Attached, Filter, HookChoice, Hooks, Role, Way},
    table::Entry,
};
use trickblock_common::Verdict;
use trickblock_tests::{
    kernel::{PinDir, SMALL, entries},
    road::{End, LAN, Road, WAN},
};

/// The road comes first: links must be gone before their namespaces are.
pub struct Gate {
    pub filter: Filter,
    pub pins: PinDir,
    pub road: Road,
}

/// One server to drop in each family, one to watch, and a listed address on the inside.
pub fn rules() -> Vec<Entry> {
    entries(&[
        "drop 203.0.113.7",
        "drop 2001:db8:c2::7",
        "monitor 203.0.113.9",
        "drop 192.0.2.66",
    ])
    .unwrap()
}

/// Packets by (reason, side, direction).
pub type Counted = BTreeMap<(&'static str, &'static str, &'static str), u64>;

impl Gate {
    /// Loaded, with rules, attached nowhere.
    pub fn new() -> Self {
        let (road, pins) = (Road::new().unwrap(), PinDir::new());
        let filter = Filter::load(&pins.pins(), SMALL).unwrap();
        filter.maps.swap(&rules(), &[0, 1, 2, 3], 7).unwrap();
        Self { filter, pins, road }
    }

    /// With both interfaces filtered in their roles.
    pub fn filtering(hook: HookChoice) -> Self {
        let mut gate = Self::new();
        gate.attach(LAN, way(hook, Role::Inside));
        gate.attach(WAN, way(hook, Role::Uplink));
        gate
    }

    /// As if the daemon had started again.
    pub fn restart(&mut self) {
        self.filter = Filter::load(&self.pins.pins(), SMALL).unwrap();
    }

    pub fn attach(&mut self, name: &str, way: Way) -> Vec<Attached> {
        let filter = &mut self.filter;
        let attached = self.road.gateway.run(|| filter.attach(name, way));
        attached.unwrap().unwrap()
    }

    pub fn hooks(&self) -> Hooks {
        Hooks::new(self.pins.pins())
    }

    /// Runs `work` where the filter is.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.road.gateway.run(work).unwrap()
    }

    /// `lan0 xdp`, `lan0 tcx-egress`, …
    pub fn attached(&self) -> Vec<String> {
        let hooks = self.hooks();
        let attached = self.inside(|| hooks.attached()).unwrap();
        let shown = attached.iter();
        shown
            .map(|on| format!("{} {}", on.name, on.hook.name()))
            .collect()
    }

    /// How many of `count` datagrams arrive.
    pub fn send(&self, from: End<'_>, to: End<'_>, count: usize) -> usize {
        self.road.send(&from, &to, count).unwrap()
    }

    pub fn client<'a>(&'a self, address: &'a str, port: u16) -> End<'a> {
        End::new(&self.road.client, address, port)
    }

    pub fn gateway<'a>(&'a self, address: &'a str, port: u16) -> End<'a> {
        End::new(&self.road.gateway, address, port)
    }

    pub fn internet<'a>(&'a self, address: &'a str, port: u16) -> End<'a> {
        End::new(&self.road.internet, address, port)
    }

    /// What an indicator acted on so far.
    pub fn counted(&self) -> Counted {
        let tallies = self.filter.maps.counters().unwrap().into_iter();
        let matches = tallies.filter(|tally| tally.reason.verdict() != Verdict::Pass);
        matches
            .map(|tally| {
                let side = tally.side.name().unwrap();
                let key = (tally.reason.name(), side, tally.direction.name());
                (key, tally.packets)
            })
            .collect()
    }
}

pub fn way(hook: HookChoice, role: Role) -> Way {
    Way {
        hook,
        role,
        ..Way::default()
    }
}
