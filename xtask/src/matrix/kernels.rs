//! Which kernels, and where they come from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Emulator, guest, machine, modules, packages, present, report};

/// One kernel of the matrix.
pub struct Kernel {
    /// For people.
    pub name: &'static str,
    /// Part of the short form.
    pub quick: bool,
    machine: Machine,
}

/// How it is run.
#[derive(Clone, Copy)]
enum Machine {
    /// Emulated: the package that always depends on the newest image of a line of kernels.
    Emulated { package: &'static str },
    /// As a process: the kernel of Debian's package.
    UserMode,
    /// The one that runs already.
    Host,
}

/// From the oldest to the newest.
pub const ALL: [Kernel; 4] = [
    Kernel {
        name: "Debian 6.1",
        quick: true,
        machine: Machine::Emulated {
            package: "linux-image-cloud-amd64",
        },
    },
    Kernel {
        name: "user-mode 6.1",
        quick: false,
        machine: Machine::UserMode,
    },
    Kernel {
        name: "Debian 6.12",
        quick: false,
        machine: Machine::Emulated {
            package: "linux-image-6.12-cloud-amd64",
        },
    },
    Kernel {
        name: "this machine",
        quick: true,
        machine: Machine::Host,
    },
];

/// What the checks use and some kernels have as modules.
const MODULES: [&str; 4] = ["ipv6", "veth", "sch_ingress", "cls_bpf"];

/// What a guest is started from.
pub struct Image {
    pub kernel: PathBuf,
    /// The directory of its modules.
    pub modules: PathBuf,
}

impl Kernel {
    /// Takes longer than all others.
    pub fn is_slow(&self) -> bool {
        matches!(self.machine, Machine::UserMode)
    }

    /// How it is run, as told in the report.
    pub fn how(&self) -> &'static str {
        match self.machine {
            Machine::Emulated { .. } => "QEMU without KVM",
            Machine::UserMode => "user-mode Linux, unaligned loads by flag",
            Machine::Host => "host, network namespace",
        }
    }

    /// Gets the kernel, unless it is there; `None` for the one that runs.
    pub fn fetch(&self) -> Result<Option<Image>> {
        let image = match self.machine {
            Machine::Emulated { package } => debian(package),
            Machine::UserMode => user_mode(),
            Machine::Host => return Ok(None),
        };
        image.map(Some).with_context(|| self.name.to_owned())
    }

    /// Runs `program` on it. Whatever goes wrong is a finding.
    pub fn ask(&self, program: &Path, dir: &Path) -> Value {
        let found = self.try_ask(program, dir);
        report::finding(self, found)
    }

    fn try_ask(&self, program: &Path, dir: &Path) -> Result<Value> {
        let Some(image) = self.fetch()? else {
            return machine::run(self.name, machine::host(program));
        };
        let modules = modules::needed(&image.modules, &MODULES)?;
        let archive = dir.join(format!("{}.cpio", self.name.replace(' ', "-")));
        guest::pack(program, &modules, dir, &archive)?;
        let command = match self.machine {
            Machine::UserMode => machine::user_mode(&image, &archive, dir),
            _ => machine::emulated(&Emulator::get()?, &image, &archive),
        };
        machine::run(self.name, command)
    }
}

fn debian(package: &str) -> Result<Image> {
    let image = packages::depends(package, "linux-image-")?;
    let dir = packages::unpacked(&image)?;
    let release = image.strip_prefix("linux-image-").unwrap_or(&image);
    let image = Image {
        kernel: dir.join("boot").join(format!("vmlinuz-{release}")),
        modules: dir.join("lib/modules").join(release),
    };
    present(&image.kernel)?;
    Ok(image)
}

fn user_mode() -> Result<Image> {
    let dir = packages::unpacked("user-mode-linux")?;
    let image = Image {
        kernel: dir.join("usr/bin/linux.uml"),
        modules: dir.join("usr/lib/uml/modules"),
    };
    present(&image.kernel)?;
    Ok(image)
}
