//! What the first process of a machine does, and one that gives up nearly all of its privilege.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    path::Path,
};

use super::check;

/// Mounts a file system that has no device.
pub fn mount(kind: &str, target: &Path) -> io::Result<()> {
    let kind = CString::new(kind)?;
    let target = CString::new(target.as_os_str().as_encoded_bytes())?;
    let nothing = std::ptr::null();
    // SAFETY: the pointers are to terminated strings that outlive the call; no data is passed.
    check(unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, nothing) })
        .map(drop)
}

/// Loads an uncompressed kernel module without parameters.
pub fn load_module(file: &Path) -> io::Result<()> {
    let file = File::open(file)?;
    // SAFETY: a descriptor that outlives the call, a terminated string, no flags.
    let done = unsafe {
        libc::syscall(
            libc::SYS_finit_module,
            file.as_raw_fd(),
            c"".as_ptr(),
            0 as libc::c_int,
        )
    };
    check(libc::c_int::try_from(done).map_err(io::Error::other)?).map(drop)
}

/// Ends the machine. Returns only if the kernel refuses.
pub fn power_off() -> io::Result<()> {
    // SAFETY: both calls take no memory of ours.
    check(unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF)
    })
    .map(drop)
}

/// Moves the calling thread into a new, empty network namespace, which ends with its last user.
pub fn leave_network() -> io::Result<()> {
    // SAFETY: unshare takes a flag.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(drop)
}

/// Takes every capability but those of `mask` from the calling thread, for good: from the permitted
/// and effective sets and the bounding set. The inheritable and ambient sets become empty.
pub fn keep_only_capabilities(mask: u64) -> io::Result<()> {
    for capability in (0..64).filter(|number| mask & (1_u64 << number) == 0) {
        // SAFETY: prctl with these arguments touches no memory.
        match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }) {
            // Behind the last one that this kernel knows.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => break,
            result => result.map(drop)?,
        }
    }
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL;
    // SAFETY: as above.
    check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, clear, 0, 0, 0) })?;
    set_capabilities(mask)
}

/// `struct __user_cap_header_struct`
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`, of which version 3 takes two: the low bits, then the high ones.
#[repr(C)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn set_capabilities(mask: u64) -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let sets = [mask & 0xffff_ffff, mask >> 32].map(|half| {
        let half = u32::try_from(half).unwrap_or_default();
        Sets {
            effective: half,
            permitted: half,
            inheritable: 0,
        }
    });
    // SAFETY: both structures have the layout of version 3 and outlive the call.
    let done = unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) };
    check(libc::c_int::try_from(done).map_err(io::Error::other)?).map(drop)
}

/// A socket that hears the frames of one protocol that arrive at one interface, after everything that
/// may drop them before the protocol itself. Reads give up after 50 ms.
pub fn listen(index: u32, protocol: u16) -> io::Result<OwnedFd> {
    // SAFETY: socket takes three numbers; protocol 0 hears nothing before it is bound.
    let fd =
        check(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    super::bind_packets(&socket, index, protocol)?;
    super::patience(&socket)?;
    Ok(socket)
}

/// Reads what a [`listen`]ing socket heard; `None` after 50 ms of silence.
pub fn hear(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    // SAFETY: the pointer and the length describe `buffer`, which outlives the call.
    let count = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
        )
    };
    match usize::try_from(count) {
        Ok(count) => Ok(Some(count)),
        Err(_) => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            error => Err(error),
        },
    }
}
