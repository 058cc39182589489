//! One `dockerd`.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use crate::{
    cli::Output,
    netns::{Lab, Netns},
    sys,
};

/// What a container needs to run trickblock, as arguments of `docker run`. `--cap-add BPF` and
/// `PERFMON` would be enough, but are unknown to engines as old as 20.10.
pub const NET_CAPS: [&str; 6] = [
    "--cap-add",
    "SYS_ADMIN",
    "--cap-add",
    "NET_ADMIN",
    "--security-opt",
    "apparmor=unconfined",
];

/// A running engine; ended, with all its containers, when it is dropped.
#[derive(Debug)]
pub struct Engine {
    process: Child,
    name: String,
    dir: TempDir,
    /// The namespace that its containers know as the host's.
    pub host: Netns,
}

impl Engine {
    /// Starts it and waits until it answers, 60 s at most. The first of a process removes what dead
    /// ones left.
    pub fn start(lab: &Lab) -> anyhow::Result<Self> {
        static ENGINES: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(remove_leftovers);
        let number = ENGINES.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", process::id());
        let dir = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir()
            .context("tempdir")?;
        let host = lab.host("engine")?;
        let process = spawn(&host, &name, dir.path())?;
        let mut engine = Self {
            process,
            name,
            dir,
            host,
        };
        engine.wait()?;
        Ok(engine)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = self.process.try_wait().context("waitpid")? {
                bail!("dockerd ended with {status}: {}", self.last_words());
            }
            let answer = self.docker(&["version", "--format", "{{.Server.Version}}"])?;
            if answer.code == Some(0) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let said = answer.stderr.trim();
                bail!(
                    "dockerd did not answer within {START:?}: {said}: {}",
                    self.last_words()
                );
            }
            sys::stop_if_interrupted()?;
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The end of dockerd's own log.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("; ")
    }

    /// Its API.
    pub fn socket(&self) -> PathBuf {
        socket(self.dir.path())
    }

    /// A directory that is gone with the engine.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs `docker <arguments>`, two minutes at most. A failure is a result, not an error.
    pub fn docker(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        let mut command = self.command("docker");
        output(command.args(arguments))
    }

    /// As [`Self::docker`]; a failure is an error with both outputs. Returns what it printed.
    pub fn done(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.docker(arguments)?;
        let output = output
            .succeeded()
            .with_context(|| format!("docker {}", arguments.join(" ")))?;
        Ok(output.stdout.trim().to_owned())
    }

    /// A program that finds this engine, and no other, as the `docker` command does. It is stopped
    /// after two minutes.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("timeout");
        command.arg("120").arg(program);
        command
            .env("DOCKER_HOST", format!("unix://{}", self.socket().display()))
            .env("DOCKER_CONFIG", self.dir.path())
            .env("DOCKER_BUILDKIT", "0")
            .env_remove("DOCKER_CONTEXT")
            .stdin(Stdio::null())
            .process_group(0);
        sys::die_with_parent(&mut command);
        command
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // The first process of its namespace dies with this one, and with that all the others.
        let _ended_already = self.process.kill().and_then(|()| self.process.wait());
        remove_groups(&self.name);
    }
}

const PREFIX: &str = "tb-docker-";
const START: Duration = Duration::from_secs(60);

fn socket(dir: &Path) -> PathBuf {
    dir.join("engine.sock")
}

fn spawn(host: &Netns, name: &str, dir: &Path) -> anyhow::Result<Child> {
    let log = File::create(dir.join("log")).context("log")?;
    // Else the one of the machine's own engine would be read.
    fs::write(dir.join("daemon.json"), "{}").context("daemon.json")?;
    let mut command = host.command("unshare")?;
    command
        .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["dockerd", "--bridge=none", "--cgroup-parent"])
        .arg(format!("/{name}"))
        .arg(format!("--host=unix://{}", socket(dir).display()));
    for (flag, file) in [
        ("--config-file", "daemon.json"),
        ("--data-root", "data"),
        ("--exec-root", "exec"),
        ("--pidfile", "pid"),
    ] {
        command.arg(flag).arg(dir.join(file));
    }
    // What dockerd calls lies there, and a login without root's profile leaves it out.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.process_group(0).stdin(Stdio::null());
    sys::die_with_parent(&mut command);
    command
        .stdout(log.try_clone().context("log")?)
        .stderr(log)
        .spawn()
        .context("cannot run unshare (package util-linux)")
}

/// Runs it to its end. A failure is a result, not an error.
pub fn output(command: &mut Command) -> anyhow::Result<Output> {
    let done = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Output {
        code: done.status.code(),
        stdout: text(&done.stdout),
        stderr: text(&done.stderr),
    })
}

/// Removes files and control groups of engines whose maker is no longer alive.
fn remove_leftovers() {
    for dir in [std::env::temp_dir()].into_iter().chain(hierarchies()) {
        let names = fs::read_dir(&dir).into_iter().flatten().flatten();
        for name in names.filter_map(|entry| entry.file_name().into_string().ok()) {
            let maker = name
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.split('-').next());
            if maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists()) {
                remove_groups(&name);
                let _partly = fs::remove_dir_all(dir.join(&name));
            }
        }
    }
}

/// The root of every hierarchy of control groups.
fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut roots = vec![root.to_owned()];
    roots.extend(
        entries
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.path()),
    );
    roots
}

/// A group is removed like a directory, once its processes are gone, which takes a moment.
fn remove_groups(name: &str) {
    for group in hierarchies().into_iter().map(|root| root.join(name)) {
        for _ in 0..100 {
            if !group.exists() || remove_tree(&group).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
