//! The smallest uses of bpf(2), to learn whether the kernel allows them.
//!
//! Written against `linux/bpf.h` rather than with a library: only the code under test may use
//! aya, and a probe must not fail for the same reason as the thing it is probed for.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::Context as _;

use crate::sys;

/// Creates an array map of one 8-byte value.
pub(super) fn create_map() -> anyhow::Result<OwnedFd> {
    let attributes = MapCreate {
        map_type: ARRAY,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
    };
    call(MAP_CREATE, &attributes).context("BPF_MAP_CREATE of an array")
}

/// Loads an XDP program that passes every packet.
pub(super) fn load_pass() -> anyhow::Result<OwnedFd> {
    // mov32 r0, XDP_PASS; exit
    let instructions: [u64; 2] = [0x0000_0002_0000_00b4, 0x95];
    let attributes = ProgLoad {
        prog_type: XDP,
        instruction_count: 2,
        instructions: (&raw const instructions).addr() as u64,
        license: c"GPL".as_ptr().addr() as u64,
        rest: [0; 4],
    };
    call(PROG_LOAD, &attributes).context("BPF_PROG_LOAD of an XDP program")
}

/// Attaches an XDP program natively to the interface with this index, until the link is dropped.
pub(super) fn attach_native(program: &OwnedFd, index: u32) -> anyhow::Result<OwnedFd> {
    let attributes = LinkCreate {
        program: program.as_raw_fd(),
        target: index,
        attach_type: ATTACH_XDP,
        flags: NATIVE,
    };
    call(LINK_CREATE, &attributes).context("BPF_LINK_CREATE of native XDP on a veth")
}

const MAP_CREATE: libc::c_int = 0;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
const ARRAY: u32 = 2;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// `XDP_FLAGS_DRV_MODE`
const NATIVE: u32 = 1 << 2;

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    /// No log, no minimal kernel version, no flags.
    rest: [u32; 4],
}

#[repr(C)]
struct LinkCreate {
    program: i32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// One bpf(2) command that returns a descriptor.
fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the pointer and size describe `attributes`, a prefix of bpf_attr for `command`; the
    // kernel takes missing fields as zero, and whatever it points to outlives the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const *attributes,
            size_of::<T>(),
        )
    };
    let fd = sys::check(libc::c_int::try_from(fd).map_err(io::Error::other)?)?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
