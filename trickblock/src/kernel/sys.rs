//! The system calls that aya does not offer, or not as they are needed here: creating a map of a size
//! chosen at run time, mapping it, waiting for a grace period, and links.

mod links;
mod programs;

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
    ptr::NonNull,
};

pub(super) use links::*;
pub(super) use programs::*;

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_UPDATE_ELEM: libc::c_long = 2;
const BPF_OBJ_PIN: libc::c_long = 6;
const BPF_OBJ_GET: libc::c_long = 7;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_long = 15;

pub(super) const ARRAY: u32 = 2;
const ARRAY_OF_MAPS: u32 = 12;
pub(super) const MMAPABLE: u32 = 1 << 10;

/// Start of `union bpf_attr` for `BPF_MAP_CREATE` (linux/bpf.h).
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

/// For `BPF_OBJ_PIN` and `BPF_OBJ_GET`.
#[repr(C)]
struct Object {
    path: u64,
    fd: u32,
    flags: u32,
}

/// For `BPF_MAP_UPDATE_ELEM`.
#[repr(C)]
struct Element {
    fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// For `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoQuery {
    fd: u32,
    length: u32,
    info: u64,
}

fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    let pointer = std::ptr::from_mut(attributes);
    // SAFETY: the pointer and size describe a live, initialised structure of the command's layout;
    // the kernel takes missing trailing fields as zero.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size_of::<T>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(io::Error::other)
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the kernel just made this descriptor for us; nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

fn create(
    map_type: u32,
    value_size: u32,
    map_flags: u32,
    inner: u32,
    name: &str,
) -> io::Result<OwnedFd> {
    let mut map_name = [0; 16];
    for (to, from) in map_name.iter_mut().zip(name.bytes().take(15)) {
        *to = from;
    }
    let mut attributes = MapCreate {
        map_type,
        key_size: 4,
        value_size,
        max_entries: 1,
        map_flags,
        inner_map_fd: inner,
        numa_node: 0,
        map_name,
    };
    bpf(BPF_MAP_CREATE, &mut attributes).map(owned)
}

/// An array map of one value of `bytes` bytes that can be mapped into memory.
pub(super) fn create_table(bytes: u32) -> io::Result<OwnedFd> {
    create(ARRAY, bytes, MMAPABLE, 0, "TABLE")
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// Makes `path` on a bpffs refer to the object.
pub(super) fn pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let path = c_path(path)?;
    let mut attributes = Object {
        path: path.as_ptr() as u64,
        fd: raw(fd),
        flags: 0,
    };
    bpf(BPF_OBJ_PIN, &mut attributes).map(drop)
}

/// Opens the object pinned at `path`.
pub(super) fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let mut attributes = Object {
        path: path.as_ptr() as u64,
        fd: 0,
        flags: 0,
    };
    bpf(BPF_OBJ_GET, &mut attributes).map(owned)
}

/// Exchanges two pins in one step.
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    let (one, other) = (c_path(one)?, c_path(other)?);
    let here = libc::AT_FDCWD;
    // SAFETY: two terminated paths that outlive the call.
    let result = unsafe {
        libc::renameat2(
            here,
            one.as_ptr(),
            here,
            other.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until no CPU runs a program that started before the call. Replacing an inner map does just
/// that in the kernel (`maybe_wait_bpf_programs`), on every kernel and also where `membarrier`
/// refuses.
pub(super) fn grace_period() -> io::Result<()> {
    let inner = create(ARRAY, 8, 0, 0, "tb_grace_inner")?;
    let outer = create(ARRAY_OF_MAPS, 4, 0, raw(inner.as_fd()), "tb_grace")?;
    let (key, value) = (0u32, raw(inner.as_fd()));
    let mut attributes = Element {
        fd: raw(outer.as_fd()),
        padding: 0,
        key: std::ptr::from_ref(&key) as u64,
        value: std::ptr::from_ref(&value) as u64,
        flags: 0,
    };
    bpf(BPF_MAP_UPDATE_ELEM, &mut attributes).map(drop)
}

/// Words of a mapped array map. Mapped pages count as memory of the process: map briefly.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u64>,
    words: usize,
}

// SAFETY: the mapping is owned memory like a Vec<u64>; its address does not depend on the thread.
unsafe impl Send for Mapping {}
// SAFETY: what takes &self reads and writes whole words atomically.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `words` words from word `from` (a multiple of the page size in words) of the map's
    /// value, shared with the kernel.
    pub(super) fn new(map: BorrowedFd<'_>, from: u64, words: u64) -> io::Result<Self> {
        let bytes = usize::try_from(words * 8).map_err(io::Error::other)?;
        let offset = libc::off_t::try_from(from * 8).map_err(io::Error::other)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; the result is checked.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                offset,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mapped at 0"))?;
        Ok(Self {
            start,
            words: bytes / 8,
        })
    }

    /// The words, for writing where no packet looks, or for reading what may change underneath.
    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        // SAFETY: the mapping is `words` words long, page-aligned and lives as long as self. The
        // kernel only reads the half that is not written; counters are read through `load`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.words) }
    }

    /// A copy, word by word, of what may change underneath.
    pub(super) fn to_vec(&self) -> Vec<u64> {
        (0..self.words as u64)
            .map(|index| self.load(index))
            .collect()
    }

    fn at(&self, index: u64) -> Option<NonNull<u64>> {
        let index = usize::try_from(index)
            .ok()
            .filter(|index| *index < self.words)?;
        // SAFETY: the index is inside the mapping.
        Some(unsafe { self.start.add(index) })
    }

    /// One word, or 0 outside of the mapping.
    pub(super) fn load(&self, index: u64) -> u64 {
        use std::sync::atomic::{AtomicU64, Ordering};
        self.at(index).map_or(0, |word| {
            // SAFETY: aligned and live; the kernel changes words whole.
            unsafe { AtomicU64::from_ptr(word.as_ptr()) }.load(Ordering::Acquire)
        })
    }

    /// Stores a word after everything written before it.
    pub(super) fn store(&self, index: u64, value: u64) {
        use std::sync::atomic::{AtomicU64, Ordering};
        if let Some(word) = self.at(index) {
            // SAFETY: aligned and live; the kernel reads words whole.
            unsafe { AtomicU64::from_ptr(word.as_ptr()) }.store(value, Ordering::Release);
        }
    }
}

impl Mapping {
    /// Adds to a word that the kernel adds to meanwhile.
    pub(super) fn add(&self, index: u64, value: u64) {
        use std::sync::atomic::{AtomicU64, Ordering};
        if let Some(word) = self.at(index) {
            // SAFETY: aligned and live; the kernel adds atomically as well.
            unsafe { AtomicU64::from_ptr(word.as_ptr()) }.fetch_add(value, Ordering::Relaxed);
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: exactly the mapping made in `new`; no reference to it outlives self.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.words * 8) };
    }
}

/// Nanoseconds since boot, without suspend: the clock of `bpf_ktime_get_ns`.
pub(super) fn monotonic() -> io::Result<u64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` outlives the call.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).map_err(io::Error::other)?;
    let nanoseconds = u64::try_from(time.tv_nsec).map_err(io::Error::other)?;
    Ok(seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds))
}

/// Whether `path` lies on a BPF file system.
pub(super) fn is_bpffs(path: &Path) -> io::Result<bool> {
    let path = c_path(path)?;
    let mut stat = std::mem::MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a terminated path and room for the result, which is read only on success.
    let stat = unsafe {
        if libc::statfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        stat.assume_init()
    };
    Ok(stat.f_type == libc::BPF_FS_MAGIC)
}
