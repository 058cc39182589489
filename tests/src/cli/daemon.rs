//! A running daemon.

use std::{
    fs::OpenOptions,
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::{Run, Site, command, wait};
use crate::{netns::Netns, sys};

/// A `trickblock run`, killed on drop, and also when the thread that started it ends.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    site: Site,
    netns: Option<Netns>,
}

impl Daemon {
    /// Starts `trickblock run -c <the site's configuration>` and waits until its socket answers.
    /// Fails with the log if it ends instead, or says nothing for 30 s.
    pub fn start(site: &Site, netns: Option<&Netns>) -> anyhow::Result<Self> {
        let mut daemon = Self::spawn(site, netns)?;
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = daemon.child.try_wait().context("waitpid")? {
                bail!("the daemon ended with {status}\n{}", daemon.log());
            }
            let Err(why) = daemon.answers() else {
                return Ok(daemon);
            };
            if Instant::now() >= deadline {
                bail!(
                    "the daemon did not answer within {START:?}: {why:#}\n{}",
                    daemon.log()
                );
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts it and does not wait for anything. Its output is appended to the site's log.
    pub fn spawn(site: &Site, netns: Option<&Netns>) -> anyhow::Result<Self> {
        Self::spawn_with(site, netns, Stdio::null())
    }

    /// As [`Self::spawn`], with something to read.
    pub fn spawn_with(
        site: &Site,
        netns: Option<&Netns>,
        stdin: impl Into<Stdio>,
    ) -> anyhow::Result<Self> {
        let path = site.log_path();
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.with_context(|| path.display().to_string())?;
        let mut command = command(netns)?;
        command.args(["run", "-c"]).arg(site.config()).stdin(stdin);
        let child = command
            .stdout(log.try_clone().context("log")?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self {
            child,
            site: site.clone(),
            netns: netns.cloned(),
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process is still there.
    pub fn alive(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait().context("waitpid")?.is_none())
    }

    /// What `trickblock status --json` prints.
    pub fn status(&self) -> anyhow::Result<Value> {
        self.verb("status", &["--json"]).output()?.json()
    }

    /// Everything it and its predecessors on the same site wrote.
    pub fn log(&self) -> String {
        self.site.log()
    }

    /// Sends SIGTERM and waits at most `timeout` for the end.
    pub fn terminate(mut self, timeout: Duration) -> anyhow::Result<ExitStatus> {
        sys::signal(&mut self.child, libc::SIGTERM).context("SIGTERM")?;
        let status = wait(&mut self.child, timeout)?;
        status.with_context(|| format!("still there {timeout:?} after SIGTERM\n{}", self.log()))
    }

    /// Sends `signal` and returns at once.
    pub fn signal(&mut self, signal: i32) -> anyhow::Result<()> {
        sys::signal(&mut self.child, signal).with_context(|| format!("signal {signal}"))
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .context("kill -9")
            .map(drop)
    }

    /// Another daemon of a restart may still answer: only the own pid counts.
    fn answers(&self) -> anyhow::Result<()> {
        let status = self
            .verb("status", &["--json"])
            .timeout(ANSWER)
            .output()?
            .json()?;
        let (own, pid) = (self.pid(), &status["daemon"]["pid"]);
        ensure!(
            pid.as_u64() == Some(own.into()),
            "its pid is {own}, {pid} answers"
        );
        Ok(())
    }

    fn verb(&self, verb: &str, arguments: &[&str]) -> Run {
        let run = self.site.verb(verb, arguments);
        match &self.netns {
            Some(netns) => run.within(netns),
            None => run,
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ended_meanwhile = self.child.kill().and_then(|()| self.child.wait());
        }
    }
}

const START: Duration = Duration::from_secs(30);
/// One question of many: a daemon that is stuck must not hold up the end of [`START`].
const ANSWER: Duration = Duration::from_secs(5);
