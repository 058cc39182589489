//! Why the kernel did not attach a program, in terms of what the user can do.

use std::io;

use aya::programs::{ProgramError, XdpMode};

use super::{
    FilterError,
    error::chain,
    netlink::{self, Interface},
};

/// The error of an attempt to attach to `interface` in `mode`.
pub(super) fn refused(interface: &Interface, mode: XdpMode, error: &ProgramError) -> FilterError {
    let name = interface.name.clone();
    let errno = match error {
        ProgramError::SyscallError(call) => call.io_error.raw_os_error(),
        _ => None,
    };
    match (errno, mode) {
        (Some(libc::EBUSY | libc::EEXIST), _) => busy(name),
        (Some(errno @ (libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE)), XdpMode::Driver) => {
            FilterError::NoNative {
                name,
                source: io::Error::from_raw_os_error(errno),
            }
        }
        _ => FilterError::Attach {
            name,
            reason: chain(error),
        },
    }
}

fn busy(name: String) -> FilterError {
    let holder = netlink::interface(&name)
        .ok()
        .flatten()
        .and_then(|interface| interface.xdp);
    let (holder, mode) = match holder {
        Some((id, mode)) => (describe(id), mode.name()),
        None => ("unknown".to_owned(), "mode unknown"),
    };
    FilterError::Busy { name, holder, mode }
}

/// `id 17 "xdp_pass"`; the name needs CAP_SYS_ADMIN.
fn describe(id: u32) -> String {
    let program = aya::programs::loaded_programs()
        .flatten()
        .find(|program| program.id() == id);
    let name = program
        .as_ref()
        .and_then(|program| program.name_as_str())
        .filter(|name| !name.is_empty());
    name.map_or_else(|| format!("id {id}"), |name| format!("id {id} \"{name}\""))
}
