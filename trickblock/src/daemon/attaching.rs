//! Keeping the filter on every configured interface.

use std::collections::BTreeSet;

use super::{
    engine::Engine,
    roles::{Facts, Roles},
    terms,
};
use crate::kernel::{Attached, FilterError, Mode, Way};

impl Engine {
    /// Attaches to every configured interface, and then leaves all others: not before, since a
    /// misspelt name must not end the filtering of what is there. What fails is remembered, said once,
    /// and tried again by the next call.
    pub fn attach_all(&mut self) -> Result<Vec<Attached>, FilterError> {
        self.find_roles();
        let wanted = self.wanted();
        self.missed.clear();
        let attached: Vec<_> = wanted.iter().flat_map(|name| self.attach(name)).collect();
        self.unattached.retain(|name, _| wanted.contains(name));
        if attached.is_empty() {
            return Ok(attached);
        }
        self.leave_others()?;
        // While an interface could not be had, an older version may be what still filters it.
        if self.unattached.is_empty() {
            self.hooks.forget_other_versions()?;
        }
        Ok(attached)
    }

    fn wanted(&self) -> Vec<String> {
        let interfaces = self.config.interfaces.iter();
        interfaces.map(|interface| interface.name.clone()).collect()
    }

    fn way(&self, name: &str) -> Way {
        let mut interfaces = self.config.interfaces.iter();
        let role = self.roles.of(name).0;
        interfaces
            .find(|interface| interface.name == name)
            .map_or_else(Way::default, |interface| {
                terms::way(&self.config, interface, role)
            })
    }

    fn leave_others(&self) -> Result<(), FilterError> {
        for name in self.hooks.detach_others(&self.wanted())? {
            tracing::info!(interface = name, "detached: no longer configured, or gone");
        }
        Ok(())
    }

    /// What is on the interface afterwards: nothing where that failed, or one direction of two.
    fn attach(&mut self, name: &str) -> Vec<Attached> {
        match self.filter.attach(name, self.way(name)) {
            Ok(attached) => {
                self.unattached.remove(name);
                self.notes.remove(name);
                attached.iter().for_each(|on| self.note(on));
                attached
            }
            Err(error) => {
                self.note_failure(name, &error.to_string());
                let mut left = self.hooks.attached().unwrap_or_default();
                left.retain(|on| on.name == name);
                left
            }
        }
    }

    fn note(&mut self, attached: &Attached) {
        tracing::info!(
            interface = attached.name,
            hook = attached.hook.name(),
            mode = attached.mode.map(Mode::name),
            role = self.roles.of(&attached.name).0.name(),
            adopted = attached.adopted,
            note = attached.note,
            "attached"
        );
        if let Some(note) = &attached.note {
            let notes = self.notes.entry(attached.name.clone()).or_default();
            if !notes.is_empty() {
                notes.push_str("; ");
            }
            notes.push_str(note);
        }
    }

    fn note_failure(&mut self, name: &str, reason: &str) {
        let before = self.unattached.insert(name.to_owned(), reason.to_owned());
        if before.as_deref() != Some(reason) {
            tracing::error!(interface = name, "{reason}");
        }
    }

    /// Re-attaches where an interface came back, and keeps the roles current; does nothing while
    /// switched off.
    pub fn keep_attached(&mut self) -> Result<Vec<Attached>, FilterError> {
        if !self.hooks.switched_off().is_empty() {
            return Ok(Vec::new());
        }
        self.take_over();
        let attached = self.hooks.attached()?;
        let known = self.find_roles();
        let missing = self.missing(&attached);
        // One that was renamed away and back brings its programs along.
        let tried = &missing | &self.missed;
        let back: Vec<_> = tried.iter().flat_map(|name| self.attach(name)).collect();
        self.missed = tried;
        self.missed
            .retain(|name| self.unattached.contains_key(name));
        if !back.is_empty() {
            self.leave_others()?;
        }
        let now: BTreeSet<u32> = attached.iter().map(|on| on.ifindex).collect();
        if !known || !back.is_empty() || self.seen != now {
            self.describe_all()?;
            self.hooks.forget_gone()?;
            self.seen = now;
        }
        Ok(back)
    }

    /// Configured interfaces on which a direction is not seen.
    fn missing(&self, attached: &[Attached]) -> BTreeSet<String> {
        let seen = |name: &str, egress: bool| {
            let mut on = attached.iter().filter(|on| on.name == name);
            on.any(|on| on.hook.is_egress() == egress)
        };
        let wanted = self.wanted().into_iter();
        wanted
            .filter(|name| !(seen(name, false) && seen(name, true)))
            .collect()
    }

    /// False where mode or roles are others than before. While no default route leads anywhere, which
    /// may be for a moment only, what was known stays.
    fn find_roles(&mut self) -> bool {
        let facts = Facts::gather(&self.config.interfaces);
        let moment = facts.default_routes.is_empty() && self.had_default_route;
        if moment {
            return true;
        }
        self.had_default_route = !facts.default_routes.is_empty();
        let mode = self.config.filter.mode;
        let roles = Roles::resolve(mode, &self.config.interfaces, &facts);
        let before = std::mem::replace(&mut self.roles, roles);
        if before == self.roles {
            return true;
        }
        tracing::info!(mode = self.roles.mode, "{}", self.roles.reason);
        for name in self.wanted() {
            let (role, reason) = self.roles.of(&name);
            tracing::info!(interface = name, role = role.name(), "{reason}");
        }
        false
    }

    /// Tells the programs the roles of today.
    fn describe_all(&self) -> Result<(), FilterError> {
        let mut told = BTreeSet::new();
        for on in self.hooks.attached()? {
            if self.wanted().contains(&on.name) && told.insert(on.ifindex) {
                self.hooks.describe(on.ifindex, &self.way(&on.name))?;
            }
        }
        Ok(())
    }

    /// `trickblock off`: everything passes. Returns the interfaces.
    pub fn off(&mut self) -> Result<Vec<String>, FilterError> {
        let names = self.hooks.off()?;
        tracing::warn!(interfaces = ?names, "switched off: nothing is filtered");
        Ok(names)
    }

    /// `trickblock on`: the programs of this daemon, on every configured interface.
    pub fn on(&mut self) -> Result<Vec<Attached>, FilterError> {
        self.hooks.forget_switched_off()?;
        self.attach_all()
    }
}
