//! Whom the filter protects, and what is behind each interface, where the configuration leaves that to
//! the filter.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::{self, Interface, Mode},
    kernel::{Role, routes},
};

/// How the host is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The kernel forwards packets.
    pub forwards: bool,
    /// Interfaces that a default route leads out of.
    pub default_routes: BTreeSet<String>,
}

impl Facts {
    /// Asks the kernel. What it does not say counts as no.
    pub fn gather(interfaces: &[Interface]) -> Self {
        let auto = interfaces
            .iter()
            .filter(|interface| interface.role == config::Role::Auto);
        let names = auto.map(|interface| &interface.name);
        Self {
            forwards: routes::forwards(),
            default_routes: names
                .filter(|name| routes::has_default_route(name).unwrap_or(false))
                .cloned()
                .collect(),
        }
    }
}

/// What was decided, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles {
    /// `gateway` or `host`.
    pub mode: &'static str,
    pub reason: &'static str,
    roles: BTreeMap<String, (Role, &'static str)>,
}

impl Roles {
    /// The role of a configured interface, and why it has it.
    pub fn of(&self, name: &str) -> (Role, &'static str) {
        let known = self.roles.get(name).copied();
        known.unwrap_or((Role::Unknown, "not configured"))
    }

    pub fn resolve(mode: Mode, interfaces: &[Interface], facts: &Facts) -> Self {
        let (gateway, reason) = decide(mode, interfaces, facts);
        let role = |interface: &Interface| match interface.role {
            config::Role::Inside => (Role::Inside, "configured"),
            config::Role::Uplink => (Role::Uplink, "configured"),
            config::Role::Auto if !gateway => (Role::Uplink, "this host is what is protected"),
            config::Role::Auto if facts.default_routes.contains(&interface.name) => {
                (Role::Uplink, "a default route leads there")
            }
            config::Role::Auto => (Role::Inside, "no default route leads there"),
        };
        let named = interfaces
            .iter()
            .map(|interface| (interface.name.clone(), role(interface)));
        Self {
            mode: if gateway { "gateway" } else { "host" },
            reason,
            roles: named.collect(),
        }
    }
}

fn decide(mode: Mode, interfaces: &[Interface], facts: &Facts) -> (bool, &'static str) {
    let inside = |interface: &Interface| interface.role == config::Role::Inside;
    match mode {
        Mode::Gateway => (true, "configured"),
        Mode::Host => (false, "configured"),
        Mode::Auto if interfaces.iter().any(inside) => (true, "an interface has the role inside"),
        Mode::Auto if interfaces.len() < 2 => (false, "one interface is filtered"),
        Mode::Auto if facts.forwards => (
            true,
            "several interfaces are filtered, and the kernel forwards",
        ),
        Mode::Auto => (false, "the kernel does not forward"),
    }
}

#[cfg(test)]
#[path = "roles_tests.rs"]
mod tests;
