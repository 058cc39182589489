//! Hooks: which interfaces the programs sit on. Pins and the kernel are the only record.

use std::{collections::BTreeMap, fs, io, os::fd::AsFd as _, path::Path};

use super::{
    Attached, FilterError, Hook, HookChoice, Interfaces, ModeChoice, Pins, Program, Way, clsact,
    link,
    netlink::{self, Frame, Interface},
    place::{Anchor, Place, unpin},
    programs::Programs,
    sys,
};

/// Everything of a filter that is attached.
#[derive(Clone, Debug)]
pub struct Hooks {
    pub(super) pins: Pins,
}

/// An interface and what its frames begin with.
pub(super) struct Target {
    interface: Interface,
    frame: Frame,
}

impl Hooks {
    pub fn new(pins: Pins) -> Self {
        Self { pins }
    }

    /// Where the filter sits now, by interface name, then hook. A link whose interface is gone is not
    /// among them.
    pub fn attached(&self) -> Result<Vec<Attached>, FilterError> {
        let places = self.places()?.into_iter().filter(|place| place.here);
        Ok(places.map(|place| place.attached()).collect())
    }

    /// Every pinned link and every filter, also those of interfaces that are gone.
    pub(super) fn places(&self) -> Result<Vec<Place>, FilterError> {
        let links = self.pins.pinned_links().into_iter();
        let mut places = links
            .map(|(path, pinned_as)| Place::of_link(&path, pinned_as))
            .collect::<Result<Vec<_>, _>>()?;
        places.extend(self.filters()?);
        places.sort_by(|a, b| (&a.name, a.hook).cmp(&(&b.name, b.hook)));
        Ok(places)
    }

    fn filters(&self) -> Result<Vec<Place>, FilterError> {
        let marks = self.pins.clsact_marks();
        let mut places = Vec::new();
        for index in marks.map_err(FilterError::io("read", "the network namespace"))? {
            let failed = || FilterError::io("query interface", index);
            let Some(interface) = netlink::interface_by_index(index).map_err(failed())? else {
                continue;
            };
            for hook in [Hook::ClsactIngress, Hook::ClsactEgress] {
                let found = clsact::find(index, hook).map_err(failed())?;
                if let Some(filter) = found.filter(|filter| filter.name == self.owner()) {
                    places.push(Place::of_filter(hook, &interface, filter.program)?);
                }
            }
        }
        Ok(places)
    }

    /// What our clsact filters are called.
    fn owner(&self) -> String {
        format!("trickblock {}", self.pins.root().display())
    }

    /// Filters what arrives at the interface and what leaves it. What is ours there is updated in
    /// place, foreign programs are left alone.
    pub(super) fn attach(
        &self,
        programs: &Programs,
        name: &str,
        way: &Way,
    ) -> Result<Vec<Attached>, FilterError> {
        let target = target(name)?;
        let ingress = ingress_hook(&target, way.hook)?;
        self.describe(target.interface.index, way)?;
        let egress = match way.hook {
            HookChoice::Clsact => Hook::ClsactEgress,
            _ => Hook::TcxEgress,
        };
        let ingress = self.attach_hook(programs, &target, ingress, way.xdp)?;
        let egress = self.attach_hook(programs, &target, egress, way.xdp)?;
        self.leave(&target.interface, [ingress.hook, egress.hook])?;
        for hook in Hook::ALL {
            let _ = fs::remove_dir(self.pins.switched_off_mark(name, hook));
        }
        Ok(vec![ingress, egress])
    }

    pub(super) fn attach_hook(
        &self,
        programs: &Programs,
        target: &Target,
        hook: Hook,
        choice: ModeChoice,
    ) -> Result<Attached, FilterError> {
        let attached = match self.adopt(programs, target, hook)? {
            Some(attached) => attached,
            None => self.attach_new(programs, target, hook, choice)?,
        };
        if !attached.hook.is_egress() {
            self.judges_arrivals(attached.ifindex, true)?;
        }
        Ok(attached)
    }

    fn adopt(
        &self,
        programs: &Programs,
        target: &Target,
        hook: Hook,
    ) -> Result<Option<Attached>, FilterError> {
        let mut places = self.places()?.into_iter();
        let ours = places.find(|place| place.hook == hook && place.is_on(target.interface.index));
        let Some(place) = ours else {
            return Ok(None);
        };
        let program = programs.get(Program::of(hook, target.frame));
        place.update(program, &self.owner())?;
        if let Anchor::Link(path) = &place.anchor {
            self.repin(path, &place.name, hook)?;
        }
        Ok(Some(place.attached()))
    }

    fn attach_new(
        &self,
        programs: &Programs,
        target: &Target,
        hook: Hook,
        choice: ModeChoice,
    ) -> Result<Attached, FilterError> {
        let Target { interface, frame } = target;
        let program = Program::of(hook, *frame);
        let mut attached = Attached {
            name: interface.name.clone(),
            ifindex: interface.index,
            hook,
            mode: None,
            adopted: false,
            note: None,
            ahead: Vec::new(),
        };
        let link = match hook {
            Hook::Xdp => {
                let (link, mode, note) = link::xdp(programs, interface, choice)?;
                (attached.mode, attached.note) = (Some(mode), note);
                Some(link)
            }
            Hook::TcxIngress | Hook::TcxEgress => link::tcx(programs, interface, hook, program)?,
            Hook::ClsactIngress | Hook::ClsactEgress => None,
        };
        match link {
            Some(link) => self.pin(&link, interface, hook)?,
            None => {
                attached.hook = hook.without_tcx();
                attached.adopted = self.put_filter(programs, target, attached.hook)?;
            }
        }
        Ok(attached)
    }

    fn pin(
        &self,
        link: &std::os::fd::OwnedFd,
        interface: &Interface,
        hook: Hook,
    ) -> Result<(), FilterError> {
        let path = self.pins.link(&interface.name, hook);
        self.vacate(&path)?;
        sys::pin(link.as_fd(), &path).map_err(FilterError::io("pin", path.display()))
    }

    fn put_filter(
        &self,
        programs: &Programs,
        target: &Target,
        hook: Hook,
    ) -> Result<bool, FilterError> {
        let index = target.interface.index;
        // Marked first: what is not marked is not found again.
        let mark = self.pins.clsact_mark(index);
        let mark = mark.map_err(FilterError::io("read", "the network namespace"))?;
        make_dir(&mark)?;
        let program = programs.get(Program::of(hook, target.frame));
        clsact::put(index, hook, program, &self.owner()).map_err(|error| FilterError::Attach {
            name: target.interface.name.clone(),
            hook: hook.name(),
            reason: error.to_string(),
        })
    }

    /// The pinned programs by their ids.
    pub fn known(&self) -> Result<BTreeMap<u32, Program>, FilterError> {
        let pinned = Programs::pinned(&self.pins)?;
        let id = |program: Program| {
            let id = sys::program_id(pinned.get(program));
            let id = id.map_err(FilterError::io("query", program.name()))?;
            Ok((id, program))
        };
        Program::ALL.into_iter().map(id).collect()
    }

    /// Gives each place of one of the `older` programs the new one of its kind.
    pub(super) fn replace(
        &self,
        programs: &Programs,
        older: &BTreeMap<u32, Program>,
    ) -> Result<(), FilterError> {
        let mut done = Ok(());
        for place in self.places()?.into_iter().filter(Place::is_live) {
            let kind = place.program.and_then(|id| older.get(&id));
            if let Some(kind) = kind {
                done = done.and(place.update(programs.get(*kind), &self.owner()));
            }
        }
        done
    }

    /// Gives the pin the place and name of today: it may come from another ABI version, or the
    /// interface was renamed. A pin that is there already takes the old place, since it may hold the
    /// link of an interface that is now called otherwise.
    fn repin(&self, path: &Path, name: &str, hook: Hook) -> Result<(), FilterError> {
        let wanted = self.pins.link(name, hook);
        if path == wanted {
            return Ok(());
        }
        let failed = FilterError::io("move pin", path.display());
        if !wanted.exists() {
            return fs::rename(path, wanted).map_err(failed);
        }
        sys::exchange(path, &wanted).map_err(failed)?;
        match Place::of_link(path, String::new())?.here {
            true => Ok(()),
            false => unpin(path),
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
            let place = Place::of_link(path, String::new())?;
            if !place.here || self.pins.link(&place.name, place.hook) == path {
                return unpin(path);
            }
            self.repin(path, &place.name, place.hook)?;
        }
        Ok(())
    }

    /// Detaches from the interface what is ours and not on one of these hooks any more.
    fn leave(&self, interface: &Interface, hooks: [Hook; 2]) -> Result<(), FilterError> {
        let places = self.places()?.into_iter();
        places
            .filter(|place| place.is_on(interface.index) && !hooks.contains(&place.hook))
            .try_for_each(|place| place.detach())
    }

    /// Tells the programs what is behind the interface and how strict to be there. Whether arrivals
    /// are judged stays as it is while a program of ours does.
    pub fn describe(&self, index: u32, way: &Way) -> Result<(), FilterError> {
        let places = self.places()?;
        let ingress = places
            .iter()
            .any(|place| place.is_on(index) && !place.hook.is_egress());
        Interfaces::open(&self.pins)?.change(index, |described| {
            (described.role, described.fail_closed) = (way.role, way.fail_closed);
            described.ingress &= ingress;
        })
    }

    pub(super) fn judges_arrivals(&self, index: u32, ingress: bool) -> Result<(), FilterError> {
        match Interfaces::open(&self.pins) {
            Ok(mut interfaces) => interfaces.change(index, |known| known.ingress = ingress),
            // Nothing was ever loaded here but links of an older version.
            Err(FilterError::NoFilter { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Forgets interfaces that are gone: the kernel may give their index to others.
    pub fn forget_gone(&self) -> Result<(), FilterError> {
        let indices: Vec<u32> = self.places()?.iter().map(|place| place.ifindex).collect();
        Interfaces::open(&self.pins)?.keep(&indices)?;
        let marks = self.pins.clsact_marks();
        for index in marks.map_err(FilterError::io("read", "the network namespace"))? {
            if !indices.contains(&index) {
                let mark = self.pins.clsact_mark(index);
                let _ = mark.and_then(fs::remove_dir);
            }
        }
        Ok(())
    }
}

/// Whether there is an interface of this name that can be filtered.
///
/// # Errors
/// Why it cannot.
pub fn find_interface(name: &str) -> Result<(), FilterError> {
    target(name).map(|_| ())
}

pub(super) fn target(name: &str) -> Result<Target, FilterError> {
    let interface = netlink::interface(name)
        .map_err(FilterError::io("query interface", name))?
        .ok_or_else(|| FilterError::NoInterface {
            name: name.to_owned(),
        })?;
    let frame = interface.frame.ok_or_else(|| FilterError::LinkType {
        name: name.to_owned(),
        layer: interface.layer.clone(),
    })?;
    Ok(Target { interface, frame })
}

fn ingress_hook(target: &Target, choice: HookChoice) -> Result<Hook, FilterError> {
    match (choice, target.frame) {
        (HookChoice::Auto | HookChoice::Xdp, Frame::Ethernet) => Ok(Hook::Xdp),
        (HookChoice::Xdp, Frame::Ip) => Err(FilterError::NoEthernet {
            name: target.interface.name.clone(),
            layer: target.interface.layer.clone(),
        }),
        (HookChoice::Auto, Frame::Ip) | (HookChoice::Tcx, _) => Ok(Hook::TcxIngress),
        (HookChoice::Clsact, _) => Ok(Hook::ClsactIngress),
    }
}

pub(super) fn make_dir(path: &Path) -> Result<(), FilterError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(FilterError::io("create directory", path.display())(error))
        }
        _ => Ok(()),
    }
}
