//! Runs the `trickblock` binary: single verbs ([`Run`]) and the daemon ([`Daemon`]), each in
//! directories of its own ([`Site`]).

use std::{
    ffi::OsString,
    io::Read,
    os::unix::process::CommandExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{netns::Netns, sys};

mod binary;
mod daemon;
mod site;

pub use binary::binary;
pub(crate) use binary::profile_dir;
pub use daemon::Daemon;
pub use site::Site;

/// One run of the binary to its end.
#[derive(Clone, Debug)]
pub struct Run {
    arguments: Vec<OsString>,
    netns: Option<Netns>,
    timeout: Duration,
}

impl Run {
    /// A run with these arguments, which may take 30 s.
    pub fn new<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self {
            arguments,
            netns: None,
            timeout: Duration::from_secs(30),
        }
    }

    /// Starts it inside a network namespace.
    pub fn within(mut self, netns: &Netns) -> Self {
        self.netns = Some(netns.clone());
        self
    }

    /// How long it may take before it is killed and the run fails.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Runs it. An exit code other than 0 is a result, not an error.
    pub fn output(&self) -> anyhow::Result<Output> {
        let mut command = command(self.netns.as_ref())?;
        command.args(&self.arguments).stdin(Stdio::null());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let status = wait(&mut child, self.timeout);
        if !matches!(status, Ok(Some(_))) {
            child
                .kill()
                .and_then(|()| child.wait())
                .context("cannot kill what took too long")?;
        }
        let (stdout, stderr) = (join(stdout), join(stderr));
        let Some(status) = status? else {
            bail!(
                "{command:?} took more than {:?}\n{stdout}{stderr}",
                self.timeout
            );
        };
        Ok(Output {
            code: status.code(),
            stdout,
            stderr,
        })
    }
}

/// What a finished run left.
#[derive(Clone, Debug)]
pub struct Output {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl Output {
    /// Standard output as JSON.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("not JSON: {self:?}"))
    }

    /// Fails with both outputs unless the exit code is 0.
    pub fn succeeded(self) -> anyhow::Result<Self> {
        if self.code != Some(0) {
            bail!("exit code {:?}\n{}{}", self.code, self.stdout, self.stderr);
        }
        Ok(self)
    }
}

/// The binary as a command that dies with the thread that starts it, so that nothing a test
/// starts can outlive it.
fn command(netns: Option<&Netns>) -> anyhow::Result<Command> {
    let binary = binary()?;
    let mut command = match netns {
        Some(netns) => netns.command(binary)?,
        None => Command::new(binary),
    };
    // Ctrl-C is for this process: it ends what it started itself, in the right order.
    command.process_group(0);
    sys::die_with_parent(&mut command);
    Ok(command)
}

/// The exit status, or `None` if `timeout` passes before it.
fn wait(child: &mut Child, timeout: Duration) -> anyhow::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(status) = child.try_wait().context("waitpid")? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        sys::stop_if_interrupted()?;
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads a pipe on a thread: a child that fills one while nobody reads would never end.
fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe
            && let Err(error) = pipe.read_to_end(&mut bytes)
        {
            bytes.extend(format!("[reading the output failed: {error}]").into_bytes());
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn join(reader: JoinHandle<String>) -> String {
    reader
        .join()
        .unwrap_or_else(|_| "[the reader of the output panicked]".to_owned())
}
