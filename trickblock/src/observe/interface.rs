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
    /// Programs of others that see packets before a hook does, and may let them past it.
    #[serde(default)]
    pub ahead: Vec<Ahead>,
}

/// Programs that are asked before a hook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ahead {
    pub hook: String,
    /// Their ids.
    pub programs: Vec<u32>,
}

/// What it means that programs of others are asked first.
pub fn overtaken_at(interface: &str, hook: &str, programs: &[u32]) -> String {
    let programs: Vec<_> = programs.iter().map(u32::to_string).collect();
    format!(
        "interface {interface}: before {hook} another BPF program is asked (id {}), which may let packets past the filter; `bpftool net` shows it, `trickblock off` and then `trickblock on` put the filter first again",
        programs.join(", ")
    )
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
            ahead: Vec::new(),
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
            ahead: Vec::new(),
        };
        interface.add(attached);
        interface
    }

    fn add(&mut self, attached: &Attached) {
        self.hooks.push(attached.hook.name().to_owned());
        let mode = attached.mode.map(|mode| mode.name().to_owned());
        self.mode = self.mode.take().or(mode);
        if !attached.ahead.is_empty() {
            self.ahead.push(Ahead {
                hook: attached.hook.name().to_owned(),
                programs: attached.ahead.clone(),
            });
        }
    }

    /// What keeps the filter from seeing every packet, one sentence each.
    pub fn gaps(&self) -> Vec<String> {
        let overtaken = self.ahead.iter();
        let overtaken =
            overtaken.map(|ahead| overtaken_at(&self.name, &ahead.hook, &ahead.programs));
        self.half_seen().into_iter().chain(overtaken).collect()
    }

    /// A sentence where only one direction is seen.
    fn half_seen(&self) -> Option<String> {
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
