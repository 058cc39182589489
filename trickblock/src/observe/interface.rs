//! What `status` says of interfaces: each once, with all of its hooks.

use serde::{Deserialize, Serialize};

use crate::kernel::{Attached, Described, FilterError, Hooks, Interfaces, Role};

/// The note of an interface that `trickblock off` detached.
pub const SWITCHED_OFF: &str = "switched off";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InterfaceStatus {
    pub name: String,
    pub ifindex: Option<u32>,
    /// Where programs sit, what sees arrivals first.
    pub hooks: Vec<String>,
    /// `native` or `generic`; null where XDP is not attached.
    pub mode: Option<String>,
    /// `inside`, `uplink` or `unknown`, as the programs know it.
    pub role: Option<String>,
    /// Why it has this role; null without a daemon.
    pub role_reason: Option<String>,
    /// Packets that cannot be understood are dropped.
    pub fail_closed: bool,
    pub attached: bool,
    /// Why it is generic, or why it is not attached.
    pub note: Option<String>,
}

/// What is attached, here and elsewhere, and what was.
pub(super) fn interfaces(
    hooks: &Hooks,
    known: &Interfaces,
) -> Result<Vec<InterfaceStatus>, FilterError> {
    let mut list: Vec<InterfaceStatus> = Vec::new();
    for attached in hooks.attached()? {
        match list.last_mut().filter(|last| last.name == attached.name) {
            Some(last) => last.add(&attached),
            None => {
                let described = known.get(attached.ifindex)?.unwrap_or_default();
                list.push(InterfaceStatus::new(&attached, described));
            }
        }
    }
    let elsewhere = hooks.elsewhere()?.into_iter().map(|name| InterfaceStatus {
        attached: true,
        ..InterfaceStatus::detached(name, "in another network namespace")
    });
    list.extend(elsewhere);
    let off = hooks.switched_off().into_iter();
    list.extend(off.map(|name| InterfaceStatus::detached(name, SWITCHED_OFF)));
    Ok(list)
}

impl InterfaceStatus {
    pub fn detached(name: String, note: impl Into<String>) -> Self {
        Self {
            name,
            ifindex: None,
            hooks: Vec::new(),
            mode: None,
            role: None,
            role_reason: None,
            fail_closed: false,
            attached: false,
            note: Some(note.into()),
        }
    }

    fn new(attached: &Attached, described: Described) -> Self {
        let mut interface = Self {
            name: attached.name.clone(),
            ifindex: Some(attached.ifindex),
            hooks: Vec::new(),
            mode: None,
            role: (described.role != Role::Unknown).then(|| described.role.name().to_owned()),
            role_reason: None,
            fail_closed: described.fail_closed,
            attached: true,
            note: None,
        };
        interface.add(attached);
        interface
    }

    fn add(&mut self, attached: &Attached) {
        self.hooks.push(attached.hook.name().to_owned());
        let mode = attached.mode.map(|mode| mode.name().to_owned());
        self.mode = self.mode.take().or(mode);
    }

    /// A sentence where only one direction is seen.
    pub fn half_seen(&self) -> Option<String> {
        let egress = self.hooks.iter().filter(|hook| hook.ends_with("egress"));
        let missing = match (egress.count(), self.hooks.len()) {
            (_, 0) => return None,
            (0, _) => "leaves",
            (egress, all) if egress == all => "arrives",
            _ => return None,
        };
        Some(format!(
            "interface {}: what {missing} is not filtered",
            self.name
        ))
    }
}
