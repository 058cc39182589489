//! Whether pins outlive the process that makes them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// True where `pins` lies on a file system that the host's first process does not see: it goes with this process's mount
/// namespace, and what is pinned there with it. `ip netns exec` makes such a namespace.
pub fn are_private(pins: &Path) -> bool {
    differ(pins, Path::new("/proc/1/root"))
}

/// Whether a path is on another file system from below another `root`. Where that may not be looked at, nothing is known.
fn differ(path: &Path, root: &Path) -> bool {
    let theirs = root.join(path.strip_prefix("/").unwrap_or(path));
    let may_look = fs::metadata(root.join(".")).is_ok();
    may_look && device(path) != device(&theirs)
}

/// Of the path, or of the nearest directory above that exists.
fn device(path: &Path) -> Option<u64> {
    let mut ancestors = path.ancestors().map(PathBuf::from);
    ancestors.find_map(|path| fs::metadata(path).ok().map(|found| found.dev()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_tells_the_file_system() {
        assert_eq!(
            device(Path::new("/proc/1/not/there")),
            device(Path::new("/proc"))
        );
        assert_ne!(device(Path::new("/proc")), device(Path::new("/sys")));
    }

    #[test]
    fn nothing_is_said_of_a_root_that_may_not_be_looked_at() {
        let path = Path::new("/sys/fs");
        assert!(!differ(path, Path::new("/")));
        assert!(differ(path, Path::new("/proc/self")));
        assert!(!differ(path, Path::new("/proc/self/not/there")));
    }
}
