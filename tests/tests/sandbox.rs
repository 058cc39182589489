//! The process that reads feeds: what it may not do, each tried in a process that is confined by the
//! same code, what becomes of a feed whose reader dies, and that it reads what `parse` reads.
//!
//! The test binary runs itself again for each attempt, so the product has no way to ask for one.

#[path = "sandbox/attempt.rs"]
mod attempt;
#[path = "sandbox/bodies.rs"]
mod bodies;
#[path = "sandbox/memory.rs"]
mod memory;
#[path = "sandbox/real.rs"]
mod real;

use std::{os::unix::process::ExitStatusExt as _, process::ExitCode};

use attempt::{Attempt, Tried};
use trickblock_tests::{
    case, child,
    harness::{self, Need},
};

const ROOT: &[Need] = &[Need::Root];
const DAEMON: &[Need] = &[Need::Root, Need::Netns, Need::Bpf, Need::BpfFs, Need::Xdp];

fn main() -> ExitCode {
    if let Some(role) = child::role() {
        return match role.as_str() {
            memory::ROLE => memory::play(),
            role => attempt::play(role),
        };
    }
    use bodies::{every_format_is_read_as_in_process, large_bodies_arrive};
    use memory::the_largest_body_takes_little_more_than_itself;
    use real::{
        a_reader_has_nothing_left, a_reader_that_breaks_is_named, daemon_says_how_it_is_confined,
        three_capabilities_are_said, who_types_it_by_hand_gets_nothing,
    };
    harness::main(&[
        case!(forbidden_calls_kill, ROOT),
        case!(limits_kill, ROOT),
        case!(without_seccomp_the_rest_holds, ROOT),
        case!(without_landlock_it_goes_on_and_says_so, ROOT),
        case!(every_format_is_read_as_in_process, &[]),
        case!(large_bodies_arrive, &[]),
        case!(the_largest_body_takes_little_more_than_itself, &[]),
        case!(a_reader_has_nothing_left, ROOT),
        case!(a_reader_that_breaks_is_named, &[]),
        case!(who_types_it_by_hand_gets_nothing, &[]),
        case!(daemon_says_how_it_is_confined, DAEMON),
        case!(three_capabilities_are_said, DAEMON),
    ])
}

/// Nothing of this returns, not even with an error.
fn forbidden_calls_kill() {
    for attempt in Attempt::ALL {
        let Tried { status, said } = attempt::start("full", attempt);
        assert_eq!(
            status.signal(),
            Some(libc::SIGSYS),
            "{attempt:?}: {status} {said}"
        );
        assert_eq!(said, "full\n", "{attempt:?}");
    }
}

fn limits_kill() {
    for (attempt, signal) in [
        (Attempt::Allocate, libc::SIGABRT),
        (Attempt::Spin, libc::SIGXCPU),
    ] {
        let Tried { status, said } = attempt::start("full", attempt);
        assert_eq!(
            status.signal(),
            Some(signal),
            "{attempt:?}: {status} {said}"
        );
    }
    let Tried { status, said } = attempt::start("full", Attempt::Work);
    assert!(
        status.success(),
        "what readers do is allowed: {status} {said}"
    );
}

/// A kernel that has no seccomp filters is played by a filter that forbids to install one.
fn without_seccomp_the_rest_holds() {
    for (attempt, error) in [
        (Attempt::Open, libc::EMFILE),
        (Attempt::Create, libc::EMFILE),
        (Attempt::Connect, libc::EMFILE),
        (Attempt::Truncate, libc::EACCES),
        (Attempt::MakeDirectory, libc::EACCES),
        (Attempt::Execute, libc::EACCES),
        (Attempt::Fork, libc::EAGAIN),
        (Attempt::RaiseLimit, libc::EPERM),
        (Attempt::BecomeRoot, libc::EPERM),
        (Attempt::KillParent, libc::EPERM),
        (Attempt::TraceParent, libc::EPERM),
    ] {
        let Tried { status, said } = attempt::start("no seccomp", attempt);
        assert_eq!(
            said,
            format!("no seccomp\nerror {error}\n"),
            "{attempt:?}: {status}"
        );
    }
    let Tried { status, .. } = attempt::start("no seccomp", Attempt::Allocate);
    assert_eq!(status.signal(), Some(libc::SIGABRT));
}

fn without_landlock_it_goes_on_and_says_so() {
    let Tried { status, said } = attempt::start("no landlock", Attempt::Work);
    assert!(
        status.success() && said.starts_with("no landlock\n"),
        "{status} {said}"
    );
    let Tried { status, said } = attempt::start("no landlock", Attempt::Open);
    assert_eq!(status.signal(), Some(libc::SIGSYS), "{said}");
}
