//! The system calls that a reader is left with.

use std::{collections::BTreeMap, io, process};

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

/// Those that only concern the process itself, and the two that bring a body and take an answer.
const FREE: [libc::c_long; 19] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
];

/// The first descriptor that is neither standard input, output nor error.
const FIRST_OTHER: libc::c_uint = 3;

/// Closes every descriptor but the standard ones, whatever this process inherited.
pub(super) fn close_others() -> io::Result<()> {
    // SAFETY: the descriptors of a process that was just started are used by nobody yet; the call takes numbers only.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, FIRST_OTHER, libc::c_uint::MAX, 0) };
    match closed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whatever is not allowed kills the process from now on. False where the kernel has no such filters.
pub(super) fn filter() -> bool {
    program().is_ok_and(|program| apply_filter(&program).is_ok())
}

fn program() -> Result<BpfProgram, Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        FREE.into_iter().map(|call| (call, Vec::new())).collect();
    rules.insert(libc::SYS_mmap, vec![private_memory()?]);
    rules.insert(libc::SYS_mprotect, vec![rule([not_executable()?])?]);
    rules.insert(libc::SYS_tgkill, vec![abort()?]);
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

/// Memory of its own, which the limit on memory counts, and never code.
fn private_memory() -> Result<SeccompRule, Error> {
    let wanted = number(libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    let mask = number(libc::MAP_TYPE | libc::MAP_ANONYMOUS);
    rule([
        not_executable()?,
        condition(3, SeccompCmpOp::MaskedEq(mask), wanted)?,
    ])
}

fn not_executable() -> Result<SeccompCondition, Error> {
    condition(2, SeccompCmpOp::MaskedEq(number(libc::PROT_EXEC)), 0)
}

/// The end of a process whose memory is used up.
fn abort() -> Result<SeccompRule, Error> {
    rule([
        condition(0, SeccompCmpOp::Eq, u64::from(process::id()))?,
        condition(2, SeccompCmpOp::Eq, number(libc::SIGABRT))?,
    ])
}

fn rule<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, Error> {
    Ok(SeccompRule::new(conditions.into())?)
}

fn condition(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        operator,
        value,
    )?)
}

/// Flags and signals are small and positive.
fn number(flags: libc::c_int) -> u64 {
    u64::from(flags.unsigned_abs())
}
