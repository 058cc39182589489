//! The files and pins of one installation.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use tempfile::TempDir;

use super::Run;
use crate::{kernel::PinDir, needs};

/// Directories that nothing else uses, removed when the last clone of this handle is dropped:
/// with the pins goes the filter.
#[derive(Clone, Debug)]
pub struct Site {
    dir: Arc<TempDir>,
    pins: Arc<PinDir>,
}

impl Site {
    /// A new site. Mounts bpffs if there is none.
    pub fn new() -> anyhow::Result<Self> {
        needs::bpf_file_system()?;
        let dir = tempfile::Builder::new()
            .prefix("trickblock-test-")
            .tempdir()
            .context("tempdir")?;
        Ok(Self {
            dir: Arc::new(dir),
            pins: Arc::new(PinDir::new()),
        })
    }

    /// A directory for feeds, allow files and the like.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The configuration file; [`Site::configure`] writes it.
    pub fn config(&self) -> PathBuf {
        self.dir().join("trickblock.toml")
    }

    /// The daemon's state directory.
    pub fn state(&self) -> PathBuf {
        self.dir().join("state")
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.dir().join("control.sock")
    }

    /// The pin directory, on bpffs.
    pub fn pins(&self) -> &Path {
        self.pins.path()
    }

    /// Writes the configuration file: the paths of this site, and then `rest`.
    pub fn configure(&self, rest: &str) -> anyhow::Result<()> {
        let (state, socket) = (self.state(), self.socket());
        let paths = format!(
            "[paths]\nstate = {state:?}\nsocket = {socket:?}\npins = {:?}\n",
            self.pins()
        );
        let config = self.config();
        fs::write(&config, paths + rest).with_context(|| config.display().to_string())
    }

    /// A verb that talks to this site's daemon or pins: `status`, `list`, `off`, …
    pub fn verb(&self, verb: &str, arguments: &[&str]) -> Run {
        let mut all: Vec<OsString> = vec![verb.into()];
        all.extend(arguments.iter().map(OsString::from));
        all.extend([
            "--socket".into(),
            self.socket().into(),
            "--pins".into(),
            self.pins().into(),
        ]);
        Run::new(all)
    }

    /// What this site's daemons wrote, one after the other.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_else(|error| format!("no log: {error}"))
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.dir().join("daemon.log")
    }

    /// Every pin of this site, sorted.
    pub fn pinned(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        collect_files(self.pins(), &mut found)
            .with_context(|| self.pins().display().to_string())?;
        found.sort();
        Ok(found)
    }
}

fn collect_files(dir: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect_files(&entry.path(), found)?;
        } else {
            found.push(entry.path());
        }
    }
    Ok(())
}
