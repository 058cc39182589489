//! The emulator: the one in PATH, else Debian's, unpacked aside. It is not installed: that may be refused, as
//! where another version of QEMU's tools is there, and only the matrix needs it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use super::{cache, packages};
use crate::process::{command, find};

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";

/// A program that emulates an x86-64 machine.
pub enum Emulator {
    InPath(PathBuf),
    /// The root directory of the unpacked packages.
    Unpacked(PathBuf),
}

impl Emulator {
    /// What is there already.
    pub fn present() -> Option<Self> {
        let unpacked = || cache().ok().map(|cache| cache.join(PACKAGE));
        find(PROGRAM)
            .map(Self::InPath)
            .or_else(|| unpacked().filter(|root| root.is_dir()).map(Self::Unpacked))
    }

    /// What is there, or Debian's after a download.
    ///
    /// # Errors
    /// If it is not there and cannot be downloaded, with the way to get it by hand.
    pub fn get() -> Result<Self> {
        if let Some(present) = Self::present() {
            return Ok(present);
        }
        let root = packages::unpacked_with_libraries(PACKAGE).with_context(|| {
            format!("the kernel matrix needs {PROGRAM}, which Debian has in {PACKAGE}")
        })?;
        Ok(Self::Unpacked(root))
    }

    /// Where it is.
    pub fn place(&self) -> String {
        match self {
            Self::InPath(program) => program.display().to_string(),
            Self::Unpacked(root) => format!("{} (unpacked)", root.display()),
        }
    }

    /// The start of its command line.
    pub fn command(&self) -> Command {
        match self {
            Self::InPath(program) => command(program),
            Self::Unpacked(root) => unpacked(root),
        }
    }
}

fn unpacked(root: &Path) -> Command {
    let libraries = ["usr/lib", "lib"].map(|dir| root.join(dir).join("x86_64-linux-gnu"));
    let mut qemu = command(root.join("usr/bin").join(PROGRAM));
    qemu.env(
        "LD_LIBRARY_PATH",
        libraries.map(|dir| dir.display().to_string()).join(":"),
    );
    for firmware in ["seabios", "qemu"] {
        qemu.arg("-L").arg(root.join("usr/share").join(firmware));
    }
    qemu
}
