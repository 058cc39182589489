//! Debian packages that are unpacked below `target/matrix` and never installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command},
};

use anyhow::{Context, Result, ensure};

use super::cache;
use crate::{
    probe,
    process::{command, stdout_of, watched},
    setup,
};

/// The package on which `package` depends and whose name begins with `prefix`.
///
/// # Errors
/// If apt knows none, also after an update.
pub fn depends(package: &str, prefix: &str) -> Result<String> {
    ensure!(probe::has_apt(), "this machine has no apt");
    if let Some(found) = look(package, prefix) {
        return Ok(found);
    }
    setup::update_packages()?;
    look(package, prefix).with_context(|| format!("apt knows no {package}"))
}

fn look(package: &str, prefix: &str) -> Option<String> {
    let said = stdout_of(command("apt-cache").args(["depends", package]))?;
    dependency(&said, prefix)
}

fn dependency(said: &str, prefix: &str) -> Option<String> {
    let depends = said
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    let mut named = depends.filter(|name| name.starts_with(prefix));
    named.next().map(str::to_owned)
}

/// The directory with the contents of `package`, downloaded once.
///
/// # Errors
/// If it cannot be downloaded or unpacked.
pub fn unpacked(package: &str) -> Result<PathBuf> {
    unpacked_from(package, |apt, _| {
        apt.arg("download");
    })
}

/// The same with everything that it depends on and that is not installed. Nothing is installed or removed.
///
/// # Errors
/// As [`unpacked`].
pub fn unpacked_with_libraries(package: &str) -> Result<PathBuf> {
    unpacked_from(package, |apt, work| {
        // A relative directory would be taken for one below apt's own.
        let here = format!("Dir::Cache::archives={}", work.display());
        apt.args(["-y", "--no-install-recommends", "--download-only"])
            .args(["-o", &here, "install"]);
    })
}

fn unpacked_from(package: &str, how: impl Fn(&mut Command, &Path)) -> Result<PathBuf> {
    let dir = cache()?.join(package);
    if dir.is_dir() {
        return Ok(dir);
    }
    let work = cache()?.join(format!("{package}.{}", process::id()));
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let done = download(package, how, &work).and_then(|()| {
        // Renamed when complete: whoever sees it may use it.
        let moved = fs::rename(work.join("contents"), &dir);
        ensure!(
            moved.is_ok() || dir.is_dir(),
            "cannot create {}",
            dir.display()
        );
        Ok(())
    });
    let _ = fs::remove_dir_all(&work);
    done.with_context(|| format!("package {package}"))?;
    Ok(dir)
}

fn download(package: &str, how: impl Fn(&mut Command, &Path), work: &Path) -> Result<()> {
    let fetch = || {
        let mut apt = command("apt-get");
        // Root's own downloads need not go through another user.
        apt.args(["-q", "-o", "APT::Sandbox::User=root"]);
        how(&mut apt, work);
        apt.arg(package);
        watched(
            &format!("apt-get download {package}"),
            command_in(apt, work),
        )
    };
    if fetch().is_err() {
        // The lists may name a version that was replaced meanwhile.
        setup::update_packages()?;
        fetch()?;
    }
    archives(work)?.iter().try_for_each(|file| {
        let mut unpack = command("dpkg");
        unpack.arg("-x").arg(file).arg("contents");
        watched("dpkg -x", command_in(unpack, work))
    })
}

fn command_in(mut command: Command, dir: &Path) -> Command {
    command.current_dir(dir);
    command
}

fn archives(work: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(work)?.flatten().map(|entry| entry.path());
    let archives = files.filter(|file| file.extension().is_some_and(|end| end == "deb"));
    let archives: Vec<_> = archives.collect();
    ensure!(!archives.is_empty(), "apt-get left no .deb file");
    Ok(archives)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_found_among_other_dependencies() {
        let said = "linux-image-cloud-amd64\n  Depends: linux-base\n  Depends: linux-image-6.1.0-56-cloud-amd64\n  Recommends: linux-image-x\n";
        let image = dependency(said, "linux-image-");
        assert_eq!(image.as_deref(), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert_eq!(
            dependency("linux-image-cloud-amd64\n", "linux-image-"),
            None
        );
    }
}
