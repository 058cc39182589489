//! One place where a program of ours sits: a pinned link, or a clsact filter.

use std::{
    fs,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use super::{
    Attached, FilterError, Hook, Mode, clsact,
    netlink::{self, Interface},
    sys,
};

/// What keeps the program there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Link(PathBuf),
    Clsact,
}

#[derive(Clone, Debug)]
pub(super) struct Place {
    pub anchor: Anchor,
    pub hook: Hook,
    /// Id of the program that sits there, where the kernel tells.
    pub program: Option<u32>,
    /// What the interface is called now, else what it was called when the link was pinned.
    pub name: String,
    /// 0 once the interface is gone.
    pub ifindex: u32,
    /// The interface is in this network namespace.
    pub here: bool,
    /// Of XDP only.
    pub mode: Option<Mode>,
    /// Ids of programs of others that see the packets of this hook first.
    pub ahead: Vec<u32>,
}

impl Place {
    /// The place of a pinned link.
    pub(super) fn of_link(path: &Path, pinned_as: String) -> Result<Self, FilterError> {
        let info = sys::link_info(open(path)?.as_fd())
            .map_err(FilterError::io("query", path.display()))?;
        let mut place = Self {
            anchor: Anchor::Link(path.to_owned()),
            hook: hook(&info),
            program: Some(info.program),
            name: pinned_as,
            ifindex: info.interface,
            here: false,
            mode: None,
            ahead: Vec::new(),
        };
        if let Some(seen) = seen(&info)? {
            (place.name, place.mode, place.here) = (seen.interface.name, seen.mode, true);
            place.ahead = seen.ahead;
        }
        Ok(place)
    }

    /// The place of a clsact filter. Where the kernel knows TCX, that comes first.
    pub(super) fn of_filter(
        hook: Hook,
        interface: &Interface,
        program: Option<u32>,
    ) -> Result<Self, FilterError> {
        let ahead = tcx_programs(interface.index, attach_type(hook))?;
        Ok(Self {
            anchor: Anchor::Clsact,
            hook,
            program,
            name: interface.name.clone(),
            ifindex: interface.index,
            here: true,
            mode: None,
            ahead: ahead.iter().map(|tcx| tcx.program).collect(),
        })
    }

    pub(super) fn is_live(&self) -> bool {
        self.ifindex != 0
    }

    /// Whether it is on the interface with this index in this network namespace.
    pub(super) fn is_on(&self, index: u32) -> bool {
        self.here && self.ifindex == index
    }

    pub(super) fn attached(&self) -> Attached {
        Attached {
            name: self.name.clone(),
            ifindex: self.ifindex,
            hook: self.hook,
            mode: self.mode,
            adopted: true,
            note: None,
            ahead: self.ahead.clone(),
        }
    }

    /// Replaces the program: no packet passes unjudged.
    pub(super) fn update(&self, program: BorrowedFd<'_>, owner: &str) -> Result<(), FilterError> {
        let done = match &self.anchor {
            Anchor::Link(path) => sys::update_link(open(path)?.as_fd(), program),
            Anchor::Clsact => clsact::put(self.ifindex, self.hook, program, owner).map(drop),
        };
        done.map_err(|error| FilterError::Attach {
            name: self.name.clone(),
            hook: self.hook.name(),
            reason: error.to_string(),
        })
    }

    pub(super) fn detach(&self) -> Result<(), FilterError> {
        let path = match &self.anchor {
            Anchor::Link(path) => path,
            Anchor::Clsact => {
                return clsact::remove(self.ifindex, self.hook)
                    .map_err(FilterError::io("remove the clsact filter of", &self.name));
            }
        };
        match sys::detach_link(open(path)?.as_fd()) {
            // The interface is gone, and the attachment with it.
            Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {}
            other => other.map_err(FilterError::io("detach", path.display()))?,
        }
        unpin(path)
    }
}

fn open(path: &Path) -> Result<OwnedFd, FilterError> {
    sys::open_pin(path).map_err(FilterError::io("open", path.display()))
}

pub(super) fn unpin(path: &Path) -> Result<(), FilterError> {
    fs::remove_file(path).map_err(FilterError::io("remove", path.display()))
}

fn hook(info: &sys::LinkInfo) -> Hook {
    match (info.kind, info.attach_type) {
        (sys::LINK_TCX, sys::ATTACH_TCX_EGRESS) => Hook::TcxEgress,
        (sys::LINK_TCX, _) => Hook::TcxIngress,
        _ => Hook::Xdp,
    }
}

/// The side of TCX that stands for a hook.
pub(super) fn attach_type(hook: Hook) -> u32 {
    if hook.is_egress() {
        sys::ATTACH_TCX_EGRESS
    } else {
        sys::ATTACH_TCX_INGRESS
    }
}

fn tcx_programs(interface: u32, attach_type: u32) -> Result<Vec<sys::Tcx>, FilterError> {
    let failed = FilterError::io("query the programs of interface", interface);
    sys::tcx_programs(interface, attach_type).map_err(failed)
}

/// A link's interface in this network namespace.
struct Seen {
    interface: Interface,
    mode: Option<Mode>,
    ahead: Vec<u32>,
}

/// `None` where the link is on no interface of this network namespace.
fn seen(info: &sys::LinkInfo) -> Result<Option<Seen>, FilterError> {
    if info.interface == 0 {
        return Ok(None);
    }
    let failed = FilterError::io("query interface", info.interface);
    let Some(interface) = netlink::interface_by_index(info.interface).map_err(failed)? else {
        return Ok(None);
    };
    if info.kind == sys::LINK_TCX {
        let programs = tcx_programs(info.interface, info.attach_type)?;
        let position = programs.iter().position(|tcx| tcx.link == info.id);
        return Ok(position.map(|position| Seen {
            interface,
            mode: None,
            ahead: programs[..position].iter().map(|tcx| tcx.program).collect(),
        }));
    }
    // Nothing is asked before XDP.
    let mode = interface
        .xdp
        .filter(|(program, _)| *program == info.program);
    Ok(mode.map(|(_, mode)| Seen {
        interface,
        mode: Some(mode),
        ahead: Vec::new(),
    }))
}
