//! Links: made, given another program, asked where they are, detached.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use super::{BPF_OBJ_GET_INFO_BY_FD, InfoQuery, bpf, owned, raw};

const BPF_PROG_QUERY: libc::c_long = 16;
const BPF_LINK_CREATE: libc::c_long = 28;
const BPF_LINK_UPDATE: libc::c_long = 29;
const BPF_LINK_DETACH: libc::c_long = 34;

/// `enum bpf_attach_type`.
pub(in crate::kernel) const ATTACH_XDP: u32 = 37;
pub(in crate::kernel) const ATTACH_TCX_INGRESS: u32 = 46;
pub(in crate::kernel) const ATTACH_TCX_EGRESS: u32 = 47;

/// Of `enum bpf_link_type`; all other links here are XDP.
pub(in crate::kernel) const LINK_TCX: u32 = 11;

/// `XDP_FLAGS_SKB_MODE` and `XDP_FLAGS_DRV_MODE`.
pub(in crate::kernel) const XDP_GENERIC: u32 = 1 << 1;
pub(in crate::kernel) const XDP_NATIVE: u32 = 1 << 2;
/// Without an anchor: before all others.
pub(in crate::kernel) const TCX_FIRST: u32 = 1 << 3;
/// Programs that one TCX hook takes.
const TCX_MOST: usize = 64;

/// Start of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

#[repr(C)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    old_program: u32,
}

/// For `BPF_PROG_QUERY`, of kernels that know TCX.
#[repr(C)]
struct ProgramQuery {
    interface: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    padding: u32,
    program_flags: u64,
    links: u64,
    link_flags: u64,
    revision: u64,
}

/// Start of `struct bpf_link_info` of an XDP or TCX link.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::kernel) struct LinkInfo {
    pub kind: u32,
    pub id: u32,
    pub program: u32,
    padding: u32,
    /// 0 once the interface is gone.
    pub interface: u32,
    /// Of TCX links only.
    pub attach_type: u32,
    reserved: [u32; 10],
}

/// Puts a program on an interface, until the link is closed and unpinned.
pub(in crate::kernel) fn create_link(
    program: BorrowedFd<'_>,
    interface: u32,
    attach_type: u32,
    flags: u32,
) -> io::Result<OwnedFd> {
    let mut attributes = LinkCreate {
        program: raw(program),
        interface,
        attach_type,
        flags,
    };
    bpf(BPF_LINK_CREATE, &mut attributes).map(owned)
}

/// Replaces the program behind a link: no packet passes unjudged.
pub(in crate::kernel) fn update_link(
    link: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
) -> io::Result<()> {
    let mut attributes = LinkUpdate {
        link: raw(link),
        program: raw(program),
        flags: 0,
        old_program: 0,
    };
    bpf(BPF_LINK_UPDATE, &mut attributes).map(drop)
}

/// What the kernel knows of a link.
pub(in crate::kernel) fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    let mut info = LinkInfo::default();
    let length = u32::try_from(size_of::<LinkInfo>()).map_err(io::Error::other)?;
    let mut query = InfoQuery {
        fd: raw(link),
        length,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut query)?;
    Ok(info)
}

/// A program of a TCX hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Tcx {
    pub program: u32,
    /// 0 where no link holds it.
    pub link: u32,
}

/// What is on a TCX hook of an interface of *this* network namespace, in the order in which packets meet it: a link
/// itself tells an index only, which another namespace may have given as well. Empty where the kernel does not know
/// TCX.
pub(in crate::kernel) fn tcx_programs(interface: u32, attach_type: u32) -> io::Result<Vec<Tcx>> {
    let (mut programs, mut links) = ([0_u32; TCX_MOST], [0_u32; TCX_MOST]);
    let mut query = ProgramQuery {
        interface,
        attach_type,
        query_flags: 0,
        attach_flags: 0,
        programs: programs.as_mut_ptr() as u64,
        count: u32::try_from(TCX_MOST).map_err(io::Error::other)?,
        padding: 0,
        program_flags: 0,
        links: links.as_mut_ptr() as u64,
        link_flags: 0,
        revision: 0,
    };
    match bpf(BPF_PROG_QUERY, &mut query) {
        Ok(_) => {}
        // No such interface here, nothing on it, or no TCX.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENODEV | libc::ENOENT | libc::EINVAL | libc::EOPNOTSUPP)
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    }
    let found = usize::try_from(query.count).map_err(io::Error::other)?;
    let both = programs.into_iter().zip(links).take(found);
    Ok(both.map(|(program, link)| Tcx { program, link }).collect())
}

/// Detaches a link from its interface, whoever else holds it.
pub(in crate::kernel) fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = raw(link);
    bpf(BPF_LINK_DETACH, &mut attributes).map(drop)
}
