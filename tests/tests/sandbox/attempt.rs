//! A process that confines itself as a reader does, and then tries one thing.

use std::{
    fs::{self, File},
    io,
    net::TcpStream,
    process::{Command, ExitCode, ExitStatus, Stdio},
};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use tempfile::TempDir;
use trickblock::feed::{
    self,
    sandbox::{Limits, confine},
};
use trickblock_tests::{child, http::Server};

/// What to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Open,
    Create,
    Truncate,
    MakeDirectory,
    Connect,
    Fork,
    StartThread,
    Execute,
    TraceParent,
    KillParent,
    RaiseLimit,
    BecomeRoot,
    MakeCode,
    ShareMemory,
    UseBpf,
    ReceiveFiles,
    /// Not forbidden, but limited.
    Allocate,
    Spin,
    /// What readers do.
    Work,
}

impl Attempt {
    /// Those that are forbidden.
    pub const ALL: [Self; 16] = [
        Self::Open,
        Self::Create,
        Self::Truncate,
        Self::MakeDirectory,
        Self::Connect,
        Self::Fork,
        Self::StartThread,
        Self::Execute,
        Self::TraceParent,
        Self::KillParent,
        Self::RaiseLimit,
        Self::BecomeRoot,
        Self::MakeCode,
        Self::ShareMemory,
        Self::UseBpf,
        Self::ReceiveFiles,
    ];
}

/// How it ended, and what it printed: the state of its sandbox, then `error N` or `it worked`.
pub struct Tried {
    pub status: ExitStatus,
    pub said: String,
}

/// What an attempt is given to work on: everybody may use it, were it not for the sandbox.
struct Bait {
    directory: TempDir,
    server: Server,
}

impl Bait {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "secret").unwrap();
        for path in [directory.path(), &file] {
            let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            fs::set_permissions(path, everybody).unwrap();
        }
        let server = Server::start(|_, _| ());
        Self { directory, server }
    }
}

/// Runs one attempt where the kernel has everything (`full`), `no seccomp` or `no landlock`.
pub fn start(kernel: &str, attempt: Attempt) -> Tried {
    let bait = Bait::new();
    let role = format!(
        "{kernel};{attempt:?};{};{}",
        bait.directory.path().display(),
        bait.server.port()
    );
    let mut env = Command::new("env");
    // The parent gives a reader no variables, of which this one would have it open files.
    env.args(["-u", "RUST_BACKTRACE"]);
    let mut command = child::with_role(env, &role).unwrap();
    let output = command.stderr(Stdio::null()).output().unwrap();
    assert!(bait.server.requests().is_empty(), "{attempt:?} connected");
    Tried {
        status: output.status,
        said: String::from_utf8(output.stdout).unwrap(),
    }
}

/// The process itself.
pub fn play(role: &str) -> ExitCode {
    let [kernel, attempt, directory, port] = role.split(';').collect::<Vec<_>>()[..] else {
        return ExitCode::FAILURE;
    };
    hide_from(kernel);
    let limits = Limits {
        memory: 64 << 20,
        cpu: 1,
    };
    let missing = confine(&limits).unwrap();
    println!("{missing}");
    let done = attempted(attempt, directory, port.parse().unwrap());
    match done {
        Ok(()) => println!("it worked"),
        Err(error) => println!("error {}", error.raw_os_error().unwrap_or_default()),
    }
    ExitCode::SUCCESS
}

/// Makes the kernel one that does not know what it knows.
fn hide_from(kernel: &str) {
    let hidden: &[i64] = match kernel {
        "no seccomp" => &[libc::SYS_seccomp],
        "no landlock" => &[libc::SYS_landlock_create_ruleset],
        _ => return,
    };
    let rules = hidden.iter().map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(u32::try_from(libc::ENOSYS).unwrap()),
        std::env::consts::ARCH.try_into().unwrap(),
    );
    let program: BpfProgram = filter.unwrap().try_into().unwrap();
    apply_filter(&program).unwrap();
}

fn attempted(attempt: &str, directory: &str, port: u16) -> io::Result<()> {
    let file = format!("{directory}/file");
    match attempt {
        "Open" => File::open(file).map(drop),
        "Create" => File::create(format!("{directory}/new")).map(drop),
        "Truncate" => syscall(libc::SYS_truncate, [pointer(&file), 0, 0]),
        "MakeDirectory" => fs::create_dir(format!("{directory}/new")),
        "Connect" => TcpStream::connect(("127.0.0.1", port)).map(drop),
        "Fork" => fork(),
        "StartThread" => std::thread::Builder::new().spawn(|| ()).map(drop),
        "Execute" => execute(),
        "TraceParent" => syscall(
            libc::SYS_ptrace,
            [i64::from(libc::PTRACE_SEIZE as i32), parent(), 0],
        ),
        "KillParent" => syscall(libc::SYS_kill, [parent(), 0, 0]),
        "RaiseLimit" => raise_limit(),
        "BecomeRoot" => syscall(libc::SYS_setuid, [0, 0, 0]),
        "MakeCode" => map(libc::PROT_EXEC | libc::PROT_READ, libc::MAP_PRIVATE),
        "ShareMemory" => map(libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED),
        "UseBpf" => syscall(libc::SYS_bpf, [0, 0, 0]),
        "ReceiveFiles" => syscall(libc::SYS_recvmsg, [0, 0, 0]),
        "Allocate" => allocate(128 << 20),
        "Spin" => spin(),
        "Work" => work(),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parent() -> i64 {
    std::os::unix::process::parent_id().into()
}

/// A NUL-terminated copy that lives as long as the process.
fn pointer(text: &str) -> i64 {
    let text = Box::leak(format!("{text}\0").into_boxed_str());
    text.as_ptr() as i64
}

fn syscall(number: i64, [one, two, three]: [i64; 3]) -> io::Result<()> {
    // SAFETY: the calls tried here read at most a string that is never freed.
    answer(unsafe { libc::syscall(number, one, two, three, 0_i64, 0_i64) })
}

fn answer(returned: i64) -> io::Result<()> {
    match returned {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

fn fork() -> io::Result<()> {
    // SAFETY: a child would only end.
    match unsafe { libc::fork() } {
        // SAFETY: it ends a process that shares nothing with its parent.
        0 => unsafe { libc::_exit(0) },
        pid => answer(pid.into()),
    }
}

fn execute() -> io::Result<()> {
    let arguments = [std::ptr::null(), std::ptr::null::<libc::c_char>()];
    let path = pointer("/bin/true") as *const libc::c_char;
    // SAFETY: the path ends with NUL and the list with a null pointer.
    answer(unsafe { libc::execv(path, arguments.as_ptr()) }.into())
}

fn raise_limit() -> io::Result<()> {
    let more = libc::rlimit {
        rlim_cur: 100,
        rlim_max: 100,
    };
    // SAFETY: the pointer is to a live limit.
    answer(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const more) }.into())
}

fn map(protection: i32, kind: i32) -> io::Result<()> {
    let flags = kind | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, at a place that the kernel chooses, touches no other memory.
    let mapped = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    answer(if mapped == libc::MAP_FAILED { -1 } else { 0 })
}

fn allocate(bytes: usize) -> io::Result<()> {
    let memory = vec![1_u8; bytes];
    std::hint::black_box(&memory);
    Ok(())
}

fn spin() -> io::Result<()> {
    for turn in 0_u64.. {
        std::hint::black_box(turn);
    }
    Ok(())
}

fn work() -> io::Result<()> {
    allocate(16 << 20)?;
    let body: String = (0..20_000)
        .map(|row| format!("198.18.{}.{}\n", row >> 8 & 127, row & 255))
        .collect();
    let parsed = feed::parse(body.as_bytes(), None).map_err(io::Error::other)?;
    assert_eq!(parsed.rows.len(), 20_000);
    Ok(())
}
