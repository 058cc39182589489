//! Links: which interfaces the program sits on. Their pins are the only record.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aya::programs::{
    ProgramError, Xdp, XdpMode,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};
use aya_obj::programs::XdpAttachType;
use serde::Serialize;

use super::{
    FilterError, Mode, Pins,
    error::chain,
    netlink::{self, Interface},
    refusal::refused,
    sys,
};

/// Which mode to attach in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModeChoice {
    /// Native, else generic (and the result says which).
    #[default]
    Auto,
    Native,
    Generic,
}

/// A program on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attached {
    pub name: String,
    pub ifindex: u32,
    pub mode: Mode,
    /// Taken over from an earlier daemon, without a gap.
    pub adopted: bool,
    /// Why the mode is generic where native was tried first.
    pub note: Option<String>,
}

/// The pinned links of a filter.
#[derive(Clone, Debug)]
pub struct Hooks {
    pins: Pins,
}

impl Hooks {
    pub fn new(pins: Pins) -> Self {
        Self { pins }
    }

    /// Interfaces on which the filter sits now, by name. A link whose interface is gone is not among
    /// them.
    pub fn attached(&self) -> Result<Vec<Attached>, FilterError> {
        let links = self.pins.pinned_links();
        links
            .iter()
            .filter_map(|(path, _)| self.look(path).transpose())
            .collect()
    }

    fn look(&self, path: &Path) -> Result<Option<Attached>, FilterError> {
        let info = link_info(path)?;
        let interface = present(info.interface)?;
        Ok(interface.and_then(|interface| {
            let (_, mode) = interface
                .xdp
                .filter(|(program, _)| *program == info.program)?;
            Some(Attached {
                name: interface.name,
                ifindex: interface.index,
                mode,
                adopted: true,
                note: None,
            })
        }))
    }

    /// Puts `program` on the interface: an own link there is updated in place, a foreign program left
    /// alone.
    pub(super) fn attach(
        &self,
        program: &mut Xdp,
        name: &str,
        choice: ModeChoice,
    ) -> Result<Attached, FilterError> {
        let interface = netlink::interface(name)
            .map_err(FilterError::io("query interface", name))?
            .ok_or_else(|| FilterError::NoInterface {
                name: name.to_owned(),
            })?;
        if !interface.ethernet {
            return Err(FilterError::LinkType {
                name: name.to_owned(),
                layer: interface.layer,
            });
        }
        let attached = match self.adopt(program, &interface)? {
            Some(attached) => attached,
            None => self.attach_new(program, &interface, choice)?,
        };
        let _ = fs::remove_dir(self.pins.switched_off_mark(name));
        Ok(attached)
    }

    fn adopt(
        &self,
        program: &mut Xdp,
        interface: &Interface,
    ) -> Result<Option<Attached>, FilterError> {
        for (path, _) in self.pins.pinned_links() {
            let Some(mut attached) = self
                .look(&path)?
                .filter(|attached| attached.ifindex == interface.index)
            else {
                continue;
            };
            update(program, &path)?;
            attached.name.clone_from(&interface.name);
            self.repin(&path, &interface.name)?;
            return Ok(Some(attached));
        }
        Ok(None)
    }

    /// Gives the pin the place and name of today: it may come from another ABI version, or the
    /// interface was renamed. A pin that is there already takes the old place, since it may hold the
    /// link of an interface that is now called otherwise.
    fn repin(&self, path: &Path, name: &str) -> Result<(), FilterError> {
        let wanted = self.pins.link(name);
        if path == wanted {
            return Ok(());
        }
        let failed = FilterError::io("move pin", path.display());
        if !wanted.exists() {
            return fs::rename(path, wanted).map_err(failed);
        }
        sys::exchange(path, &wanted).map_err(failed)?;
        match self.look(path)? {
            Some(_) => Ok(()),
            None => unpin(path),
        }
    }

    /// Frees the pin path of an interface that is about to get its first link: what is pinned there
    /// belongs to one that is gone, or that has another name now and must stay filtered.
    fn vacate(&self, path: &Path) -> Result<(), FilterError> {
        // Each turn gives one pin its right name.
        for _ in 0..=self.pins.pinned_links().len() {
            if !path.exists() {
                return Ok(());
            }
            match self.look(path)? {
                Some(renamed) if self.pins.link(&renamed.name) != path => {
                    self.repin(path, &renamed.name)?;
                }
                _ => return unpin(path),
            }
        }
        Ok(())
    }

    fn attach_new(
        &self,
        program: &mut Xdp,
        interface: &Interface,
        choice: ModeChoice,
    ) -> Result<Attached, FilterError> {
        let name = &interface.name;
        let (link, mode, note) = match choice {
            ModeChoice::Generic => (
                create(program, interface, XdpMode::Skb)?,
                Mode::Generic,
                None,
            ),
            ModeChoice::Native => (
                create(program, interface, XdpMode::Driver)?,
                Mode::Native,
                None,
            ),
            ModeChoice::Auto => match create(program, interface, XdpMode::Driver) {
                Ok(link) => (link, Mode::Native, None),
                Err(FilterError::NoNative { source, .. }) => {
                    let note = format!("the driver of {name} refuses native XDP ({source})");
                    (
                        create(program, interface, XdpMode::Skb)?,
                        Mode::Generic,
                        Some(note),
                    )
                }
                Err(error) => return Err(error),
            },
        };
        let path = self.pins.link(name);
        self.vacate(&path)?;
        link.pin(&path).map_err(|error| FilterError::Attach {
            name: name.clone(),
            reason: chain(&error),
        })?;
        Ok(Attached {
            name: name.clone(),
            ifindex: interface.index,
            mode,
            adopted: false,
            note,
        })
    }

    /// Detaches from all interfaces but `keep`, and removes pins of interfaces that are gone. Returns
    /// the names.
    pub fn detach_others(&self, keep: &[String]) -> Result<Vec<String>, FilterError> {
        let others = self
            .links()?
            .into_iter()
            .filter(|link| !keep.contains(&link.name));
        others
            .map(|link| detach(&link.path).map(|()| link.name))
            .collect()
    }

    /// `trickblock off`: detaches everywhere and remembers where. Returns the names.
    pub fn off(&self) -> Result<Vec<String>, FilterError> {
        // Marked first: whatever interrupts this, `on` undoes it.
        for link in self.links()?.iter().filter(|link| link.live) {
            let dir = self.pins.switched_off_mark(&link.name);
            match fs::create_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(FilterError::io("create directory", dir.display())(error));
                }
                _ => {}
            }
        }
        self.detach_others(&[])
    }

    /// Every pinned link, under the name that its interface has now.
    fn links(&self) -> Result<Vec<Link>, FilterError> {
        let pinned = self.pins.pinned_links().into_iter();
        let links = pinned.map(|(path, pinned_as)| {
            let seen = self.look(&path)?;
            Ok(Link {
                // Asked of the link, which knows also in another network namespace.
                live: is_live(&path)?,
                path,
                name: seen.map_or(pinned_as, |attached| attached.name),
            })
        });
        links.collect()
    }

    /// Names of interfaces that are filtered, but are not in this network namespace.
    pub fn elsewhere(&self) -> Result<Vec<String>, FilterError> {
        let here = self.attached()?;
        let links = self.links()?.into_iter().filter(|link| link.live);
        let elsewhere = links.filter(|link| here.iter().all(|on| on.name != link.name));
        Ok(elsewhere.map(|link| link.name).collect())
    }

    /// Interfaces that `off` detached.
    pub fn switched_off(&self) -> Vec<String> {
        self.pins.switched_off()
    }

    /// Removes what a filter of another ABI version left, once its links were taken over.
    pub fn forget_other_versions(&self) -> Result<(), FilterError> {
        let failed = FilterError::io("remove old pins below", self.pins.root().display());
        self.pins.remove_other_versions().map_err(failed)
    }

    /// Makes `off` undone without attaching anywhere.
    pub fn forget_switched_off(&self) -> Result<(), FilterError> {
        self.switched_off().iter().try_for_each(|name| {
            let mark = self.pins.switched_off_mark(name);
            fs::remove_dir(&mark).map_err(FilterError::io("remove", mark.display()))
        })
    }

    /// `trickblock on`: attaches the pinned program where `off` detached it; an error is returned
    /// after all of them were tried.
    pub fn on(&self, choice: ModeChoice) -> Result<Vec<Attached>, FilterError> {
        let path = self.pins.program();
        if !path.exists() {
            return Err(FilterError::NoFilter {
                path: self.pins.root().to_owned(),
            });
        }
        let load = |error: ProgramError| FilterError::Load {
            reason: chain(&error),
            hint: "",
        };
        let mut program = Xdp::from_pin(&path, XdpAttachType::Interface).map_err(load)?;
        // One that fails must not keep the others off.
        let tried: Vec<_> = self
            .switched_off()
            .iter()
            .map(|name| self.attach(&mut program, name, choice))
            .collect();
        tried.into_iter().collect()
    }
}

struct Link {
    path: PathBuf,
    name: String,
    /// The interface is there, and the link on it.
    live: bool,
}

/// Whether the link still has an interface, in whichever network namespace.
fn is_live(path: &Path) -> Result<bool, FilterError> {
    Ok(link_info(path)?.interface != 0)
}

fn link_info(path: &Path) -> Result<sys::LinkInfo, FilterError> {
    let link = sys::open_pin(path).map_err(FilterError::io("open", path.display()))?;
    sys::link_info(std::os::fd::AsFd::as_fd(&link))
        .map_err(FilterError::io("query", path.display()))
}

fn present(index: u32) -> Result<Option<Interface>, FilterError> {
    if index == 0 {
        return Ok(None);
    }
    netlink::interface_by_index(index).map_err(FilterError::io("query interface", index))
}

/// Replaces the program behind a pinned link: no packet passes unjudged.
fn update(program: &mut Xdp, path: &Path) -> Result<(), FilterError> {
    let failed = |error: &dyn std::error::Error| FilterError::Attach {
        name: path.display().to_string(),
        reason: chain(error),
    };
    let link: FdLink = PinnedLink::from_pin(path)
        .map_err(|error| failed(&error))?
        .into();
    let link = XdpLink::try_from(link).map_err(|error| failed(&error))?;
    let id = program
        .attach_to_link(link)
        .map_err(|error| failed(&error))?;
    // The pin keeps the link; this process need not.
    program
        .take_link(id)
        .map(drop)
        .map_err(|error| failed(&error))
}

fn create(program: &mut Xdp, interface: &Interface, mode: XdpMode) -> Result<FdLink, FilterError> {
    let id = program
        .attach_to_if_index(interface.index, mode)
        .map_err(|error| refused(interface, mode, &error))?;
    let failed = |error: &dyn std::error::Error| FilterError::Attach {
        name: interface.name.clone(),
        reason: chain(error),
    };
    let link = program.take_link(id).map_err(|error| failed(&error))?;
    FdLink::try_from(link).map_err(|error| failed(&error))
}

fn detach(path: &Path) -> Result<(), FilterError> {
    let link = sys::open_pin(path).map_err(FilterError::io("open", path.display()))?;
    match sys::detach_link(std::os::fd::AsFd::as_fd(&link)) {
        // The interface is gone, and the attachment with it.
        Err(error) if error.raw_os_error() == Some(libc::ENOLINK) => {}
        other => other.map_err(FilterError::io("detach", path.display()))?,
    }
    unpin(path)
}

fn unpin(path: &Path) -> Result<(), FilterError> {
    fs::remove_file(path).map_err(FilterError::io("remove", path.display()))
}
