//! New links and filters: the system calls, and what to do where the kernel refuses.

use std::{io, os::fd::OwnedFd};

use super::{
    FilterError, Hook, Mode, ModeChoice, Program, netlink::Interface, place::attach_type,
    programs::Programs, refusal::refused, sys,
};

/// A new XDP link, its mode, and a note where native was tried in vain.
pub(super) fn xdp(
    programs: &Programs,
    interface: &Interface,
    choice: ModeChoice,
) -> Result<(OwnedFd, Mode, Option<String>), FilterError> {
    let create = |mode: Mode| {
        let flags = match mode {
            Mode::Generic => sys::XDP_GENERIC,
            _ => sys::XDP_NATIVE,
        };
        let program = programs.get(Program::Xdp);
        let link = sys::create_link(program, interface.index, sys::ATTACH_XDP, flags);
        link.map_err(|error| refused(interface, mode, error))
    };
    match choice {
        ModeChoice::Generic => Ok((create(Mode::Generic)?, Mode::Generic, None)),
        ModeChoice::Native => Ok((create(Mode::Native)?, Mode::Native, None)),
        ModeChoice::Auto => match create(Mode::Native) {
            Ok(link) => Ok((link, Mode::Native, None)),
            Err(FilterError::NoNative { name, source }) => {
                let note = format!("the driver of {name} refuses native XDP ({source})");
                Ok((create(Mode::Generic)?, Mode::Generic, Some(note)))
            }
            Err(error) => Err(error),
        },
    }
}

/// A new TCX link, before all others of the hook: what another program lets pass was judged then.
/// `None` where the kernel does not know TCX.
pub(super) fn tcx(
    programs: &Programs,
    interface: &Interface,
    hook: Hook,
    program: Program,
) -> Result<Option<OwnedFd>, FilterError> {
    let fd = programs.get(program);
    match sys::create_link(fd, interface.index, attach_type(hook), sys::TCX_FIRST) {
        Ok(link) => Ok(Some(link)),
        Err(error) if is_unknown(&error) => Ok(None),
        Err(error) => Err(FilterError::Attach {
            name: interface.name.clone(),
            hook: hook.name(),
            reason: error.to_string(),
        }),
    }
}

/// What kernels say to an attach type that they do not know, or were built without.
fn is_unknown(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
}
