//! Why the kernel did not attach an XDP program, in terms of what the user can do.

use std::io;

use super::{
    FilterError, Hook, Mode,
    netlink::{self, Interface},
};

/// The error of an attempt to attach to `interface` in `mode`.
pub(super) fn refused(interface: &Interface, mode: Mode, error: io::Error) -> FilterError {
    let name = interface.name.clone();
    match (error.raw_os_error(), mode) {
        (Some(libc::EBUSY | libc::EEXIST), _) => busy(name),
        (Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE), Mode::Native) => {
            FilterError::NoNative {
                name,
                source: error,
            }
        }
        _ => FilterError::Attach {
            name,
            hook: Hook::Xdp.name(),
            reason: error.to_string(),
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
