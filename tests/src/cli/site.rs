//! The files and pins of one installation.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Once,
        atomic::{AtomicU32, Ordering},
    },
};

use anyhow::Context as _;
use tempfile::TempDir;

use super::Run;
use crate::needs;

/// Directories that nothing else uses, removed when the last clone of this handle is dropped:
/// with the pins goes the filter.
#[derive(Clone, Debug)]
pub struct Site {
    dir: Arc<TempDir>,
    pins: Arc<Pins>,
}

impl Site {
    /// A new site. Mounts bpffs if there is none, and the first site of a process removes the
    /// pins of processes that were killed.
    pub fn new() -> anyhow::Result<Self> {
        static SITES: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        needs::bpf_file_system()?;
        SWEEP.call_once(remove_leftovers);
        let number = SITES.fetch_add(1, Ordering::Relaxed);
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir()
            .context("tempdir")?;
        let pins = Path::new(BPF_FS).join(format!("{PREFIX}{}-{number}", process::id()));
        Ok(Self {
            dir: Arc::new(dir),
            pins: Arc::new(Pins(pins)),
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
        &self.pins.0
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

#[derive(Debug)]
struct Pins(PathBuf);

impl Drop for Pins {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

const BPF_FS: &str = "/sys/fs/bpf";
const PREFIX: &str = "trickblock-test-";

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

fn remove(pins: &Path) {
    match fs::remove_dir_all(pins) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            eprintln!("pins are left behind in {}: {error}", pins.display());
        }
        _ => {}
    }
}

fn remove_leftovers() {
    let Ok(entries) = fs::read_dir(BPF_FS) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(maker) = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next())
        else {
            continue;
        };
        if !Path::new("/proc").join(maker).exists() {
            remove(&entry.path());
        }
    }
}
