//! The bpf(2) commands that tests need besides the filter's own.
//!
//! Written against `linux/bpf.h` rather than with a library: only the code under test may use
//! aya, and a probe must not fail for the same reason as the thing it is probed for.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::Path,
};

use anyhow::Context as _;

use crate::sys;

/// What a map looks like from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapShape {
    pub kind: u32,
    pub key: u32,
    pub value: u32,
    pub entries: u32,
    pub flags: u32,
}

/// Map types and flags of `linux/bpf.h`.
pub const HASH: u32 = 1;
pub const ARRAY: u32 = 2;
pub const PERCPU_ARRAY: u32 = 6;
pub const LPM_TRIE: u32 = 11;
pub const RING_BUFFER: u32 = 27;
pub const NO_PREALLOC: u32 = 1;
pub const MMAPABLE: u32 = 1 << 10;

impl MapShape {
    pub const fn new(kind: u32, key: u32, value: u32, entries: u32, flags: u32) -> Self {
        Self {
            kind,
            key,
            value,
            entries,
            flags,
        }
    }
}

/// Creates a map.
pub fn create_map(shape: MapShape) -> anyhow::Result<OwnedFd> {
    let attributes = [
        shape.kind,
        shape.key,
        shape.value,
        shape.entries,
        shape.flags,
    ];
    call_for_fd(MAP_CREATE, &attributes).with_context(|| format!("BPF_MAP_CREATE of {shape:?}"))
}

/// Writes the value of key 0 of an array. `value` must be exactly as long as the map's.
pub fn write_words(map: impl AsFd, value: &[u64]) -> anyhow::Result<()> {
    write_first(map, value)
}

/// The value of `key`, of so many bytes.
pub fn lookup(map: impl AsFd, key: &[u8], bytes: usize) -> anyhow::Result<Vec<u8>> {
    let mut value = vec![0; bytes];
    let attributes = Element {
        map: map.as_fd().as_raw_fd(),
        key: key.as_ptr().addr() as u64,
        value: value.as_mut_ptr().addr() as u64,
        flags: 0,
    };
    call(MAP_LOOKUP_ELEM, &attributes).context("BPF_MAP_LOOKUP_ELEM")?;
    Ok(value)
}

/// Writes the value of `key`.
pub fn update(map: impl AsFd, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
    let attributes = Element {
        map: map.as_fd().as_raw_fd(),
        key: key.as_ptr().addr() as u64,
        value: value.as_ptr().addr() as u64,
        flags: 0,
    };
    call(MAP_UPDATE_ELEM, &attributes)
        .map(drop)
        .context("BPF_MAP_UPDATE_ELEM")
}

/// Adds keys of so many bytes each, all with the same value, in one system call.
pub fn update_batch(
    map: impl AsFd,
    keys: &[u8],
    key_bytes: usize,
    value: &[u8],
) -> anyhow::Result<()> {
    let count = keys.len() / key_bytes;
    if count == 0 {
        return Ok(());
    }
    let values = value.repeat(count);
    let mut attributes = Batch {
        keys: keys.as_ptr().addr() as u64,
        values: values.as_ptr().addr() as u64,
        count: u32::try_from(count)?,
        map: map.as_fd().as_raw_fd(),
        ..Batch::default()
    };
    call_mut(MAP_UPDATE_BATCH, &mut attributes)
        .map(drop)
        .with_context(|| {
            let done = attributes.count;
            format!("BPF_MAP_UPDATE_BATCH: {done} of {count} elements")
        })
}

/// Removes `key`.
pub fn delete(map: impl AsFd, key: &[u8]) -> anyhow::Result<()> {
    let attributes = Element {
        map: map.as_fd().as_raw_fd(),
        key: key.as_ptr().addr() as u64,
        value: 0,
        flags: 0,
    };
    call(MAP_DELETE_ELEM, &attributes)
        .map(drop)
        .context("BPF_MAP_DELETE_ELEM")
}

/// Puts another program behind a link.
pub fn update_link(link: impl AsFd, program: impl AsFd) -> anyhow::Result<()> {
    let attributes = [link.as_fd().as_raw_fd(), program.as_fd().as_raw_fd(), 0, 0];
    call(LINK_UPDATE, &attributes)
        .map(drop)
        .context("BPF_LINK_UPDATE")
}

/// Makes a tail call to key 0 of a program array reach `program`.
pub fn write_program(map: impl AsFd, program: impl AsFd) -> anyhow::Result<()> {
    write_first(map, &[program.as_fd().as_raw_fd()])
}

/// Makes `path` on a BPF file system refer to `object`.
pub fn pin(object: impl AsFd, path: &Path) -> anyhow::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Object {
        path: name.as_ptr().addr() as u64,
        fd: object.as_fd().as_raw_fd(),
        flags: 0,
    };
    call(OBJ_PIN, &attributes)
        .map(drop)
        .with_context(|| format!("BPF_OBJ_PIN at {}", path.display()))
}

/// Opens what is pinned at `path`.
pub fn open_pin(path: &Path) -> anyhow::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Object {
        path: name.as_ptr().addr() as u64,
        fd: 0,
        flags: 0,
    };
    call_for_fd(OBJ_GET, &attributes).with_context(|| format!("BPF_OBJ_GET of {}", path.display()))
}

/// The number that the kernel gave to a pinned map.
pub fn map_id(path: &Path) -> anyhow::Result<u32> {
    // struct bpf_map_info: type, id, …
    let info: [u32; 2] = info(&open_pin(path)?)?;
    Ok(info[1])
}

/// The number that the kernel gave to a pinned link, and that of its program.
pub fn link_ids(path: &Path) -> anyhow::Result<(u32, u32)> {
    // struct bpf_link_info: type, id, prog_id, …
    let info: [u32; 3] = info(&open_pin(path)?)?;
    Ok((info[1], info[2]))
}

/// The number of a program.
pub fn program_id(program: impl AsFd) -> anyhow::Result<u32> {
    // struct bpf_prog_info: type, id, …
    let info: [u32; 2] = info(&program)?;
    Ok(info[1])
}

/// The instructions of a program after the verifier's rewriting, 8 bytes each.
pub fn translated(program: impl AsFd) -> anyhow::Result<Vec<u64>> {
    let empty = ProgramInfo::default();
    let sizes: ProgramInfo = fill_info(&program, empty)?;
    let bytes = usize::try_from(sizes.translated_length)?;
    let mut instructions = vec![0_u64; bytes.div_ceil(8)];
    let wanted = ProgramInfo {
        translated_length: sizes.translated_length,
        translated: instructions.as_mut_ptr().addr() as u64,
        ..ProgramInfo::default()
    };
    fill_info(&program, wanted)?;
    Ok(instructions)
}

/// Runs a program on `frame` so many times; its last return value.
pub fn test_run(program: impl AsFd, frame: &[u8], repeat: u32) -> anyhow::Result<u32> {
    let mut attributes = TestRun {
        program: program.as_fd().as_raw_fd(),
        result: 0,
        data_size_in: u32::try_from(frame.len())?,
        data_size_out: 0,
        data_in: frame.as_ptr().addr() as u64,
        data_out: 0,
        repeat,
        duration: 0,
    };
    call_mut(PROG_TEST_RUN, &mut attributes).context("BPF_PROG_TEST_RUN")?;
    Ok(attributes.result)
}

/// Runs an XDP program on so many copies of `frame`, and does with each what the program says: it can
/// send them out of an interface of the calling thread's network namespace.
pub fn run_live(program: impl AsFd, frame: &[u8], repeat: u32) -> anyhow::Result<()> {
    let mut attributes = LiveRun {
        run: TestRun {
            program: program.as_fd().as_raw_fd(),
            result: 0,
            data_size_in: u32::try_from(frame.len())?,
            data_size_out: 0,
            data_in: frame.as_ptr().addr() as u64,
            data_out: 0,
            repeat,
            duration: 0,
        },
        context: [0; 3],
        flags: LIVE_FRAMES,
        cpu: 0,
        batch_size: 0,
        padding: 0,
    };
    call_mut(PROG_TEST_RUN, &mut attributes)
        .map(drop)
        .context("BPF_PROG_TEST_RUN with live frames")
}

/// Loads an XDP program that passes every packet.
pub fn load_pass() -> anyhow::Result<OwnedFd> {
    const XDP_PASS: u32 = 2;
    load_constant(XDP, XDP_PASS).context("BPF_PROG_LOAD of an XDP program")
}

/// Loads a TC program that says the same of every packet: [`TC_OK`] or [`TC_SHOT`].
pub fn load_tc(answer: u32) -> anyhow::Result<OwnedFd> {
    load_constant(SCHED_CLS, answer).context("BPF_PROG_LOAD of a TC program")
}

/// The packet goes on, and no other program is asked.
pub const TC_OK: u32 = 0;
/// The packet is dropped.
pub const TC_SHOT: u32 = 2;

fn load_constant(prog_type: u32, answer: u32) -> io::Result<OwnedFd> {
    // mov32 r0, answer; exit
    let instructions: [u64; 2] = [u64::from(answer) << 32 | 0xb4, 0x95];
    let attributes = ProgLoad {
        prog_type,
        instruction_count: 2,
        instructions: (&raw const instructions).addr() as u64,
        license: c"GPL".as_ptr().addr() as u64,
        rest: [0; 4],
    };
    call_for_fd(PROG_LOAD, &attributes)
}

/// Attaches an XDP program natively to the interface with this index, until the link is dropped.
pub fn attach_native(program: &OwnedFd, index: u32) -> anyhow::Result<OwnedFd> {
    attach(program, index, NATIVE).context("BPF_LINK_CREATE of native XDP on a veth")
}

/// As [`attach_native`], in the network stack.
pub fn attach_generic(program: &OwnedFd, index: u32) -> anyhow::Result<OwnedFd> {
    attach(program, index, GENERIC).context("BPF_LINK_CREATE of generic XDP")
}

/// Attaches a TC program behind all others, to what arrives at the interface or to what leaves it,
/// until the link is dropped.
pub fn attach_tcx(program: &OwnedFd, index: u32, egress: bool) -> anyhow::Result<OwnedFd> {
    let attach_type = if egress { TCX_EGRESS } else { TCX_INGRESS };
    attach_as(attach_type, program, index, 0).context("BPF_LINK_CREATE of TCX")
}

/// The same before all others.
pub fn attach_tcx_first(program: &OwnedFd, index: u32, egress: bool) -> anyhow::Result<OwnedFd> {
    const BEFORE: u32 = 1 << 3;
    let attach_type = if egress { TCX_EGRESS } else { TCX_INGRESS };
    attach_as(attach_type, program, index, BEFORE).context("BPF_LINK_CREATE of TCX")
}

fn attach(program: &OwnedFd, index: u32, flags: u32) -> io::Result<OwnedFd> {
    attach_as(ATTACH_XDP, program, index, flags)
}

fn attach_as(attach_type: u32, program: &OwnedFd, index: u32, flags: u32) -> io::Result<OwnedFd> {
    let attributes = LinkCreate {
        program: program.as_raw_fd(),
        target: index,
        attach_type,
        flags,
    };
    call_for_fd(LINK_CREATE, &attributes)
}

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const PROG_LOAD: libc::c_int = 5;
const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const PROG_TEST_RUN: libc::c_int = 10;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const MAP_UPDATE_BATCH: libc::c_int = 26;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;
const SCHED_CLS: u32 = 3;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
/// `BPF_F_TEST_XDP_LIVE_FRAMES`
const LIVE_FRAMES: u32 = 1 << 1;
const TCX_INGRESS: u32 = 46;
const TCX_EGRESS: u32 = 47;
/// `XDP_FLAGS_SKB_MODE` and `XDP_FLAGS_DRV_MODE`
const GENERIC: u32 = 1 << 1;
const NATIVE: u32 = 1 << 2;

/// Index in `struct bpf_map_info`, whose first fields are 32 bits each: type, id, key_size, …
const VALUE_SIZE: usize = 3;

#[repr(C)]
struct Element {
    map: i32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct Batch {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: i32,
    element_flags: u64,
    flags: u64,
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
struct Object {
    path: u64,
    fd: i32,
    flags: u32,
}

#[repr(C)]
struct TestRun {
    program: i32,
    result: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

#[repr(C)]
struct LiveRun {
    run: TestRun,
    /// Sizes and addresses of a context: none.
    context: [u64; 3],
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

#[repr(C)]
struct InfoQuery {
    fd: i32,
    length: u32,
    info: u64,
}

/// Start of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct ProgramInfo {
    kind: u32,
    id: u32,
    tag: [u8; 8],
    jited_length: u32,
    translated_length: u32,
    jited: u64,
    translated: u64,
}

#[repr(C)]
struct LinkCreate {
    program: i32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

fn write_first<T>(map: impl AsFd, value: &[T]) -> anyhow::Result<()> {
    let size = info::<[u32; 4]>(&map)?[VALUE_SIZE];
    anyhow::ensure!(
        usize::try_from(size)? == size_of_val(value),
        "a value of {} bytes for a map of {size}",
        size_of_val(value)
    );
    let key = 0_u32;
    let attributes = Element {
        map: map.as_fd().as_raw_fd(),
        key: (&raw const key).addr() as u64,
        value: value.as_ptr().addr() as u64,
        flags: 0,
    };
    call(MAP_UPDATE_ELEM, &attributes)
        .map(drop)
        .context("BPF_MAP_UPDATE_ELEM")
}

/// The first bytes of an object's information.
fn info<T: Default>(object: impl AsFd) -> anyhow::Result<T> {
    fill_info(object, T::default())
}

fn fill_info<T>(object: impl AsFd, mut info: T) -> anyhow::Result<T> {
    let attributes = InfoQuery {
        fd: object.as_fd().as_raw_fd(),
        length: u32::try_from(size_of::<T>())?,
        info: (&raw mut info).addr() as u64,
    };
    call(OBJ_GET_INFO_BY_FD, &attributes).context("BPF_OBJ_GET_INFO_BY_FD")?;
    Ok(info)
}

/// One bpf(2) command that returns a descriptor.
fn call_for_fd<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    let fd = call(command, attributes)?;
    // SAFETY: `fd` was just opened and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: the pointer and size describe `attributes`, a prefix of bpf_attr for `command`; the
    // kernel takes missing fields as zero, and whatever it points to outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            &raw const *attributes,
            size_of::<T>(),
        )
    };
    sys::check(libc::c_int::try_from(result).map_err(io::Error::other)?)
}

/// A command whose answer the kernel writes into the attributes.
fn call_mut<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: as in `call`; the kernel writes inside of the structure only.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    sys::check(libc::c_int::try_from(result).map_err(io::Error::other)?)
}
