//! Gives up everything that a reader does not need, for good.

use std::{fmt, io};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};
use rustix::{
    process::{
        DumpableBehavior, Gid, Resource, Rlimit, Signal, Uid, geteuid, set_dumpable_behavior,
        set_parent_process_death_signal, setrlimit,
    },
    thread::{
        CapabilitySet, CapabilitySets, capability_is_in_bounding_set, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

use super::syscalls;

/// Whom nothing belongs to.
const NOBODY: u32 = 65_534;

/// What a confined process may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of private memory.
    pub memory: u64,
    /// Seconds of processor time.
    pub cpu: u64,
}

impl Limits {
    /// Those of a reader: several times what the largest honest body takes.
    pub const READER: Self = Self {
        memory: 512 << 20,
        cpu: 60,
    };
}

/// What a process could not be confined by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing(u8);

/// The process could not be confined, so it must read nothing.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {source}")]
pub struct Unconfined {
    step: &'static str,
    source: io::Error,
}

impl Missing {
    /// It runs as root, without any capability: the daemon is root without CAP_SETUID.
    pub const USER: Self = Self(1);
    /// The kernel has no landlock.
    pub const LANDLOCK: Self = Self(2);
    /// The kernel has no seccomp filters.
    pub const SECCOMP: Self = Self(4);
    const ALL: [(Self, &'static str); 3] = [
        (Self::USER, "no user of its own"),
        (Self::LANDLOCK, "no landlock"),
        (Self::SECCOMP, "no seccomp"),
    ];

    /// Nothing is missing.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// `None` where a bit stands for nothing.
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
        let known = Self::ALL.iter().fold(0, |known, (one, _)| known | one.0);
        (bits & !known == 0).then_some(Self(bits))
    }

    fn note(&mut self, one: Self, is_missing: bool) {
        if is_missing {
            self.0 |= one.0;
        }
    }
}

impl fmt::Display for Missing {
    /// `full`, or what is missing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing = Self::ALL.iter().filter(|(one, _)| self.0 & one.0 != 0);
        let names: Vec<_> = missing.map(|(_, name)| *name).collect();
        match names.is_empty() {
            true => f.pad("full"),
            false => f.pad(&names.join(", ")),
        }
    }
}

/// Confines this process, which must have one thread only. What its kernel does not know is left out and said;
/// what fails although the kernel knows it is an error.
pub fn confine(limits: &Limits) -> Result<Missing, Unconfined> {
    let mut missing = Missing::default();
    step("forbid new privileges", set_no_new_privs(true))?;
    step("close other files", syscalls::close_others())?;
    drop_bounding_set();
    missing.note(Missing::USER, !become_nobody());
    drop_capabilities()?;
    // After the change of user, which resets both.
    step(
        "forbid tracing",
        set_dumpable_behavior(DumpableBehavior::NotDumpable),
    )?;
    step(
        "end with the parent",
        set_parent_process_death_signal(Some(Signal::KILL)),
    )?;
    missing.note(Missing::LANDLOCK, !deny_files());
    limit(limits)?;
    missing.note(Missing::SECCOMP, !syscalls::filter());
    Ok(missing)
}

fn step<E: Into<io::Error>>(step: &'static str, done: Result<(), E>) -> Result<(), Unconfined> {
    done.map_err(|error| Unconfined {
        step,
        source: error.into(),
    })
}

/// Needs CAP_SETPCAP. Without it the set stays, and gives nothing: only executing a program would make
/// use of it, which new privileges being forbidden rules out.
fn drop_bounding_set() {
    let all = (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit));
    let held = all.take_while(|one| capability_is_in_bounding_set(*one).is_ok());
    for one in held {
        let _ = remove_capability_from_bounding_set(one);
    }
}

/// False where it stays root.
fn become_nobody() -> bool {
    if !geteuid().is_root() {
        // Already somebody without rights; its groups can only be dropped with CAP_SETGID.
        let _ = set_thread_groups(&[]);
        return true;
    }
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .is_ok()
}

fn drop_capabilities() -> Result<(), Unconfined> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    step("drop ambient capabilities", clear_ambient_capability_set())?;
    step("drop capabilities", set_capabilities(None, none))
}

/// No file, no TCP, no signal to and no abstract socket of others, as far as the kernel knows these. False
/// where it knows nothing of it.
fn deny_files() -> bool {
    let denied = || -> Result<_, RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .restrict_self()
    };
    denied().is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

fn limit(limits: &Limits) -> Result<(), Unconfined> {
    let none = (0, 0);
    // The hard limit kills one that ignores the signal of the soft one.
    let cpu = (limits.cpu, limits.cpu.saturating_add(1));
    let memory = (limits.memory, limits.memory);
    for (resource, (current, maximum)) in [
        (Resource::Core, none),
        (Resource::Fsize, none),
        (Resource::Nofile, none),
        (Resource::Nproc, none),
        (Resource::Memlock, none),
        (Resource::Msgqueue, none),
        (Resource::Data, memory),
        (Resource::Cpu, cpu),
    ] {
        let new = Rlimit {
            current: Some(current),
            maximum: Some(maximum),
        };
        step("limit resources", setrlimit(resource, new))?;
    }
    Ok(())
}
