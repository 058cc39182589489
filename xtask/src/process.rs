//! Running other programs: where they are found, what is shown of them, how long they may take.

use std::{
    collections::VecDeque,
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// A long step says every so often that it is still alive.
const TICK: Duration = Duration::from_secs(10);
/// Lines of a silent step that are shown when it fails.
const TAIL: usize = 25;
/// Beginnings of the variables that `cargo run` sets for the program it runs.
const OF_THIS_PACKAGE: [&str; 4] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_NAME",
    "CARGO_CRATE_NAME",
];
/// What a process gets between SIGTERM and SIGKILL, to clean up after itself.
const GRACE: Duration = Duration::from_secs(5);

/// What [`lines`] hands to its caller.
pub enum Event<'a> {
    /// One line of the program's output, stdout and stderr in the order they were written.
    Line(&'a str),
    /// Nothing was written for a while; the time since the start.
    Tick(Duration),
}

/// The workspace's root directory.
pub fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest
        .parent()
        .map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// A program to run in the workspace's root, found also where a bare PATH does not look.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).env("PATH", search_path());
    command
}

/// The cargo that started this task, so that a `+toolchain` choice holds for what it runs.
///
/// What that cargo told this task about its package must not leak: build scripts watch such
/// variables and would run again at each change between this task and a plain `cargo build`.
pub fn cargo() -> Command {
    let mut cargo = command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if OF_THIS_PACKAGE
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            cargo.env_remove(&name);
        }
    }
    cargo
}

/// The file of a program, or `None` if no directory of the search path has it.
pub fn find(program: &str) -> Option<PathBuf> {
    env::split_paths(&search_path())
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Trimmed stdout of a program that succeeds; `None` if it is missing or fails.
pub fn stdout_of(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Runs a step with its output on the screen.
pub fn streamed(what: &str, command: Command) -> Result<()> {
    let show = |event: Event<'_>| match event {
        Event::Line(line) => println!("{line}"),
        Event::Tick(elapsed) => println!("... {what}: {} s", elapsed.as_secs()),
    };
    let status = lines(command, None, show).with_context(|| what.to_owned())?;
    if !status.success() {
        bail!("{what} failed ({status}), see above");
    }
    Ok(())
}

/// Runs a step silently but for a sign of life; its last lines are the error if it fails.
pub fn watched(what: &str, command: Command) -> Result<()> {
    let start = Instant::now();
    let mut said = start;
    let mut tail = VecDeque::with_capacity(TAIL);
    let status = lines(command, None, |event| {
        if let Event::Line(line) = event {
            if tail.len() == TAIL {
                tail.pop_front();
            }
            tail.push_back(line.to_owned());
        }
        if said.elapsed() >= TICK {
            said = Instant::now();
            let last = tail.back().map_or("", |line| line.trim());
            println!("  ...  {what}: {} s  {last}", start.elapsed().as_secs());
        }
    })
    .with_context(|| what.to_owned())?;
    if !status.success() {
        let tail: Vec<_> = tail.into_iter().collect();
        bail!("{what} failed ({status}):\n{}", tail.join("\n"));
    }
    Ok(())
}

/// Runs a program without stdin and hands over its output line by line.
///
/// Stdout and stderr share one pipe: cargo names a test binary on stderr and the binary reports
/// on stdout, and only their order says what belongs together. After `limit` the program and its
/// descendants are ended, and that is an error.
pub fn lines(
    command: Command,
    limit: Option<Duration>,
    mut on: impl FnMut(Event<'_>),
) -> Result<ExitStatus> {
    let start = Instant::now();
    let (mut child, output) = spawn(command)?;
    let mut last = Instant::now();
    loop {
        match output.recv_timeout(TICK.saturating_sub(last.elapsed())) {
            Ok(line) => on(Event::Line(&line)),
            Err(RecvTimeoutError::Disconnected) => return Ok(child.wait()?),
            Err(RecvTimeoutError::Timeout) => {
                // A daemon left behind may hold the pipe open for ever.
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
                on(Event::Tick(start.elapsed()));
            }
        }
        last = Instant::now();
        if let Some(limit) = limit.filter(|limit| start.elapsed() > *limit) {
            end(&mut child)?;
            bail!("ended after its limit of {} s", limit.as_secs());
        }
    }
}

fn spawn(mut command: Command) -> Result<(Child, Receiver<String>)> {
    let (reader, writer) = io::pipe().context("cannot create a pipe")?;
    command
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            let text = String::from_utf8_lossy(&line)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            if sender.send(text).is_err() {
                return;
            }
            line.clear();
        }
    });
    // `command` is dropped here and with it our own copy of the pipe's writing end.
    Ok((child, receiver))
}

/// Ends a child and all it started: cargo alone would leave the test binary running.
fn end(child: &mut Child) -> Result<()> {
    let family = descendants(child.id());
    signal("TERM", &family);
    let patience = Instant::now();
    while child.try_wait()?.is_none() && patience.elapsed() < GRACE {
        thread::sleep(Duration::from_millis(100));
    }
    signal("KILL", &family);
    child.wait()?;
    Ok(())
}

/// A process and its descendants, children first.
fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect();
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&member) = family.get(next) {
        family.extend(
            parents
                .iter()
                .filter(|(_, ppid)| *ppid == member)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    family.reverse();
    family
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold blanks; the state and the parent follow it.
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

fn signal(name: &str, pids: &[u32]) {
    let mut shell = command("sh");
    shell.args(["-c", "kill -s \"$0\" \"$@\" 2>/dev/null", name]);
    shell.args(pids.iter().map(u32::to_string));
    // A process that is gone already is what we want.
    let _ = shell.status();
}

/// PATH with the places that a bare login shell leaves out: cargo's programs and sbin.
fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = env::split_paths(&path).collect();
    if let Some(bin) = cargo_bin().filter(|bin| !dirs.contains(bin)) {
        dirs.insert(0, bin);
    }
    for dir in ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from) {
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    env::join_paths(dirs).unwrap_or(path)
}

/// Where cargo puts the programs it installs.
pub fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    Some(home.join("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = command("sh");
        shell.args(["-c", script]);
        shell
    }

    #[test]
    fn lines_keep_the_order_of_stdout_and_stderr() {
        let mut seen = Vec::new();
        let status = lines(shell("echo a; echo b >&2; echo c; exit 3"), None, |event| {
            if let Event::Line(line) = event {
                seen.push(line.to_owned());
            }
        })
        .unwrap();
        assert_eq!(seen, ["a", "b", "c"]);
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_limit_ends_the_grandchildren_too() {
        let mut pid = None;
        let script = "sleep 60 & echo $!; while :; do echo x; sleep 0.05; done";
        let limit = Some(Duration::from_millis(300));
        let error = lines(shell(script), limit, |event| {
            if let Event::Line(line) = event {
                pid = pid.or_else(|| line.parse::<u32>().ok());
            }
        })
        .unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.unwrap())).unwrap_or_default();
        assert!(
            stat.is_empty() || stat.contains(") Z "),
            "still running: {stat}"
        );
    }

    #[test]
    fn a_failed_step_shows_its_last_lines() {
        let error = watched("a step", shell("echo the reason; exit 1")).unwrap_err();
        assert!(error.to_string().contains("the reason"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = watched("a step", command("no-such-program-here")).unwrap_err();
        assert!(
            format!("{error:#}").contains("no-such-program-here"),
            "{error:#}"
        );
    }
}
