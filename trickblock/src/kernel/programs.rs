//! The programs of the one object, loaded by this process or pinned by another.

use std::{
    fs,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use aya::Ebpf;

use super::{FilterError, Hook, Pins, Program, ask, filter::load_error, netlink::Frame, sys};

impl Program {
    pub(super) const fn of(hook: Hook, frame: Frame) -> Self {
        match (hook, frame) {
            (Hook::Xdp, _) => Self::Xdp,
            (Hook::TcxIngress | Hook::ClsactIngress, Frame::Ethernet) => Self::TcIngress,
            (Hook::TcxIngress | Hook::ClsactIngress, Frame::Ip) => Self::TcIngressIp,
            (Hook::TcxEgress | Hook::ClsactEgress, Frame::Ethernet) => Self::TcEgress,
            (Hook::TcxEgress | Hook::ClsactEgress, Frame::Ip) => Self::TcEgressIp,
        }
    }
}

/// All of them.
pub(super) struct Programs([OwnedFd; 5]);

impl Programs {
    /// Those of an object, loaded where they are not yet.
    pub(super) fn of(ebpf: &mut Ebpf) -> Result<Self, FilterError> {
        all(|program| {
            let fd = match program {
                Program::Xdp => ask::xdp(ebpf)?.fd(),
                _ => ask::classifier(ebpf, program)?.fd(),
            };
            let fd = fd.map_err(|error| load_error(&error))?.as_fd();
            fd.try_clone_to_owned()
                .map_err(FilterError::io("duplicate", program.name()))
        })
    }

    /// Those of a pinned filter.
    pub(super) fn pinned(pins: &Pins) -> Result<Self, FilterError> {
        if !pins.has_filter() {
            return Err(pins.no_filter());
        }
        all(|program| {
            let path = pins.program(program.name());
            sys::open_pin(&path).map_err(FilterError::io("open", path.display()))
        })
    }

    /// Pins them, each in the place of the one before. The XDP program comes last: where it is, all
    /// are.
    pub(super) fn pin(&self, pins: &Pins) -> Result<(), FilterError> {
        for program in Program::ALL.into_iter().rev() {
            let path = pins.program(program.name());
            let fresh = path.with_file_name("program_new");
            let _ = fs::remove_file(&fresh);
            let failed = || FilterError::io("pin", path.display());
            sys::pin(self.get(program), &fresh).map_err(failed())?;
            fs::rename(&fresh, &path).map_err(failed())?;
        }
        Ok(())
    }

    pub(super) fn get(&self, program: Program) -> BorrowedFd<'_> {
        self.0[program as usize].as_fd()
    }
}

fn all(
    mut fd: impl FnMut(Program) -> Result<OwnedFd, FilterError>,
) -> Result<Programs, FilterError> {
    let [a, b, c, d, e] = Program::ALL;
    Ok(Programs([fd(a)?, fd(b)?, fd(c)?, fd(d)?, fd(e)?]))
}
