//! Taking the control socket: one daemon per socket, leftovers of a dead one replaced.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::{
        fs::{
            DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
        },
        net,
    },
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

/// Members of this group may read.
const GROUP: &str = "trickblock";

/// The control socket cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "{path}: another trickblock is running, pid {pid}: stop it first, or give this one its own [paths]"
    )]
    Running { path: PathBuf, pid: String },
    #[error("{path}: is there and not a socket: move it away, or correct `socket` in [paths]")]
    NotASocket { path: PathBuf },
    #[error(
        "{path}: cannot {op} ({source}): run as root, or set `socket` in [paths] to a place that can be written"
    )]
    Io {
        op: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

/// A bound control socket. The lock beside it is held as long as this lives; the socket file
/// is removed when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    _lock: File,
}

impl ControlSocket {
    /// Binds `path` with mode 0660 and, where it exists, group `trickblock`. Must be called
    /// inside a tokio runtime with I/O.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        if let Some(directory) = path
            .parent()
            .filter(|directory| !directory.as_os_str().is_empty())
        {
            let mut builder = DirBuilder::new();
            builder
                .recursive(true)
                .mode(0o755)
                .create(directory)
                .map_err(failed("create the directory of", path))?;
        }
        let lock = lock(path)?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(failed("bind", path))?;
        restrict(path)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

/// The socket alone cannot tell two daemons that start at once which of them is first; a
/// file lock can, and it ends with its process however that ends.
fn lock(path: &Path) -> Result<File, BindError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW);
    let mut file = options
        .open(&lock_path)
        .map_err(failed("open", &lock_path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(BindError::Running {
                path: path.to_owned(),
                pid: holder(&mut file),
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path)(source)),
    }
    let note = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    note.map_err(failed("write", &lock_path))?;
    Ok(file)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file
        .rewind()
        .and_then(|()| file.take(20).read_to_string(&mut text));
    match (read, text.trim()) {
        (Ok(_), pid) if !pid.is_empty() => pid.to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// With the lock in hand, a socket file is either a dead daemon's or not ours at all.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", path)(error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket {
            path: path.to_owned(),
        });
    }
    if net::UnixStream::connect(path).is_ok() {
        return Err(BindError::Running {
            path: path.to_owned(),
            pid: "unknown".to_owned(),
        });
    }
    tracing::info!(path = %path.display(), "replacing the control socket of a daemon that is gone");
    fs::remove_file(path).map_err(failed("remove the leftover", path))
}

fn restrict(path: &Path) -> Result<(), BindError> {
    if let Some(gid) = group_id(&fs::read_to_string("/etc/group").unwrap_or_default(), GROUP)
        && let Err(error) = chown(path, None, Some(gid))
    {
        tracing::warn!(%error, "control socket: cannot be given to the group `{GROUP}`, only root may use it");
    }
    fs::set_permissions(path, Permissions::from_mode(0o660))
        .map_err(failed("set the mode of", path))
}

/// From the text of `/etc/group`: `name:password:id:members`.
fn group_id(groups: &str, name: &str) -> Option<u32> {
    let mut fields = groups
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut fields| (fields.next() == Some(name)).then_some(fields))?;
    fields.nth(1)?.parse().ok()
}

fn failed<'a>(op: &'static str, path: &'a Path) -> impl Fn(io::Error) -> BindError + 'a {
    move |source| BindError::Io {
        op,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_found_by_its_whole_name() {
        let groups = "root:x:0:\ntrickblock-admin:x:7:\ntrickblock:x:998:alice,bob\nbroken:x\n";
        assert_eq!(group_id(groups, "trickblock"), Some(998));
        assert_eq!(group_id(groups, "trick"), None);
        assert_eq!(group_id(groups, "broken"), None);
        assert_eq!(group_id("", "trickblock"), None);
    }
}
