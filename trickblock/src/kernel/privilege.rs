//! Which capabilities this process has.

use std::fs;

use super::FilterError;

const CAP_NET_ADMIN: u8 = 12;
const CAP_SYS_ADMIN: u8 = 21;
const CAP_PERFMON: u8 = 38;
const CAP_BPF: u8 = 39;

/// Fails with the names of the missing capabilities. CAP_SYS_ADMIN stands in for CAP_BPF and
/// CAP_PERFMON, as in the kernel. Without CAP_PERFMON the verifier would refuse the program or make it
/// slow, so it is asked for up front.
pub fn check_privilege() -> Result<(), FilterError> {
    let held = effective();
    let has = |bit: u8| held & (1 << bit) != 0;
    let needed = [
        ("CAP_BPF", CAP_BPF, true),
        ("CAP_PERFMON", CAP_PERFMON, true),
        ("CAP_NET_ADMIN", CAP_NET_ADMIN, false),
    ];
    let missing: Vec<&str> = needed
        .into_iter()
        .filter(|(_, bit, covered)| !(has(*bit) || *covered && has(CAP_SYS_ADMIN)))
        .map(|(name, ..)| name)
        .collect();
    if missing.is_empty() && in_user_namespace() {
        return Err(FilterError::UserNamespace);
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(FilterError::Privilege {
        missing: missing.join(" "),
    })
}

/// There capabilities look as if they were held, and count for nothing that is asked here.
fn in_user_namespace() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let everybody = u32::MAX.to_string();
    let whole = ["0", "0", everybody.as_str()];
    !map.is_empty() && !map.split_ascii_whitespace().eq(whole)
}

/// The effective set of this thread as a bit mask; empty where it cannot be read.
fn effective() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}
