//! Debian packages.

use anyhow::{Context, Result, ensure};

use crate::{
    probe,
    process::{command, watched},
};

/// Installs packages, never at the price of removing one.
///
/// # Errors
/// Without apt, without root, or with apt's own last lines.
pub fn install(packages: &[&str]) -> Result<()> {
    ensure!(probe::has_apt(), "this machine has no apt");
    ensure!(probe::is_root(), "installing packages needs root");
    update();
    apt("install", packages).with_context(|| format!("cannot install {}", packages.join(" ")))
}

/// Reads the lists of packages anew. What goes wrong shows when a package is asked for: a third-party
/// source that is down must not keep Debian's own packages away.
pub fn update() {
    if let Err(error) = apt("update", &[]) {
        println!("  ...  apt-get update complained, going on: {error:#}");
    }
}

/// What to run as root to get these packages.
pub fn by_hand(packages: &[&str]) -> String {
    format!(
        "as root: apt-get update && apt-get install -y {}",
        packages.join(" ")
    )
}

fn apt(verb: &str, packages: &[&str]) -> Result<()> {
    let mut apt = command("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-q",
        "-o",
        "DPkg::Lock::Timeout=120",
        verb,
    ]);
    if verb == "install" {
        apt.args(["-y", "--no-install-recommends", "--no-remove"])
            .args(packages);
    }
    watched(&format!("apt-get {verb} {}", packages.join(" ")), apt)
}
