//! Programs: run on a frame, asked what they are.

use std::{io, os::fd::BorrowedFd};

use super::{BPF_OBJ_GET_INFO_BY_FD, InfoQuery, bpf, raw};

const BPF_PROG_TEST_RUN: libc::c_long = 10;

/// For `BPF_PROG_TEST_RUN`.
#[repr(C)]
struct TestRun {
    program: u32,
    returned: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

/// Runs a program once on `data`; its return value.
pub(in crate::kernel) fn test_run(
    program: BorrowedFd<'_>,
    data: &[u8],
    context: &[u8],
) -> io::Result<u32> {
    let mut attributes = TestRun {
        program: raw(program),
        returned: 0,
        data_size_in: u32::try_from(data.len()).map_err(io::Error::other)?,
        data_size_out: 0,
        data_in: data.as_ptr() as u64,
        data_out: 0,
        repeat: 1,
        duration: 0,
        context_size_in: u32::try_from(context.len()).map_err(io::Error::other)?,
        context_size_out: 0,
        context_in: context.as_ptr() as u64,
        context_out: 0,
        flags: 0,
        cpu: 0,
        batch_size: 0,
        padding: 0,
    };
    bpf(BPF_PROG_TEST_RUN, &mut attributes)?;
    Ok(attributes.returned)
}

/// The number that the kernel gave to a program.
pub(in crate::kernel) fn program_id(program: BorrowedFd<'_>) -> io::Result<u32> {
    // Start of `struct bpf_prog_info`: type, id.
    let mut info = [0_u32; 2];
    let length = u32::try_from(size_of_val(&info)).map_err(io::Error::other)?;
    let mut query = InfoQuery {
        fd: raw(program),
        length,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut query)?;
    Ok(info[1])
}
